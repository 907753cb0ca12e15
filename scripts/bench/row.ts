/**
 * One row of the performance table: what a row is given, and what it must give.
 */

import type { Data } from './data.ts'
import type { VariantResult } from './rounds.ts'
import type { Site } from './site.ts'

export interface Bench {
  /** Where peers and boxes keep what they write; emptied at each run. */
  readonly folder: string
  readonly data: Data
  /** Archives and boxes, opened when the first row asks. */
  readonly site: () => Promise<Site>
  readonly rounds: number
  readonly tell: (line: string) => void
}

/** A line of the table in front. */
export interface Goal {
  readonly measure: string
  readonly against: string
  readonly ours: string
  readonly theirs: string
  /** What is compared: a ratio, or a figure of its own. */
  readonly value: string
  readonly goal: string
  readonly reached: boolean
}

export interface RowResult {
  readonly title: string
  /** What was done, in sentences. */
  readonly about: string
  readonly variants: readonly VariantResult[]
  /** Rounds in which others used more of the machine than they may. */
  readonly marked: readonly number[]
  readonly goals: readonly Goal[]
  /** What else was seen, a sentence each. */
  readonly notes: readonly string[]
}

export interface Row {
  readonly name: string
  readonly title: string
  measure (bench: Bench): Promise<RowResult>
}
