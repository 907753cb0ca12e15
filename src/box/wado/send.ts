/**
 * Stored objects as one multipart body: read from their packs in large blocks, many instances at a
 * time, with the part heads put in between.
 *
 * Source: DICOM PS3.18 §8.6.1.2 and §10.4.3.
 */

import { closing, partHead } from '#standards/dicomweb/multipart.ts'
import type { Stored } from '../cache/stored.ts'
import type { ObjectSet } from '../pacs/object-set.ts'
import type { Outlet } from './outlet.ts'

/** Pieces to send in place of the first `replaced` bytes of a Part 10 file. */
export interface Rewritten {
  readonly pieces: readonly Uint8Array[]
  readonly replaced: number
}

/** Rewrites the head of an object on its way out. */
export type Rewrite = (stored: Stored, read: (offset: number, length: number) => Promise<Buffer>) => Promise<Rewritten>

export interface SendOptions {
  readonly boundary: string
  readonly rewrite?: Rewrite
}

/** What goes before each object. */
export function objectHead (boundary: string, stored: Stored, first: boolean, withLength: boolean): Buffer {
  return partHead(boundary, {
    'Content-Type': `application/dicom; transfer-syntax=${stored.transferSyntaxUid}`,
    ...withLength && { 'Content-Length': String(stored.length) },
    'Content-ID': `<${stored.sopInstanceUid}@drimbox>`
  }, first)
}

/** Bytes of the whole body, when all objects are known beforehand and leave as they are. */
export function bodyBytes (boundary: string, all: readonly (readonly Stored[])[]): number {
  let bytes = closing(boundary).length
  let first = true
  for (const batch of all) {
    for (const stored of batch) {
      bytes += objectHead(boundary, stored, first, true).length + stored.length
      first = false
    }
  }
  return bytes
}

/** Writes every object of the set, without the end of the body: whether that may come, the caller decides. */
export async function sendObjects (set: ObjectSet, out: Outlet, { boundary, rewrite }: SendOptions): Promise<number> {
  let sent = 0
  const head = (stored: Stored): Buffer => objectHead(boundary, stored, sent++ === 0, rewrite === undefined)
  for (let batch = await set.next(); batch !== undefined; batch = await set.next()) {
    for (let place = 0; place < batch.length;) {
      const stored = batch[place]
      if (rewrite !== undefined) {
        await sendRewritten(set, out, stored, head(stored), rewrite)
        place++
      } else {
        const run = together(batch, place)
        await sendRun(set, out, run, head)
        place += run.length
      }
    }
  }
  return sent
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
async function sendRun (set: ObjectSet, out: Outlet, run: readonly Stored[], head: (stored: Stored) => Buffer): Promise<void> {
  const from = run[0].offset
  const end = run[run.length - 1].offset + run[run.length - 1].length
  const fetch = async (at: number): Promise<Buffer> => {
    const block = await out.block()
    try {
      await set.read(run[0], at - from, block, Math.min(block.length, end - at))
      return block
    } catch (error) {
      out.giveBack(block)
      throw error
    }
  }
  let place = 0
  let next = fetch(from)
  for (let at = from; at < end;) {
    const block = await next
    const until = Math.min(at + block.length, end)
    // A failure is met when it is awaited, one round later.
    if (until < end) (next = fetch(until)).catch(() => {})
    const pieces: Uint8Array[] = []
    while (place < run.length && run[place].offset < until) {
      const stored = run[place]
      if (stored.offset >= at) pieces.push(head(stored))
      const stop = stored.offset + stored.length
      pieces.push(block.subarray(Math.max(stored.offset, at) - at, Math.min(stop, until) - at))
      if (stop > until) break
      place++
    }
    if (pieces.length > 0) out.write(pieces, block)
    else out.giveBack(block)
    await out.drained()
    at = until
  }
}

async function sendRewritten (set: ObjectSet, out: Outlet, stored: Stored, head: Buffer, rewrite: Rewrite): Promise<void> {
  const { pieces, replaced } = await rewrite(stored, async (offset, length) => await bytesOf(set, stored, offset, length))
  out.write([head, ...pieces])
  await out.drained()
  await sendRange(set, out, stored, replaced, stored.length)
}

/** Part of one object, block by block, from its pack. */
export async function sendRange (set: ObjectSet, out: Outlet, stored: Stored, from: number, end: number): Promise<void> {
  for (let at = from; at < end;) {
    const block = await out.block()
    const length = Math.min(block.length, end - at)
    await set.read(stored, at, block, length)
    out.write([block.subarray(0, length)], block)
    await out.drained()
    at += length
  }
}

/** A small part of one object. */
export async function bytesOf (set: ObjectSet, stored: Stored, offset: number, length: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafe(length)
  await set.read(stored, offset, bytes)
  return bytes
}
