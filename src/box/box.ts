/**
 * The wiring of one box: the one file that knows every room, and the first to read.
 *
 * Rooms open in order of need and close in the reverse order; nothing is served by half a box.
 */

import { join } from 'node:path'
import { pino, type Logger } from 'pino'
import { Metrics } from './admin/metrics.ts'
import { adminRoutes } from './admin/routes.ts'
import { Cache } from './cache/cache.ts'
import type { Config } from './config.ts'
import { fhirRoutes } from './fhir/routes.ts'
import { allowOrigins } from './http/cors.ts'
import { EVERY_DESCRIPTION } from './http/every-route.ts'
import { Resources } from './http/resources.ts'
import { httpServer } from './http/server.ts'
import { listenOn } from './http/listen.ts'
import { openPacs } from './pacs/pacs.ts'
import { openPixelPool } from './pixels/pool.ts'
import { openGate } from './wado/gate.ts'
import { Health } from './wado/health.ts'
import { baseUrl } from './http/base-url.ts'
import { SeriesMetadata } from './wado/metadata.ts'
import { Renditions } from './wado/renditions.ts'
import { wadoRoutes } from './wado/routes.ts'
import { stowRoutes } from './stow/routes.ts'
import { Spool } from './stow/spool.ts'

export interface Box {
  /** URL of the DICOMweb root; a path when it listens on a socket. */
  readonly dicomweb: string
  readonly dimsePort: number
  close (): Promise<void>
}

export async function openBox (config: Config, log: Logger = pino({ level: config.logLevel })): Promise<Box> {
  const open: { close (): Promise<void> }[] = []
  let closing = false
  const close = async (): Promise<void> => {
    closing = true
    for (const room of open.splice(0).toReversed()) await room.close()
  }
  try {
    const bulkDataUri = bulkDataPath(config.http.prefix)
    const metadata = new SeriesMetadata(bulkDataUri)
    const renditions = new Renditions()
    const cache = await Cache.open(config.cache, {
      onRemoved: ({ studyUid, seriesUid }) => { renditions.forget(studyUid, seriesUid) },
      onEvicted: facts => { log.info(facts, 'series evicted') },
      onFailed: error => { log.error({ err: error }, 'the disk or the index of the cache refused something') },
      onRecovered: facts => { log.warn(facts, 'series recovered from its pack') },
      // Made while nobody waits for it.
      onSettled: pack => { metadata.of(pack).catch(error => { if (!closing) log.warn({ err: error }, 'metadata could not be made') }) }
    })
    open.push(cache, metadata, renditions)
    const pacs = await openPacs(config, cache, log)
    open.push(pacs)
    const pixels = openPixelPool(config.pixels, facts => { log.error(facts, 'a pixel worker was lost and replaced') })
    open.push(pixels)
    const metrics = new Metrics({ cache, pacs, pixels })
    if (config.adminSocket !== undefined) {
      const admin = httpServer({ connectionsMax: 16 }, log)
      adminRoutes(admin, { cache, pacs, pixels, metrics })
      open.push(admin)
      await listenOn(admin, { socket: config.adminSocket })
    }
    const http = httpServer({ ...config.http, takesUploads: config.stow.enabled }, log)
    open.push(http)
    metrics.watch(http)
    if (config.http.cors !== undefined) await allowOrigins(http, config.http.cors)
    const { prefix } = config.http
    const base = baseUrl(config.http)
    await http.register(async app => {
      const resources = new Resources(app, EVERY_DESCRIPTION)
      await stowRoutes(app, {
        settings: config.stow,
        spool: new Spool({ folder: join(config.cache.folder, 'stow'), bytesMax: config.stow.spoolBytesMax, diskFreeBytesMin: config.cache.diskFreeBytesMin }),
        deliver: pacs.deliver,
        changed: async (studyUid, seriesUids) => { await pacs.supply.changed(studyUid, seriesUids) },
        gate: openGate,
        base
      })
      wadoRoutes(app, {
        metadata,
        bulkDataUri,
        supply: pacs.supply,
        pixels,
        renditions,
        query: pacs.query,
        gate: openGate,
        base,
        prefix,
        health: new Health({ slots: pacs.slots, cache })
      }, resources)
    }, { prefix })
    if (config.fhir.enabled) {
      const { prefix, publicUrl, patientSystem, accessionSystem } = config.fhir
      await http.register(async app => {
        fhirRoutes(app, {
          query: pacs.query,
          gate: openGate,
          systems: { patient: patientSystem, accession: accessionSystem },
          base: baseUrl({ prefix, publicUrl }),
          dicomweb: base
        })
      }, { prefix })
    }
    const address = await listenOn(http, config.http)
    return { dicomweb: `${address}${prefix}`, dimsePort: pacs.port, close }
  } catch (error) {
    await close()
    throw error
  }
}

/** Told as a path, not as a URL: metadata is made once, for callers who know this box by different names. */
function bulkDataPath (prefix: string): (stored: { studyUid: string, seriesUid: string, sopInstanceUid: string }, path: string) => string {
  return ({ studyUid, seriesUid, sopInstanceUid }, path) =>
    `${prefix}/studies/${studyUid}/series/${seriesUid}/instances/${sopInstanceUid}/bulkdata/${path}`
}
