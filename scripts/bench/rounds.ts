/**
 * Variants side by side: each round runs every one of them, and each round begins with another, so
 * that a slow minute of the machine falls on all alike. A variant that fails is told with its reason;
 * the others go on.
 */

import { FOREIGN_CORES_MAX, ForeignLoad } from './measure.ts'
import { within } from './processes.ts'

/** What one run of one variant gave; what it doesn't measure is absent. */
export interface Reading {
  readonly seconds?: number
  /** Of the server alone. */
  readonly cpuSeconds?: number
  readonly firstByteMs?: number
  /** Peak resident memory of the server during the run. */
  readonly peakBytes?: number
  readonly requestsPerSecond?: number
  readonly p50Ms?: number
  readonly p95Ms?: number
  readonly megabitsPerSecond?: number
  /** Behind the first response of the PACS. */
  readonly firstRowLagMs?: number
}

export type Figure = keyof Reading

export interface Variant {
  readonly name: string
  /** A word on how it is set up, for the report. */
  readonly note?: string
  /** Fewer rounds than the others, where one takes a minute and tells all. */
  readonly roundsMax?: number
  /** Asked first: why this can't be measured (yet), if so. */
  readonly skip?: () => Promise<string | undefined>
  /** Brings it to where the clock may start. */
  readonly before?: () => Promise<void>
  readonly run: () => Promise<Reading>
  readonly after?: () => Promise<void>
  /** Once, before the rounds: are the bytes that arrive those that were sent? @returns how that was found */
  readonly check?: () => Promise<string>
}

export interface VariantResult {
  readonly name: string
  readonly note?: string
  readonly checked?: string
  /** Why there are no readings, or no more. */
  readonly skipped?: string
  readonly failed?: string
  readonly readings: readonly Reading[]
}

export interface RoundsResult {
  readonly variants: readonly VariantResult[]
  /** Rounds in which others used more of the machine than they may. */
  readonly marked: readonly number[]
}

/** One run, or its check: whatever takes longer will not end. */
const RUN_SECONDS_MAX = 240

export async function rounds (variants: readonly Variant[], count: number, tell: (line: string) => void): Promise<RoundsResult> {
  const states = new Map(variants.map(variant => [variant, new State(variant, tell)]))
  for (const state of states.values()) await state.prepare()
  const marked: number[] = []
  for (let round = 0; round < count; round++) {
    const foreign = new ForeignLoad()
    for (let turn = 0; turn < variants.length; turn++) {
      const variant = variants[(round + turn) % variants.length]!
      if (round >= (variant.roundsMax ?? count)) continue
      await states.get(variant)!.run(`round ${round + 1} of ${count}`)
    }
    const cores = foreign.cores()
    if (cores > FOREIGN_CORES_MAX) {
      marked.push(round + 1)
      tell(`  round ${round + 1}: others used ${cores.toFixed(2)} cores meanwhile`)
    }
  }
  return { variants: [...states.values()].map(state => state.result), marked }
}

/** How far one variant has come. */
class State {
  readonly #variant: Variant
  readonly #tell: (line: string) => void
  readonly #readings: Reading[] = []
  #checked: string | undefined
  #skipped: string | undefined
  #failed: string | undefined

  constructor (variant: Variant, tell: (line: string) => void) {
    this.#variant = variant
    this.#tell = tell
  }

  get result (): VariantResult {
    const { name, note } = this.#variant
    return { name, note, checked: this.#checked, skipped: this.#skipped, failed: this.#failed, readings: this.#readings }
  }

  async prepare (): Promise<void> {
    const { skip, check } = this.#variant
    await this.#try(async () => {
      this.#skipped = await skip?.()
      if (this.#skipped !== undefined) this.#say(`skipped: ${this.#skipped}`)
      else if (check !== undefined) this.#say(this.#checked = await check())
    })
  }

  async run (when: string): Promise<void> {
    if (this.#skipped !== undefined || this.#failed !== undefined) return
    const { before, run, after } = this.#variant
    await this.#try(async () => {
      await before?.()
      const reading = await run()
      await after?.()
      this.#readings.push(reading)
      this.#tell(`  ${when}, ${this.#variant.name}: ${sayReading(reading)}`)
    })
  }

  async #try (work: () => Promise<void>): Promise<void> {
    try {
      await within(RUN_SECONDS_MAX, this.#variant.name, work())
    } catch (error) {
      this.#failed = sayError(error)
      this.#say(`FAILED: ${this.#failed}`)
    }
  }

  #say (what: string): void {
    this.#tell(`  ${this.#variant.name}: ${what}`)
  }
}

/** On one line, which fits in a table. */
export function sayError (error: unknown): string {
  const text = error instanceof Error ? error.message : String(error)
  return text.replace(/\s+/g, ' ').replaceAll('|', '/').slice(0, 300)
}

/** How each figure is called, shown and rounded, here and in the report. */
export const FIGURES = {
  seconds: { head: 'seconds', unit: 's', times: 1, digits: 2 },
  cpuSeconds: { head: 'CPU s', unit: 's of CPU', times: 1, digits: 2 },
  firstByteMs: { head: 'first byte ms', unit: 'ms', times: 1, digits: 1 },
  firstRowLagMs: { head: 'behind the PACS ms', unit: 'ms', times: 1, digits: 1 },
  requestsPerSecond: { head: 'requests/s', unit: 'requests/s', times: 1, digits: 0 },
  p50Ms: { head: 'p50 ms', unit: 'ms', times: 1, digits: 2 },
  p95Ms: { head: 'p95 ms', unit: 'ms', times: 1, digits: 2 },
  megabitsPerSecond: { head: 'Mbit/s', unit: 'Mbit/s', times: 1, digits: 0 },
  peakBytes: { head: 'peak MB', unit: 'MB', times: 1e-6, digits: 0 }
} as const satisfies Record<Figure, { head: string, unit: string, times: number, digits: number }>

/** Without its unit. Small seconds keep two figures. */
export function sayFigure (figure: Figure, value: number): string {
  const { times, digits } = FIGURES[figure]
  const shown = value * times
  return shown.toFixed((figure === 'seconds' && shown < 0.1) || (digits === 0 && shown < 10) ? digits + 1 : digits)
}

function sayReading (reading: Reading): string {
  return (Object.keys(FIGURES) as Figure[])
    .filter(figure => reading[figure] !== undefined)
    .map(figure => `${FIGURES[figure].head} ${sayFigure(figure, reading[figure]!)}`)
    .join(', ')
}
