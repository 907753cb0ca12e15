/**
 * The stored values of one decoded frame, as numbers.
 *
 * Source: DICOM PS3.5 §8.1.1; decode.ts has cleared and signed the bits above them.
 */

import { RequestError } from '#core/errors.ts'
import type { Frame } from './pixel-format.ts'
import { words, type Words } from './samples.ts'

export type StoredValues = Words

/**
 * Samples in the order in which they lie; a view of the frame's own memory where that will do.
 *
 * @throws RequestError DATA_MALFORMED for fewer bytes than the format needs
 */
export function storedValues ({ format, pixels }: Frame): StoredValues {
  const { bitsAllocated, signed } = format
  const count = format.rows * format.columns * format.samples
  if (pixels.length < Math.ceil(count * bitsAllocated / 8)) {
    throw new RequestError('DATA_MALFORMED', 'fewer pixels than the frame needs', { facts: { bytes: pixels.length, samples: count, bitsAllocated } })
  }
  if (bitsAllocated === 1) return bitsOf(pixels, count)
  return words(pixels, bitsAllocated / 8 as 1 | 2 | 4, signed).subarray(0, count)
}

/** Single bits, the least significant first (PS3.5 §8.1.1). */
function bitsOf (pixels: Uint8Array, count: number): Uint8Array {
  const values = new Uint8Array(count)
  for (let at = 0; at < count; at++) values[at] = (pixels[at >> 3] >> (at & 7)) & 1
  return values
}
