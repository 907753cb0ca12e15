/**
 * QIDO-RS: questions become C-FIND, answers leave as C-FIND brings them.
 *
 * Source: DICOM PS3.18 §10.6, PS3.4 §C.4.1. A search below no study, which C-FIND's hierarchy doesn't
 * know, goes down from the studies that match.
 */

import type { OutgoingHttpHeaders } from 'node:http'
import { setImmediate as turn } from 'node:timers/promises'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { RequestError } from '#core/errors.ts'
import { firstText } from '#standards/dicom/dataset.ts'
import { jsonText, type DicomJson } from '#standards/dicom/json.ts'
import { nativeModel } from '#standards/dicom/native-model.ts'
import { choose, parseAccept, type Offer } from '#standards/dicomweb/accept.ts'
import { closing, contentType, newBoundary, partHead } from '#standards/dicomweb/multipart.ts'
import { parseQido, qidoAnswer, warningHeader, type QidoRequest, type QueryStep } from '#standards/dicomweb/qido.ts'
import { assertUtf8 } from '#standards/dicomweb/utf8.ts'
import { LEVELS, UNIQUE_KEY, type Level } from '#standards/dicomweb/query-levels.ts'
import type { Query } from '../pacs/query.ts'
import { varying } from './answer.ts'
import { CodedOut, codingFor } from './coded-out.ts'
import type { Gate } from './gate.ts'
import { acceptParameter, hangUp } from './objects.ts'
import { Outlet } from './outlet.ts'

export interface SearchParts {
  readonly query: Pick<Query, 'answers'>
  readonly gate: Gate
  /** Absolute URL of the DICOMweb root, as this caller sees it. */
  readonly base: (request: FastifyRequest) => string
}

const JSON_TYPE = 'application/dicom+json'
const XML_TYPE = 'application/dicom+xml'
const OFFERS: readonly Offer[] = [{ type: JSON_TYPE }, { type: 'application/json' }, { type: 'multipart/related', inner: XML_TYPE }]
/** Studies and series that one search goes down into, each a C-FIND of its own; beyond it the caller is told. */
const FAN_OUT_MAX = 1000
/** A reader who takes no rows holds an association of the PACS: not for long. In milliseconds. */
const STALLED_MS = 30_000

/** Answers one search. */
export async function serveSearch (parts: SearchParts, level: Level, request: FastifyRequest, reply: FastifyReply, path: { study?: string, series?: string }): Promise<void> {
  await parts.gate.admitSearch(request.headers)
  assertUtf8((request.query as { charset?: string | string[] }).charset)
  const offer = choose(parseAccept(request.headers.accept, acceptParameter(request)), OFFERS)
  if (offer === undefined) throw new RequestError('ACCEPT_UNSUPPORTED', 'searches are answered as DICOM JSON or XML', { facts: { offered: OFFERS.map(({ type, inner }) => inner ?? type) } })
  const search = parseQido(level, path, new URLSearchParams(request.url.split('?')[1] ?? ''))
  const base = parts.base(request)
  const boundary = offer.inner === undefined ? undefined : newBoundary()
  const coding = codingFor(request)
  const writeHead = (): void => {
    reply.hijack()
    reply.raw.writeHead(200, {
      ...reply.getHeaders(),
      'content-type': boundary === undefined ? offer.type : contentType(boundary, XML_TYPE),
      'cache-control': 'private, no-store',
      vary: varying(reply, 'Accept-Encoding'),
      ...coding !== 'identity' && { 'content-encoding': coding },
      ...search.warnings.length > 0 && { warning: search.warnings.map(text => warningHeader(base, text)) }
    } as OutgoingHttpHeaders)
  }
  // The question is understood; what the PACS would say isn't needed to say so.
  if (request.method === 'HEAD') {
    writeHead()
    reply.raw.end()
    return
  }
  const answers = limited(descend(parts.query, search.steps, hangUp(reply), { left: FAN_OUT_MAX }), search)
  try {
    // Past this line a failure can only cut the body, so the first answer is awaited here.
    let next = await answers.next()
    if (boundary !== undefined && next.done === true) {
      // A multipart body has at least one part (RFC 2046 §5.1.1); PS3.18 Table 10.6.3-1 has a status for none.
      await reply.code(204).headers({ 'cache-control': 'private, no-store', vary: varying(reply) }).send()
      return
    }
    writeHead()
    const out = new CodedOut(new Outlet(reply.raw, STALLED_MS), coding)
    const form = boundary === undefined ? jsonRows : xmlRows(boundary)
    let first = true
    try {
      while (next.done !== true) {
        await out.write(form.row(qidoAnswer(next.value, search, base), first))
        first = false
        const coming = answers.next()
        // A row that compression holds back leaves before the PACS is waited for.
        if (coding !== 'identity' && await Promise.race([coming, turn(undefined)]) === undefined) await out.flush()
        next = await coming
      }
      await out.end(form.end(first))
    } catch (error) {
      if (!out.closed) reply.log.warn({ err: error }, 'a search was cut')
      out.cut(error as Error)
    }
  } finally {
    await answers.return(undefined)
  }
}

