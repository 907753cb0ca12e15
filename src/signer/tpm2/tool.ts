/**
 * Runs programs of tpm2-tools: one at a time, with an end, and with every failure told by a stable code.
 *
 * The tools talk to the TPM through the TCTI of our settings: `device:/dev/tpmrm0` on a box,
 * `swtpm:host=127.0.0.1,port=2321` at a desk.
 */

import { setTimeout as delay } from 'node:timers/promises'
import { execa } from 'execa'
import { TpmError } from '#core/errors.ts'

/** A discrete TPM signs in 80 to 600 ms; what takes longer than this hangs. Milliseconds. */
export const COMMAND_MS = 10_000
/** Making an RSA key takes some TPMs tens of seconds. Milliseconds. */
export const CREATE_MS = 120_000
/** Between the polite signal and the other. Milliseconds. */
const GRACE_MS = 500
/** What a tool prints is a page at most. */
const OUTPUT_BYTES_MAX = 64 << 10

export interface ToolOptions {
  /** Working directory, where a command finds and leaves its files. */
  readonly folder?: string
  readonly input?: Uint8Array
  readonly msMax?: number
}

export type RunTool = (name: string, args: readonly string[], options?: ToolOptions) => Promise<Buffer>

interface Ended {
  readonly exitCode?: number
  readonly timedOut: boolean
  readonly code?: string
  readonly signal?: string
  readonly stdout: Uint8Array
  readonly stderr: Uint8Array
}

/** @returns what the tool wrote on stdout, or throws TpmError */
export function toolsFor (tcti: string): RunTool {
  const env = { PATH: process.env.PATH ?? '/usr/bin:/bin', TPM2TOOLS_TCTI: tcti, TSS2_LOG: 'all+NONE', LC_ALL: 'C' }
  // A process that waits in the kernel can't be killed; until it ends, no other is put behind it.
  let stuck: string | undefined
  return async (name, args, { folder, input, msMax = COMMAND_MS } = {}) => {
    if (stuck !== undefined) throw new TpmError('TPM_TIMEOUT', 'the TPM still has not answered', { facts: { tool: stuck } })
    const child = execa(name, args, {
      env,
      extendEnv: false,
      cwd: folder,
      ...input === undefined ? { stdin: 'ignore' } : { input },
      encoding: 'buffer',
      maxBuffer: OUTPUT_BYTES_MAX,
      reject: false,
      stripFinalNewline: false,
      timeout: msMax,
      forceKillAfterDelay: GRACE_MS
    })
    const ended = child.then(result => result as Ended)
    const timer = new AbortController()
    const result = await Promise.race([ended, delay(msMax + 4 * GRACE_MS, undefined, { signal: timer.signal }).catch(() => undefined)])
    timer.abort()
    if (result === undefined) {
      stuck = name
      void ended.then(() => { stuck = undefined })
      throw new TpmError('TPM_TIMEOUT', 'a TPM command cannot even be ended', { facts: { tool: name } })
    }
    if (result.exitCode !== 0) throw failure(name, result, msMax)
    return Buffer.from(result.stdout)
  }
}

/** Response codes of TPM 2.0 Part 2 §6.6.3, and layers of the TSS: 'Esys_Sign(0x921)'. */
const RESPONSE = /\(0x([0-9A-Fa-f]{1,8})\)/
const LOCKOUT = 0x921
/** The TCTI's own failures: 0x000Annnn, among them a connection that broke (0xA000A). */
const isTransport = (response: number): boolean => response >>> 16 === 0xA

function failure (tool: string, { timedOut, code, signal, stderr }: Ended, msMax: number): TpmError {
  if (timedOut) return new TpmError('TPM_TIMEOUT', 'a TPM command took too long and was ended', { facts: { tool, seconds: msMax / 1000 } })
  if (code === 'ENOENT') return new TpmError('TPM_FAILED', 'tpm2-tools is not installed', { facts: { tool, reason: 'not-installed' } })
  const said = Buffer.from(stderr).toString('latin1')
  const response = Number.parseInt(RESPONSE.exec(said)?.[1] ?? '', 16)
  if (said.includes('Could not load tcti') || isTransport(response)) return new TpmError('TPM_ABSENT', 'no TPM answers', { facts: { tool } })
  if (response === LOCKOUT) return new TpmError('TPM_LOCKOUT', 'the TPM is in lockout', { facts: { tool } })
  return new TpmError('TPM_FAILED', 'the TPM refused', {
    facts: { tool, ...Number.isNaN(response) ? { reason: signal ?? code ?? 'no-response-code' } : { response: `0x${response.toString(16)}` } }
  })
}

/** @returns the TPM's response code, where it is one that refused */
export function responseOf (error: unknown): number | undefined {
  if (!(error instanceof TpmError) || typeof error.facts.response !== 'string') return undefined
  return Number(error.facts.response)
}
