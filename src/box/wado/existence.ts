/**
 * HEAD for what isn't here yet: whether the PACS has it, by one C-FIND, without moving an image.
 *
 * Source: RFC 9110 §9.3.2: what would only be known while the answer is made may be left out.
 */

import type { FastifyReply, FastifyRequest } from 'fastify'
import { RequestError } from '#core/errors.ts'
import type { Level } from '#standards/dicomweb/query-levels.ts'
import { levelKeys, type Query } from '../pacs/query.ts'
import type { Target } from '../pacs/object-set.ts'
import { beginAnswer } from './answer.ts'
import type { Gate } from './gate.ts'
import { hangUp } from './objects.ts'

export interface ExistenceParts {
  readonly query: Pick<Query, 'answers'>
  readonly gate: Gate
}

/** @throws RequestError STUDY_UNKNOWN, SERIES_UNKNOWN, INSTANCE_UNKNOWN; PeerError */
export async function serveExistence ({ query, gate }: ExistenceParts, request: FastifyRequest, reply: FastifyReply, target: Target): Promise<void> {
  await gate.admit(request.headers, target)
  const { study, series, instance } = target
  const level: Level = instance !== undefined ? 'IMAGE' : series !== undefined ? 'SERIES' : 'STUDY'
  const answers = query.answers(levelKeys(level, study, series, instance === undefined ? undefined : [instance]), { signal: hangUp(reply) })
  const { done } = await answers.next()
  void answers.return(undefined).catch(() => {})
  if (done === true) throw new RequestError(({ STUDY: 'STUDY_UNKNOWN', SERIES: 'SERIES_UNKNOWN', IMAGE: 'INSTANCE_UNKNOWN' } as const)[level], 'the PACS has no such thing', { facts: { study, series, instance } })
  // An entry of the body's length would say that it is empty.
  beginAnswer(reply, {})
}
