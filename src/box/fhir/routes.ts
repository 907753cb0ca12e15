/**
 * The studies of this centre's PACS as FHIR ImagingStudy, for its own network: C-FIND, and nothing else.
 *
 * Source: HL7 FHIR R4 §3.1.0 (RESTful API), §3.1.1 (search). Off unless `fhir.enabled` says otherwise;
 * never offered to other boxes.
 */

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { RequestError } from '#core/errors.ts'
import { isUid } from '#core/uid.ts'
import { firstText } from '#standards/dicom/dataset.ts'
import type { DicomJson } from '#standards/dicom/json.ts'
import { choose, parseAccept } from '#standards/dicomweb/accept.ts'
import { FHIR_JSON, operationOutcome, searchset } from '#standards/fhir/bundle.ts'
import { capabilityStatement } from '#standards/fhir/capability-statement.ts'
import { imagingStudy, modalitiesOf, SERIES_KEYS, STUDY_KEYS, type Resource, type Systems } from '#standards/fhir/imaging-study.ts'
import { MATCHES_MAX, parseStudySearch, type StudySearch } from '#standards/fhir/study-search.ts'
import { levelKeys, type Query } from '../pacs/query.ts'
import type { Gate } from '../wado/gate.ts'
import { hangUp } from '../wado/objects.ts'

export interface FhirParts {
  readonly query: Pick<Query, 'answers'>
  readonly gate: Pick<Gate, 'admitSearch'>
  readonly systems: Systems
  /** Absolute URL of this FHIR service, as this caller sees it. */
  readonly base: (request: FastifyRequest) => string
  /** The same of the DICOMweb root. */
  readonly dicomweb: (request: FastifyRequest) => string
}

const OFFERS = [{ type: FHIR_JSON }, { type: 'application/json' }, { type: 'text/json' }]
const FORMATS = new Set(['json', 'application/json', 'text/json', FHIR_JSON])
/** A search by POST has as many parameters as an URL would. */
const FORM_BYTES_MAX = 32 << 10
const READ = ['GET', 'HEAD']

/** For a scope of its own: errors in it are told as FHIR does. */
export function fhirRoutes (app: FastifyInstance, parts: FhirParts): void {
  const began = new Date().toISOString()
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('application/x-www-form-urlencoded', { parseAs: 'string', bodyLimit: FORM_BYTES_MAX }, (_request, body, done) => { done(null, new URLSearchParams(String(body))) })
  app.setErrorHandler(async (error, request, reply) => { await sendFailure(reply, error, request) })
  app.setNotFoundHandler(async (request, reply) => {
    await sendFailure(reply, READ.includes(request.method)
      ? new RequestError('ROUTE_UNKNOWN', 'no such resource here')
      : new RequestError('NOT_OFFERED', 'this FHIR service is read and searched, nothing else', { facts: { method: request.method } }), request)
  })
  app.addHook('onRequest', async request => {
    await parts.gate.admitSearch(request.headers)
    assertReadable(request)
  })
  app.route({
    method: READ,
    url: '/metadata',
    handler: async (request, reply) => await send(reply, capabilityStatement(parts.base(request), began))
  })
  app.route({
    method: READ,
    url: '/ImagingStudy',
    handler: async (request, reply) => await serveSearch(parts, request, reply, queryOf(request))
  })
  app.post('/ImagingStudy/_search', async (request, reply) => {
    const parameters = queryOf(request)
    for (const [name, value] of request.body instanceof URLSearchParams ? request.body : []) parameters.append(name, value)
    return await serveSearch(parts, request, reply, parameters)
  })
  app.route({
    method: READ,
    url: '/ImagingStudy/:id',
    handler: async (request, reply) => await serveStudy(parts, request, reply, (request.params as { id: string }).id)
  })
}

