/**
 * An HTTP reader that costs next to nothing: counts bytes as they come, into one buffer, and looks
 * only at what it must (the head, the sizes of chunks, the head of the first part).
 *
 * Source: RFC 9112 §6 and §7.1, DICOM PS3.18 §8.6.1.2.
 */

import { connect } from 'node:net'

const READ_BYTES = 1 << 20
const HEAD_END = Buffer.from('\r\n\r\n')

export interface ReadOptions {
  readonly accept?: string
  readonly headers?: Readonly<Record<string, string>>
  /** The body has no parts: its first byte is the first. */
  readonly isOneFile?: boolean
  /** Slower than this many bytes in a second the reader doesn't read. */
  readonly bytesPerSecondMax?: number
  /** Given every piece of the body; for the run that checks it. */
  readonly onBody?: (piece: Buffer) => void
}

export interface Read {
  readonly status: number
  readonly contentType: string
  /** Of the body, without what HTTP adds. */
  readonly bytes: number
  readonly seconds: number
  /** From the request sent to the first byte of the first part's body. */
  readonly firstByteMs: number
  /** The same moment, by `performance.now()`. */
  readonly firstByteAt: number
}

/** Reads one answer to its end. @throws Error when it is cut, or refused */
export async function read (url: string, options: ReadOptions = {}): Promise<Read> {
  const { hostname, port, pathname, search } = new URL(url)
  const headers = { host: `${hostname}:${port}`, accept: options.accept ?? 'multipart/related; type="application/dicom"; transfer-syntax=*', connection: 'close', ...options.headers }
  const request = `GET ${pathname}${search} HTTP/1.1\r\n${Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const answer = new Answer(options)
  const pace = pacer(options.bytesPerSecondMax)
  let from = 0
  const socket = connect({
    host: hostname,
    port: Number(port),
    noDelay: true,
    onread: {
      buffer: Buffer.allocUnsafeSlow(READ_BYTES),
      callback: (length, buffer) => {
        try {
          answer.take((buffer as Buffer).subarray(0, length), performance.now() - from)
        } catch (error) {
          reject(error as Error)
        }
        if (answer.whole) resolve()
        return pace(length, () => { socket.resume() })
      }
    }
  })
  socket.on('error', reject)
  socket.on('end', () => {
    answer.ended()
    if (answer.whole) resolve()
  })
  socket.on('close', () => { reject(new Error('the answer was cut')) })
  socket.on('connect', () => {
    from = performance.now()
    socket.write(request)
  })
  try {
    await promise
  } finally {
    socket.destroy()
  }
  const { status, contentType, bytes, firstByteMs } = answer
  return { status, contentType, bytes, firstByteMs, firstByteAt: from + firstByteMs, seconds: (performance.now() - from) / 1000 }
}

/** Says whether to read on; if not, calls `resume` when it is time. */
function pacer (bytesPerSecondMax: number | undefined): (length: number, resume: () => void) => boolean {
  if (bytesPerSecondMax === undefined) return () => true
  const from = performance.now()
  let read = 0
  return (length, resume) => {
    read += length
    const early = read / bytesPerSecondMax * 1000 - (performance.now() - from)
    if (early < 1) return true
    setTimeout(resume, early)
    return false
  }
}

class Answer {
  status = 0
  contentType = ''
  bytes = 0
  firstByteMs = 0
  whole = false
  readonly #onBody: ((piece: Buffer) => void) | undefined
  readonly #isOneFile: boolean
  #inBody = false
  #head: Buffer = Buffer.alloc(0)
  #chunked = false
  /** Of the body, or of the present chunk. */
  #left = 0
  /** A chunk's size that was cut, or the bytes between two chunks. */
  #sizeLine = ''
  /** The body until the first part begins; undefined after that. */
  #before: Buffer | undefined = Buffer.alloc(0)

  constructor ({ onBody, isOneFile = false }: ReadOptions) {
    this.#onBody = onBody
    this.#isOneFile = isOneFile
  }

  /** @throws Error when the answer isn't one of success */
  take (piece: Buffer, ms: number): void {
    if (!this.#inBody) {
      this.#head = Buffer.concat([this.#head, piece])
      const end = this.#head.indexOf(HEAD_END)
      if (end < 0) return
      this.#begin(this.#head.toString('latin1', 0, end), this.#head.toString('latin1', end + 4, end + 2000))
      piece = this.#head.subarray(end + 4)
    }
    if (this.#chunked) this.#takeChunks(piece, ms)
    else {
      this.#body(piece, ms)
      this.#left -= piece.length
      this.whole = this.#left === 0
    }
  }

  /** The server has closed its side. */
  ended (): void {
    if (this.#inBody && this.#left === Infinity) this.whole = true
  }

  #begin (head: string, after: string): void {
    this.status = Number(head.slice(9, 12))
    if (this.status !== 200) throw new Error(`the server answered ${head} ${after}`)
    this.contentType = /^content-type: *(.*)$/im.exec(head)?.[1] ?? ''
    this.#chunked = /^transfer-encoding: *chunked/im.test(head)
    // Without a length the body ends with the connection (RFC 9112 §6.3).
    this.#left = this.#chunked ? 0 : Number(/^content-length: *(\d+)/im.exec(head)?.[1] ?? Infinity)
    this.#inBody = true
  }

  #takeChunks (piece: Buffer, ms: number): void {
    for (let at = 0; at < piece.length && !this.whole;) {
      if (this.#left > 0) {
        const take = Math.min(this.#left, piece.length - at)
        this.#body(piece.subarray(at, at + take), ms)
        this.#left -= take
        at += take
        continue
      }
      const end = piece.indexOf(0x0A, at)
      this.#sizeLine += piece.toString('latin1', at, end < 0 ? piece.length : end)
      if (end < 0) return
      at = end + 1
      const size = this.#sizeLine.trim()
      this.#sizeLine = ''
      if (size === '') continue // the end of the chunk before
      this.#left = parseInt(size, 16)
      this.whole = this.#left === 0
    }
  }

  #body (piece: Buffer, ms: number): void {
    this.bytes += piece.length
    this.#onBody?.(piece)
    if (this.#before === undefined) return
    if (this.#isOneFile) {
      this.firstByteMs = ms
      this.#before = undefined
      return
    }
    this.#before = Buffer.concat([this.#before, piece])
    const end = this.#before.indexOf(HEAD_END)
    if (end < 0 || this.#before.length <= end + 4) return
    this.firstByteMs = ms
    this.#before = undefined
  }
}
