/**
 * STOW-RS: what callers send goes into the centre's PACS, and they learn what became of each object.
 *
 * Source: DICOM PS3.18 §10.5, Annex I. Off unless `stow.enabled` says otherwise; never offered to
 * other boxes. Nothing is told as stored unless the PACS has answered so. Objects go in as they are:
 * one that the PACS doesn't take in its transfer syntax is refused, not changed.
 */

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { CapacityError, RequestError, type DrimboxError } from '#core/errors.ts'
import { parseUid } from '#core/uid.ts'
import { jsonText } from '#standards/dicom/json.ts'
import { nativeModel } from '#standards/dicom/native-model.ts'
import { choose, parseAccept } from '#standards/dicomweb/accept.ts'
import { parseContentType } from '#standards/dicomweb/content-type.ts'
import { isStored, storeResponse, storeStatusCode, type StoreOutcome } from '#standards/dicomweb/store-response.ts'
import type { Config } from '../config.ts'
import type { Delivery } from '../pacs/deliver.ts'
import type { Gate } from '../wado/gate.ts'
import { acceptParameter, hangUp } from '../wado/objects.ts'
import { receiveObjects } from './receive-objects.ts'
import type { Spool } from './spool.ts'

/** All that this room needs from the others. */
export interface StowParts {
  readonly settings: Config['stow']
  readonly spool: Spool
  readonly deliver: (signal: AbortSignal) => Delivery
  /** Objects of these series are in the PACS now. */
  readonly changed: (studyUid: string, seriesUids: Iterable<string>) => Promise<void>
  readonly gate: Pick<Gate, 'admitStore'>
  /** Absolute URL of the DICOMweb root, as this caller sees it. */
  readonly base: (request: FastifyRequest) => string
}

const XML_TYPE = 'application/dicom+xml'
const OFFERS = [{ type: 'application/dicom+json' }, { type: 'application/json' }, { type: XML_TYPE }]
/** Bodies that are taken (PS3.18 §8.7.3). */
const TAKEN = ['multipart/related; type="application/dicom"', 'application/dicom'] as const
/** When all places are taken, in seconds. */
const BUSY_SECONDS = 10
/** What is left of a body after its answer is passed over for so long, so that the answer is read. In milliseconds. */
const LINGER_MS = 5000

export async function stowRoutes (app: FastifyInstance, parts: StowParts): Promise<void> {
  let active = 0
  // Apart from the others, whose bodies nobody wants: here they stay streams.
  await app.register(async scope => {
    scope.removeAllContentTypeParsers()
    scope.addContentTypeParser('*', (_request, body, done) => { done(null, body) })
    for (const path of ['/studies', '/studies/:study']) {
      scope.post(path, { bodyLimit: Number.MAX_SAFE_INTEGER, config: { takesUpload: true, off: !parts.settings.enabled } }, async (request, reply) => {
        lingerAfter(request, reply)
        await parts.gate.admitStore(request.headers)
        if (!parts.settings.enabled) throw new RequestError('NOT_OFFERED', 'storing is switched off here (setting stow.enabled)')
        if (active >= parts.settings.requestsMax) throw new CapacityError('BUSY', 'others store already', { facts: { retryAfterSeconds: BUSY_SECONDS } })
        active++
        try {
          return await serveStore(parts, request, reply, (request.params as { study?: string }).study)
        } finally {
          active--
        }
      })
    }
  })
}

async function serveStore (parts: StowParts, request: FastifyRequest, reply: FastifyReply, study: string | undefined): Promise<FastifyReply> {
  const studyUid = study === undefined ? undefined : parseUid(study)
  const offer = choose(parseAccept(request.headers.accept, acceptParameter(request)), OFFERS)
  if (offer === undefined) throw new RequestError('ACCEPT_UNSUPPORTED', 'what became of the objects is told as DICOM JSON or XML', { facts: { offered: OFFERS.map(({ type }) => type) } })
  const boundary = boundaryOf(request)
  const signal = hangUp(reply)
  const delivery = parts.deliver(signal)
  const { outcomes, failure } = await receiveObjects(request.raw, boundary, { ...parts, studyUid, delivery, signal })
  await tellChanged(parts, outcomes)
  log(reply, outcomes, failure)
  if (signal.aborted) throw signal.reason
  if (failure !== undefined && isAll(failure, outcomes)) throw failure
  const response = storeResponse(outcomes, parts.base(request))
  return reply
    .code(storeStatusCode(outcomes))
    .header('content-type', offer.type)
    .header('cache-control', 'private, no-store')
    .send(Buffer.from(offer.type === XML_TYPE ? nativeModel(response) : jsonText(response)))
}

/**
 * @returns undefined where the body is one single object
 * @throws RequestError MEDIA_UNSUPPORTED, DATA_MALFORMED
 */
function boundaryOf ({ headers }: FastifyRequest): string | undefined {
  const encoding = headers['content-encoding'] ?? 'identity'
  if (encoding.toLowerCase() !== 'identity') throw unsupported('bodies are taken as they are, without a content coding')
  const { type, inner, boundary } = parseContentType(headers['content-type']) ?? {}
  if (type === 'application/dicom') return undefined
  if (type !== 'multipart/related' || (inner !== undefined && inner !== 'application/dicom')) {
    throw unsupported('objects are taken as DICOM files; metadata in JSON or XML with bulk data are not')
  }
  if (boundary === undefined) throw new RequestError('DATA_MALFORMED', 'multipart/related without a boundary')
  return boundary
}

function unsupported (message: string): RequestError {
  return new RequestError('MEDIA_UNSUPPORTED', message, { facts: { offered: TAKEN } })
}

/** Nothing is stored, and this one failure says more than a list of reasons would. */
function isAll ({ code }: DrimboxError, outcomes: readonly StoreOutcome[]): boolean {
  return !outcomes.some(({ status }) => isStored(status)) && (code !== 'DATA_MALFORMED' || outcomes.length <= 1)
}

/** Readers must see what is new. What can't be forgotten is counted anew in time. */
async function tellChanged (parts: StowParts, outcomes: readonly StoreOutcome[]): Promise<void> {
  const stored = outcomes.filter(({ status }) => isStored(status)).flatMap(({ instance }) => instance ?? [])
  for (const [studyUid, instances] of Map.groupBy(stored, ({ studyUid }) => studyUid)) {
    await parts.changed(studyUid, new Set(instances.map(({ seriesUid }) => seriesUid)))
  }
}

function log ({ log }: FastifyReply, outcomes: readonly StoreOutcome[], failure: DrimboxError | undefined): void {
  const stored = outcomes.filter(({ status }) => isStored(status)).length
  const facts = { stored, warned: outcomes.filter(({ status }) => isStored(status) && status !== 0).length, failed: outcomes.length - stored }
  if (failure !== undefined) log.warn({ ...facts, code: failure.code, err: failure }, 'objects of a caller could not all be stored')
  else log.info(facts, 'objects of a caller were stored')
}

/** An answer that comes before the end of the body is read only if the rest is taken for a while. */
function lingerAfter ({ raw }: FastifyRequest, reply: FastifyReply): void {
  reply.raw.once('finish', () => {
    if (raw.complete) return
    raw.resume()
    const timer = setTimeout(() => { raw.socket.destroy() }, LINGER_MS).unref()
    raw.once('close', () => { clearTimeout(timer) }).once('end', () => { clearTimeout(timer) })
  })
}
