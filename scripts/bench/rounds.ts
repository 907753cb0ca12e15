/**
 * Variants side by side: each round runs every one of them, and each round begins with another, so
 * that a slow minute of the machine falls on all alike.
 */

import { FOREIGN_CORES_MAX, ForeignLoad } from './measure.ts'

/** What one run of one variant gave; what it doesn't measure is absent. */
export interface Reading {
  readonly seconds: number
  /** Of the server alone. */
  readonly cpuSeconds?: number
  readonly firstByteMs?: number
  /** Peak resident memory of the server during the run. */
  readonly peakBytes?: number
}

export interface Variant {
  readonly name: string
  /** A word on how it is set up, for the report. */
  readonly note?: string
  /** Fewer rounds than the others, where one takes a minute and tells all. */
  readonly roundsMax?: number
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
  readonly readings: readonly Reading[]
}

export interface RoundsResult {
  readonly variants: readonly VariantResult[]
  /** Rounds in which others used more of the machine than they may. */
  readonly marked: readonly number[]
  /** The most of it, in cores. */
  readonly foreignCoresMax: number
}

export async function rounds (variants: readonly Variant[], count: number, tell: (line: string) => void): Promise<RoundsResult> {
  const checked = new Map<Variant, string>()
  for (const variant of variants) {
    if (variant.check === undefined) continue
    checked.set(variant, await variant.check())
    tell(`  ${variant.name}: ${checked.get(variant)}`)
  }
  const readings = new Map<Variant, Reading[]>(variants.map(variant => [variant, []]))
  const marked: number[] = []
  let foreignCoresMax = 0
  for (let round = 0; round < count; round++) {
    const foreign = new ForeignLoad()
    for (let turn = 0; turn < variants.length; turn++) {
      const variant = variants[(round + turn) % variants.length]!
      if (round >= (variant.roundsMax ?? count)) continue
      await variant.before?.()
      const reading = await variant.run()
      await variant.after?.()
      readings.get(variant)!.push(reading)
      tell(`  round ${round + 1} of ${count}, ${variant.name}: ${sayReading(reading)}`)
    }
    const cores = foreign.cores()
    foreignCoresMax = Math.max(foreignCoresMax, cores)
    if (cores > FOREIGN_CORES_MAX) {
      marked.push(round + 1)
      tell(`  round ${round + 1}: others used ${cores.toFixed(2)} cores meanwhile`)
    }
  }
  return {
    variants: variants.map(variant => ({ name: variant.name, note: variant.note, checked: checked.get(variant), readings: readings.get(variant)! })),
    marked,
    foreignCoresMax
  }
}

function sayReading ({ seconds, cpuSeconds, firstByteMs, peakBytes }: Reading): string {
  return [
    `${seconds.toFixed(3)} s`,
    cpuSeconds !== undefined && `CPU ${cpuSeconds.toFixed(2)} s`,
    firstByteMs !== undefined && `first byte ${firstByteMs.toFixed(1)} ms`,
    peakBytes !== undefined && `peak ${(peakBytes / 1e6).toFixed(0)} MB`
  ].filter(text => text !== false).join(', ')
}
