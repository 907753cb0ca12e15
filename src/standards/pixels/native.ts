/**
 * Native frames: uncompressed pixels in the byte order of their transfer syntax.
 *
 * Source: DICOM PS3.5 §7.3 (byte order: words of OW are swapped, bytes of OB are not), §8.1, §8.2;
 * PS3.3 §C.7.6.3.1.2 (order of 4:2:2) and §C.7.6.3.1.3 (planes).
 */

import { isSubsampled, nativeBytes, unreadable } from './frame-size.ts'
import type { Frame, PixelFormat } from './pixel-format.ts'
import { allocate, cleanSamples } from './samples.ts'

export type ByteOrder = 'little' | 'big'

/**
 * A native frame, in the form that {@link Frame} promises: little endian, samples side by side, all
 * samples of a pixel there (4:2:2 becomes YBR_FULL by repeating the chroma), unused bits cleared.
 *
 * @throws RequestError PIXELS_UNREADABLE when there are fewer bytes than the format needs
 */
export function decodeNative (coded: Uint8Array, order: ByteOrder, format: PixelFormat, words = format.words): Frame {
  const pixels = nativeLittleEndian(coded, order, { ...format, words })
  const isShared = isSubsampled(format)
  const whole = isShared ? expand422(pixels, format) : format.planar && format.samples > 1 ? interleave(pixels, format) : pixels
  const cleaned = cleanSamples(whole, format)
  return {
    pixels: whole,
    format: { ...cleaned, planar: false, photometric: isShared ? format.photometric.replace('_422', '') : format.photometric }
  }
}

/**
 * The same pixels in little endian and nothing else changed: planes, 4:2:2 and overlays in unused
 * bits stay. What a change from one native syntax to another needs.
 *
 * @returns a copy, of exactly the bytes that one frame takes
 * @throws RequestError PIXELS_UNREADABLE
 */
export function nativeLittleEndian (coded: Uint8Array, order: ByteOrder, format: PixelFormat): Buffer {
  const length = nativeBytes(format)
  const isSwapped = order === 'big' && (format.bitsAllocated > 8 || format.words === true)
  // The last byte of an odd frame in words is the first of its word, and so lies behind the padding.
  const lengthStored = isSwapped ? length + length % 2 : length
  if (coded.length < lengthStored) throw unreadable('fewer bytes than the frame needs', { bytes: coded.length, bytesNeeded: lengthStored })
  const pixels = allocate(lengthStored)
  pixels.set(coded.subarray(0, lengthStored))
  // Words of 16 bits also where a pixel has 32: its lower word comes first (§8.1.1).
  if (isSwapped) pixels.swap16()
  return pixels.subarray(0, length)
}

/** RRR…GGG…BBB… to RGBRGB…, for samples of any whole number of bytes. */
export function interleave (planes: Uint8Array, { rows, columns, samples, bitsAllocated }: Pick<PixelFormat, 'rows' | 'columns' | 'samples' | 'bitsAllocated'>): Buffer {
  const width = bitsAllocated / 8
  const pixels = rows * columns
  const out = allocate(pixels * samples * width)
  if (width === 1 && samples === 3) {
    for (let from = 0, to = 0; from < pixels; from++) {
      out[to++] = planes[from]!
      out[to++] = planes[pixels + from]!
      out[to++] = planes[2 * pixels + from]!
    }
    return out
  }
  for (let sample = 0; sample < samples; sample++) {
    for (let byte = 0; byte < width; byte++) {
      let from = sample * pixels * width + byte
      for (let to = sample * width + byte; to < out.length; to += samples * width, from += width) out[to] = planes[from]!
    }
  }
  return out
}

/** Y1 Y2 Cb Cr for each two pixels of a row. An odd last column has a pair of its own by PS3.3, which forbids it. */
function expand422 (pairs: Buffer, { rows, columns, bitsAllocated }: PixelFormat): Buffer {
  if (columns % 2 === 1) throw unreadable('4:2:2 with an odd number of columns', { columns })
  const width = bitsAllocated / 8
  const out = allocate(rows * columns * 3 * width)
  for (let byte = 0; byte < width; byte++) {
    for (let from = byte, to = byte; from < pairs.length; from += 4 * width, to += 6 * width) {
      out[to] = pairs[from]!
      out[to + 3 * width] = pairs[from + width]!
      out[to + width] = out[to + 4 * width] = pairs[from + 2 * width]!
      out[to + 2 * width] = out[to + 5 * width] = pairs[from + 3 * width]!
    }
  }
  return out
}
