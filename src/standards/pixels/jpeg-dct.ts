/**
 * Lossy JPEG, encoded: baseline and extended of 8 bits, grey or YCbCr 4:2:2, and extended of 12 bits.
 *
 * Source: ITU-T T.81 Annexes A, F and K (quantization tables), T.871 (JFIF, RGB to YCbCr); DICOM
 * PS3.5 §8.2.1.
 * Our own, since the encoder of the libjpeg-turbo package writes beyond its buffer when a frame
 * doesn't shrink, and has no 12 bits.
 */

import { BitWriter } from './jpeg-bits.ts'
import { huffmanEncoder, type HuffmanEncoder } from './jpeg-huffman.ts'
import { EOI, SOI, frameSegment, huffmanSegment, scanSegment, segment } from './jpeg-segments.ts'
import { ZIGZAG, forward } from './jpeg-transform.ts'
import type { PixelFormat } from './pixel-format.ts'
import { words, type Words } from './samples.ts'

/** Tables K.1 and K.2, row by row. */
const LUMINANCE = Uint8Array.of(
  16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29, 51, 87, 80, 62,
  18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92, 49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99
)
const CHROMINANCE = Uint8Array.of(
  17, 18, 24, 47, 99, 99, 99, 99, 18, 21, 26, 66, 99, 99, 99, 99, 24, 26, 56, 99, 99, 99, 99, 99, 47, 66, 99, 99, 99, 99, 99, 99,
  99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99
)

/** One component, as wide as its blocks: edges are repeated into the padding. */
interface Plane {
  readonly samples: Words
  /** Blocks in a row, and rows of blocks. */
  readonly across: number
  readonly down: number
  /** Blocks of one MCU, side by side. */
  readonly perMcu: number
  /** 0 luminance, 1 chrominance. */
  readonly table: 0 | 1
}

/**
 * @param pixels samples side by side; three of them are RGB, or YCbCr if the photometric
 *   interpretation says so, and become YCbCr 4:2:2
 * @param precision 8 or 12
 * @param quality 1 to 100, scaling the tables of Annex K as libjpeg does
 */
export function encodeJpegLossy (pixels: Uint8Array, format: PixelFormat, precision: 8 | 12, quality: number): Buffer {
  const { rows, columns, samples } = format
  const planes = samples === 1
    ? [greyPlane(words(pixels, precision > 8 ? 2 : 1, false), rows, columns)]
    : colourPlanes(pixels, format)
  const tables = [scaled(LUMINANCE, quality, precision), scaled(CHROMINANCE, quality, precision)].slice(0, samples === 1 ? 1 : 2)
  const blocks = planes.map(plane => transform(plane, tables[plane.table]!, precision))
  const coders = tables.map((_, table) => countSymbols(planes, blocks, table))
  return Buffer.concat([
    SOI,
    // JFIF 1.1, no density (T.871 §10.1); it has no meaning for 12 bits.
    ...(precision === 8 ? [segment(0xe0, 0x4a, 0x46, 0x49, 0x46, 0, 1, 1, 0, 0, 1, 0, 1, 0, 0)] : []),
    ...tables.map((table, index) => quantizationSegment(index, table)),
    frameSegment(precision === 8 ? 0 : 1, precision, rows, columns, planes.map(({ perMcu, table }) => ({ sampling: perMcu << 4 | 1, table }))),
    ...coders.flatMap(({ dc, ac }, index) => [huffmanSegment(index, dc), huffmanSegment(0x10 | index, ac)]),
    scanSegment(planes.map(({ table }) => table << 4 | table), 0, 63),
    writeScan(planes, blocks, coders, pixels.length),
    EOI
  ])
}

function greyPlane (samples: Words, rows: number, columns: number): Plane {
  return padded(samples, rows, columns, 1, 0)
}

