/**
 * Answers `/metadata` for a study, a series or an instance.
 *
 * Source: DICOM PS3.18 §10.4.1.1.2.
 */

import type { OutgoingHttpHeaders } from 'node:http'
import { pipeline } from 'node:stream/promises'
import { Readable } from 'node:stream'
import { createInflateRaw, constants } from 'node:zlib'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { PeerError, RequestError } from '#core/errors.ts'
import { choose, parseAccept } from '#standards/dicomweb/accept.ts'
import { joinFragments, storedFragment, type Fragment } from '#standards/dicomweb/gzip-fragments.ts'
import { sayCompleteness } from '../cache/completeness.ts'
import type { Stored } from '../cache/stored.ts'
import type { ObjectSet, Target } from '../pacs/object-set.ts'
import { instanceMetadata, type BulkDataUri, type SeriesMetadata } from './metadata.ts'
import { acceptParameter, hangUp, type ObjectParts } from './objects.ts'

export interface DescribeParts extends ObjectParts {
  readonly metadata: SeriesMetadata
  readonly bulkDataUri: BulkDataUri
}

const OFFERS = [{ type: 'application/dicom+json' }, { type: 'application/json' }]

export async function serveMetadata (parts: DescribeParts, request: FastifyRequest, reply: FastifyReply, target: Target): Promise<void> {
  const offer = choose(parseAccept(request.headers.accept, acceptParameter(request)), OFFERS)
  if (offer === undefined) throw new RequestError('ACCEPT_UNSUPPORTED', 'metadata is given as DICOM JSON', { facts: { offered: OFFERS.map(({ type }) => type) } })
  await parts.gate.admit(request.headers, target)
  const set = await parts.supply.open(target, hangUp(reply))
  try {
    const series = new Set<string>()
    let one: Stored | undefined
    for (let batch = await set.next(); batch !== undefined; batch = await set.next()) {
      for (const stored of batch) series.add(stored.seriesUid)
      one ??= batch[0]
    }
    const { state } = set.completeness()
    reply.type(offer.type).header('vary', 'accept-encoding')
    if (target.instance !== undefined) {
      await reply.send(`[${await instanceMetadata(one as Stored, async (stored, offset, bytes) => await set.read(stored, offset, bytes), parts.bulkDataUri)}]`)
      return
    }
    if (state !== 'complete') reply.code(206).header('warning', `299 drimbox "${sayCompleteness(set.completeness())}"`)
    const fragments = await gather(parts.metadata, set, series)
    await sendFragments(request, reply, fragments)
  } finally {
    set.close()
  }
}

/** One fragment for each series, with the brackets and commas between. */
async function gather (metadata: SeriesMetadata, set: ObjectSet, series: Iterable<string>): Promise<Fragment[]> {
  const fragments: Fragment[] = []
  for (const uid of series) fragments.push(storedFragment(fragments.length === 0 ? '[' : ','), await metadata.of(set.pack(uid)))
  return [...fragments, storedFragment(']')]
}

async function sendFragments (request: FastifyRequest, reply: FastifyReply, fragments: readonly Fragment[]): Promise<void> {
  if (/\bgzip\b(?!\s*;\s*q=0(\.0*)?\s*(,|$))/.test(String(request.headers['accept-encoding'] ?? ''))) {
    await reply.header('content-encoding', 'gzip').send(Readable.from(joinFragments(fragments)))
    return
  }
  reply.hijack()
  reply.raw.writeHead(reply.statusCode, { ...reply.getHeaders(), 'content-length': fragments.reduce((sum, { bytes }) => sum + bytes, 0) } as OutgoingHttpHeaders)
  const deflated = Readable.from(fragments.map(fragment => fragment.deflated))
  await pipeline(deflated, createInflateRaw({ finishFlush: constants.Z_SYNC_FLUSH }), reply.raw).catch(error => {
    if (!reply.raw.destroyed) reply.raw.destroy()
    if (!(error instanceof PeerError)) reply.log.info({ err: error }, 'metadata was cut')
  })
}
