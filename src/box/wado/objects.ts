/**
 * Studies, series and instances as DICOM objects, streamed while they still arrive.
 *
 * Source: DICOM PS3.18 §10.4. A body that can't be finished is cut, never closed: a truncated series
 * must not look whole.
 */

import assert from 'node:assert/strict'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { PeerError } from '#core/errors.ts'
import { objectAccept, parseAccept, wishedSyntaxes, type ObjectAccept } from '#standards/dicomweb/accept.ts'
import { closing, contentType, newBoundary } from '#standards/dicomweb/multipart.ts'
import { sayCompleteness } from '../cache/completeness.ts'
import type { Stored } from '../cache/stored.ts'
import type { ObjectSet, Target } from '../pacs/object-set.ts'
import type { Supply } from '../pacs/supply.ts'
import type { PixelPool } from '../pixels/pool.ts'
import type { Ins } from '#standards/dicom/ins.ts'
import { beginAnswer, sendBody } from './answer.ts'
import { factsOf } from './batch-facts.ts'
import type { Gate, Grant } from './gate.ts'
import { insRewrite, insTag } from './ins.ts'
import { saidUnchanged, sendRepresentation, setValidators, validatorsOf } from './representation.ts'
import { bodyBytes, rewritten, sendLeaving, sendObjects, sentWhole, type Rewritten, type SendOptions } from './send.ts'
import { Transcoder, type Leaving } from './transcode.ts'

const DICOM = 'application/dicom'

export interface ObjectParts {
  readonly supply: Pick<Supply, 'open' | 'holds'>
  readonly gate: Gate
  /** Where pixels are worked on. */
  readonly pixels: PixelPool
}

/** Answers one WADO-RS request for objects. */
export async function serveObjects ({ supply, gate, pixels }: ObjectParts, request: FastifyRequest, reply: FastifyReply, target: Target): Promise<void> {
  const grant = await gate.admit(request.headers, target)
  const accept = objectAccept(parseAccept(request.headers.accept, acceptParameter(request)), DICOM, target.instance !== undefined)
  const signal = hangUp(reply)
  const set = await supply.open(target, signal, wishedSyntaxes(accept))
  try {
    await sendSet({ set, accept, grant, pixels, signal }, reply)
  } finally {
    set.close()
  }
}

export interface Sending {
  readonly set: ObjectSet
  readonly accept: ObjectAccept
  readonly grant: Grant
  readonly pixels: PixelPool
  /** Fires when the caller has left. */
  readonly signal: AbortSignal
  /** What has been taken from the set already. */
  readonly begun?: readonly Stored[]
}

/** Sends what the set gives, in the transfer syntaxes that the caller likes. */
export async function sendSet ({ set, accept, grant: { ins }, pixels, signal, begun }: Sending, reply: FastifyReply): Promise<void> {
  const transcoder = new Transcoder({ source: set, accept, pool: pixels, signal, log: reply.log, ...ins && { ins } })
  try {
    const acceptable = new Acceptable(set, transcoder, begun)
    const stored = await acceptable.first()
    // Both are tried out on the first object: here it can still be told that it won't do.
    const leaving = await transcoder.start(stored)
    const rewrite = ins && insRewrite(ins)
    const head = leaving === undefined && rewrite !== undefined ? await rewritten(set, stored, rewrite) : undefined
    if (accept.multipart) await sendMultipart(acceptable, reply, { rewrite, transcoder, first: { stored, leaving } }, set.all)
    else if (leaving === undefined) await sendSingle(acceptable, reply, stored, head, ins)
    else await sendMade(reply, leaving)
  } finally {
    transcoder.close()
  }
}

