/**
 * The signer's socket: HTTP of the smallest kind, a JSON body each way.
 *
 *     GET  /health            whether the TPM answers, and its lockout
 *     GET  /keys              names, types and public keys
 *     PUT  /keys/<id>         makes one, unless it is there: { "type": "P-256" | "RSA-2048" }
 *     POST /keys/<id>/csr     a certification request, PEM
 *     POST /keys/<id>/sign    { "digest": "<SHA-256, hexadecimal>" }: a signature, base64
 *
 * Whoever may open the socket may sign; systemd and its file mode decide that. Errors are problems
 * (RFC 9457) with a stable code. Nothing else of the TPM can be reached from here.
 */

import { createHash } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Logger } from 'pino'
import { DrimboxError, RequestError, TpmError, type Code } from '#core/errors.ts'
import { certificationRequest } from '#standards/x509/certification-request.ts'
import { readCsr, readMake, readSign } from './asked.ts'
import type { Keys } from './keys.ts'
import type { Tpm } from './tpm2/tpm.ts'

/** The longest thing that is asked, a certification request with eight names of 253 characters, is 2.5 KB. */
const BODY_BYTES_MAX = 4096
const HEADER_BYTES_MAX = 4096
/** Callers are on this machine. Milliseconds. */
const REQUEST_MS = 5000
/** More at once than the gateway ever has signatures under way. */
const CONNECTIONS_MAX = 64

export interface SignerParts {
  readonly tpm: Pick<Tpm, 'sign' | 'lockout'>
  readonly keys: Keys
  readonly log: Logger
}

interface Answer { readonly status: number, readonly body: object }

/** Only what isn't 400: what a caller got wrong. */
const STATUS: Partial<Record<Code, number>> = {
  ROUTE_UNKNOWN: 404,
  METHOD_REFUSED: 405,
  MEDIA_UNSUPPORTED: 415,
  KEY_UNKNOWN: 404,
  KEY_EXISTS: 409,
  KEY_LIMIT: 409,
  KEY_UNREADABLE: 500,
  STORE_FAILED: 500,
  BUSY: 503,
  TPM_ABSENT: 503,
  TPM_LOCKOUT: 503,
  TPM_TIMEOUT: 504,
  TPM_FAILED: 502
}

export function signerServer (parts: SignerParts): Server {
  const server = createServer({ maxHeaderSize: HEADER_BYTES_MAX, requestTimeout: REQUEST_MS, headersTimeout: REQUEST_MS, connectionsCheckingInterval: 1000 }, (request, response) => {
    void answer(parts, request).then(({ status, body }) => { send(response, status, 'application/json', body) }, (error: unknown) => {
      sendProblem(parts.log, request, response, error)
    })
  })
  server.maxConnections = CONNECTIONS_MAX
  return server
}

async function answer ({ tpm, keys, log }: SignerParts, request: IncomingMessage): Promise<Answer> {
  const { method = '', url = '' } = request
  const [, resource, id, verb, more] = url.split('/')
  if (url === '/health') return allow(method, 'GET') && await health(tpm, keys)
  if (resource !== 'keys' || more !== undefined || (id !== undefined && id === '')) throw new RequestError('ROUTE_UNKNOWN', 'no such resource')
  if (id === undefined) return allow(method, 'GET') && ok({ keys: await keys.list() })
  if (verb === undefined) {
    allow(method, 'PUT')
    const { made, key } = await keys.make(id, readMake(await readJson(request)))
    if (made) log.info({ key: id, type: key.type, fingerprint: key.fingerprint }, 'key made')
    return { status: made ? 201 : 200, body: key }
  }
  if (verb === 'sign') {
    allow(method, 'POST')
    const digest = readSign(await readJson(request))
    const key = await keys.find(id)
    return ok({ type: key.type, signature: (await tpm.sign(key, digest)).toString('base64') })
  }
  if (verb === 'csr') {
    allow(method, 'POST')
    const asked = readCsr(await readJson(request))
    const key = await keys.find(id)
    const csr = await certificationRequest({ ...asked, type: key.type, publicKey: key.spki }, async bytes => await tpm.sign(key, createHash('sha256').update(bytes).digest()))
    log.info({ key: id }, 'certification request made')
    return ok({ csr })
  }
  throw new RequestError('ROUTE_UNKNOWN', 'no such resource')
}

/** A TPM that doesn't answer is the answer, not a failure of the question. */
async function health (tpm: SignerParts['tpm'], keys: Keys): Promise<Answer> {
  const held = (await keys.list()).length
  try {
    const lockout = await tpm.lockout()
    return ok({ status: lockout.inLockout ? 'degraded' : 'up', code: lockout.inLockout ? 'TPM_LOCKOUT' : null, lockout, keys: held })
  } catch (error) {
    if (!(error instanceof TpmError)) throw error
    return { status: 503, body: { status: 'down', code: error.code, keys: held } }
  }
}

const ok = (body: object): Answer => ({ status: 200, body })

function allow (method: string, allowed: string): true {
  if (method !== allowed) throw new RequestError('METHOD_REFUSED', 'the resource has no such method', { facts: { allow: allowed } })
  return true
}

async function readJson (request: IncomingMessage): Promise<unknown> {
  if (!/^application\/json(;|$)/i.test(request.headers['content-type'] ?? '')) throw new RequestError('MEDIA_UNSUPPORTED', 'a body is application/json')
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length
    if (length > BODY_BYTES_MAX) throw new RequestError('DATA_MALFORMED', 'a body longer than any that is asked', { facts: { bytesMax: BODY_BYTES_MAX } })
    chunks.push(chunk)
  }
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks)))
  } catch (error) {
    throw new RequestError('DATA_MALFORMED', 'the body is not JSON', { cause: error })
  }
}

function sendProblem (log: Logger, { method }: IncomingMessage, response: ServerResponse, error: unknown): void {
  // What isn't ours may carry anything in its message: none of it leaves.
  const known = error instanceof DrimboxError ? error : undefined
  const code = known?.code ?? 'INTERNAL'
  const status = known === undefined ? 500 : STATUS[known.code] ?? 400
  if (status >= 500) log.warn({ code, err: error, method }, 'request failed')
  if (typeof known?.facts.allow === 'string') response.setHeader('allow', known.facts.allow)
  send(response, status, 'application/problem+json', {
    type: `urn:drimbox:problem:${code}`,
    title: known?.message ?? 'internal error',
    status,
    code,
    ...known !== undefined && Object.keys(known.facts).length > 0 && { facts: known.facts }
  })
}

function send (response: ServerResponse, status: number, type: string, body: object): void {
  const text = JSON.stringify(body)
  response.writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(text), 'cache-control': 'no-store', connection: 'close' })
  response.end(text)
}
