/**
 * multipart/related, written and read as a stream: no part is ever held whole.
 *
 * Source: RFC 2046 §5.1 (syntax), RFC 2387 (related), DICOM PS3.18 §8.6.1.2.
 * The writer makes heads and ends; the bytes between them are the caller's, untouched. The reader
 * is pulled: whoever reads slowly slows the sender.
 */

import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { RequestError } from '#core/errors.ts'

/** Absent from any data, for all practical purposes: 122 random bits. */
export function newBoundary (): string {
  return randomUUID()
}

/**
 * The Content-Type of the whole.
 *
 * @param inner the media type of the parts
 * @param extra the Content-ID of the root part, without angle brackets; the transfer syntax, where
 *   it is the same for all parts
 */
export function contentType (boundary: string, inner: string, extra: { readonly start?: string, readonly transferSyntax?: string } = {}): string {
  return `multipart/related; type="${inner}"; boundary=${boundary}` +
    (extra.start === undefined ? '' : `; start="<${extra.start}>"`) +
    (extra.transferSyntax === undefined ? '' : `; transfer-syntax=${extra.transferSyntax}`)
}

/** What stands before a part's bytes: the delimiter, its headers, an empty line. */
export function partHead (boundary: string, headers: Readonly<Record<string, string>>, first: boolean): Buffer {
  let text = first ? `--${boundary}\r\n` : `\r\n--${boundary}\r\n`
  for (const [name, value] of Object.entries(headers)) {
    assert(!LINE_END.test(value), 'a header is one line')
    text += `${name}: ${value}\r\n`
  }
  return Buffer.from(`${text}\r\n`, 'latin1')
}

const LINE_END = /[\r\n]/

/** What stands after the last part. Only whoever has sent everything may send it. */
export function closing (boundary: string): Buffer {
  return Buffer.from(`\r\n--${boundary}--\r\n`, 'latin1')
}

export interface Part {
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, string>
  /** Read once; what is left of it is passed over when the next part is asked for. */
  readonly body: AsyncIterable<Uint8Array>
}

export interface MultipartLimits {
  /** Of one part. The national samples have 120 bytes. */
  readonly headerBytesMax: number
  /** Some times the largest studies known. */
  readonly partsMax: number
  /** Before the first delimiter and after the last; nobody in this trade writes anything there. */
  readonly aroundBytesMax: number
}

const LIMITS: MultipartLimits = { headerBytesMax: 8192, partsMax: 200_000, aroundBytesMax: 8192 }

/**
 * Reads parts as they come. Leaving the loop gives the source back.
 *
 * @param boundary as the Content-Type says, without quotes
 * @throws RequestError DATA_MALFORMED, also from a part's body: when the source ends before the
 *   closing delimiter, what was read so far is not the whole
 */
export async function * readMultipart (source: AsyncIterable<Uint8Array>, boundary: string, limits: Partial<MultipartLimits> = {}): AsyncGenerator<Part> {
  if (!BOUNDARY.test(boundary)) throw malformed('not a boundary')
  const { headerBytesMax, partsMax, aroundBytesMax } = { ...LIMITS, ...limits }
  const reader = new Reader(source, boundary)
  try {
    await reader.passOver(aroundBytesMax)
    for (let count = 1; !reader.closed; count++) {
      if (count > partsMax) throw malformed('too many parts', { partsMax })
      const headers = parseHeaders(await reader.head(headerBytesMax))
      yield { headers, body: reader.body() }
      await reader.passOver(Infinity)
    }
    await reader.drain(aroundBytesMax)
  } finally {
    await reader.release()
  }
}

/** Walks a source from delimiter to delimiter, holding no more than what may be part of one. */
class Reader {
  /** The closing delimiter has been read. */
  closed = false
  readonly #source: AsyncIterator<Uint8Array>
  readonly #delimiter: Buffer
  /** What has come and isn't handed on. The first delimiter may lack its CRLF: this lends it one. */
  #held: Buffer = CRLF
  /** Between a part's head, or the start, and the next delimiter. */
  #inside = true
  /** Whose turn it is: a body that is read after its time must not take the next one's bytes. */
  #turn = {}

  constructor (source: AsyncIterable<Uint8Array>, boundary: string) {
    this.#source = source[Symbol.asyncIterator]()
    this.#delimiter = Buffer.from(`\r\n--${boundary}`, 'latin1')
  }

