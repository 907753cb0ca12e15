/**
 * Goals: a ratio of two medians, or a bound on one figure. They are those of the issue, and no run
 * changes them. What wasn't measured is told as that, with its reason, and isn't reached.
 */

import { spread } from './measure.ts'
import { FIGURES, sayFigure, type Figure, type VariantResult } from './rounds.ts'
import type { Goal } from './row.ts'

interface Pair {
  readonly measure: string
  readonly figure: Figure
  readonly ours: VariantResult | undefined
  readonly theirs: VariantResult | undefined
  /** Their name, where the variant's own says too little or too much. */
  readonly against?: string
}

/** Over the rounds. Undefined where the variant didn't measure it. */
export function medianOf (variant: VariantResult | undefined, figure: Figure): number | undefined {
  const values = variant?.readings.map(reading => reading[figure]).filter(value => value !== undefined) ?? []
  return values.length === 0 ? undefined : spread(values).median
}

/** Ours may be at most so much of theirs. */
export function atMost (pair: Pair, ratioMax: number): Goal {
  return ratioGoal(pair, ratio => ratio.toFixed(2), `≤ ${ratioMax.toFixed(2)}`, ratio => ratio <= ratioMax)
}

/** Ours must be at least so much of theirs. */
export function atLeast (pair: Pair, ratioMin: number): Goal {
  return ratioGoal(pair, ratio => ratio.toFixed(2), `≥ ${ratioMin.toFixed(2)}`, ratio => ratio >= ratioMin)
}

/** Ours must be below theirs, by however little. */
export function lessThan (pair: Pair): Goal {
  return ratioGoal(pair, ratio => ratio.toFixed(2), '< 1', ratio => ratio < 1)
}

/** Ours must be so many times as fast as theirs. */
export function timesFaster (pair: Pair, timesMin: number): Goal {
  return ratioGoal(pair, ratio => `${(1 / ratio).toFixed(1)} times faster`, `${timesMin} times faster`, ratio => 1 / ratio >= timesMin)
}

/** Of a figure of which more is better, ours must be so many times theirs. */
export function atLeastTimes (pair: Pair, timesMin: number): Goal {
  return ratioGoal(pair, ratio => `${ratio.toFixed(1)} times as many`, `${timesMin} times as many`, ratio => ratio >= timesMin)
}

/** One figure of one variant, within a bound. */
export function below (measure: string, against: string, variant: VariantResult | undefined, figure: Figure, max: number): Goal {
  const value = medianOf(variant, figure)
  return bound(measure, against, value, value === undefined ? '' : `${sayFigure(figure, value)} ${FIGURES[figure].unit}`, max, `≤ ${sayFigure(figure, max)} ${FIGURES[figure].unit}`, whyNot(variant))
}

/** A figure that no variant has by itself. */
export function bound (measure: string, against: string, value: number | undefined, said: string, max: number, goal: string, why = 'not measured'): Goal {
  return value === undefined
    ? { measure, against, ours: '', theirs: '', value: why, goal, reached: undefined }
    : { measure, against, ours: said, theirs: '', value: said, goal, reached: value <= max }
}

function ratioGoal ({ measure, figure, ours, theirs, against = theirs?.name ?? '' }: Pair, say: (ratio: number) => string, goal: string, isReached: (ratio: number) => boolean): Goal {
  const [mine, other] = [medianOf(ours, figure), medianOf(theirs, figure)]
  const { unit } = FIGURES[figure]
  const shown = (value: number | undefined): string => value === undefined ? '' : `${sayFigure(figure, value)} ${unit}`
  const common = { measure, against, ours: shown(mine), theirs: shown(other), goal }
  if (mine === undefined || other === undefined) return { ...common, value: whyNot(mine === undefined ? ours : theirs), reached: undefined }
  return { ...common, value: say(mine / other), reached: isReached(mine / other) }
}

function whyNot (variant: VariantResult | undefined): string {
  return variant?.skipped ?? variant?.failed ?? 'not measured'
}
