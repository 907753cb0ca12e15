/**
 * drimbox-status: the page that says how the box is, even when nothing else works. Started by its socket
 * (drimbox-status.socket), reads what others left, writes nothing, ends when nobody has looked for a while.
 *
 *     node src/status.ts [--socket=PATH] [--idle-seconds=120] [--root=FOLDER] [--prefix=/dicom-web]
 */

import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { pino } from 'pino'
import { serveWhileAsked } from '#core/activated-server.ts'
import { DrimboxError, SettingError } from '#core/errors.ts'
import { readCertificate } from '#status/certificate.ts'
import { readFacts } from '#status/facts.ts'
import { askGateway } from '#status/gateway.ts'
import { readMachine } from '#status/machine.ts'
import { report, type Report } from '#status/report.ts'
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

/** What the front shows now, and where it is kept: the first is a copy in memory. */
const CERTIFICATES = ['/run/drimbox-front-tls/front.crt', '/var/lib/drimbox-keys/front.crt']

async function look (): Promise<Report> {
  const at = (path: string): string => join(values.root, '/', path)
  const [facts, machine, certificate, gateway] = await Promise.all([
    readFacts(at('/run/drimbox-facts')),
    readMachine(values.root),
    readCertificate(CERTIFICATES.map(at)),
    askGateway(at('/run/drimbox/http.sock'), values.prefix)
  ])
  return report({ facts, machine, certificate, gateway, now: Date.now() })
}

try {
  const idleSeconds = Number(values['idle-seconds'])
  if (!(idleSeconds >= 0 && idleSeconds <= IDLE_SECONDS_MAX)) throw new SettingError(`--idle-seconds is a number from 0 (never) to ${IDLE_SECONDS_MAX}`)
  const log = pino()
  const server = statusServer({ look, log })
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => { server.close() })
  await serveWhileAsked(server, { socket: values.socket, idleSeconds }, where => { log.info({ where }, 'the status page listens') })
  log.info('the status page ends')
  process.exit()
} catch (error) {
  console.error(error instanceof DrimboxError ? `${error.code}: ${error.message}` : error)
  process.exitCode = 1
}