async function serveSearch (parts: FhirParts, request: FastifyRequest, reply: FastifyReply, query: URLSearchParams): Promise<FastifyReply> {
  const prefer = [request.headers.prefer].flat().join()
  const search = parseStudySearch(query, parts.systems, /\bhandling\s*=\s*"?strict/i.test(prefer))
  const found = await gather(parts, search, hangUp(reply))
  const base = parts.base(request)
  const page = (offset: number): string => {
    const parameters = new URLSearchParams(search.heard)
    parameters.set('_count', String(search.count))
    if (offset > 0) parameters.set('_offset', String(offset))
    else parameters.delete('_offset')
    return `${base}/ImagingStudy?${parameters}`
  }
  const reach = search.offset + search.count
  const canGoOn = found.more && !search.countOnly
  return await send(reply, searchset({
    matches: found.studies.map(study => {
      const resource = imagingStudy(study, undefined, parts.systems, parts.dicomweb(request))
      return { url: `${base}/ImagingStudy/${String(resource.id)}`, resource }
    }),
    self: search.heard.size === 0 ? `${base}/ImagingStudy` : `${base}/ImagingStudy?${search.heard}`,
    ...canGoOn && reach + search.count <= MATCHES_MAX && { next: page(reach) },
    ...search.offset > 0 && !search.countOnly && { previous: page(Math.max(0, search.offset - search.count)) },
    ...!found.more && { total: found.counted },
    remarks: [
      ...search.ignored.map(name => `The parameter ${name.slice(0, 64)} is not supported, and was passed over.`),
      ...found.more && (search.countOnly || reach + search.count > MATCHES_MAX) ? [`There are more than ${MATCHES_MAX} matches, or this page ends there: narrow the search.`] : [],
      ...found.untold ? ['The PACS does not tell the modalities of some studies: these may not match.'] : []
    ]
  }))
}

interface Found {
  readonly studies: readonly DicomJson[]
  /** Matches seen, those of earlier pages included. */
  readonly counted: number
  readonly more: boolean
  /** Some may not match, for all that the PACS says. */
  readonly untold: boolean
}

/** Goes through the PACS's answers until the page is full; what comes after it is cancelled. */
async function gather ({ query }: FhirParts, { questions, matches, count, offset, countOnly, heard }: StudySearch, signal: AbortSignal): Promise<Found> {
  const seen = new Set<string>()
  const studies: DicomJson[] = []
  const asksModality = heard.has('modality')
  const last = countOnly ? MATCHES_MAX : offset + count
  let untold = false
  for (const question of questions) {
    for await (const answer of query.answers(question, { signal })) {
      const uid = firstText(answer, '0020000D')
      if (uid === undefined || !isUid(uid) || seen.has(uid) || !matches(answer)) continue
      if (seen.size === last) return { studies, counted: seen.size, more: true, untold }
      seen.add(uid)
      if (countOnly || seen.size <= offset) continue
      studies.push(answer)
      if (asksModality && modalitiesOf(answer) === undefined) untold = true
    }
  }
  return { studies, counted: seen.size, more: false, untold }
}

async function serveStudy (parts: FhirParts, request: FastifyRequest, reply: FastifyReply, id: string): Promise<FastifyReply> {
  const unknown = new RequestError('STUDY_UNKNOWN', 'the PACS has no such study')
  if (!isUid(id)) throw unknown
  const signal = hangUp(reply)
  const [study] = await all(parts, { ...STUDY_KEYS, ...levelKeys('STUDY', id) }, signal)
  if (study === undefined || firstText(study, '0020000D') !== id) throw unknown
  const series = (await all(parts, { ...SERIES_KEYS, ...levelKeys('SERIES', id) }, signal)).filter(one => isUid(firstText(one, '0020000E') ?? ''))
  return await send(reply, imagingStudy(study, series, parts.systems, parts.dicomweb(request)))
}

/** A study has a few dozen series; a PACS that goes on for ever is cut short. */
const SERIES_MAX = 5000

async function all ({ query }: FhirParts, identifier: DicomJson, signal: AbortSignal): Promise<DicomJson[]> {
  const found: DicomJson[] = []
  for await (const answer of query.answers(identifier, { signal })) {
    if (found.push(answer) === SERIES_MAX) break
  }
  return found
}

/** @throws RequestError ACCEPT_UNSUPPORTED */
function assertReadable (request: FastifyRequest): void {
  const format = queryOf(request).get('_format')
  const fits = format === null ? choose(parseAccept(request.headers.accept), OFFERS) !== undefined : FORMATS.has(format.replace(' ', '+').split(';')[0].trim())
  if (!fits) throw new RequestError('ACCEPT_UNSUPPORTED', 'FHIR is answered as JSON', { facts: { offered: [FHIR_JSON] } })
}

function queryOf (request: FastifyRequest): URLSearchParams {
  return new URLSearchParams(request.url.split('?')[1] ?? '')
}

async function send (reply: FastifyReply, resource: Resource): Promise<FastifyReply> {
  // Whatever else is told, who a patient is stays in no cache.
  return await reply.header('content-type', FHIR_JSON).header('cache-control', 'private, no-store').send(Buffer.from(JSON.stringify(resource)))
}

async function sendFailure (reply: FastifyReply, error: unknown, request: FastifyRequest): Promise<void> {
  const { status, headers, resource } = operationOutcome(fromFramework(error), request.headers['accept-language'])
  if (status >= 500) reply.log.warn({ err: error }, 'request failed')
  await reply.code(status).headers(headers).send(Buffer.from(JSON.stringify(resource)))
}

/** What Fastify itself refuses, without quoting the caller. */
function fromFramework (error: unknown): unknown {
  const { statusCode, code } = error as { statusCode?: number, code?: string }
  if (code?.startsWith('FST_') !== true || statusCode === undefined || statusCode >= 500) return error
  return new RequestError(statusCode === 415 ? 'MEDIA_UNSUPPORTED' : 'QUERY_INVALID', 'the request cannot be read', { cause: error })
}
