/**
 * Studies, series and instances as DICOM objects, streamed while they still arrive.
 *
 * Source: DICOM PS3.18 §10.4. A body that can't be finished is cut, never closed: a truncated series
 * must not look whole.
 */

import type { OutgoingHttpHeaders } from 'node:http'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { PeerError, RequestError } from '#core/errors.ts'
import { objectAccept, parseAccept, type ObjectAccept } from '#standards/dicomweb/accept.ts'
import { closing, contentType, newBoundary } from '#standards/dicomweb/multipart.ts'
import { sayCompleteness } from '../cache/completeness.ts'
import type { Stored } from '../cache/stored.ts'
import type { ObjectSet, Target } from '../pacs/object-set.ts'
import type { Supply } from '../pacs/supply.ts'
import type { Gate } from './gate.ts'
import { insRewrite } from './ins.ts'
import { Outlet } from './outlet.ts'
import { bodyBytes, sendObjects, type Rewrite } from './send.ts'

export interface ObjectParts {
  readonly supply: Pick<Supply, 'open'>
  readonly gate: Gate
}

/** Answers one WADO-RS request for objects. */
export async function serveObjects ({ supply, gate }: ObjectParts, request: FastifyRequest, reply: FastifyReply, target: Target): Promise<void> {
  const accept = objectAccept(parseAccept(request.headers.accept, acceptParameter(request)), 'application/dicom', target.instance !== undefined)
  const { ins } = await gate.admit(request.headers, target)
  const set = await supply.open(target, hangUp(reply))
  try {
    const acceptable = new Acceptable(set, accept)
    await acceptable.first()
    const rewrite = ins && insRewrite(ins)
    reply.hijack()
    if (accept.multipart) await sendMultipart(acceptable, reply, rewrite, set.all)
    else await sendSingle(acceptable, reply, rewrite)
  } finally {
    set.close()
  }
}

async function sendMultipart (set: Acceptable, reply: FastifyReply, rewrite: Rewrite | undefined, all: ObjectSet['all']): Promise<void> {
  const boundary = newBoundary()
  const headers = { ...reply.getHeaders(), 'content-type': contentType(boundary, 'application/dicom') }
  const known = all !== undefined && rewrite === undefined
  const partial = set.completeness().state === 'partial'
  reply.raw.writeHead(partial ? 206 : 200, {
    ...headers,
    ...known && { 'content-length': bodyBytes(boundary, all) },
    ...partial && { warning: `299 drimbox "${sayCompleteness(set.completeness())}"` }
  } as OutgoingHttpHeaders)
  const out = new Outlet(reply.raw)
  try {
    await sendObjects(set, out, { boundary, rewrite })
    const completeness = set.completeness()
    if (completeness.state === 'complete' || partial) out.end(closing(boundary))
    else out.cut(new Error(`incomplete: ${sayCompleteness(completeness)}`))
    if (completeness.state !== 'complete') reply.log.warn({ code: 'PACS_INCOMPLETE', ...completeness }, 'a study or series is incomplete')
  } catch (error) {
    if (!out.closed) reply.log.warn({ err: error }, 'an answer was cut')
    out.cut(error as Error)
  }
}

async function sendSingle (set: Acceptable, reply: FastifyReply, rewrite: Rewrite | undefined): Promise<void> {
  const [stored] = await set.next() as readonly Stored[]
  const out = new Outlet(reply.raw)
  const read = async (offset: number, length: number): Promise<Buffer> => {
    const bytes = Buffer.allocUnsafe(length)
    await set.read(stored, offset, bytes)
    return bytes
  }
  try {
    const head = await rewrite?.(stored, read)
    const growth = head === undefined ? 0 : head.pieces.reduce((sum, piece) => sum + piece.length, 0) - head.replaced
    reply.raw.writeHead(200, {
      ...reply.getHeaders(),
      'content-type': `application/dicom; transfer-syntax=${stored.transferSyntaxUid}`,
      'content-length': stored.length + growth
    } as OutgoingHttpHeaders)
    if (head !== undefined) out.write(head.pieces)
    for (let at = head?.replaced ?? 0; at < stored.length;) {
      const block = await out.block()
      const length = Math.min(block.length, stored.length - at)
      await set.read(stored, at, block, length)
      out.write([block.subarray(0, length)], block)
      await out.drained()
      at += length
    }
    out.end()
  } catch (error) {
    out.cut(error as Error)
  }
}

/** Lets through only what the caller accepts; says so with a status while that is still possible. */
class Acceptable implements ObjectSet {
  readonly #set: ObjectSet
  readonly #accept: ObjectAccept
  #peeked: readonly Stored[] | undefined

  constructor (set: ObjectSet, accept: ObjectAccept) {
    this.#set = set
    this.#accept = accept
  }

  /** @throws RequestError ACCEPT_UNSUPPORTED when what is known already doesn't fit */
  async first (): Promise<void> {
    for (const batch of this.#set.all ?? []) this.#check(batch)
    this.#peeked = await this.#set.next()
    this.#check(this.#peeked ?? [])
  }

  async next (): Promise<readonly Stored[] | undefined> {
    const batch = this.#peeked ?? await this.#set.next()
    this.#peeked = undefined
    if (batch !== undefined) this.#check(batch)
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
    for (const { transferSyntaxUid } of batch) {
      if (this.#accept.accepts(transferSyntaxUid) > 0) continue
      throw new RequestError('ACCEPT_UNSUPPORTED', 'the objects are held in a transfer syntax that the caller does not accept', { facts: { held: transferSyntaxUid } })
    }
  }
}

/** Fires when the caller leaves before the answer is whole. */
export function hangUp (reply: FastifyReply): AbortSignal {
  const left = new AbortController()
  reply.raw.on('close', () => { left.abort(new PeerError('CANCELLED', 'the caller left')) })
  return left.signal
}

export function acceptParameter (request: FastifyRequest): string | undefined {
  const { accept } = request.query as { accept?: string | string[] }
  return Array.isArray(accept) ? accept.join(',') : accept
}
