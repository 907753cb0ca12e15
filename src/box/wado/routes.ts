/**
 * DICOMweb routes: each parses, asks, answers.
 *
 * Source: DICOM PS3.18 Tables 10.4.1-1 (retrieve) and 10.6.1-1 (search). What the standard has and
 * this release doesn't serve is named, so that a client learns it from us and not from a guess.
 */

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { RequestError } from '#core/errors.ts'
import { parseUid } from '#core/uid.ts'
import { parseFrames } from '#standards/dicomweb/paths.ts'
import { serveMetadata, type DescribeParts } from './describe.ts'
import { serveFrames } from './frames.ts'
import { serveObjects } from './objects.ts'
import { serveRendered } from './rendered.ts'
import type { RenderParts } from './rendered-as.ts'
import { serveSearch, type SearchParts } from './search.ts'
import { serveThumbnail } from './thumbnail.ts'
import type { Target } from '../pacs/object-set.ts'

/** All that this room needs from the others. */
export interface WadoParts extends DescribeParts, SearchParts, RenderParts {}

interface Path { study?: string, series?: string, instance?: string, frames?: string }

const STUDY = '/studies/:study'
const SERIES = `${STUDY}/series/:series`
const INSTANCE = `${SERIES}/instances/:instance`

/** Resources of the standard that come later; asked for by name they are told so. */
const LATER = [
  ...[STUDY, SERIES, INSTANCE].map(path => `${path}/bulkdata`),
  `${INSTANCE}/bulkdata/*`
]

export function wadoRoutes (app: FastifyInstance, parts: WadoParts): void {
  const search = (path: string, level: 'STUDY' | 'SERIES' | 'IMAGE') => app.get(path, async (request, reply) => {
    await serveSearch(parts, level, request, reply, request.params as Path)
    return reply
  })
  search('/studies', 'STUDY')
  search('/series', 'SERIES')
  search('/instances', 'IMAGE')
  search(`${STUDY}/series`, 'SERIES')
  search(`${STUDY}/instances`, 'IMAGE')
  search(`${SERIES}/instances`, 'IMAGE')

  const retrieve = (path: string, serve: (request: FastifyRequest, reply: FastifyReply, target: Target) => Promise<void>) => app.get(path, async (request, reply) => {
    await serve(request, reply, parseTarget(request.params as Path))
    return reply
  })
  for (const path of [STUDY, SERIES, INSTANCE]) {
    retrieve(path, async (request, reply, target) => { await serveObjects(parts, request, reply, target) })
    retrieve(`${path}/metadata`, async (request, reply, target) => { await serveMetadata(parts, request, reply, target) })
    retrieve(`${path}/rendered`, async (request, reply, target) => { await serveRendered(parts, request, reply, target) })
    retrieve(`${path}/thumbnail`, async (request, reply, target) => { await serveThumbnail(parts, request, reply, target) })
  }
  retrieve(`${INSTANCE}/frames/:frames`, async (request, reply, target) => {
    await serveFrames(parts, request, reply, target as Required<Target>, parseFrames((request.params as Required<Path>).frames))
  })
  retrieve(`${INSTANCE}/frames/:frames/rendered`, async (request, reply, target) => {
    await serveRendered(parts, request, reply, target, parseFrames((request.params as Required<Path>).frames))
  })
  retrieve(`${INSTANCE}/frames/:frames/thumbnail`, async (request, reply, target) => {
    await serveThumbnail(parts, request, reply, target, parseFrames((request.params as Required<Path>).frames))
  })
  for (const path of LATER) {
    app.get(path, async () => { throw new RequestError('NOT_OFFERED', 'this resource is not served by this release') })
  }
}

/** @throws RequestError UID_INVALID */
function parseTarget ({ study, series, instance }: Path): Target {
  return {
    study: parseUid(study as string),
    ...series !== undefined && { series: parseUid(series) },
    ...instance !== undefined && { instance: parseUid(instance) }
  }
}
