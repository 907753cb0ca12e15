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
import { readConfig } from '#box/config.ts'
import { dicomwebRoutes } from '#box/dicomweb.ts'
import { baseUrl } from '#box/http/base-url.ts'
import { listenOn } from '#box/http/listen.ts'
import { Drain } from '#box/http/drain.ts'
import { httpServer } from '#box/http/server.ts'
import { openRooms } from '#box/rooms.ts'
import { openGate, outwardGate } from '#box/wado/gate.ts'

/** A test identity (OID of the test INS-NIR). */
const INS = { value: '160109912345678', oid: '1.2.250.1.213.1.4.10' }

const { values } = parseArgs({ options: { config: { type: 'string', default: '' } } })
const config = await readConfig(values.config)
const log = pino({ level: config.logLevel })
const rooms = await openRooms(config, log, { bulkDataUri: (_stored, path) => path })
const admin = httpServer({ connectionsMax: 16 }, log)
adminRoutes(admin, { ...rooms, metrics: new Metrics(rooms), drain: new Drain() })
await listenOn(admin, { socket: config.adminSocket! })
const http = httpServer(config.http, log)
const faces = [
  { prefix: config.http.prefix, gate: openGate },
  { prefix: `${config.http.prefix}/outward`, gate: outwardGate({ assertActive: async () => {}, published: async () => INS }) }
]
for (const { prefix, gate } of faces) {
  await http.register(async app => { await dicomwebRoutes(app, rooms, config, { gate, base: baseUrl({ prefix }), prefix }) }, { prefix })
}
await listenOn(http, config.http)
process.on('SIGTERM', () => { process.exit(0) })
