/**
 * Questions to the box that runs on this machine, over its admin socket.
 */

import { request } from 'node:http'
import { CapacityError, SettingError } from '#core/errors.ts'

/** A list of 100 000 series takes some 40 MB. */
const ANSWER_BYTES_MAX = 64 << 20
/** The box answers from memory, or from its index; in milliseconds. */
const SILENCE_MS = 10_000

/** The box said no, in its own words and with its own code. */
export class BoxRefusal extends Error {
  readonly code: string

  constructor (code: string, title: string) {
    super(title)
    this.code = code
  }
}

/**
 * @throws SettingError when no box answers there
 * @throws BoxRefusal when it answers with a problem (RFC 9457)
 */
export async function askBox (socketPath: string, method: 'GET' | 'POST' | 'DELETE', path: string, options: { readonly language: string, readonly signal: AbortSignal }): Promise<unknown> {
  const { promise, resolve, reject } = Promise.withResolvers<{ status: number, body: string }>()
  const asked = request({ socketPath, method, path, headers: { accept: 'application/json', 'accept-language': options.language }, signal: options.signal }, response => {
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
  asked.setTimeout(SILENCE_MS, () => { asked.destroy(new Error('silent')) })
  asked.on('error', reject)
  asked.end()
  const { status, body } = await promise.catch((error: NodeJS.ErrnoException) => {
    if (error instanceof CapacityError) throw error
    throw new SettingError('no box answers on its admin socket', { cause: error, facts: { socket: socketPath, reason: socketReason(error) } })
  })
  const json = parse(body)
  if (status < 300 && json !== undefined) return json
  const { code = `HTTP ${status}`, title = '' } = (json ?? {}) as { code?: string, title?: string }
  throw new BoxRefusal(code, title)
}

function socketReason ({ code }: NodeJS.ErrnoException): string {
  if (code === 'ENOENT' || code === 'ECONNREFUSED') return 'box-not-running'
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
