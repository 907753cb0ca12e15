/**
 * The gateway: reads its settings, opens the box, closes it when told to.
 *
 *     make box CONFIG=/var/lib/drimbox/config.json
 *
 * which starts Node with the flags of core/runtime.ts; their reasons stand there. `--check` reads the
 * settings and says whether they can be used, no more; `--alive=FILE` is for a watchdog (box/heartbeat.ts).
 */

import { parseArgs } from 'node:util'
import { pino } from 'pino'
import { openBox } from '#box/box.ts'
import { readConfig } from '#box/config.ts'
import { openHeartbeat } from '#box/heartbeat.ts'
import { DrimboxError } from '#core/errors.ts'

const { values } = parseArgs({
  options: {
    config: { type: 'string', default: '/var/lib/drimbox/config.json' },
    check: { type: 'boolean', default: false },
    alive: { type: 'string' }
  }
})
try {
  const config = await readConfig(values.config)
  if (values.check) {
    console.log('settings: good')
  } else {
    const log = pino({ level: config.logLevel })
    const box = await openBox(config, log)
    log.info({ dicomweb: box.dicomweb, dimsePort: box.dimsePort }, 'the box is open')
    const { socket, host } = config.http
    const heartbeat = values.alive === undefined ? undefined : openHeartbeat(values.alive, socket === undefined ? { host, port: Number(new URL(box.dicomweb).port) } : { socketPath: socket })
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.once(signal, () => {
        log.info({ signal }, 'closing')
        heartbeat?.close()
        void box.close().then(() => { process.exit(0) })
      })
    }
  }
} catch (error) {
  console.error(error instanceof DrimboxError ? `${error.code}: ${error.message}` : error)
  process.exitCode = 1
}
