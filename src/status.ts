/**
 * drimbox-status: the page that says how the box is, even when nothing else works. Started by its socket
 * (drimbox-status.socket), reads what others left, writes nothing, ends when nobody has looked for a while.
 *
 *     node src/status.ts [--socket=PATH] [--idle-seconds=120] [--root=FOLDER] [--prefix=/dicom-web]
 */

import { parseArgs } from 'node:util'
import { pino } from 'pino'
import { serveWhileAsked } from '#core/activated-server.ts'
import { DrimboxError, SettingError } from '#core/errors.ts'
import { look } from '#status/look.ts'
import { statusServer } from '#status/server.ts'

/** An hour: longer, and there is no reason to end at all. */
const IDLE_SECONDS_MAX = 3600

const { values } = parseArgs({
  options: {
    socket: { type: 'string' },
    'idle-seconds': { type: 'string', default: '120' },
    // Before every path that is read: a box in a folder, for tests and demonstrations.
    root: { type: 'string', default: '' },
    prefix: { type: 'string', default: '/dicom-web' }
  }
})

try {
  const idleSeconds = Number(values['idle-seconds'])
  if (!(idleSeconds >= 0 && idleSeconds <= IDLE_SECONDS_MAX)) throw new SettingError(`--idle-seconds is a number from 0 (never) to ${IDLE_SECONDS_MAX}`)
  const log = pino()
  const server = statusServer({ look: async () => await look(values.root, values.prefix), log })
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => { server.close() })
  await serveWhileAsked(server, { socket: values.socket, idleSeconds }, where => { log.info({ where }, 'the status page listens') })
  log.info('the status page ends')
  process.exit()
} catch (error) {
  console.error(error instanceof DrimboxError ? `${error.code}: ${error.message}` : error)
  process.exitCode = 1
}
