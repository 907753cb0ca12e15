/**
 * The wiring of one box: the one file that knows every room, and the first to read.
 *
 * Rooms open in order of need and close in the reverse order; nothing is served by half a box.
 */

import { pino, type Logger } from 'pino'
import { Metrics } from './admin/metrics.ts'
import { adminRoutes } from './admin/routes.ts'
import type { Config } from './config.ts'
import { dicomwebRoutes } from './dicomweb.ts'
import { fhirRoutes } from './fhir/routes.ts'
import { Drain } from './http/drain.ts'
import { allowOrigins } from './http/cors.ts'
import { httpServer } from './http/server.ts'
import { listenOn } from './http/listen.ts'
import { openRooms } from './rooms.ts'
import { openGate } from './wado/gate.ts'
import type { BulkDataUri } from './wado/metadata.ts'
import { baseUrl } from './http/base-url.ts'

export interface Box {
  /** URL of the DICOMweb root; a path when it listens on a socket. */
  readonly dicomweb: string
  readonly dimsePort: number
  close (): Promise<void>
}

export async function openBox (config: Config, log: Logger = pino({ level: config.logLevel })): Promise<Box> {
  const open: { close (): Promise<void> }[] = []
  const close = async (): Promise<void> => {
    for (const room of open.splice(0).toReversed()) await room.close()
  }
  try {
    const rooms = await openRooms(config, log, { bulkDataUri: bulkDataPath(config.http.prefix) })
    open.push(rooms)
    const metrics = new Metrics(rooms)
    const drain = new Drain()
    if (config.adminSocket !== undefined) {
      const admin = httpServer({ connectionsMax: 16 }, log)
      adminRoutes(admin, { ...rooms, metrics, drain })
      open.push(admin)
      await listenOn(admin, { socket: config.adminSocket })
    }
    const http = httpServer({ ...config.http, takesUploads: config.stow.enabled }, log)
    open.push(http)
    metrics.watch(http)
    drain.watch(http)
    if (config.http.cors !== undefined) await allowOrigins(http, config.http.cors)
    const { prefix } = config.http
    const base = baseUrl(config.http)
    await http.register(async app => { await dicomwebRoutes(app, rooms, config, { gate: openGate, base, prefix }) }, { prefix })
    if (config.fhir.enabled) {
      const { prefix, publicUrl, patientSystem, accessionSystem } = config.fhir
      await http.register(async app => {
        fhirRoutes(app, {
          query: rooms.pacs.query,
          gate: openGate,
          systems: { patient: patientSystem, accession: accessionSystem },
          base: baseUrl({ prefix, publicUrl }),
          dicomweb: base
        })
      }, { prefix })
    }
    const address = await listenOn(http, config.http)
    return { dicomweb: `${address}${prefix}`, dimsePort: rooms.pacs.port, close }
  } catch (error) {
    await close()
    throw error
  }
}

/** Told as a path, not as a URL: metadata is made once, for callers who know this box by different names. */
function bulkDataPath (prefix: string): BulkDataUri {
  return ({ studyUid, seriesUid, sopInstanceUid }, path) =>
    `${prefix}/studies/${studyUid}/series/${seriesUid}/instances/${sopInstanceUid}/bulkdata/${path}`
}
