/**
 * Stored objects as one multipart body: read from their packs in large blocks, many instances at a
 * time, with the part heads put in between.
 *
 * Source: DICOM PS3.18 §8.6.1.2 and §10.4.3.
 */

import { closing, partHead } from '#standards/dicomweb/multipart.ts'
import type { Stored } from '../cache/stored.ts'
import type { ObjectSet } from '../pacs/object-set.ts'
import { factsOf } from './batch-facts.ts'
import { startAhead } from './coded-frames.ts'
import type { Outlet } from './outlet.ts'
import type { Leaving, Transcoder } from './transcode.ts'

/** Pieces to send in place of the first `replaced` bytes of a Part 10 file. */
export interface Rewritten {
  readonly pieces: readonly Uint8Array[]
  readonly replaced: number
}

/** Rewrites the beginning of an object on its way out. */
export interface Rewrite {
  /** So many bytes of the Part 10 file it looks at: no more than the smallest block of an outlet. */
  readonly headBytes: (stored: Stored) => number
  /** What leaves in place of these: views of them, and what comes between. @throws RequestError where they won't do */
  readonly head: (stored: Stored, bytes: Buffer) => readonly Uint8Array[]
}

export interface SendOptions {
  readonly boundary: string
  readonly rewrite?: Rewrite
  readonly transcoder: Pick<Transcoder, 'stays' | 'start' | 'ahead'>
  /** The first object of the set, and what has been begun for it already. */
  readonly first?: { readonly stored: Stored, readonly leaving: Leaving | undefined }
}

/** What goes before each object. */
function objectHead (boundary: string, { sopInstanceUid, length }: Stored, transferSyntaxUid: string, first: boolean, withLength: boolean): Buffer {
  return partHead(boundary, {
    'Content-Type': `application/dicom; transfer-syntax=${transferSyntaxUid}`,
    ...withLength && { 'Content-Length': String(length) },
    'Content-ID': `<${sopInstanceUid}@drimbox>`
  }, first)
}

/** Nothing but what is the same in the head of every object, whichever the boundary is. */
const NOTHING = { sopInstanceUid: '', length: 0 } as Stored
const HEAD_BYTES = objectHead('', NOTHING, '', false, true).length - String(NOTHING.length).length

/** Bytes of the whole body, when all objects are known beforehand and leave as they are. */
export function bodyBytes (boundary: string, all: readonly (readonly Stored[])[]): number {
  let bytes = closing(boundary).length
  let objects = 0
  for (const batch of all) {
    const facts = factsOf(batch)
    objects += facts.count
    bytes += facts.bytes + facts.uidChars + facts.syntaxChars + facts.lengthDigits + facts.count * (HEAD_BYTES + boundary.length)
  }
  // Before the first delimiter stands no line's end.
  return objects === 0 ? bytes : bytes - 2
}

/**
 * Sends one small object in one write.
 *
 * @returns false for any other set, and when that can't be done now
 */
export async function sentWhole (set: ObjectSet, out: Outlet, boundary: string, all: readonly (readonly Stored[])[]): Promise<boolean> {
  if (all.length !== 1 || all[0].length !== 1) return false
  const [[stored]] = all
  const head = objectHead(boundary, stored, stored.transferSyntaxUid, true, true)
  const end = closing(boundary)
  return await out.whole(head.length + stored.length + end.length, async block => {
    block.set(head)
    await set.read(stored, 0, block.subarray(head.length, head.length + stored.length))
    block.set(end, head.length + stored.length)
  })
}

/** Writes every object of the set, without the end of the body: whether that may come, the caller decides. */
export async function sendObjects (set: ObjectSet, out: Outlet, { boundary, rewrite, transcoder, first }: SendOptions): Promise<number> {
  let sent = 0
  const head = (stored: Stored, made?: string): Buffer =>
    objectHead(boundary, stored, made ?? stored.transferSyntaxUid, sent++ === 0, rewrite === undefined && made === undefined)
  const start = async (stored: Stored): Promise<Leaving | undefined> =>
    stored === first?.stored ? first.leaving : await transcoder.start(stored)
  for (let batch = await set.next(); batch !== undefined; batch = await set.next()) {
    if (batch.every(stored => transcoder.stays(stored))) {
      await sendStored(set, out, batch, head, rewrite)
      continue
    }
    // From here on some are made anew, and the next ones begin while one leaves.
    const steps = startAhead(stepsOf(set, batch, transcoder), transcoder.ahead, async ({ run, other }) => ({ run, leaving: other && await start(other) }))
    for await (const { run, leaving } of steps) {
      if (leaving === undefined) await sendStored(set, out, run, head, rewrite)
      else await sendLeaving(out, leaving, head(leaving.stored, leaving.transferSyntaxUid))
    }
    break
  }
  return sent
}

