/**
 * How many bytes a native frame takes, and how many this program is ready to take.
 *
 * Source: DICOM PS3.5 §8.1.1 (packing of bits), PS3.3 §C.7.6.3.1.2 (4:2:2 shares two samples).
 */

import { RequestError } from '#core/errors.ts'
import type { PixelFormat } from './pixel-format.ts'

/**
 * Samples of one frame: 100 megapixels of grey, four times the largest mammogram or radiograph. A
 * JPEG 2000 decoder takes some ten bytes for each, so this keeps one frame below the 2 GB that a
 * WebAssembly memory may reach.
 */
export const SAMPLES_MAX = 100_000_000

/** Chroma of two neighbours is stored once: two samples for each pixel. */
export function isSubsampled ({ photometric }: PixelFormat): boolean {
  return photometric === 'YBR_FULL_422' || photometric === 'YBR_PARTIAL_422'
}

/** Bytes of one frame as native pixel data, 4:2:2 if the photometric interpretation says so. */
export function nativeBytes (format: PixelFormat): number {
  const samples = isSubsampled(format) ? 2 : format.samples
  return Math.ceil(format.rows * format.columns * samples * format.bitsAllocated / 8)
}

/** @throws RequestError PIXELS_TOO_LARGE, before anything is allocated for such a frame */
export function assertFits ({ rows, columns, samples }: PixelFormat): void {
  if (rows * columns * samples > SAMPLES_MAX) {
    throw new RequestError('PIXELS_TOO_LARGE', 'more pixels in one frame than are decoded here', {
      facts: { rows, columns, samples, samplesMax: SAMPLES_MAX }
    })
  }
}

export function unreadable (message: string, facts: Readonly<Record<string, string | number | boolean>> = {}, cause?: unknown): RequestError {
  return new RequestError('PIXELS_UNREADABLE', message, { facts, cause })
}
