/**
 * Colour frames to 8 bits of red, green and blue.
 *
 * Source: DICOM PS3.3 §C.7.6.3.1.2 (photometric interpretations), §C.7.6.3.1.5 (palettes), §C.7.6.19
 * (supplemental palettes); ITU-T T.871 §7 for the conversion, which is that of PS3.3 with more decimals.
 */

import { RequestError } from '#core/errors.ts'
import type { LookupTable } from './lookup-table.ts'
import type { Frame, PixelFormat } from './pixel-format.ts'
import type { Palette } from './presentation.ts'
import { copyOf, type Allocate } from './scratch.ts'
import { storedValues, type StoredValues } from './stored-values.ts'

/** @returns red, green, blue for each value */
export function paletteColours (values: StoredValues, { red, green, blue }: Palette): Uint8Array {
  const pixels = new Uint8Array(values.length * 3)
  for (const [place, table] of [red, green, blue].entries()) {
    const bytes = bytesOf(table)
    const last = bytes.length - 1
    for (let at = 0, to = place; at < values.length; at++, to += 3) pixels[to] = bytes[Math.min(Math.max(values[at] - table.first, 0), last)]
  }
  return pixels
}

/** Colours laid over grey, for the values that the palette begins with and those above. */
export function supplementalColours (values: StoredValues, grey: Uint8Array, palette: Palette): Uint8Array {
  const pixels = paletteColours(values, palette)
  for (let at = 0; at < values.length; at++) {
    if (values[at] < palette.red.first) pixels.fill(grey[at], 3 * at, 3 * at + 3)
  }
  return pixels
}

/** The upper 8 bits; a table of small numbers under a descriptor of 16 bits is meant as 8 (seen often). */
function bytesOf ({ entries, bits }: LookupTable): Uint8Array {
  const largest = entries.reduce((max, entry) => Math.max(max, entry), 0)
  const down = largest > 255 ? Math.max(bits - 8, 0) : 0
  return Uint8Array.from(entries, entry => entry >> down)
}

/**
 * Frames of three samples, all of them there for each pixel.
 *
 * @returns red, green, blue for each pixel, in memory of its own
 * @throws RequestError RENDER_UNSUPPORTED for a photometric interpretation without known colours
 */
export function trueColours (frame: Frame, memory: Allocate): Uint8Array {
  const { format } = frame
  switch (format.photometric) {
    case 'RGB': return copyOf(eightBits(storedValues(frame), format), memory)
    case 'YBR_FULL': case 'YBR_ICT': return fromYbr(eightBits(storedValues(frame), format))
    case 'YBR_RCT': return fromReversible(eightBits(storedValues(frame), format))
    case 'YBR_PARTIAL': return fromYbr(widened(eightBits(storedValues(frame), format)))
    default: throw new RequestError('RENDER_UNSUPPORTED', 'a photometric interpretation that is not rendered', { facts: { photometric: format.photometric.slice(0, 16) } })
  }
}

function eightBits (values: StoredValues, { bitsStored }: PixelFormat): Uint8Array {
  if (bitsStored === 8) return values instanceof Uint8Array ? values : Uint8Array.from(values)
  if (bitsStored > 8) {
    const down = bitsStored - 8
    return Uint8Array.from(values, value => value >>> down)
  }
  const white = 2 ** bitsStored - 1
  return Uint8Array.from(values, value => Math.round(value * 255 / white))
}

function fromYbr (ybr: Uint8Array): Uint8Array {
  const rgb = new Uint8ClampedArray(ybr.length)
  for (let at = 0; at < ybr.length; at += 3) {
    const y = ybr[at]
    const cb = ybr[at + 1] - 128
    const cr = ybr[at + 2] - 128
    rgb[at] = y + 1.402 * cr
    rgb[at + 1] = y - 0.344136286 * cb - 0.714136286 * cr
    rgb[at + 2] = y + 1.772 * cb
  }
  return new Uint8Array(rgb.buffer)
}

/** Reversible transform, of 8 bits that were shifted to be positive. */
function fromReversible (ybr: Uint8Array): Uint8Array {
  const rgb = new Uint8ClampedArray(ybr.length)
  for (let at = 0; at < ybr.length; at += 3) {
    const cb = ybr[at + 1] - 128
    const cr = ybr[at + 2] - 128
    const green = ybr[at] - ((cb + cr) >> 2)
    rgb[at] = cr + green
    rgb[at + 1] = green
    rgb[at + 2] = cb + green
  }
  return new Uint8Array(rgb.buffer)
}

/** Studio range (Y 16 to 235, colours 16 to 240) to full range. */
function widened (ybr: Uint8Array): Uint8Array {
  const full = new Uint8ClampedArray(ybr.length)
  for (let at = 0; at < ybr.length; at += 3) {
    full[at] = (ybr[at] - 16) * 255 / 219
    full[at + 1] = (ybr[at + 1] - 128) * 255 / 224 + 128
    full[at + 2] = (ybr[at + 2] - 128) * 255 / 224 + 128
  }
  return new Uint8Array(full.buffer)
}
