/**
 * A box with a second face, on which every object leaves with an INS appended: for the bench alone,
 * since publication and trust, which would stand before that face, aren't part of this measure.
 *
 *     node scripts/bench/receivers/outward-box.ts --config=FILE
 */

import { parseArgs } from 'node:util'
import { pino } from 'pino'
import { Metrics } from '#box/admin/metrics.ts'
import { adminRoutes } from '#box/admin/routes.ts'
import { Cache } from '#box/cache/cache.ts'
import { readConfig } from '#box/config.ts'
import { listenOn } from '#box/http/listen.ts'
import { httpServer } from '#box/http/server.ts'
import { openPacs } from '#box/pacs/pacs.ts'
import { openPixelPool } from '#box/pixels/pool.ts'
import { openGate, outwardGate } from '#box/wado/gate.ts'
import { Health } from '#box/wado/health.ts'
import { SeriesMetadata, type BulkDataUri } from '#box/wado/metadata.ts'
import { Renditions } from '#box/wado/renditions.ts'
import { wadoRoutes } from '#box/wado/routes.ts'

/** A test identity (OID of the test INS-NIR). */
const INS = { value: '160109912345678', oid: '1.2.250.1.213.1.4.10' }

const { values } = parseArgs({ options: { config: { type: 'string', default: '' } } })
const config = await readConfig(values.config)
const log = pino({ level: config.logLevel })
const bulkDataUri: BulkDataUri = (_stored, path) => path
const cache = await Cache.open(config.cache)
const pacs = await openPacs(config, cache, log)
const pixels = openPixelPool(config.pixels, facts => { log.error(facts, 'a pixel worker was lost and replaced') })
const parts = {
  cache,
  pixels,
  renditions: new Renditions(),
  metadata: new SeriesMetadata(bulkDataUri),
  bulkDataUri,
  supply: pacs.supply,
  query: pacs.query,
  base: () => '',
  prefix: '',
  health: new Health({ slots: pacs.slots, cache })
}
const admin = httpServer({ connectionsMax: 16 }, log)
adminRoutes(admin, { cache, pacs, pixels, metrics: new Metrics({ cache, pacs, pixels }) })
await listenOn(admin, { socket: config.adminSocket! })
const http = httpServer(config.http, log)
await http.register(async app => { wadoRoutes(app, { ...parts, gate: openGate }) }, { prefix: config.http.prefix })
await http.register(async app => {
  wadoRoutes(app, { ...parts, gate: outwardGate({ assertActive: async () => {}, published: async () => INS }) })
}, { prefix: `${config.http.prefix}/outward` })
await listenOn(http, config.http)
process.on('SIGTERM', () => { process.exit(0) })