/** Objects that leave as they are stored, as many as follow each other, or one that may not. */
interface Step {
  readonly run: readonly Stored[]
  readonly other?: Stored
}

async function * stepsOf (set: ObjectSet, first: readonly Stored[], transcoder: SendOptions['transcoder']): AsyncGenerator<Step> {
  for (let batch: readonly Stored[] | undefined = first; batch !== undefined; batch = await set.next()) {
    for (let place = 0; place < batch.length;) {
      let end = place
      while (end < batch.length && transcoder.stays(batch[end])) end++
      if (end > place) yield { run: batch.slice(place, end) }
      else yield { run: [batch[end]], other: batch[end++] }
      place = end
    }
  }
}

/** Writes an object that is made anew, as it becomes ready. */
export async function sendLeaving (out: Outlet, { body }: Leaving, head?: Buffer): Promise<void> {
  let before = head === undefined ? [] : [head]
  for await (const pieces of body) {
    const all = [...before, ...pieces].filter(({ length }) => length > 0)
    before = []
    if (all.length === 0) continue
    out.write(all)
    await out.drained()
  }
}

async function sendStored (set: ObjectSet, out: Outlet, batch: readonly Stored[], head: (stored: Stored) => Buffer, rewrite: Rewrite | undefined): Promise<void> {
  for (let place = 0; place < batch.length;) {
    const run = together(batch, place)
    await sendRun(set, out, run, head, rewrite)
    place += run.length
  }
}

/** Objects that lie one after the other in the same file, from `place` on. */
function together (batch: readonly Stored[], place: number): readonly Stored[] {
  let end = place + 1
  while (end < batch.length) {
    const before = batch[end - 1]
    const here = batch[end]
    const gap = here.offset - before.offset - before.length
    if (here.seriesUid !== before.seriesUid || here.segment !== before.segment || gap < 0 || gap > GAP_BYTES_MAX) break
    end++
  }
  return batch.slice(place, end)
}

/** Read along rather than around: a record head, and a small instance that came twice. */
const GAP_BYTES_MAX = 4096

/** Reads a run of objects block by block; the next block is read while this one leaves. */
async function sendRun (set: ObjectSet, out: Outlet, run: readonly Stored[], head: (stored: Stored) => Buffer, rewrite: Rewrite | undefined): Promise<void> {
  const from = run[0].offset
  const end = run[run.length - 1].offset + run[run.length - 1].length
  /** Of the next object that no block has begun with or held yet. */
  let ahead = 0
  // What is rewritten must lie whole in one block.
  const uncut = (at: number, until: number): number => {
    while (ahead < run.length && run[ahead].offset < until) ahead++
    const last = run[ahead - 1]
    if (rewrite === undefined || last.offset <= at || last.offset + rewrite.headBytes(last) <= until) return until
    ahead--
    return last.offset
  }
  const fetch = async (at: number): Promise<{ block: Buffer, until: number }> => {
    const block = await out.block()
    try {
      const until = uncut(at, Math.min(at + block.length, end))
      await set.read(run[0], at - from, block, until - at)
      return { block, until }
    } catch (error) {
      out.giveBack(block)
      throw error
    }
  }
  let place = 0
  let next = fetch(from)
  for (let at = from; at < end;) {
    const { block, until } = await next
    // A failure is met when it is awaited, one round later.
    if (until < end) (next = fetch(until)).catch(() => {})
    const pieces: Uint8Array[] = []
    while (place < run.length && run[place].offset < until) {
      const stored = run[place]
      let start = Math.max(stored.offset, at)
      if (stored.offset >= at) {
        pieces.push(head(stored))
        if (rewrite !== undefined) {
          start += rewrite.headBytes(stored)
          pieces.push(...rewrite.head(stored, block.subarray(stored.offset - at, start - at)))
        }
      }
      const stop = stored.offset + stored.length
      pieces.push(block.subarray(start - at, Math.min(stop, until) - at))
      if (stop > until) break
      place++
    }
    if (pieces.length > 0) out.write(pieces, block)
    else out.giveBack(block)
    await out.drained()
    at = until
  }
}

/** How an object begins that leaves alone. */
export async function rewritten (set: ObjectSet, stored: Stored, rewrite: Rewrite): Promise<Rewritten> {
  const replaced = rewrite.headBytes(stored)
  return { pieces: rewrite.head(stored, await bytesOf(set, stored, 0, replaced)), replaced }
}

/** A small part of one object. */
export async function bytesOf (set: ObjectSet, stored: Stored, offset: number, length: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafe(length)
  await set.read(stored, offset, bytes)
  return bytes
}