interface Rows {
  readonly row: (answer: DicomJson, first: boolean) => Buffer
  /** @param none when no row came */
  readonly end: (none: boolean) => Buffer
}

const jsonRows: Rows = {
  row: (answer, first) => Buffer.from((first ? '[' : ',') + jsonText(answer)),
  end: none => Buffer.from(none ? '[]' : ']')
}

/** One document for each answer (PS3.18 §10.6.3.3.1). */
function xmlRows (boundary: string): Rows {
  return {
    row: (answer, first) => Buffer.concat([partHead(boundary, { 'Content-Type': XML_TYPE }, first), Buffer.from(nativeModel(answer))]),
    end: () => closing(boundary)
  }
}

async function * limited (answers: AsyncGenerator<DicomJson>, { limit, offset }: QidoRequest): AsyncGenerator<DicomJson> {
  let place = 0
  if (limit === 0) return
  try {
    for (let next = await answers.next(); next.done !== true; next = await answers.next()) {
      if (place++ < offset) continue
      yield next.value
      if (limit !== undefined && place >= offset + limit) return
    }
  } finally {
    // Leaving early sends C-CANCEL. How long the PACS takes to stop is no concern of the caller's.
    void answers.return(undefined).catch(() => {})
  }
}

/**
 * Goes down level by level, as C-FIND's hierarchy wants it: the answers of one step supply the unique
 * keys of the next. Those of an upper level are all read before it goes on, since a question that waits
 * for others would hold an association that these may need.
 */
async function * descend (query: SearchParts['query'], [step, ...below]: readonly QueryStep[], signal: AbortSignal, fanOut: { left: number }, above: DicomJson = {}): AsyncGenerator<DicomJson> {
  const answers = query.answers(withKeys(step, above), { signal })
  if (below.length === 0) {
    for await (const answer of answers) yield { ...above, ...answer }
    return
  }
  const branches: DicomJson[] = []
  for await (const answer of answers) {
    if (fanOut.left-- === 0) {
      throw new RequestError('QUERY_INVALID', `the search goes down into more than ${FAN_OUT_MAX} studies and series: narrow it`, { facts: { fanOutMax: FAN_OUT_MAX } })
    }
    branches.push({ ...above, ...answer })
  }
  for (const branch of branches) {
    if (firstText(branch, UNIQUE_KEY[step.level]) !== undefined) yield * descend(query, below, signal, fanOut, branch)
  }
}

/** Adds the unique keys of the levels above that the search itself doesn't name. */
function withKeys ({ level, identifier }: QueryStep, above: DicomJson): DicomJson {
  const keys: DicomJson = {}
  for (const upper of LEVELS.slice(0, LEVELS.indexOf(level))) {
    const tag = UNIQUE_KEY[upper]
    const uid = firstText(above, tag)
    if (identifier[tag] === undefined && uid !== undefined) keys[tag] = { vr: 'UI', Value: [uid] }
  }
  return { ...identifier, ...keys }
}
