/**
 * Asking the PACS for parts of one study: one after the other or several at once, and which of both a study is
 * worth.
 */

import { setTimeout as pause } from 'node:timers/promises'
import { DrimboxError } from '#core/errors.ts'
import type { Mover } from './mover.ts'
import type { Query } from './query.ts'
import type { Missing, Tally } from './tally.ts'

/** A study of fewer images comes faster as a whole: each C-MOVE costs the PACS an association to us. */
const IMAGES_WORTH_PARTING = 64

/** Their series are stacks of slices: with two series, a study is worth parting before anybody has counted. */
const MODALITIES_OF_STACKS: ReadonlySet<string | undefined> = new Set(['CT', 'MR', 'PT'])

export interface FetchingParts {
  readonly tally: Tally
  readonly query: Query
  readonly mover: Mover
  readonly signal: AbortSignal
  /** Transfer syntaxes that somebody named, most liked first. */
  readonly preference: readonly string[]
  readonly seriesKnownSeconds: number
  /** Asks the PACS what it has of the whole study. */
  readonly count: () => Promise<void>
}

/** A series on its way before anything has been counted. */
export interface Ahead {
  readonly series: string
  readonly bringing: Promise<DrimboxError | undefined>
}

/** How a study comes: series by series, with one ahead or not, or as a whole. */
export interface Parting {
  readonly isParted: boolean
  readonly counting?: Promise<void>
  readonly ahead?: Ahead
}

export const NOT_PARTED: Parting = { isParted: false }

export class Fetching {
  readonly #studyUid: string
  readonly #parts: FetchingParts

  constructor (studyUid: string, parts: FetchingParts) {
    this.#studyUid = studyUid
    this.#parts = parts
  }

  /**
   * How the whole study is to come. Which series it has is asked first, since counting their images takes a PACS
   * several times as long; one that is a stack of slices is asked for at once, while the images are counted.
   */
  async part (): Promise<Parting> {
    const { query, tally, signal, seriesKnownSeconds, count } = this.#parts
    const naming = query.seriesNames(this.#studyUid, signal)
    const until = performance.now() + seriesKnownSeconds * 1000
    const names = await within(naming, until)
    const stack = names === undefined || names.length < 2 ? undefined : names.find(({ modality }) => MODALITIES_OF_STACKS.has(modality))
    if (names === undefined || stack === undefined) {
      const counting = naming.then(count)
      return { counting, isParted: names !== undefined && await this.#isWorthParting(counting, until) }
    }
    tally.note(names)
    // The image first: where associations are few, the count has the next one.
    const bringing = this.fetch({ series: stack.seriesUid }, 0)
    const counting = count()
    for (const promise of [bringing, counting]) promise.catch(() => {})
    return { ahead: { series: stack.seriesUid, bringing }, counting, isParted: true }
  }

  /**
   * Those that the PACS refuses don't keep it from being asked for the others; one that is gone is left alone.
   *
   * @param ahead one that is on its way already, and counts among those at once
   * @returns the failure that stopped some of it
   */
  async fetchEach (missing: readonly Missing[], atOnce: number, attempt: number, ahead?: Promise<DrimboxError | undefined>): Promise<DrimboxError | undefined> {
    // The longest first, so that they end together.
    const length = ({ series, instances }: Missing): number => instances?.length ?? this.#parts.tally.counts.get(series) ?? 0
    const queue = atOnce > 1 ? missing.toSorted((a, b) => length(b) - length(a)) : [...missing]
    let failure: DrimboxError | undefined
    const ended = async (bringing: Promise<DrimboxError | undefined>): Promise<void> => {
      const failed = await bringing
      failure ??= failed
      if (failed !== undefined && failed.code !== 'PACS_STATUS') queue.length = 0
    }
    const workers = await Promise.allSettled(Array.from({ length: atOnce }, async (_, worker) => {
      if (worker === 0 && ahead !== undefined) await ended(ahead)
      for (let next = queue.shift(); next !== undefined; next = queue.shift()) await ended(this.fetch(next, attempt))
    }))
    for (const worker of workers) {
      if (worker.status === 'rejected') throw worker.reason
    }
    return failure
  }

  /** @returns what went wrong; some may have come all the same, the count will tell */
  async fetch (portion: Partial<Missing>, attempt: number): Promise<DrimboxError | undefined> {
    const { mover, tally, preference, signal } = this.#parts
    const before = tally.heldIn(portion.series)
    try {
      await mover.bring({ study: this.#studyUid, ...portion, modality: tally.modality(portion.series), preference, attempt }, signal, () => tally.heldIn(portion.series) > before)
      return undefined
    } catch (error) {
      if (!(error instanceof DrimboxError) || error.code === 'CANCELLED') throw error
      return error
    }
  }

  /** Whether its images are counted, soon enough, and come faster side by side. */
  async #isWorthParting (counting: Promise<void>, until: number): Promise<boolean> {
    const { counts } = this.#parts.tally
    const known = await within(counting.then(() => true), until)
    if (known === undefined || counts.size < 2) return false
    const each = [...counts.values()]
    return each.includes(undefined) || each.reduce<number>((sum, count) => sum + (count ?? 0), 0) >= IMAGES_WORTH_PARTING
  }
}

/** The PACS did send, or tried to: some of it may come in another transfer syntax. */
export function hasTried ({ code, facts }: DrimboxError): boolean {
  return code === 'PACS_STATUS' && Number(facts.failed) > 0
}

/** What `promise` resolves to; undefined when it hasn't by then, or fails. */
async function within<T> (promise: Promise<T>, until: number): Promise<T | undefined> {
  const patience = new AbortController()
  const known = await Promise.race([
    promise.catch(() => undefined),
    pause(Math.max(0, until - performance.now()), undefined, { signal: patience.signal }).catch(() => undefined)
  ])
  patience.abort()
  return known
}