  /** The headers' bytes, after a delimiter. */
  async head (bytesMax: number): Promise<string> {
    // The delimiter's own CRLF is still held, so that an empty head ends like any other.
    let end = this.#held.indexOf(HEAD_END)
    while (end === -1) {
      if (this.#held.length > bytesMax) throw malformed('the headers of a part are too long', { bytesMax })
      const from = Math.max(0, this.#held.length - HEAD_END.length + 1)
      await this.#more()
      end = this.#held.indexOf(HEAD_END, from)
    }
    if (end > bytesMax) throw malformed('the headers of a part are too long', { bytesMax })
    const text = this.#held.toString('latin1', CRLF.length, Math.max(end, CRLF.length))
    this.#held = this.#held.subarray(end + HEAD_END.length)
    this.#inside = true
    return text
  }

  /** The bytes up to the next delimiter. */
  body (): AsyncGenerator<Uint8Array> {
    return this.#read(this.#turn)
  }

  async * #read (mine: object): AsyncGenerator<Uint8Array> {
    while (this.#turn === mine) {
      const bytes = await this.#next()
      if (bytes === undefined) return
      yield bytes
    }
  }

  async passOver (bytesMax: number): Promise<void> {
    this.#turn = {}
    let passed = 0
    for (let bytes = await this.#next(); bytes !== undefined; bytes = await this.#next()) {
      passed += bytes.length
      if (passed > bytesMax) throw malformed('no delimiter where one was due', { bytesMax })
    }
  }

  /** Reads what follows the closing delimiter, so that a connection can be used again. */
  async drain (bytesMax: number): Promise<void> {
    let drained = this.#held.length
    while (drained <= bytesMax) {
      const { done, value } = await this.#source.next()
      if (done === true) return
      drained += value.length
    }
  }

  async release (): Promise<void> {
    await this.#source.return?.()
  }

  /** The next bytes before a delimiter; undefined once it has been passed. */
  async #next (): Promise<Buffer | undefined> {
    while (this.#inside) {
      const held = this.#held
      const at = held.indexOf(this.#delimiter)
      const until = at === -1 ? held.length - this.#beginnings() : at
      if (until > 0) return this.#take(until)
      const [kind, end] = at === -1 ? ['unknown' as const, 0] : lineAfter(held, this.#delimiter.length)
      if (kind === 'unknown') await this.#more()
      // A line that merely begins like the delimiter is data.
      else if (kind === 'data') return this.#take(CRLF.length)
      else {
        this.closed = kind === 'closing'
        this.#inside = false
        this.#held = held.subarray(end)
      }
    }
    return undefined
  }

  #take (bytes: number): Buffer {
    const taken = this.#held.subarray(0, bytes)
    this.#held = this.#held.subarray(bytes)
    return taken
  }

  /** How many of the last bytes may be the beginning of a delimiter. Only its first byte is a CR. */
  #beginnings (): number {
    const cr = this.#held.lastIndexOf(0x0d)
    const tail = cr === -1 ? EMPTY : this.#held.subarray(cr)
    return tail.length < this.#delimiter.length && tail.equals(this.#delimiter.subarray(0, tail.length)) ? tail.length : 0
  }

  async #more (): Promise<void> {
    const { done, value } = await this.#source.next()
    if (done === true) throw malformed('ends before its closing delimiter')
    const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength)
    this.#held = this.#held.length === 0 ? bytes : Buffer.concat([this.#held, bytes])
  }
}

/**
 * What the rest of a line makes of a delimiter: blanks and a line's end lead to a part, two hyphens
 * close, anything else means that this was none.
 *
 * @returns also the offset at which reading goes on: before a part's CRLF, behind the hyphens
 */
function lineAfter (held: Buffer, delimiterBytes: number): [kind: 'part' | 'closing' | 'data' | 'unknown', end: number] {
  let i = delimiterBytes
  if (held[i] === HYPHEN) {
    if (held.length === i + 1) return ['unknown', 0]
    return held[i + 1] === HYPHEN ? ['closing', i + 2] : ['data', 0]
  }
  while ((held[i] === 0x20 || held[i] === 0x09) && i - delimiterBytes < PADDING_BYTES_MAX) i++
  if (i === held.length) return ['unknown', 0]
  if (held[i] !== 0x0d) return ['data', 0]
  if (i + 1 === held.length) return ['unknown', 0]
  return held[i + 1] === 0x0a ? ['part', i] : ['data', 0]
}

function parseHeaders (text: string): ReadonlyMap<string, string> {
  const headers = new Map<string, string>()
  if (text === '') return headers
  for (const line of text.replace(/\r\n[ \t]+/g, ' ').split('\r\n')) {
    const [, name, value = ''] = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+)[ \t]*:([^\r\n\0]*)$/.exec(line) ?? []
    if (name === undefined) throw malformed('a part has an unreadable header')
    const before = headers.get(name.toLowerCase())
    headers.set(name.toLowerCase(), before === undefined ? value.trim() : `${before}, ${value.trim()}`)
  }
  return headers
}

function malformed (message: string, facts: Record<string, number> = {}): RequestError {
  return new RequestError('DATA_MALFORMED', `multipart: ${message}`, { facts })
}

const CRLF = Buffer.from('\r\n')
const HEAD_END = Buffer.from('\r\n\r\n')
const EMPTY = Buffer.alloc(0)
const HYPHEN = 0x2d
/** RFC 2046 §5.1.1. */
const BOUNDARY = /^[0-9A-Za-z'()+_,\-./:=? ]{0,69}[0-9A-Za-z'()+_,\-./:=?]$/
/** Blanks that a gateway may have added behind a delimiter. */
const PADDING_BYTES_MAX = 64
