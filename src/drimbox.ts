/**
 * The gateway: reads its settings, opens the box, closes it when told to.
 *
 *     make box CONFIG=/var/lib/drimbox/config.json
 *
 * which starts Node with the flags of core/runtime.ts; their reasons stand there.
 */

import { parseArgs } from 'node:util'
import { pino } from 'pino'
import { openBox } from '#box/box.ts'
import { readConfig } from '#box/config.ts'
import { DrimboxError } from '#core/errors.ts'

const { values } = parseArgs({ options: { config: { type: 'string', default: '/var/lib/drimbox/config.json' } } })
try {
  const config = await readConfig(values.config)
  const log = pino({ level: config.logLevel })
  const box = await openBox(config, log)
  log.info({ dicomweb: box.dicomweb, dimsePort: box.dimsePort }, 'the box is open')
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      log.info({ signal }, 'closing')
      void box.close().then(() => { process.exit(0) })
    })
  }
} catch (error) {
  console.error(error instanceof DrimboxError ? `${error.code}: ${error.message}` : error)
  process.exitCode = 1
}
