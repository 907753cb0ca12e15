/**
 * Stored values of one sample to 8 bits of grey, by way of modality, VOI and presentation.
 *
 * Source: DICOM PS3.4 §N.2.1; PS3.3 §C.11.1 and §C.11.2.
 */

import type { LookupTable } from './lookup-table.ts'
import type { PixelFormat } from './pixel-format.ts'
import type { Presentation } from './presentation.ts'
import type { Allocate } from './scratch.ts'
import type { StoredValues } from './stored-values.ts'
import { between, lookedUp, windowed, type Brightness, type Window } from './voi.ts'

/** Values of this many kinds are looked up in a table; of more kinds, each is computed. */
const TABLE_MAX = 1 << 20
/** A table for all the values that so many bits can hold costs less than looking for those that there are. */
const BITS_TABLED = 12

/**
 * @param window in place of what the object says
 * @returns one byte for each value
 */
export function grayscale (values: StoredValues, format: PixelFormat, presentation: Presentation, window: Window | undefined, memory: Allocate): Uint8Array {
  const modality = modalityFunction(presentation.modality)
  const [low, high] = format.bitsStored <= BITS_TABLED ? possibleRange(format) : rangeOf(values)
  const brightness = brightnessOf(values, format, presentation, modality, window)
  const grey = presentation.inverse
    ? (value: number) => 255 - Math.round(255 * brightness(modality(value)))
    : (value: number) => Math.round(255 * brightness(modality(value)))
  const pixels = memory(values.length)
  if (high - low >= TABLE_MAX) {
    for (let at = 0; at < values.length; at++) pixels[at] = grey(values[at])
    return pixels
  }
  const table = new Uint8Array(high - low + 1)
  for (let value = low; value <= high; value++) table[value - low] = grey(value)
  if (low === 0) for (let at = 0; at < values.length; at++) pixels[at] = table[values[at]]
  else for (let at = 0; at < values.length; at++) pixels[at] = table[values[at] - low]
  return pixels
}

function brightnessOf (values: StoredValues, format: PixelFormat, { voi, padding, modality: said }: Presentation, modality: (value: number) => number, window: Window | undefined): Brightness {
  if (window !== undefined) return windowed(window)
  if (voi !== undefined) return 'entries' in voi ? lookedUp(voi) : windowed(voi)
  const [low, high] = format.bitsStored <= 8 ? possibleRange(format) : rangeWithout(values, padding)
  if ('entries' in said) {
    const reached = said.entries.subarray(Math.max(low - said.first, 0), Math.max(high - said.first, 0) + 1)
    return reached.length === 0 ? () => 0 : between(reached.reduce((a, b) => Math.min(a, b)), reached.reduce((a, b) => Math.max(a, b)))
  }
  const ends = [modality(low), modality(high)]
  return between(Math.min(...ends), Math.max(...ends))
}

function modalityFunction (modality: Presentation['modality']): (value: number) => number {
  if ('entries' in modality) {
    const { first, entries }: LookupTable = modality
    const last = entries.length - 1
    return value => entries[Math.min(Math.max(value - first, 0), last)]
  }
  const { slope, intercept } = modality
  return value => value * slope + intercept
}

/** What 8 bits and fewer were made for is being seen as they are. */
function possibleRange ({ bitsStored, signed }: PixelFormat): [number, number] {
  return signed ? [-(2 ** (bitsStored - 1)), 2 ** (bitsStored - 1) - 1] : [0, 2 ** bitsStored - 1]
}

function rangeOf (values: StoredValues): [number, number] {
  let low = values[0] ?? 0
  let high = low
  for (let at = 1; at < values.length; at++) {
    const value = values[at]
    if (value < low) low = value
    else if (value > high) high = value
  }
  return [low, high]
}

function rangeWithout (values: StoredValues, padding: Presentation['padding']): [number, number] {
  if (padding === undefined) return rangeOf(values)
  const [from, to] = padding
  let low = Infinity
  let high = -Infinity
  for (let at = 0; at < values.length; at++) {
    const value = values[at]
    if (value >= from && value <= to) continue
    if (value < low) low = value
    if (value > high) high = value
  }
  return low > high ? rangeOf(values) : [low, high]
}
