/**
 * `/metadata` of what is only now coming from the PACS: each instance is described as it arrives, so that a
 * viewer can lay out its first series while the others are still on their way. What was held before leaves
 * as it was made (describe.ts).
 *
 * Source: DICOM PS3.18 §10.4.1.1.2, Annex F.
 */

import type { OutgoingHttpHeaders } from 'node:http'
import { setImmediate as turn } from 'node:timers/promises'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { DrimboxError, RequestError } from '#core/errors.ts'
import { sayCompleteness } from '../cache/completeness.ts'
import type { Stored } from '../cache/stored.ts'
import type { ObjectSet } from '../pacs/object-set.ts'
import { CACHE_CONTROL, varying } from './answer.ts'
import { CodedOut, codingFor } from './coded-out.ts'
import { HEADS_PER_TURN, instanceMetadata, type BulkDataUri } from './metadata.ts'
import { Outlet } from './outlet.ts'

/**
 * Whether this answer is to begin before all is here: not where the caller asks whether something has changed,
 * or for the head alone, since neither can be said before the end.
 */
export function leavesAsItComes (set: ObjectSet, { method, headers }: FastifyRequest): boolean {
  return set.arriving === true && method !== 'HEAD' && headers['if-none-match'] === undefined && headers['if-modified-since'] === undefined
}

/**
 * A body that can't be finished is cut, as that of objects is.
 *
 * @throws RequestError DATA_MALFORMED naming the instance, where it is the first one
 */
export async function sendArriving (bulkDataUri: BulkDataUri, set: ObjectSet, request: FastifyRequest, reply: FastifyReply, type: string): Promise<void> {
  const describe = async (stored: Stored): Promise<string> => {
    try {
      return await instanceMetadata(stored, async (one, offset, bytes) => await set.read(one, offset, bytes), bulkDataUri)
    } catch (error) {
      if (error instanceof DrimboxError && error.code !== 'DATA_MALFORMED') throw error
      throw new RequestError('DATA_MALFORMED', 'the head of an instance cannot be read', { cause: error, facts: { instance: stored.sopInstanceUid } })
    }
  }
  let batch = await set.next()
  let text = batch?.[0] === undefined ? '[' : `[${await describe(batch[0])}`
  let described = batch?.[0] === undefined ? 0 : 1
  const coding = codingFor(request)
  reply.hijack()
  reply.raw.writeHead(200, {
    ...reply.getHeaders(),
    'content-type': type,
    'cache-control': CACHE_CONTROL,
    vary: varying(reply, 'Accept-Encoding'),
    ...coding !== 'identity' && { 'content-encoding': coding }
  } as OutgoingHttpHeaders)
  const out = new CodedOut(new Outlet(reply.raw), coding)
  try {
    for (let from = described; batch !== undefined; batch = await set.next(), from = 0) {
      for (const stored of batch.slice(from)) {
        text += described === 0 ? await describe(stored) : `,${await describe(stored)}`
        if (++described % HEADS_PER_TURN > 0) continue
        await out.write(Buffer.from(text))
        text = ''
        await turn()
      }
      if (text !== '') await out.write(Buffer.from(text))
      text = ''
      await out.flush()
    }
    const completeness = set.completeness()
    if (completeness.state === 'complete') await out.end(Buffer.from(']'))
    else out.cut(new Error(`incomplete: ${sayCompleteness(completeness)}`))
  } catch (error) {
    if (!out.closed) reply.log.warn({ err: error }, 'an answer was cut')
    out.cut(error as Error)
  }
}
