/**
 * VOI transformations: which values are shown, and how bright.
 *
 * Source: DICOM PS3.3 §C.11.2.1 (window, LUT) and §C.11.2.1.3 (functions).
 */

import type { LookupTable } from './lookup-table.ts'

export type WindowFunction = 'LINEAR' | 'LINEAR_EXACT' | 'SIGMOID'

export interface Window {
  readonly center: number
  readonly width: number
  readonly function: WindowFunction
}

/** Brightness of a value after the modality transformation: 0 (black) to 1 (white). */
export type Brightness = (value: number) => number

/** LINEAR needs a width of at least 1, the others more than 0 (PS3.3 §C.11.2.1.2, .3). */
export function isWindow ({ center, width, function: shape }: Window): boolean {
  return Number.isFinite(center) && Number.isFinite(width) && (shape === 'LINEAR' ? width >= 1 : width > 0)
}

export function windowed ({ center, width, function: shape }: Window): Brightness {
  switch (shape) {
    case 'LINEAR': {
      const middle = center - 0.5
      const reach = width - 1
      // A width of 1 is a threshold.
      if (reach === 0) return value => value <= middle ? 0 : 1
      return value => clamped((value - middle) / reach + 0.5)
    }
    case 'LINEAR_EXACT': return value => clamped((value - center) / width + 0.5)
    case 'SIGMOID': return value => 1 / (1 + Math.exp(-4 * (value - center) / width))
  }
}

/** Everything from `low` (black) to `high` (white). */
export function between (low: number, high: number): Brightness {
  if (high <= low) return () => 0
  return value => clamped((value - low) / (high - low))
}

export function lookedUp ({ first, entries, bits }: LookupTable): Brightness {
  const white = 2 ** bits - 1
  const last = entries.length - 1
  return value => entries[Math.min(Math.max(Math.round(value) - first, 0), last)] / white
}

function clamped (part: number): number {
  return part < 0 ? 0 : part > 1 ? 1 : part
}
