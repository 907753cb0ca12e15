/**
 * Lossy JPEG of 12 bits (extended, process 4), decoded. Grey only, as DICOM has it.
 *
 * Source: ITU-T T.81 Annex F; DICOM PS3.5 §8.2.1.
 * Our own, since libjpeg-turbo is built for 8 bits.
 */

import type { JpegHeader } from './codestream.ts'
import { unreadable } from './frame-size.ts'
import { BitReader } from './jpeg-bits.ts'
import { readScans, type Scan } from './jpeg-segments.ts'
import { ZIGZAG, inverse } from './jpeg-transform.ts'
import { allocate, finish, words, type Decoded, type Words } from './samples.ts'

/** Categories of 12-bit coefficients (Tables F.6 and F.7). */
const DC_SIZE_MAX = 15
const AC_SIZE_MAX = 14

/** @returns words of 12 bits */
export function decodeJpeg12 (coded: Uint8Array, header: JpegHeader): Decoded {
  const { rows, columns, components, precision, ids } = header
  if (components !== 1) throw unreadable('a JPEG frame of 12 bits in colour')
  // A block has one bit of DC and one of EOB at least.
  if (coded.length * 8 < Math.ceil(rows / 8) * Math.ceil(columns / 8) * 2) throw unreadable('a JPEG frame too short for its pixels', { bytes: coded.length })
  const bytes = allocate(rows * columns * 2)
  const out = words(bytes, 2, false)
  readScans(coded, ids, scan => decodeScan(coded, scan, header, out))
  finish(bytes, out)
  return { bytes, bytesPerSample: 2, precision, lossy: true }
}

function decodeScan (coded: Uint8Array, scan: Scan, header: JpegHeader, out: Words): number {
  const { rows, columns, precision } = header
  const [{ dc, ac } = { dc: undefined, ac: undefined }] = scan.components
  const quantization = scan.quantization[header.quantization[0]!]
  if (dc === undefined || ac === undefined || quantization === undefined) throw unreadable('a JPEG scan without its tables')
  const reader = new BitReader(coded, scan.at)
  const block = new Int32Array(64)
  const max = (1 << precision) - 1
  const middle = 1 << precision - 1
  let previous = 0
  let done = 0
  for (let top = 0; top < rows; top += 8) {
    for (let left = 0; left < columns; left += 8, done++) {
      if (scan.restartInterval > 0 && done > 0 && done % scan.restartInterval === 0) {
        if (reader.isCut) throw unreadable('the JPEG data are cut', { row: top })
        reader.restart()
        previous = 0
      }
      block.fill(0)
      const size = reader.symbol(dc)
      if (size > DC_SIZE_MAX) throw unreadable('a JPEG coefficient of impossible size', { size })
      if (size > 0) previous += reader.difference(size)
      block[0] = Math.imul(previous, quantization[0]!)
      for (let index = 1; index < 64; index++) {
        const symbol = reader.symbol(ac)
        const bits = symbol & 15
        if (bits === 0) {
          if (symbol !== 0xf0) break // EOB; else ZRL, sixteen zeros
          index += 15
          continue
        }
        index += symbol >> 4
        if (index > 63 || bits > AC_SIZE_MAX) throw unreadable('a JPEG coefficient beyond its block', { row: top })
        block[ZIGZAG[index]!] = Math.imul(reader.difference(bits), quantization[index]!)
      }
      inverse(block, precision)
      const right = Math.min(8, columns - left)
      const bottom = Math.min(8, rows - top)
      for (let y = 0; y < bottom; y++) {
        const to = (top + y) * columns + left
        for (let x = 0; x < right; x++) {
          const value = block[8 * y + x]! + middle
          out[to + x] = value < 0 ? 0 : value > max ? max : value
        }
      }
    }
    if (reader.isCut) throw unreadable('the JPEG data are cut', { row: top })
  }
  return reader.at
}
