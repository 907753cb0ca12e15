/**
 * The fleet server: devices come here for their updates.
 *
 *     node src/fleet.ts --config=/var/lib/drimbox-fleet/fleet.json
 *
 * docs/fleet.md has the settings; `drimbox fleet` talks to it.
 */

import { parseArgs } from 'node:util'
import { pino } from 'pino'
import { DrimboxError } from '#core/errors.ts'
import { readFleetConfig } from '#fleet/config.ts'
import { openFleet } from '#fleet/fleet.ts'

const { values } = parseArgs({ options: { config: { type: 'string', default: '/var/lib/drimbox-fleet/fleet.json' } } })
try {
  const config = await readFleetConfig(values.config)
  const log = pino({ level: config.logLevel })
  const fleet = await openFleet(config, { log })
  log.info({ address: fleet.address }, 'the fleet server is open')
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      log.info({ signal }, 'closing')
      void fleet.close().then(() => { process.exit(0) })
    })
  }
} catch (error) {
  console.error(error instanceof DrimboxError ? `${error.code}: ${error.message}` : error)
  process.exitCode = 1
}
