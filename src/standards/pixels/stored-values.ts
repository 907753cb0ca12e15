/**
 * The stored values of one decoded frame: the bits that count, with their sign.
 *
 * Source: DICOM PS3.5 §8.1.1 (Bits Allocated, Bits Stored, High Bit), PS3.3 §C.7.6.3.1.
 */

import { RequestError } from '#core/errors.ts'
import type { Frame, PixelFormat } from './pixel-format.ts'

export type StoredValues = Uint8Array | Int8Array | Uint16Array | Int16Array | Uint32Array | Int32Array

/**
 * Samples in the order in which they lie; a view of the frame's own memory where that will do.
 *
 * @throws RequestError RENDER_UNSUPPORTED for cells that aren't 1, 8, 16 or 32 bits, DATA_MALFORMED
 *   for fewer bytes than the format needs
 */
export function storedValues ({ format, pixels }: Frame): StoredValues {
  const count = format.rows * format.columns * format.samples
  const cells = cellsOf(format, pixels, count)
  return unmasked(format) ? cells : maskedCells(format, cells)
}

/** The cells as they lie, with whatever stands beside the stored bits. */
function cellsOf ({ bitsAllocated, signed }: PixelFormat, pixels: Uint8Array, count: number): StoredValues {
  if (bitsAllocated === 1) return bitsOf(pixels, count)
  const bytes = count * bitsAllocated / 8
  if (pixels.length < bytes) throw new RequestError('DATA_MALFORMED', 'fewer pixels than the frame needs', { facts: { bytes: pixels.length, needed: bytes } })
  // A view of 16 or 32 bits must begin at a multiple of its width.
  const { buffer, byteOffset } = pixels.byteOffset % (bitsAllocated / 8) === 0 ? pixels : Uint8Array.from(pixels.subarray(0, bytes))
  switch (bitsAllocated) {
    case 8: return signed ? new Int8Array(buffer, byteOffset, count) : new Uint8Array(buffer, byteOffset, count)
    case 16: return signed ? new Int16Array(buffer, byteOffset, count) : new Uint16Array(buffer, byteOffset, count)
    case 32: return signed ? new Int32Array(buffer, byteOffset, count) : new Uint32Array(buffer, byteOffset, count)
    default: throw new RequestError('RENDER_UNSUPPORTED', 'pixel cells of a width that is not rendered', { facts: { bitsAllocated } })
  }
}

function unmasked ({ bitsAllocated, bitsStored, highBit }: PixelFormat): boolean {
  return bitsAllocated === 1 || (bitsStored === bitsAllocated && highBit === bitsStored - 1)
}

function maskedCells ({ bitsAllocated, bitsStored, highBit, signed }: PixelFormat, cells: StoredValues): StoredValues {
  // What makes no sense is taken as the lowest bits.
  const top = highBit >= bitsStored - 1 && highBit < bitsAllocated ? highBit : bitsStored - 1
  const up = 31 - top
  const down = 32 - bitsStored
  const values = new (cells.constructor as new (length: number) => StoredValues)(cells.length)
  if (signed) for (let at = 0; at < cells.length; at++) values[at] = (cells[at] << up) >> down
  else for (let at = 0; at < cells.length; at++) values[at] = (cells[at] << up) >>> down
  return values
}

/** Single bits, the least significant first (PS3.5 §8.1.1). */
function bitsOf (pixels: Uint8Array, count: number): Uint8Array {
  // A decoder may have given each its byte already.
  if (pixels.length >= count) return pixels.subarray(0, count)
  if (pixels.length < Math.ceil(count / 8)) throw new RequestError('DATA_MALFORMED', 'fewer pixels than the frame needs', { facts: { bytes: pixels.length, needed: Math.ceil(count / 8) } })
  return Uint8Array.from({ length: count }, (_, place) => (pixels[place >> 3] >> (place & 7)) & 1)
}
