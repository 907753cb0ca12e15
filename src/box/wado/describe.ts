/**
 * Answers `/metadata` for a study, a series or an instance: as JSON, made once for each series, or as
 * XML, made instance by instance while it leaves.
 *
 * Source: DICOM PS3.18 §10.4.1.1.2, Annex F; PS3.19 §A.1.
 */

import type { OutgoingHttpHeaders } from 'node:http'
import { pipeline } from 'node:stream/promises'
import { Readable } from 'node:stream'
import { createInflateRaw, constants } from 'node:zlib'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { DrimboxError, PeerError, RequestError } from '#core/errors.ts'
import { nativeModel } from '#standards/dicom/native-model.ts'
import { choose, parseAccept, type Offer } from '#standards/dicomweb/accept.ts'
import { validatorHeaders, type Validators } from '#standards/dicomweb/conditional.ts'
import { chooseCoding } from '#standards/dicomweb/content-coding.ts'
import { joinedBytes, joinedCrc, joinFragments, storedFragment, type Fragment } from '#standards/dicomweb/gzip-fragments.ts'
import { assertUtf8 } from '#standards/dicomweb/utf8.ts'
import { closing, contentType, newBoundary, partHead } from '#standards/dicomweb/multipart.ts'
import { sayCompleteness } from '../cache/completeness.ts'
import type { Stored } from '../cache/stored.ts'
import type { ObjectSet, Target } from '../pacs/object-set.ts'
import { CACHE_CONTROL, varying } from './answer.ts'
import { CodedOut, codingFor } from './coded-out.ts'
import { leavesAsItComes, sendArriving } from './describe-arriving.ts'
import { instanceHead, instanceMetadata, type BulkDataUri, type SeriesMetadata } from './metadata.ts'
import { acceptParameter, hangUp, type ObjectParts } from './objects.ts'
import { Outlet } from './outlet.ts'
import { saidUnchanged, sendRepresentation, setValidators, validatorsOf } from './representation.ts'

export interface DescribeParts extends ObjectParts {
  readonly metadata: SeriesMetadata
  readonly bulkDataUri: BulkDataUri
}

const XML = 'application/dicom+xml'
const OFFERS: readonly Offer[] = [{ type: 'application/dicom+json' }, { type: 'application/json' }, { type: 'multipart/related', inner: XML }]
/** One instance is one document, which needs no multipart around it. */
const INSTANCE_OFFERS: readonly Offer[] = [...OFFERS, { type: XML }]
/** Raised when the same object is described otherwise than before. */
const VERSION = 1

export async function serveMetadata (parts: DescribeParts, request: FastifyRequest, reply: FastifyReply, target: Target): Promise<void> {
  await parts.gate.admit(request.headers, target)
  assertUtf8((request.query as { charset?: string | string[] }).charset)
  const offers = target.instance === undefined ? OFFERS : INSTANCE_OFFERS
  const offer = choose(parseAccept(request.headers.accept, acceptParameter(request)), offers)
  if (offer === undefined) throw new RequestError('ACCEPT_UNSUPPORTED', 'metadata are given as DICOM JSON or XML', { facts: { offered: offers.map(({ type, inner }) => inner ?? type) } })
  const set = await parts.supply.open(target, hangUp(reply))
  try {
    if (offer.inner === XML) await sendXml(parts, set, request, reply)
    else if (target.instance !== undefined) await sendInstance(parts, set, request, reply, offer.type)
    else if (leavesAsItComes(set, request)) await sendArriving(parts.bulkDataUri, set, request, reply, offer.type)
    else await sendJson(parts, set, request, reply, offer.type)
  } finally {
    set.close()
  }
}

async function sendInstance ({ bulkDataUri }: DescribeParts, set: ObjectSet, request: FastifyRequest, reply: FastifyReply, type: string): Promise<void> {
  const [stored] = await set.next() as readonly Stored[]
  const read = async (one: Stored, offset: number, bytes: Uint8Array): Promise<number> => await set.read(one, offset, bytes)
  const text = type === XML
    ? nativeModel(await instanceHead(stored, read, bulkDataUri))
    : `[${await instanceMetadata(stored, read, bulkDataUri)}]`
  await sendRepresentation(request, reply, set, {
    type: type === XML ? XML : type,
    pieces: [Buffer.from(text)],
    validators: validatorsOf(stored, type === XML ? `x${VERSION}` : `j${VERSION}`),
    whole: true
  })
}

