/**
 * Text on its way out, compressed where the caller can read that. Never for pixels: those that are
 * worth it are compressed already, and for the others the disk and the network are faster.
 */

import { once } from 'node:events'
import { constants, createGzip, createZstdCompress, type Gzip, type ZstdCompress } from 'node:zlib'
import type { FastifyRequest } from 'fastify'
import { chooseCoding, type Coding } from '#standards/dicomweb/content-coding.ts'
import type { Outlet } from './outlet.ts'

/** Ours first. Of both, the cheap level: answers are made while somebody waits. */
const CODINGS: readonly Coding[] = ['zstd', 'gzip']

/** Which of ours the caller reads. */
export function codingFor (request: FastifyRequest): Coding {
  return chooseCoding(request.headers['accept-encoding'], CODINGS)
}

export class CodedOut {
  readonly #out: Outlet
  readonly #stream: Gzip | ZstdCompress | undefined

  constructor (out: Outlet, coding: Coding) {
    this.#out = out
    this.#stream = coding === 'gzip'
      ? createGzip({ level: 1 })
      : coding === 'zstd' ? createZstdCompress({ params: { [constants.ZSTD_c_compressionLevel]: 1 } }) : undefined
    this.#stream?.on('data', (chunk: Buffer) => { out.write([chunk]) }).on('error', error => { out.cut(error) })
  }

  /** Resolves when the reader can take more. @throws PeerError CANCELLED when they left */
  async write (bytes: Uint8Array): Promise<void> {
    const stream = this.#stream
    if (stream === undefined) this.#out.write([bytes])
    else await new Promise<void>(resolve => { stream.write(bytes, () => { resolve() }) })
    await this.#out.drained()
  }

  /** Lets go of what compression still holds back. */
  async flush (): Promise<void> {
    const stream = this.#stream
    if (stream !== undefined) await new Promise<void>(resolve => { stream.flush(() => { resolve() }) })
  }

  /** The answer is whole. */
  async end (last: Uint8Array): Promise<void> {
    const stream = this.#stream
    if (stream === undefined) {
      this.#out.end(last)
      return
    }
    const ended = once(stream, 'end')
    stream.end(last)
    await ended
    this.#out.end()
  }

  /** The answer must not look whole. */
  cut (error: Error): void {
    this.#stream?.destroy()
    this.#out.cut(error)
  }

  get closed (): boolean {
    return this.#out.closed
  }
}
