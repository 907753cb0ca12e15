/**
 * Questions to the box, or the fleet server, that runs on this machine, over its admin socket.
 */

import { request } from 'node:http'
import type { Readable } from 'node:stream'
import { CapacityError, SettingError, type Facts } from '#core/errors.ts'

/** A list of 100 000 series takes some 40 MB. */
const ANSWER_BYTES_MAX = 64 << 20
/** The box answers from memory, or from its index; in milliseconds. */
const SILENCE_MS = 10_000

/** The box said no, in its own words and with its own code. */
export class BoxRefusal extends Error {
  readonly code: string
  readonly facts: Facts

  constructor (code: string, title: string, facts: Facts = {}) {
    super(title)
    this.code = code
    this.facts = facts
  }
}

export interface Asking {
  readonly language: string
  readonly signal: AbortSignal
}

export interface Question extends Asking {
  readonly method: 'GET' | 'POST' | 'DELETE'
  readonly path: string
  /** Who is asked. */
  readonly whom: 'box' | 'fleet'
  readonly body?: { readonly type: string, readonly content: Readable }
  /** Where an answer takes longer; in milliseconds. */
  readonly silenceMs?: number
}

/**
 * @throws SettingError when no box answers there
 * @throws BoxRefusal when it answers with a problem (RFC 9457)
 */
export async function askBox (socketPath: string, method: Question['method'], path: string, asking: Asking): Promise<unknown> {
  return await askSocket(socketPath, { ...asking, method, path, whom: 'box' })
}

/** @throws as {@link askBox} */
export async function askSocket (socketPath: string, { method, path, language, signal, whom, body: sent, silenceMs = SILENCE_MS }: Question): Promise<unknown> {
  const { promise, resolve, reject } = Promise.withResolvers<{ status: number, body: string }>()
  const headers = { accept: 'application/json', 'accept-language': language, ...sent !== undefined && { 'content-type': sent.type } }
  const asked = request({ socketPath, method, path, headers, signal }, response => {
    const chunks: Buffer[] = []
    let bytes = 0
    response.on('data', (chunk: Buffer) => {
      bytes += chunk.length
      if (bytes > ANSWER_BYTES_MAX) asked.destroy(new CapacityError('BUSY', 'the answer is too long', { facts: { bytesMax: ANSWER_BYTES_MAX } }))
      else chunks.push(chunk)
    })
    response.on('end', () => { resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString('utf8') }) })
    response.on('error', reject)
  })
  asked.setTimeout(silenceMs, () => { asked.destroy(new Error('silent')) })
  asked.on('error', reject)
  if (sent === undefined) asked.end()
  else sent.content.on('error', error => { asked.destroy(error) }).pipe(asked)
  const { status, body } = await promise.catch((error: NodeJS.ErrnoException) => {
    if (error instanceof CapacityError) throw error
    throw new SettingError(`no ${WHO[whom]} answers on its admin socket`, { cause: error, facts: { socket: socketPath, reason: socketReason(error, whom) } })
  }).finally(() => {
    // Refused in its middle, the rest needn't be sent.
    sent?.content.destroy()
  })
  const json = parse(body)
  if (status < 300 && json !== undefined) return json
  const { code = `HTTP ${status}`, title = '', facts = {} } = (json ?? {}) as { code?: string, title?: string, facts?: Facts }
  throw new BoxRefusal(code, title, facts)
}

const WHO = { box: 'box', fleet: 'fleet server' } as const

function socketReason ({ code }: NodeJS.ErrnoException, whom: Question['whom']): string {
  if (code === 'ENOENT' || code === 'ECONNREFUSED') return `${whom}-not-running`
  if (code === 'EACCES') return 'socket-forbidden'
  return code ?? 'silent'
}

function parse (text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
