/**
 * QIDO-RS: questions become C-FIND, answers leave as C-FIND brings them.
 *
 * Source: DICOM PS3.18 §10.6, PS3.4 §C.4.1. A search below no study, which C-FIND's hierarchy doesn't
 * know, goes down from the studies that match.
 */

import type { OutgoingHttpHeaders } from 'node:http'
import { once } from 'node:events'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { RequestError } from '#core/errors.ts'
import { choose, parseAccept } from '#standards/dicomweb/accept.ts'
import { parseQido, qidoAnswer, type QidoRequest } from '#standards/dicomweb/qido.ts'
import type { DicomJson } from '#standards/dicom/json.ts'
import { jsonText } from '#standards/dicom/json.ts'
import { firstText } from '#standards/dicom/dataset.ts'
import { levelKeys, type Query } from '../pacs/query.ts'
import { acceptParameter, hangUp } from './objects.ts'

type Level = QidoRequest['level']

export interface SearchParts {
  readonly query: Pick<Query, 'answers'>
  /** Absolute URL of the DICOMweb root, as this caller sees it. */
  readonly base: (request: FastifyRequest) => string
}

const JSON_TYPE = 'application/dicom+json'
const OFFERS = [{ type: JSON_TYPE }, { type: 'application/json' }]
/** Studies that a search without a study in its path goes down into; beyond it the caller is told. */
const STUDIES_MAX = 1000

/** Answers one search. */
export async function serveSearch (parts: SearchParts, level: Level, request: FastifyRequest, reply: FastifyReply, path: { study?: string, series?: string }): Promise<void> {
  const offer = choose(parseAccept(request.headers.accept, acceptParameter(request)), OFFERS)
  if (offer === undefined) throw new RequestError('ACCEPT_UNSUPPORTED', 'searches are answered as DICOM JSON', { facts: { offered: OFFERS.map(({ type }) => type) } })
  const search = parseQido(level, path, new URLSearchParams(request.url.split('?')[1] ?? ''))
  const base = parts.base(request)
  const signal = hangUp(reply)
  const answers = limited(search.relational ? descend(parts.query, search, signal) : parts.query.answers(search.identifier, { signal }), search)
  try {
    // Past this line a failure can only cut the body, so the first answer is awaited here.
    let next = await answers.next()
    reply.hijack()
    reply.raw.writeHead(200, { ...reply.getHeaders(), 'content-type': offer.type, ...search.warnings.length > 0 && { warning: search.warnings } } as OutgoingHttpHeaders)
    let separator = '['
    try {
      while (next.done !== true) {
        const text = separator + jsonText(qidoAnswer(next.value, search, base))
        separator = ','
        if (!reply.raw.write(text)) await Promise.race([once(reply.raw, 'drain', { signal }), once(reply.raw, 'close')])
        next = await answers.next()
      }
      reply.raw.end(separator === '[' ? '[]' : ']')
    } catch (error) {
      reply.log.warn({ err: error }, 'a search was cut')
      reply.raw.destroy(error as Error)
    }
  } finally {
    await answers.return(undefined)
  }
}

async function * limited (answers: AsyncIterable<DicomJson>, { limit, offset }: QidoRequest): AsyncGenerator<DicomJson> {
  let place = 0
  if (limit === 0) return
  for await (const answer of answers) {
    if (place++ < offset) continue
    yield answer
    // Leaving here sends C-CANCEL: the PACS needn't go on.
    if (limit !== undefined && place >= offset + limit) return
  }
}

/** From the studies that match down to their series or instances, level by level. */
async function * descend (query: SearchParts['query'], { level, identifier }: QidoRequest, signal: AbortSignal): AsyncGenerator<DicomJson> {
  let visited = 0
  const studyUid = firstText(identifier, STUDY)
  for await (const study of studyUid === undefined ? query.answers(atLevel('STUDY', identifier), { signal }) : [levelKeys('STUDY', studyUid)]) {
    if (++visited > STUDIES_MAX) throw new RequestError('QUERY_INVALID', `matches more than ${STUDIES_MAX} studies: narrow it`, { facts: { studiesMax: STUDIES_MAX } })
    const uid = firstText(study, STUDY)
    if (uid === undefined) continue
    for await (const series of query.answers(withKeys(atLevel('SERIES', identifier), { [STUDY]: uid }), { signal })) {
      if (level === 'SERIES') {
        yield { ...study, ...series }
        continue
      }
      const seriesUid = firstText(series, SERIES)
      if (seriesUid === undefined) continue
      for await (const instance of query.answers(withKeys(atLevel('IMAGE', identifier), { [STUDY]: uid, [SERIES]: seriesUid }), { signal })) {
        yield { ...study, ...series, ...instance }
      }
    }
  }
}

const STUDY = '0020000D'
const SERIES = '0020000E'
const LEVEL = '00080052'

/** Attributes that belong to the levels above a series, by which C-FIND's hierarchy matches them. */
const STUDY_LEVEL = new Set(['00080020', '00080030', '00080050', '00080061', '00080090', '00081030', '00100010', '00100020', '00100030', '00100040', '0020000D', '00200010', '00201206', '00201208'])
const SERIES_LEVEL = new Set(['00080060', '0008103E', '0020000E', '00200011', '00080021', '00080031', '00400244', '00400245', '00400275', '00201209', '00180015', '00181030'])

/** The part of an identifier that one level understands, with the unique keys below it left out. */
function atLevel (level: Level, identifier: DicomJson): DicomJson {
  const own = (tag: string): Level => STUDY_LEVEL.has(tag) ? 'STUDY' : SERIES_LEVEL.has(tag) ? 'SERIES' : 'IMAGE'
  const keys = Object.entries(identifier).filter(([tag]) => tag !== LEVEL && (own(tag) === level || tag === STUDY || (tag === SERIES && level !== 'STUDY')))
  return { [LEVEL]: { vr: 'CS', Value: [level] }, ...Object.fromEntries(keys) }
}

function withKeys (identifier: DicomJson, keys: Record<string, string>): DicomJson {
  return { ...identifier, ...Object.fromEntries(Object.entries(keys).map(([tag, uid]) => [tag, { vr: 'UI' as const, Value: [uid] }])) }
}
