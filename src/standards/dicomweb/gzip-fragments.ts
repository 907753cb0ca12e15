/**
 * One gzip member out of pieces that were compressed before, without compressing them again.
 *
 * Source: RFC 1952 (gzip), RFC 1951 §3.2.4 and §3.2.6 (stored and fixed blocks).
 * The metadata of a study is its series' metadata, joined by commas: each series is compressed once,
 * when it is complete, and leaves as often as somebody asks. Fragments end on a byte (an empty
 * stored block, zlib's sync flush) and refer to nothing before them, so they can stand in any order.
 */

import { promisify } from 'node:util'
import { constants, crc32, deflateRaw } from 'node:zlib'

export interface Fragment {
  /** Deflate blocks, none of them final, ending on a byte. */
  readonly deflated: Buffer
  /** CRC-32 of what was compressed. */
  readonly crc: number
  /** Bytes of what was compressed. */
  readonly bytes: number
}

const deflate = promisify(deflateRaw as (bytes: Uint8Array, options: object, done: (error: Error | null, deflated: Buffer) => void) => void)

/** Compresses in zlib's thread pool; worth it from some hundred bytes. */
export async function compressFragment (bytes: Uint8Array): Promise<Fragment> {
  // zlib writes nothing at all for nothing.
  if (bytes.length === 0) return storedFragment('')
  const deflated = await deflate(bytes, { finishFlush: constants.Z_SYNC_FLUSH })
  return { deflated, crc: crc32(bytes), bytes: bytes.length }
}

/** Not compressed, made at once: for the `[`, `,` and `]` between others. At most 65 535 bytes in UTF-8. */
export function storedFragment (text: string): Fragment {
  const bytes = Buffer.from(text)
  const head = Buffer.alloc(STORED_HEAD_BYTES)
  head.writeUInt16LE(bytes.length, 1) // throws beyond 65 535
  head.writeUInt16LE(bytes.length ^ 0xffff, 3)
  return { deflated: Buffer.concat([head, bytes]), crc: crc32(bytes), bytes: bytes.length }
}

/**
 * The fragments as one gzip member.
 *
 * @yields a head, each fragment's own bytes, an end: nothing is copied
 */
export async function * joinFragments (fragments: Iterable<Fragment> | AsyncIterable<Fragment>): AsyncGenerator<Buffer> {
  yield GZIP_HEAD
  let crc = 0
  let bytes = 0
  for await (const fragment of fragments) {
    yield fragment.deflated
    crc = combineCrc(crc, fragment.crc, fragment.bytes)
    bytes += fragment.bytes
  }
  const end = Buffer.alloc(FINAL_BLOCK.length + 8)
  FINAL_BLOCK.copy(end)
  end.writeUInt32LE(crc, FINAL_BLOCK.length)
  end.writeUInt32LE(bytes % 2 ** 32, FINAL_BLOCK.length + 4)
  yield end
}

/** What the fragments become as one gzip member, in bytes. */
export function joinedBytes (fragments: readonly Fragment[]): number {
  return GZIP_HEAD.length + fragments.reduce((sum, { deflated }) => sum + deflated.length, 0) + FINAL_BLOCK.length + GZIP_TAIL_BYTES
}

/** CRC-32 of all that was compressed, in order. */
export function joinedCrc (fragments: readonly Fragment[]): number {
  return fragments.reduce((crc, fragment) => combineCrc(crc, fragment.crc, fragment.bytes), 0)
}

/**
 * The CRC-32 of a followed by b, from the CRC-32 of each.
 *
 * A CRC is the remainder of a polynomial over GF(2): putting `bytes` zero bytes behind a multiplies
 * its remainder by x^(8·bytes), and b is then added, which is XOR. The conditioning with ones
 * before and after cancels out.
 */
export function combineCrc (a: number, b: number, bytes: number): number {
  return (multiply(powerOfX(bytes), a) ^ b) >>> 0
}

/** x^(8·bytes) modulo the polynomial, by squares: one step for each bit of the length. */
function powerOfX (bytes: number): number {
  let power = ONE
  // Halved as a number, since lengths may need more than the 32 bits of a shift.
  for (let left = bytes, bit = 0; left > 0; left = Math.floor(left / 2), bit++) {
    if (left % 2 === 1) power = multiply(SQUARES[bit] as number, power)
  }
  return power
}

/** Product modulo the CRC's polynomial, bits reflected: the highest bit stands for x^0. */
function multiply (a: number, b: number): number {
  let product = 0
  for (let mask = ONE; mask !== 0; mask >>>= 1) {
    if ((a & mask) !== 0) product ^= b
    b = (b & 1) === 0 ? b >>> 1 : (b >>> 1) ^ POLYNOMIAL
  }
  return product >>> 0
}

/** RFC 1952 §8, bits reflected. */
const POLYNOMIAL = 0xedb88320
const ONE = 0x80000000

/** x^8, x^16, x^32 …: each the square of the one before. */
const SQUARES: readonly number[] = Array.from({ length: 53 }).reduce<number[]>(squares => {
  const last = squares.at(-1)
  return [...squares, last === undefined ? ONE >>> 8 : multiply(last, last)]
}, [])

/** Deflate, no flags, no time, no extra flags, unknown system: the same bytes on every machine. */
const GZIP_HEAD = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255])
/** A block of the fixed code that is final and holds its end only. */
const FINAL_BLOCK = Buffer.from([0x03, 0x00])
/** CRC-32 and length. */
const GZIP_TAIL_BYTES = 8
/** Type and padding, length, its complement. */
const STORED_HEAD_BYTES = 5
