/**
 * drimbox-signer: the only process that signs. It reaches the TPM and the keys' files, knows nothing of
 * patients, is started by its socket (drimbox-signer.socket) and ends when nobody has asked for a while.
 *
 *     node src/signer.ts [--keys=FOLDER] [--work=FOLDER] [--tcti=device:/dev/tpmrm0] [--socket=PATH] [--idle-seconds=60]
 */

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { pino } from 'pino'
import { serveWhileAsked } from '#core/activated-server.ts'
import { DrimboxError, SettingError } from '#core/errors.ts'
import { Keys } from '#signer/keys.ts'
import { signerServer } from '#signer/server.ts'
import { Tpm } from '#signer/tpm2/tpm.ts'

/** An hour: longer, and there is no reason to end at all. */
const IDLE_SECONDS_MAX = 3600

const { values } = parseArgs({
  options: {
    keys: { type: 'string', default: '/var/lib/drimbox-keys' },
    // A folder of its own is made there, and goes with the process.
    work: { type: 'string', default: tmpdir() },
    tcti: { type: 'string', default: process.env.TPM2TOOLS_TCTI ?? 'device:/dev/tpmrm0' },
    socket: { type: 'string' },
    'idle-seconds': { type: 'string', default: '60' }
  }
})
try {
  const idleSeconds = Number(values['idle-seconds'])
  if (!(idleSeconds >= 0 && idleSeconds <= IDLE_SECONDS_MAX)) throw new SettingError(`--idle-seconds is a number from 0 (never) to ${IDLE_SECONDS_MAX}`)
  const log = pino()
  const workFolder = await mkdtemp(join(values.work, 'drimbox-signer-'))
  const tpm = new Tpm({ tcti: values.tcti, workFolder, rootFile: join(values.keys, 'signer.root') })
  const server = signerServer({ tpm, keys: new Keys(values.keys, tpm), log })
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => { server.close() })
  await serveWhileAsked(server, { socket: values.socket, idleSeconds }, where => { log.info({ where }, 'the signer listens') })
  await rm(workFolder, { recursive: true, force: true })
  log.info('the signer ends')
  // A tool that hangs in the kernel must not hold a process that no longer listens.
  process.exit()
} catch (error) {
  console.error(error instanceof DrimboxError ? `${error.code}: ${error.message}` : error)
  process.exitCode = 1
}
