/**
 * One DICOMweb face of a box: the same rooms behind whatever gate stands before them.
 */

import { join } from 'node:path'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Config } from './config.ts'
import { EVERY_DESCRIPTION } from './http/every-route.ts'
import { Resources } from './http/resources.ts'
import type { Rooms } from './rooms.ts'
import { stowRoutes } from './stow/routes.ts'
import { Spool } from './stow/spool.ts'
import type { Gate } from './wado/gate.ts'
import { Health } from './wado/health.ts'
import { wadoRoutes } from './wado/routes.ts'

export interface Face {
  readonly gate: Gate
  /** URL of the DICOMweb root as this caller knows it. */
  readonly base: (request: FastifyRequest) => string
  /** Path before the routes. */
  readonly prefix: string
}

/** Registers every DICOMweb route; storing answers only where the settings switch it on. */
export async function dicomwebRoutes (app: FastifyInstance, { cache, metadata, renditions, pacs, pixels, bulkDataUri }: Rooms, { stow, cache: { folder, diskFreeBytesMin } }: Config, { gate, base, prefix }: Face): Promise<void> {
  const resources = new Resources(app, EVERY_DESCRIPTION)
  await stowRoutes(app, {
    settings: stow,
    spool: new Spool({ folder: join(folder, 'stow'), bytesMax: stow.spoolBytesMax, diskFreeBytesMin }),
    deliver: pacs.deliver,
    changed: async (studyUid, seriesUids) => { await pacs.supply.changed(studyUid, seriesUids) },
    gate,
    base
  })
  wadoRoutes(app, {
    metadata,
    bulkDataUri,
    supply: pacs.supply,
    pixels,
    renditions,
    query: pacs.query,
    gate,
    base,
    prefix,
    health: new Health({ slots: pacs.slots, cache })
  }, resources)
}