/** Rows and columns repeated up to whole MCUs. */
function padded (samples: Words, rows: number, columns: number, perMcu: 1 | 2, table: 0 | 1): Plane {
  const across = Math.ceil(columns / (8 * perMcu)) * perMcu
  const down = Math.ceil(rows / 8)
  if (across * 8 === columns && down * 8 === rows) return { samples, across, down, perMcu, table }
  const width = across * 8
  const wide = samples instanceof Uint8Array ? new Uint8Array(width * down * 8) : new Uint16Array(width * down * 8)
  for (let row = 0; row < down * 8; row++) {
    const from = Math.min(row, rows - 1) * columns
    wide.set(samples.subarray(from, from + columns), row * width)
    wide.fill(samples[from + columns - 1]!, row * width + columns, (row + 1) * width)
  }
  return { samples: wide, across, down, perMcu, table }
}

/** T.871 §7 in 16 bits of fraction, then the mean of two neighbours for the chroma. */
function colourPlanes (pixels: Uint8Array, { rows, columns, photometric }: PixelFormat): Plane[] {
  const half = Math.ceil(columns / 2)
  const y = new Uint8Array(rows * columns)
  const cb = new Uint8Array(rows * half)
  const cr = new Uint8Array(rows * half)
  const isRgb = photometric === 'RGB'
  const rowCb = new Uint8Array(2 * half)
  const rowCr = new Uint8Array(2 * half)
  const offset = (128 << 16) + 32767
  for (let row = 0, from = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++, from += 3) {
      const [a, b, c] = [pixels[from]!, pixels[from + 1]!, pixels[from + 2]!]
      y[row * columns + column] = isRgb ? 19595 * a + 38470 * b + 7471 * c + 32768 >> 16 : a
      rowCb[column] = isRgb ? -11059 * a - 21709 * b + 32768 * c + offset >> 16 : b
      rowCr[column] = isRgb ? 32768 * a - 27439 * b - 5329 * c + offset >> 16 : c
    }
    if (columns % 2 === 1) {
      rowCb[columns] = rowCb[columns - 1]!
      rowCr[columns] = rowCr[columns - 1]!
    }
    // Halves are rounded down and up by turns, so that the mean colour stays.
    for (let column = 0, bias = 0; column < half; column++, bias ^= 1) {
      cb[row * half + column] = rowCb[2 * column]! + rowCb[2 * column + 1]! + bias >> 1
      cr[row * half + column] = rowCr[2 * column]! + rowCr[2 * column + 1]! + bias >> 1
    }
  }
  return [padded(y, rows, columns, 2, 0), padded(cb, rows, half, 1, 1), padded(cr, rows, half, 1, 1)]
}

/** In zigzag order; 8-bit tables hold bytes (§B.2.4.1). */
function scaled (table: Uint8Array, quality: number, precision: number): Uint16Array {
  const percent = quality < 50 ? Math.floor(5000 / quality) : 200 - 2 * quality
  const most = precision === 8 ? 255 : 32767
  return Uint16Array.from(ZIGZAG, natural => Math.min(most, Math.max(1, Math.floor((table[natural]! * percent + 50) / 100))))
}

function quantizationSegment (number: number, table: Uint16Array): Buffer {
  const wide = table.some(value => value > 255)
  return segment(0xdb, (wide ? 0x10 : 0) | number, ...[...table].flatMap(value => wide ? [value >> 8, value & 0xff] : [value]))
}

/** Quantized coefficients of all blocks, row by row of blocks, each in zigzag order. */
function transform ({ samples, across, down }: Plane, table: Uint16Array, precision: number): Int16Array {
  const out = new Int16Array(across * down * 64)
  const block = new Int32Array(64)
  const width = across * 8
  const middle = 1 << precision - 1
  // Rounded half away from zero: (2n + step) / 2step, of which n is whole, so that half a unit more
  // keeps the reciprocal from falling short of a whole result.
  const half = Float64Array.from(table, step => (step << 2) + 0.5)
  const reciprocal = Float64Array.from(table, step => 1 / (step << 3))
  let to = 0
  for (let top = 0; top < down; top++) {
    for (let left = 0; left < across; left++, to += 64) {
      let from = (top * width + left) * 8
      for (let y = 0; y < 64; y += 8, from += width) {
        block[y] = samples[from]! - middle
        block[y + 1] = samples[from + 1]! - middle
        block[y + 2] = samples[from + 2]! - middle
        block[y + 3] = samples[from + 3]! - middle
        block[y + 4] = samples[from + 4]! - middle
        block[y + 5] = samples[from + 5]! - middle
        block[y + 6] = samples[from + 6]! - middle
        block[y + 7] = samples[from + 7]! - middle
      }
      forward(block, precision)
      for (let place = 0; place < 64; place++) {
        const value = block[ZIGZAG[place]!]!
        const size = ((value < 0 ? -value : value) + half[place]!) * reciprocal[place]! | 0
        if (size !== 0) out[to + place] = value < 0 ? -size : size
      }
    }
  }
  return out
}

