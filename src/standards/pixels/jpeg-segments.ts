/**
 * The segments of a JPEG frame that our own decoders and encoders read and write.
 *
 * Source: ITU-T T.81 Annex B.
 */

import { unreadable } from './frame-size.ts'
import { huffmanDecoder, type HuffmanDecoder, type HuffmanEncoder } from './jpeg-huffman.ts'

export interface Scan {
  /** Which components, by their index in the frame, with the tables that they use. */
  readonly components: readonly { readonly index: number, readonly dc: HuffmanDecoder | undefined, readonly ac: HuffmanDecoder | undefined }[]
  /** Ss: start of the spectrum, or the predictor. */
  readonly start: number
  /** Al: bits that were left off. */
  readonly shift: number
  /** MCUs between restart markers; 0 for none. */
  readonly restartInterval: number
  /** Quantization tables by number, in zigzag order. */
  readonly quantization: readonly (Uint16Array | undefined)[]
  /** Where the entropy-coded data begin. */
  readonly at: number
}

/** A frame has one scan for each component at most, in the processes that are decoded here. */
const SCANS_MAX = 4

/**
 * Gives each scan to `decode`, with the tables as they stand there.
 *
 * @param ids component identifiers of the frame
 * @param decode returns where the data of the scan end
 * @throws RequestError PIXELS_UNREADABLE
 */
export function readScans (bytes: Uint8Array, ids: readonly number[], decode: (scan: Scan) => number): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const dc: HuffmanDecoder[] = []
  const ac: HuffmanDecoder[] = []
  const quantization: Uint16Array[] = []
  let restartInterval = 0
  let scans = 0
  const seen = new Set<number>()
  for (let at = 2; at + 4 <= bytes.length && seen.size < ids.length;) {
    if (bytes[at] !== 0xff || bytes[at + 1] === 0xff) {
      at++ // fill, or what is left of a scan
      continue
    }
    const marker = bytes[at + 1]!
    if (marker === 0xd9) break
    if (marker === 0 || (marker >= 0xd0 && marker <= 0xd7)) {
      at += 2
      continue
    }
    const end = at + 2 + view.getUint16(at + 2)
    if (end > bytes.length || end < at + 4) throw unreadable('a JPEG segment is cut', { offset: at })
    const segment = bytes.subarray(at + 4, end)
    at = end
    if (marker === 0xc4) readHuffman(segment, dc, ac)
    else if (marker === 0xdb) readQuantization(segment, quantization)
    else if (marker === 0xdd && segment.length >= 2) restartInterval = segment[0]! << 8 | segment[1]!
    else if (marker === 0xda) {
      if (++scans > SCANS_MAX) throw unreadable('a JPEG frame of too many scans')
      const count = segment[0] ?? 0
      if (count < 1 || segment.length < 4 + 2 * count) throw unreadable('a JPEG scan without components')
      const components = Array.from({ length: count }, (_, number) => {
        const index = ids.indexOf(segment[1 + 2 * number]!)
        if (index < 0 || seen.has(index)) throw unreadable('a JPEG scan of a component that it cannot have')
        seen.add(index)
        const tables = segment[2 + 2 * number]!
        return { index, dc: dc[tables >> 4], ac: ac[tables & 15] }
      })
      at = decode({ components, start: segment[1 + 2 * count]!, shift: segment[3 + 2 * count]! & 15, restartInterval, quantization, at })
    }
  }
  if (seen.size < ids.length) throw unreadable('a JPEG frame without all of its components', { components: ids.length, componentsFound: seen.size })
}

function readHuffman (segment: Uint8Array, dc: HuffmanDecoder[], ac: HuffmanDecoder[]): void {
  for (let at = 0; at < segment.length;) {
    const place = segment[at]!
    const counts = new Uint8Array(17)
    counts.set(segment.subarray(at + 1, at + 17), 1)
    const total = counts.reduce((sum, count) => sum + count, 0)
    if ((place & 15) > 3 || place > 0x1f || total > 256 || at + 17 + total > segment.length) throw unreadable('a Huffman table is cut')
    const table = huffmanDecoder(counts, segment.subarray(at + 17, at + 17 + total))
    if (place < 16) dc[place] = table
    else ac[place & 15] = table
    at += 17 + total
  }
}

function readQuantization (segment: Uint8Array, tables: Uint16Array[]): void {
  for (let at = 0; at < segment.length;) {
    const place = segment[at++]!
    const width = place > 15 ? 2 : 1
    if ((place & 15) > 3 || at + 64 * width > segment.length) throw unreadable('a quantization table is cut')
    tables[place & 15] = Uint16Array.from({ length: 64 }, (_, index) =>
      width === 1 ? segment[at + index]! : segment[at + 2 * index]! << 8 | segment[at + 2 * index + 1]!)
    at += 64 * width
  }
}

export const SOI = Buffer.from('ffd8', 'hex')
export const EOI = Buffer.from('ffd9', 'hex')

/** One segment: marker, length, value. */
export function segment (marker: number, ...value: readonly number[]): Buffer {
  return Buffer.from([0xff, marker, (value.length + 2) >> 8, (value.length + 2) & 0xff, ...value])
}

/** @param sampling horizontal factor << 4 | vertical, and the quantization table, of each component */
export function frameSegment (
  process: number, precision: number, rows: number, columns: number, components: readonly { readonly sampling: number, readonly table: number }[]
): Buffer {
  return segment(0xc0 | process, precision, rows >> 8, rows & 0xff, columns >> 8, columns & 0xff, components.length,
    ...components.flatMap(({ sampling, table }, index) => [index + 1, sampling, table]))
}

/** @param place 0x00 to 0x03 for DC and differences, 0x10 to 0x13 for AC */
export function huffmanSegment (place: number, { counts, symbols }: HuffmanEncoder): Buffer {
  return segment(0xc4, place, ...counts.subarray(1), ...symbols)
}

/** @param tables DC table << 4 | AC table, of each component */
export function scanSegment (tables: readonly number[], start: number, end: number): Buffer {
  return segment(0xda, tables.length, ...tables.flatMap((table, index) => [index + 1, table]), start, end, 0)
}