async function sendJson (parts: DescribeParts, set: ObjectSet, request: FastifyRequest, reply: FastifyReply, type: string): Promise<void> {
  const series = new Set<string>()
  let modifiedAt = 0
  for (let batch = await set.next(); batch !== undefined; batch = await set.next()) {
    for (const stored of batch) {
      series.add(stored.seriesUid)
      modifiedAt = Math.max(modifiedAt, stored.receivedAt)
    }
  }
  const completeness = set.completeness()
  const partial = completeness.state !== 'complete'
  const fragments = await gather(parts.metadata, set, series)
  const gzip = chooseCoding(request.headers['accept-encoding'], ['gzip']) === 'gzip'
  const validators: Validators = { etag: `"${joinedCrc(fragments).toString(16)}-${fragments.reduce((sum, { bytes }) => sum + bytes, 0).toString(36)}-${gzip ? 'z' : 'j'}"`, modifiedAt }
  if (!partial && saidUnchanged(request, reply, validators)) return
  const bytes = gzip ? joinedBytes(fragments) : fragments.reduce((sum, fragment) => sum + fragment.bytes, 0)
  reply.hijack()
  reply.raw.writeHead(partial ? 206 : 200, {
    ...reply.getHeaders(),
    'content-type': type,
    'content-length': bytes,
    'cache-control': CACHE_CONTROL,
    vary: varying(reply, 'Accept-Encoding'),
    ...gzip && { 'content-encoding': 'gzip' },
    ...!partial && validatorHeaders(validators),
    ...partial && { warning: `299 drimbox "${sayCompleteness(completeness)}"` }
  } as OutgoingHttpHeaders)
  if (request.method === 'HEAD') {
    reply.raw.end()
    return
  }
  const sending = gzip
    ? pipeline(Readable.from(joinFragments(fragments)), reply.raw)
    : pipeline(Readable.from(fragments.map(fragment => fragment.deflated)), createInflateRaw({ finishFlush: constants.Z_SYNC_FLUSH }), reply.raw)
  await sending.catch(error => {
    if (!reply.raw.destroyed) reply.raw.destroy()
    if (!(error instanceof PeerError)) reply.log.info({ err: error }, 'metadata was cut')
  })
}

/** One fragment for each series, with the brackets and commas between. */
async function gather (metadata: SeriesMetadata, set: ObjectSet, series: Iterable<string>): Promise<Fragment[]> {
  const fragments: Fragment[] = []
  for (const uid of series) fragments.push(storedFragment(fragments.length === 0 ? '[' : ','), await metadata.of(set.pack(uid)))
  return [...fragments, storedFragment(']')]
}

/** One document for each instance, as they come. A body that can't be finished is cut. */
async function sendXml ({ bulkDataUri }: DescribeParts, set: ObjectSet, request: FastifyRequest, reply: FastifyReply): Promise<void> {
  const document = async (stored: Stored): Promise<Buffer> => {
    try {
      return Buffer.from(nativeModel(await instanceHead(stored, async (one, offset, bytes) => await set.read(one, offset, bytes), bulkDataUri)))
    } catch (error) {
      if (error instanceof DrimboxError && error.code !== 'DATA_MALFORMED') throw error
      throw new RequestError('DATA_MALFORMED', 'the head of an instance cannot be read', { cause: error, facts: { instance: stored.sopInstanceUid } })
    }
  }
  const partial = set.completeness().state === 'partial'
  const coding = codingFor(request)
  const known = !partial && set.all !== undefined ? setValidators(set.all, `x${VERSION}-${coding}`) : undefined
  if (known !== undefined && saidUnchanged(request, reply, known)) return
  const boundary = newBoundary()
  let batch = await set.next()
  let next = batch?.[0] === undefined ? undefined : await document(batch[0])
  reply.hijack()
  reply.raw.writeHead(partial ? 206 : 200, {
    ...reply.getHeaders(),
    'content-type': contentType(boundary, XML),
    'cache-control': CACHE_CONTROL,
    vary: varying(reply, 'Accept-Encoding'),
    ...coding !== 'identity' && { 'content-encoding': coding },
    ...known !== undefined && validatorHeaders(known),
    ...partial && { warning: `299 drimbox "${sayCompleteness(set.completeness())}"` }
  } as OutgoingHttpHeaders)
  if (request.method === 'HEAD') {
    reply.raw.end()
    return
  }
  const out = new CodedOut(new Outlet(reply.raw), coding)
  try {
    for (let first = true; batch !== undefined; batch = await set.next()) {
      for (const stored of batch) {
        await out.write(partHead(boundary, { 'Content-Type': XML }, first))
        await out.write(next ?? await document(stored))
        next = undefined
        first = false
      }
    }
    const completeness = set.completeness()
    if (partial || completeness.state === 'complete') await out.end(closing(boundary))
    else out.cut(new Error(`incomplete: ${sayCompleteness(completeness)}`))
  } catch (error) {
    if (!out.closed) reply.log.warn({ err: error }, 'an answer was cut')
    out.cut(error as Error)
  }
}