interface Coder { readonly dc: HuffmanEncoder, readonly ac: HuffmanEncoder }

/** Blocks go row by row, which is also their order within MCUs that are one block high. */
function countSymbols (planes: readonly Plane[], blocks: readonly Int16Array[], table: number): Coder {
  const dc = new Uint32Array(16)
  const ac = new Uint32Array(256)
  planes.forEach((plane, number) => {
    if (plane.table === table) countBlocks(blocks[number]!, dc, ac)
  })
  return { dc: huffmanEncoder(dc), ac: huffmanEncoder(ac) }
}

function countBlocks (coefficients: Int16Array, dc: Uint32Array, ac: Uint32Array): void {
  let previous = 0
  for (let at = 0; at < coefficients.length; at += 64) {
    const size = sizeOf(coefficients[at]! - previous)
    dc[size] = dc[size]! + 1
    previous = coefficients[at]!
    let zeros = 0
    for (let place = at + 1; place < at + 64; place++) {
      const value = coefficients[place]!
      if (value === 0) {
        zeros++
        continue
      }
      for (; zeros > 15; zeros -= 16) ac[0xf0] = ac[0xf0]! + 1
      const symbol = zeros << 4 | sizeOf(value)
      ac[symbol] = ac[symbol]! + 1
      zeros = 0
    }
    if (zeros > 0) ac[0] = ac[0]! + 1
  }
}

function writeScan (planes: readonly Plane[], blocks: readonly Int16Array[], coders: readonly Coder[], bytesExpected: number): Buffer {
  const writer = new BitWriter(bytesExpected >> 2)
  const previous = planes.map(() => 0)
  const mcus = planes[0]!.across / planes[0]!.perMcu * planes[0]!.down
  for (let mcu = 0; mcu < mcus; mcu++) {
    for (let number = 0; number < planes.length; number++) {
      const { perMcu, table } = planes[number]!
      const coefficients = blocks[number]!
      for (let at = mcu * perMcu * 64, end = at + perMcu * 64; at < end; at += 64) {
        writer.reserve(64 * 32)
        writeBlock(writer, coefficients, at, previous[number]!, coders[table]!)
        previous[number] = coefficients[at]!
      }
    }
  }
  return writer.finish()
}

function writeBlock (writer: BitWriter, coefficients: Int16Array, at: number, previous: number, { dc, ac }: Coder): void {
  const difference = coefficients[at]! - previous
  const dcSize = sizeOf(difference)
  writer.put(dc.code[dcSize]!, dc.size[dcSize]!)
  if (dcSize > 0) writer.put((difference < 0 ? difference - 1 : difference) & (1 << dcSize) - 1, dcSize)
  let zeros = 0
  for (let place = 1; place < 64; place++) {
    const value = coefficients[at + place]!
    if (value === 0) {
      zeros++
      continue
    }
    for (; zeros > 15; zeros -= 16) writer.put(ac.code[0xf0]!, ac.size[0xf0]!)
    const size = sizeOf(value)
    const symbol = zeros << 4 | size
    writer.put(ac.code[symbol]!, ac.size[symbol]!)
    writer.put((value < 0 ? value - 1 : value) & (1 << size) - 1, size)
    zeros = 0
  }
  if (zeros > 0) writer.put(ac.code[0]!, ac.size[0]!)
}

/** Category of a coefficient (Tables F.1 and F.2). */
function sizeOf (value: number): number {
  return 32 - Math.clz32(value < 0 ? -value : value)
}
