/**
 * What a good start is, asked from outside: each part is spoken to as its callers speak to it.
 *
 * Knows nothing of updates, boot entries or how long one waits: see watch.ts and
 * appliance/update/rootfs/usr/lib/drimbox/health-gate.
 */

import { execFile } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { open, readFile, rm } from 'node:fs/promises'
import { request as plainRequest, type IncomingMessage, type RequestOptions } from 'node:http'
import { request as tlsRequest } from 'node:https'
import { join } from 'node:path'
import type { TLSSocket } from 'node:tls'
import { promisify } from 'node:util'

/** Codes are a promise: the fleet server and the status page quote them. */
export type FindingCode = 'GATE_DISK_CLOSED' | 'GATE_DISK_READ_ONLY' | 'GATE_GATEWAY_FAILED' | 'GATE_GATEWAY_SILENT' | 'GATE_FRONT_SILENT' | 'GATE_FRONT_KEY' | 'GATE_SIGNER_SILENT'

export interface Finding {
  readonly code: FindingCode
  /** Facts in a few words; never of a patient. */
  readonly detail: string
  /** Waiting will not help. */
  readonly isFinal?: boolean
}

export type Probe = () => Promise<Finding | undefined>

/** What the image fixes; tests have another. */
export interface Places {
  readonly factsFolder: string
  readonly stateFolder: string
  readonly configFile: string
  readonly gatewaySocket: string
  readonly signerSocket: string
  readonly frontPort: number
  readonly frontCertificate: string
}

export const PLACES: Places = {
  factsFolder: '/run/drimbox-facts',
  stateFolder: '/var/lib/drimbox-update',
  configFile: '/var/lib/drimbox/config.json',
  gatewaySocket: '/run/drimbox/http.sock',
  signerSocket: '/run/drimbox-signer/signer.sock',
  frontPort: 443,
  frontCertificate: '/var/lib/drimbox-keys/front.crt'
}

/** The root of DICOMweb, where the gateway tells its health. */
const DICOMWEB = '/dicom-web'
const STATUS = '/status.json'
/** An answer under emulation, with everything else starting, takes some seconds; in milliseconds. */
const ANSWER_MS = 15_000
const ANSWER_BYTES_MAX = 1 << 20
/** systemd stops starting it again after so many times (drimbox.service, StartLimitBurst). */
const STARTS_MAX = 5

/** How systemd sees a service. */
export interface ServiceState { readonly active: string, readonly restarts: number }
export type AskSystemd = (unit: string) => Promise<ServiceState | undefined>

export function probes (places: Places, systemd: AskSystemd = askSystemd): readonly Probe[] {
  return [
    async () => await diskOf(places),
    async () => await gatewayOf(places, systemd),
    async () => await signerOf(places, systemd),
    async () => await frontOf(places)
  ]
}

async function diskOf ({ factsFolder, stateFolder }: Places): Promise<Finding | undefined> {
  const facts = await readJson(join(factsFolder, 'disk.json')) as { state?: string, code?: string } | undefined
  if (facts?.state === 'closed') return { code: 'GATE_DISK_CLOSED', detail: facts.code ?? '', isFinal: true }
  const file = join(stateFolder, '.gate')
  try {
    const handle = await open(file, 'w')
    try {
      await handle.write('x')
      await handle.sync()
    } finally {
      await handle.close()
    }
    await rm(file)
  } catch (error) {
    // Another version would find it as full; the status page tells it.
    if ((error as NodeJS.ErrnoException).code === 'ENOSPC') return undefined
    return { code: 'GATE_DISK_READ_ONLY', detail: (error as NodeJS.ErrnoException).code ?? '' }
  }
  return undefined
}

/** A PACS that is off is told with 503 and a JSON body: no reason to go back to another version. */
async function gatewayOf ({ gatewaySocket, configFile }: Places, systemd: AskSystemd): Promise<Finding | undefined> {
  // A box that was never set up has no gateway to judge.
  if (await readJson(configFile) === undefined) return undefined
  const service = await systemd('drimbox.service')
  if (service !== undefined && (service.active === 'failed' || service.restarts >= STARTS_MAX)) {
    return { code: 'GATE_GATEWAY_FAILED', detail: `${service.active}, ${service.restarts} restarts`, isFinal: true }
  }
  const answer = await ask(plainRequest, { socketPath: gatewaySocket, path: DICOMWEB, headers: { host: 'box', accept: 'application/json' } })
  if (typeof answer === 'string') return { code: 'GATE_GATEWAY_SILENT', detail: answer }
  return isHealth(answer) ? undefined : { code: 'GATE_GATEWAY_SILENT', detail: `status ${answer.status}` }
}