async function sendMultipart (set: Acceptable, reply: FastifyReply, { rewrite, transcoder, first }: Omit<SendOptions, 'boundary'>, all: ObjectSet['all']): Promise<void> {
  const boundary = newBoundary()
  const known = all !== undefined && rewrite === undefined && all.every(batch => factsOf(batch).kinds.every(stored => transcoder.stays(stored)))
  const partial = set.completeness().state === 'partial'
  const validators = known && !partial ? setValidators(all, 'o') : undefined
  if (validators !== undefined && saidUnchanged(reply.request, reply, validators)) return
  const isBegun = beginAnswer(reply, {
    status: partial ? 206 : 200,
    type: contentType(boundary, DICOM),
    validators,
    ...known && { bytes: bodyBytes(boundary, all) },
    ...partial && { headers: { warning: `299 drimbox "${sayCompleteness(set.completeness())}"` } }
  })
  if (!isBegun) return
  await sendBody(reply, async out => {
    if (known && await sentWhole(set, out, boundary, all)) return
    await sendObjects(set, out, { boundary, rewrite, transcoder, first })
    const completeness = set.completeness()
    if (completeness.state === 'complete' || partial) out.end(closing(boundary))
    else out.cut(new Error(`incomplete: ${sayCompleteness(completeness)}`))
    if (completeness.state !== 'complete') reply.log.warn({ code: 'PACS_INCOMPLETE', ...completeness }, 'a study or series is incomplete')
  })
}

/** One object as it is stored, but for its INS. */
async function sendSingle (set: ObjectSet, reply: FastifyReply, stored: Stored, head: Rewritten | undefined, ins: Ins | undefined): Promise<void> {
  await sendRepresentation(reply.request, reply, set, {
    type: `${DICOM}; transfer-syntax=${stored.transferSyntaxUid}`,
    pieces: [...head?.pieces ?? [], { stored, offset: head?.replaced ?? 0, length: stored.length - (head?.replaced ?? 0) }],
    validators: validatorsOf(stored, ins === undefined ? 'o' : `o${insTag(ins)}`)
  })
}

/** One object that is made anew: how long it will be is known only once it has left. */
async function sendMade (reply: FastifyReply, leaving: Leaving): Promise<void> {
  if (!beginAnswer(reply, { type: `${DICOM}; transfer-syntax=${leaving.transferSyntaxUid}` })) return
  await sendBody(reply, async out => {
    await sendLeaving(out, leaving)
    out.end()
  })
}

/** Lets through only what the caller accepts; says so with a status while that is still possible. */
class Acceptable implements ObjectSet {
  readonly #set: ObjectSet
  readonly #transcoder: Transcoder
  #peeked: readonly Stored[] | undefined

  constructor (set: ObjectSet, transcoder: Transcoder, begun: readonly Stored[] | undefined) {
    this.#set = set
    this.#transcoder = transcoder
    this.#peeked = begun
  }

  /** @throws RequestError ACCEPT_UNSUPPORTED when what is known already doesn't fit */
  async first (): Promise<Stored> {
    for (const batch of this.#set.all ?? []) this.#check(factsOf(batch).kinds)
    this.#peeked ??= await this.#set.next()
    if (this.#set.all === undefined) this.#check(this.#peeked ?? [])
    const [stored] = this.#peeked ?? []
    assert(stored !== undefined, 'a set that is open has something to give')
    return stored
  }

  async next (): Promise<readonly Stored[] | undefined> {
    const batch = this.#peeked ?? await this.#set.next()
    this.#peeked = undefined
    if (batch !== undefined && this.#set.all === undefined) this.#check(batch)
    return batch
  }

  completeness (): ReturnType<ObjectSet['completeness']> {
    return this.#set.completeness()
  }

  async read (stored: Stored, offset: number, target: Uint8Array, length?: number): Promise<number> {
    return await this.#set.read(stored, offset, target, length)
  }

  pack (seriesUid: string): ReturnType<ObjectSet['pack']> {
    return this.#set.pack(seriesUid)
  }

  close (): void {
    this.#set.close()
  }

  #check (batch: readonly Stored[]): void {
    for (const stored of batch) this.#transcoder.check(stored)
  }
}

/** Fires when the caller leaves before the answer is whole. */
export function hangUp ({ raw }: FastifyReply): AbortSignal {
  const left = new AbortController()
  // Most callers leave with all that they came for.
  const leave = (): void => { if (!raw.writableFinished) left.abort(new PeerError('CANCELLED', 'the caller left')) }
  // The answer to a pipelined request isn't told when its socket closes before its turn.
  const { socket } = raw.req
  if (raw.destroyed || socket.destroyed) leave()
  socket.once('close', leave)
  raw.once('close', () => {
    socket.off('close', leave)
    leave()
  })
  return left.signal
}

export function acceptParameter (request: FastifyRequest): string | undefined {
  const { accept } = request.query as { accept?: string | string[] }
  return Array.isArray(accept) ? accept.join(',') : accept
}
