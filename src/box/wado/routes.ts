/**
 * DICOMweb routes: each parses, asks, answers.
 *
 * Source: DICOM PS3.18 Tables 10.4.1-1 (retrieve) and 10.6.1-1 (search). What the standard has and
 * this release doesn't serve is named, so that a client learns it from us and not from a guess.
 */

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { parseUid } from '#core/uid.ts'
import { parseFrames } from '#standards/dicomweb/paths.ts'
import { isRemoved } from '../cache/pack.ts'
import { Resources } from '../http/resources.ts'
import { serveAllBulkData, serveBulkData, serveInstancePixels } from './bulk-data.ts'
import { openApiText, serveCapabilities, type CapabilityParts } from './capabilities.ts'
import { serveMetadata, type DescribeParts } from './describe.ts'
import { DESCRIBED } from './described.ts'
import { serveExistence } from './existence.ts'
import { serveFrames } from './frames.ts'
import { serveRoot, type Health } from './health.ts'
import { serveObjects } from './objects.ts'
import { serveRendered } from './rendered.ts'
import type { RenderParts } from './rendered-as.ts'
import { serveSearch, type SearchParts } from './search.ts'
import { serveThumbnail } from './thumbnail.ts'
import { serveUri } from './uri.ts'
import type { Target } from '../pacs/object-set.ts'

/** All that this room needs from the others. */
export interface WadoParts extends DescribeParts, SearchParts, RenderParts {
  /** Path before these routes. */
  readonly prefix: string
  readonly health: Health
}

interface Path { study?: string, series?: string, instance?: string, frames?: string, '*'?: string }

const STUDY = '/studies/:study'
const SERIES = `${STUDY}/series/:series`
const INSTANCE = `${SERIES}/instances/:instance`

/** HEAD is answered as GET is, without a body, and without moving anything from the PACS. */
const READ = ['GET', 'HEAD']

/** @param resources those of other rooms, where they share our paths */
export function wadoRoutes (app: FastifyInstance, parts: WadoParts, resources: Resources = new Resources(app, DESCRIBED)): void {
  const capabilities: CapabilityParts = { ...parts, get routes () { return resources.routes } }
  const read = (url: string, serve: (request: FastifyRequest, reply: FastifyReply) => Promise<unknown>) => {
    app.route({
      method: READ,
      url,
      async handler (request, reply) {
        try {
          await serve(request, reply)
        } catch (error) {
          // Purged between being found and being read: the PACS says what there is now.
          if (!isRemoved(error) || reply.sent || reply.raw.destroyed) throw error
          await serve(request, reply)
        }
        return reply
      }
    })
  }
  const search = (path: string, level: 'STUDY' | 'SERIES' | 'IMAGE') => {
    read(path, async (request, reply) => { await serveSearch(parts, level, request, reply, request.params as Path) })
  }
  search('/studies', 'STUDY')
  search('/series', 'SERIES')
  search('/instances', 'IMAGE')
  search(`${STUDY}/series`, 'SERIES')
  search(`${STUDY}/instances`, 'IMAGE')
  search(`${SERIES}/instances`, 'IMAGE')

  const retrieve = (path: string, serve: (request: FastifyRequest, reply: FastifyReply, target: Target) => Promise<void>) => {
    read(path, async (request, reply) => {
      const target = parseTarget(request.params as Path)
      if (request.method === 'HEAD' && !parts.supply.holds(target)) await serveExistence(parts, request, reply, target)
      else await serve(request, reply, target)
    })
  }
  for (const path of [STUDY, SERIES, INSTANCE]) {
    retrieve(path, async (request, reply, target) => { await serveObjects(parts, request, reply, target) })
    retrieve(`${path}/metadata`, async (request, reply, target) => { await serveMetadata(parts, request, reply, target) })
    retrieve(`${path}/rendered`, async (request, reply, target) => { await serveRendered(parts, request, reply, target) })
    retrieve(`${path}/thumbnail`, async (request, reply, target) => { await serveThumbnail(parts, request, reply, target) })
  }
  retrieve(`${INSTANCE}/frames/:frames`, async (request, reply, target) => {
    await serveFrames(parts, request, reply, target as Required<Target>, parseFrames((request.params as Required<Path>).frames))
  })
  for (const path of [STUDY, SERIES, INSTANCE]) {
    retrieve(`${path}/bulkdata`, async (request, reply, target) => { await serveAllBulkData(parts, request, reply, target, false) })
    if (path !== INSTANCE) retrieve(`${path}/pixeldata`, async (request, reply, target) => { await serveAllBulkData(parts, request, reply, target, true) })
  }
  retrieve(`${INSTANCE}/pixeldata`, async (request, reply, target) => { await serveInstancePixels(parts, request, reply, target as Required<Target>) })
  retrieve(`${INSTANCE}/bulkdata/*`, async (request, reply, target) => {
    await serveBulkData(parts, request, reply, target as Required<Target>, (request.params as Path)['*'] ?? '')
  })
  retrieve(`${INSTANCE}/frames/:frames/rendered`, async (request, reply, target) => {
    await serveRendered(parts, request, reply, target, parseFrames((request.params as Required<Path>).frames))
  })
  retrieve(`${INSTANCE}/frames/:frames/thumbnail`, async (request, reply, target) => {
    await serveThumbnail(parts, request, reply, target, parseFrames((request.params as Required<Path>).frames))
  })
  read('/wado', async (request, reply) => { await serveUri(parts, request, reply) })
  read('/', async (request, reply) => { await serveRoot(parts.health, capabilities, request, reply) })
  read('/openapi.json', async (_, reply) => reply.header('cache-control', 'no-cache').type('application/json').send(openApiText(capabilities.routes, parts.prefix)))
  resources.close(async (request, reply, path) => serveCapabilities(capabilities, request, reply, path))
}

/** @throws RequestError UID_INVALID */
function parseTarget ({ study, series, instance }: Path): Target {
  return {
    study: parseUid(study as string),
    ...series !== undefined && { series: parseUid(series) },
    ...instance !== undefined && { instance: parseUid(instance) }
  }
}
