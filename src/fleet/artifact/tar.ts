/**
 * A tar archive of plain files, read as it arrives.
 *
 * Source: POSIX.1-2017, pax: "ustar Interchange Format" and "pax Header Block".
 * Strict where other readers are lenient: an archive without its end is a truncated one, and nothing but
 * zeros follows the end. Links, folders and devices are refused: an artifact has none.
 */

import { FleetError } from '../errors.ts'
import { ByteSource } from './byte-source.ts'

export interface TarEntry {
  readonly name: string
  readonly bytes: number
  /** Once; what isn't read is passed over. */
  body (): AsyncGenerator<Buffer>
}

const BLOCK = 512
/** Two records of pax take some hundred. */
const PAX_BYTES_MAX = 64 << 10
/** An artifact has some ten; a payload of files perhaps hundreds. */
const ENTRIES_MAX = 10_000

export async function * readTar (chunks: AsyncIterable<Uint8Array>): AsyncGenerator<TarEntry> {
  const source = new ByteSource(chunks)
  let pax: ReadonlyMap<string, string> = new Map()
  for (let entries = 0; ; entries += 1) {
    if (entries > ENTRIES_MAX) throw malformed('too many files in one archive', { entriesMax: ENTRIES_MAX })
    const block = await source.take(BLOCK)
    if (isZero(block)) break
    const { name, bytes, type } = parseHeader(block, source.at)
    const padding = (BLOCK - bytes % BLOCK) % BLOCK
    if (type === 'x') {
      if (bytes > PAX_BYTES_MAX) throw malformed('a pax header is too long', { bytes })
      pax = parsePax(await source.take(bytes))
      await source.take(padding)
      continue
    }
    if (type !== '0' && type !== '\0') throw new FleetError('ARTIFACT_UNSUPPORTED', 'the archive holds something that is no plain file', { facts: { type } })
    if (pax.has('size')) throw new FleetError('ARTIFACT_UNSUPPORTED', 'a file of more than 8 GB')
    const body = source.stream(bytes)
    yield { name: pax.get('path') ?? name, bytes, body: () => body }
    for await (const _rest of body);
    await source.take(padding)
    pax = new Map()
  }
  if (!isZero(await source.take(BLOCK))) throw malformed('the archive has half an end')
  for await (const piece of source.rest()) if (!isZero(piece)) throw malformed('something follows the end of the archive')
}

interface Header { readonly name: string, readonly bytes: number, readonly type: string }

function parseHeader (block: Buffer, at: number): Header {
  let sum = 0
  for (let place = 0; place < BLOCK; place += 1) sum += place >= 148 && place < 156 ? 0x20 : block[place]!
  if (octal(block, 148, 8) !== sum) throw malformed('a header\'s checksum is wrong', { at: at - BLOCK })
  const prefix = block.toString('latin1', 257, 262) === 'ustar' ? text(block, 345, 155) : ''
  const name = text(block, 0, 100)
  return { name: prefix === '' ? name : `${prefix}/${name}`, bytes: octal(block, 124, 12), type: String.fromCharCode(block[156]!) }
}

function text (block: Buffer, from: number, length: number): string {
  const field = block.subarray(from, from + length)
  const end = field.indexOf(0)
  return field.toString('utf8', 0, end < 0 ? length : end)
}

/** Digits, then spaces or zeros. Numbers in base 256 (above 8 GB) are no artifact's. */
function octal (block: Buffer, from: number, length: number): number {
  const [, digits] = /^ *([0-7]+)[ \0]*$/.exec(block.toString('latin1', from, from + length)) ?? []
  if (digits === undefined) throw malformed('a number in a header cannot be read')
  return parseInt(digits, 8)
}

/** Records of "length key=value\n". */
function parsePax (bytes: Buffer): ReadonlyMap<string, string> {
  const records = new Map<string, string>()
  for (let at = 0; at < bytes.length;) {
    const [head, digits] = /^(\d{1,6}) /.exec(bytes.toString('latin1', at, at + 8)) ?? []
    const length = Number(digits)
    if (head === undefined || length <= head.length || at + length > bytes.length || bytes[at + length - 1] !== 0x0A) throw malformed('a pax header cannot be read')
    const record = bytes.toString('utf8', at + head.length, at + length - 1)
    const equals = record.indexOf('=')
    if (equals < 1) throw malformed('a pax header cannot be read')
    records.set(record.slice(0, equals), record.slice(equals + 1))
    at += length
  }
  return records
}

function isZero (bytes: Buffer): boolean {
  return bytes.every(byte => byte === 0)
}

function malformed (message: string, facts = {}): FleetError {
  return new FleetError('ARTIFACT_MALFORMED', message, { facts })
}
