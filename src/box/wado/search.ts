/**
 * QIDO-RS: questions become C-FIND, answers leave as C-FIND brings them.
 *
 * Source: DICOM PS3.18 §10.6, PS3.4 §C.4.1. A search below no study, which C-FIND's hierarchy doesn't
 * know, goes down from the studies that match.
 */

import type { OutgoingHttpHeaders } from 'node:http'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { RequestError } from '#core/errors.ts'
import { firstText } from '#standards/dicom/dataset.ts'
import { jsonText, type DicomJson } from '#standards/dicom/json.ts'
import { choose, parseAccept } from '#standards/dicomweb/accept.ts'
import { parseQido, qidoAnswer, warningHeader, type QidoRequest, type QueryStep } from '#standards/dicomweb/qido.ts'
import { LEVELS, UNIQUE_KEY, type Level } from '#standards/dicomweb/query-levels.ts'
import type { Query } from '../pacs/query.ts'
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
const OFFERS = [{ type: JSON_TYPE }, { type: 'application/json' }]
/** Studies and series that one search goes down into, each a C-FIND of its own; beyond it the caller is told. */
const FAN_OUT_MAX = 1000
/** A reader who takes no rows holds an association of the PACS: not for long. In milliseconds. */
const STALLED_MS = 30_000

/** Answers one search. */
export async function serveSearch (parts: SearchParts, level: Level, request: FastifyRequest, reply: FastifyReply, path: { study?: string, series?: string }): Promise<void> {
  await parts.gate.admitSearch(request.headers)
  const offer = choose(parseAccept(request.headers.accept, acceptParameter(request)), OFFERS)
  if (offer === undefined) throw new RequestError('ACCEPT_UNSUPPORTED', 'searches are answered as DICOM JSON', { facts: { offered: OFFERS.map(({ type }) => type) } })
  const search = parseQido(level, path, new URLSearchParams(request.url.split('?')[1] ?? ''))
  const base = parts.base(request)
  const answers = limited(descend(parts.query, search.steps, hangUp(reply), { left: FAN_OUT_MAX }), search)
  try {
    // Past this line a failure can only cut the body, so the first answer is awaited here.
    let next = await answers.next()
    reply.hijack()
    reply.raw.writeHead(200, {
      ...reply.getHeaders(),
      'content-type': offer.type,
      ...search.warnings.length > 0 && { warning: search.warnings.map(text => warningHeader(base, text)) }
    } as OutgoingHttpHeaders)
    const out = new Outlet(reply.raw, STALLED_MS)
    let separator = '['
    try {
      while (next.done !== true) {
        out.write([Buffer.from(separator + jsonText(qidoAnswer(next.value, search, base)))])
        separator = ','
        await out.drained()
        next = await answers.next()
      }
      out.end(Buffer.from(separator === '[' ? '[]' : ']'))
    } catch (error) {
      if (!out.closed) reply.log.warn({ err: error }, 'a search was cut')
      out.cut(error as Error)
    }
  } finally {
    await answers.return(undefined)
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