/** Started on demand: only one that runs, or tried to, is asked. */
async function signerOf ({ signerSocket }: Places, systemd: AskSystemd): Promise<Finding | undefined> {
  const service = await systemd('drimbox-signer.service')
  if (service === undefined || service.active === 'inactive') return undefined
  const answer = await ask(plainRequest, { socketPath: signerSocket, path: '/health', headers: { host: 'signer', accept: 'application/json' } })
  if (typeof answer === 'string') return { code: 'GATE_SIGNER_SILENT', detail: answer }
  return isHealth(answer) ? undefined : { code: 'GATE_SIGNER_SILENT', detail: `status ${answer.status}` }
}

async function frontOf ({ frontPort, frontCertificate }: Places): Promise<Finding | undefined> {
  // Whose certificate this is, is the very question: it is compared, not verified against authorities.
  const answer = await ask(tlsRequest, { host: '127.0.0.1', port: frontPort, path: STATUS, headers: { accept: 'application/json' }, rejectUnauthorized: false, agent: false } as RequestOptions)
  if (typeof answer === 'string') return { code: 'GATE_FRONT_SILENT', detail: answer }
  const stored = await storedCertificate(frontCertificate)
  if (stored === undefined) return { code: 'GATE_FRONT_KEY', detail: 'no stored certificate' }
  if (answer.fingerprint !== stored) return { code: 'GATE_FRONT_KEY', detail: `it presents ${answer.fingerprint}` }
  return isHealth(answer) ? undefined : { code: 'GATE_FRONT_SILENT', detail: `status ${answer.status}` }
}

async function storedCertificate (file: string): Promise<string | undefined> {
  try {
    return new X509Certificate(await readFile(file)).fingerprint256
  } catch {
    return undefined
  }
}

interface Answer { readonly status: number, readonly body: string, readonly fingerprint: string | undefined }

/** 200, or 503 from somebody who can say why. */
function isHealth ({ status, body }: Answer): boolean {
  if (status === 200) return true
  if (status !== 503) return false
  try {
    JSON.parse(body)
    return true
  } catch {
    return false
  }
}

/** @returns the answer, or in a word why there is none */
async function ask (send: typeof plainRequest, options: RequestOptions): Promise<Answer | string> {
  const signal = AbortSignal.timeout(ANSWER_MS)
  return await new Promise(resolve => {
    const fail = (error: NodeJS.ErrnoException): void => { resolve(signal.aborted ? 'no answer' : error.code ?? error.message) }
    const asked = send({ ...options, signal }, (response: IncomingMessage) => {
      let body = ''
      const { socket } = response
      const fingerprint = 'getPeerX509Certificate' in socket ? (socket as TLSSocket).getPeerX509Certificate()?.fingerprint256 : undefined
      response.setEncoding('utf8').on('data', (text: string) => {
        body += text
        if (body.length > ANSWER_BYTES_MAX) response.destroy()
      })
      response.on('error', fail).on('end', () => { resolve({ status: response.statusCode ?? 0, body, fingerprint }) })
    })
    asked.on('error', fail).end()
  })
}

async function readJson (file: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as unknown
  } catch {
    return undefined
  }
}

const run = promisify(execFile)

/** @returns undefined where there is no systemd to ask */
async function askSystemd (unit: string): Promise<ServiceState | undefined> {
  try {
    const { stdout } = await run('systemctl', ['show', '--property=ActiveState,NRestarts', unit], { timeout: ANSWER_MS })
    const values = new Map(stdout.split('\n').map(line => line.split('=', 2) as [string, string]))
    return { active: values.get('ActiveState') ?? '', restarts: Number(values.get('NRestarts') ?? 0) }
  } catch {
    return undefined
  }
}
