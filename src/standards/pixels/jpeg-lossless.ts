/**
 * JPEG lossless (process 14): differences to a predicted neighbour, Huffman-coded. Decodes all seven
 * predictors, encodes the first one, which is the transfer syntax that archives are full of.
 *
 * Source: ITU-T T.81 Annex H; DICOM PS3.5 §8.2.1, §A.4.2 and §F.
 * Our own, since no library that is small and maintained does it both ways.
 */

import type { JpegHeader } from './codestream.ts'
import { unreadable } from './frame-size.ts'
import { BitReader, BitWriter } from './jpeg-bits.ts'
import { huffmanEncoder } from './jpeg-huffman.ts'
import { EOI, SOI, frameSegment, huffmanSegment, readScans, scanSegment, type Scan } from './jpeg-segments.ts'
import type { PixelFormat } from './pixel-format.ts'
import { allocate, finish, words, type Decoded, type Words } from './samples.ts'

const PREDICTORS_MAX = 7

/** The difference of 32 768 has a code and no bits (§H.1.2.2). */
const SIZE_MAX = 16

/** @returns samples side by side, of one byte up to 8 bits and of two above */
export function decodeJpegLossless (coded: Uint8Array, header: JpegHeader): Decoded {
  const { rows, columns, components, precision, ids, sampling } = header
  if (sampling.some(([h, v]) => h !== sampling[0]![0] || v !== sampling[0]![1])) throw unreadable('lossless JPEG components of different sizes')
  const bytesPerSample = precision > 8 ? 2 : 1
  // The shortest code of a sample is one bit: what can't hold them all isn't worth the memory.
  if (coded.length * 8 < rows * columns * components) throw unreadable('a JPEG frame too short for its pixels', { bytes: coded.length })
  const bytes = allocate(rows * columns * components * bytesPerSample)
  const out = words(bytes, bytesPerSample, false)
  readScans(coded, ids, scan => decodeScan(coded, scan, header, out))
  finish(bytes, out)
  return { bytes, bytesPerSample, precision }
}

/** All components of a scan take turns, sample by sample. */
function decodeScan (coded: Uint8Array, scan: Scan, { rows, columns, components, precision }: JpegHeader, out: Words): number {
  const { start: predictor, shift, restartInterval } = scan
  if (predictor < 1 || predictor > PREDICTORS_MAX || shift >= precision) throw unreadable('a lossless JPEG scan of no known predictor', { predictor, shift })
  if (restartInterval % columns !== 0) throw unreadable('a lossless JPEG scan that restarts inside of a row', { restartInterval })
  const tables = scan.components.map(({ index, dc }) => {
    if (dc === undefined) throw unreadable('a JPEG scan without its Huffman table')
    return { index, dc }
  })
  const reader = new BitReader(coded, scan.at)
  const restartRows = restartInterval / columns
  const stride = components
  const rowStride = columns * components
  const middle = 1 << precision - shift - 1
  const mask = 0xffff
  for (let row = 0; row < rows; row++) {
    const isFirst = row === 0 || (restartRows > 0 && row % restartRows === 0)
    if (isFirst && row > 0) reader.restart()
    for (let column = 0; column < columns; column++) {
      for (let number = 0; number < tables.length; number++) {
        const { index, dc } = tables[number]!
        const at = row * rowStride + column * stride + index
        let predicted: number
        if (column === 0) predicted = isFirst ? middle : out[at - rowStride]!
        else if (isFirst || predictor === 1) predicted = out[at - stride]!
        else predicted = predict(predictor, out[at - stride]!, out[at - rowStride]!, out[at - rowStride - stride]!)
        const size = reader.symbol(dc)
        if (size > SIZE_MAX) throw unreadable('a lossless JPEG difference of impossible size', { size })
        const difference = size === 0 ? 0 : size === SIZE_MAX ? 32768 : reader.difference(size)
        out[at] = predicted + difference & mask
      }
    }
    if (reader.isCut) throw unreadable('the JPEG data are cut', { row })
  }
  if (shift > 0) {
    for (const { index } of tables) for (let at = index; at < out.length; at += stride) out[at] = out[at]! << shift
  }
  return reader.at
}

/** Table H.1: a to the left, b above, c above and to the left. */
function predict (predictor: number, a: number, b: number, c: number): number {
  switch (predictor) {
    case 1: return a
    case 2: return b
    case 3: return c
    case 4: return a + b - c
    case 5: return a + (b - c >> 1)
    case 6: return b + (a - c >> 1)
    default: return a + b >> 1
  }
}

/**
 * With predictor 1 and a Huffman table made for this frame.
 *
 * @param pixels samples side by side, of one byte up to 8 bits and of two above
 */
export function encodeJpegLossless (pixels: Uint8Array, { rows, columns, samples }: PixelFormat, precision: number): Buffer {
  const values = words(pixels, precision > 8 ? 2 : 1, false)
  // 32 768 is stored as -32 768, which is the same modulo 65 536 and has the same code.
  const differences = new Int16Array(values.length)
  const frequencies = new Uint32Array(SIZE_MAX + 1)
  const rowStride = columns * samples
  for (let row = 0, at = 0; row < rows; row++) {
    for (let inRow = 0; inRow < rowStride; inRow++, at++) {
      const predicted = inRow >= samples ? values[at - samples]! : row > 0 ? values[at - rowStride]! : 1 << precision - 1
      const difference = differences[at] = values[at]! - predicted << 16 >> 16
      frequencies[sizeOf(difference)]!++
    }
  }
  const table = huffmanEncoder(frequencies)
  const writer = new BitWriter(pixels.length)
  for (let at = 0; at < differences.length;) {
    writer.reserve(32 * rowStride)
    for (const end = at + rowStride; at < end; at++) {
      const difference = differences[at]!
      const size = sizeOf(difference)
      writer.put(table.code[size]!, table.size[size]!)
      if (size > 0 && size < SIZE_MAX) writer.put((difference < 0 ? difference - 1 : difference) & (1 << size) - 1, size)
    }
  }
  const components = Array.from({ length: samples }, () => ({ sampling: 0x11, table: 0 }))
  return Buffer.concat([
    SOI, frameSegment(3, precision, rows, columns, components), huffmanSegment(0x00, table),
    scanSegment(components.map(() => 0), 1, 0), writer.finish(), EOI
  ])
}

/** Bits that a difference takes (Table H.2). */
function sizeOf (difference: number): number {
  return 32 - Math.clz32(difference < 0 ? -difference : difference)
}
