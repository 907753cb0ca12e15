/**
 * One row of the performance table: what a row is given, and what it must give.
 */

import type { Data } from './data.ts'
import type { Cable } from './network/own-network.ts'
import type { Figure, VariantResult } from './rounds.ts'
import type { Site } from './site.ts'

export interface Bench {
  /** Where peers and boxes of this row keep what they write; emptied before it. */
  readonly folder: string
  readonly data: Data
  /** Archives and boxes, on loopback unless a cable is given; all are stopped when the row ends. */
  readonly site: (cable?: Cable) => Promise<Site>
  readonly rounds: number
  /** How long a load is kept up, in seconds. */
  readonly loadSeconds: number
  readonly tell: (line: string) => void
}

/** A line of the table in front. */
export interface Goal {
  readonly measure: string
  readonly against: string
  readonly ours: string
  readonly theirs: string
  /** What is compared: a ratio, a figure of its own, or why there is neither. */
  readonly value: string
  readonly goal: string
  /** Undefined where it wasn't measured. */
  readonly reached: boolean | undefined
}

/** One picture: a bar for each variant that has the figure. */
export interface Chart {
  readonly figure: Figure
  /** Names of ours, drawn in another colour. */
  readonly ours: readonly string[]
  /** A line, in the figure's own unit: what ours may or must reach. */
  readonly goal?: { readonly value: number, readonly label: string }
  /** Left out of the picture, where one bar would flatten all others; the table has it. */
  readonly without?: readonly string[]
}

export interface RowResult {
  readonly name: string
  readonly title: string
  /** What was done, in sentences. */
  readonly about: string
  readonly variants: readonly VariantResult[]
  /** Rounds in which others used more of the machine than they may. */
  readonly marked: readonly number[]
  readonly goals: readonly Goal[]
  /** What else was seen, a sentence each. */
  readonly notes: readonly string[]
  readonly charts?: readonly Chart[]
}

export interface Row {
  readonly name: string
  readonly title: string
  /** Longer than this and it is given up, in seconds, with five rounds. */
  readonly secondsMax?: number
  measure (bench: Bench): Promise<Omit<RowResult, 'name' | 'title'>>
}
