/**
 * Goals: a ratio of two medians, or a bound on one figure.
 */

import { spread } from './measure.ts'
import type { Reading, VariantResult } from './rounds.ts'
import type { Goal } from './row.ts'

type Figure = keyof Reading

/** Median over the rounds. @throws Error when the variant doesn't measure it */
export function medianOf ({ name, readings }: VariantResult, figure: Figure): number {
  const values = readings.map(reading => reading[figure]).filter(value => value !== undefined)
  if (values.length === 0) throw new Error(`${name} has no ${figure}`)
  return spread(values).median
}

/** Ours may take at most so much of what theirs takes. */
export function atMost (measure: string, figure: 'seconds' | 'cpuSeconds', ours: VariantResult, theirs: VariantResult, ratioMax: number): Goal {
  const [mine, other] = [medianOf(ours, figure), medianOf(theirs, figure)]
  const ratio = mine / other
  return {
    measure: `${measure}, ${figure === 'seconds' ? 'time' : 'CPU time'}`,
    against: theirs.name,
    ours: saySeconds(mine),
    theirs: saySeconds(other),
    value: ratio.toFixed(2),
    goal: `≤ ${ratioMax.toFixed(2)}`,
    reached: ratio <= ratioMax
  }
}

/** Ours must be so many times as fast as theirs. */
export function timesFaster (measure: string, ours: VariantResult, theirs: VariantResult, timesMin: number): Goal {
  const [mine, other] = [medianOf(ours, 'seconds'), medianOf(theirs, 'seconds')]
  const times = other / mine
  return {
    measure: `${measure}, time`,
    against: theirs.name,
    ours: saySeconds(mine),
    theirs: saySeconds(other),
    value: `${times.toFixed(1)} times faster`,
    goal: `${timesMin} times faster`,
    reached: times >= timesMin
  }
}

export function below (measure: string, against: string, value: number, max: number, unit: string): Goal {
  return { measure, against, ours: `${value.toFixed(1)} ${unit}`, theirs: '', value: `${value.toFixed(1)} ${unit}`, goal: `≤ ${max} ${unit}`, reached: value <= max }
}

export function saySeconds (seconds: number): string {
  return `${seconds.toFixed(seconds < 0.1 ? 3 : 2)} s`
}
