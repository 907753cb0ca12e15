/**
 * What the PACS says it has of one study, and what we hold of it: what is missing is the difference.
 */

import { RequestError } from '#core/errors.ts'
import type { Cache } from '../cache/cache.ts'
import type { Pack } from '../cache/pack.ts'
import type { Stored } from '../cache/stored.ts'
import type { InstanceName, Query, SeriesName } from './query.ts'

/** What has yet to come: a series, or some of it. */
export interface Missing {
  readonly series: string
  /** All of the series when absent. */
  readonly instances?: readonly InstanceName[]
  /** These are all of the series. */
  readonly all?: boolean
}

export interface TallyParts {
  readonly cache: Cache
  readonly query: Query
  readonly signal: AbortSignal
  /** Instances are named before the PACS is asked for them. */
  readonly namesFirst: boolean
}

/** Stands for the study as a whole, where a series UID would stand. */
export const WHOLE = ''

export class Tally {
  readonly #studyUid: string
  readonly #parts: TallyParts
  readonly #packs = new Map<string, { pack: Pack, hold: Disposable }>()
  /** Instances that the PACS says it has of each series; undefined where it doesn't count. */
  readonly #counts = new Map<string, number | undefined>()
  readonly #modalities = new Map<string, string | undefined>()
  /** What the PACS has been asked the count of: a series UID, or {@link WHOLE}. */
  readonly #counted = new Set<string>()
  #studyDate: string | undefined

  constructor (studyUid: string, parts: TallyParts) {
    this.#studyUid = studyUid
    this.#parts = parts
  }

  /** The latest that a series of it names: YYYYMMDD. */
  get studyDate (): string | undefined {
    return this.#studyDate
  }

  /** The packs that are being filled, by series UID. */
  get packs (): ReadonlyMap<string, { readonly pack: Pack }> {
    return this.#packs
  }

  /** Instances that the PACS says it has, by series UID; undefined where it doesn't count. */
  get counts (): ReadonlyMap<string, number | undefined> {
    return this.#counts
  }

  /** The pack to fill, held until {@link release}. */
  filling (series: string): Pack {
    let filling = this.#packs.get(series)
    if (filling === undefined) {
      const pack = this.#parts.cache.fill(this.#studyUid, series)
      this.#packs.set(series, filling = { pack, hold: pack.use() })
    }
    return filling.pack
  }

  /** Its packs may be evicted from now on. */
  release (): void {
    for (const { hold } of this.#packs.values()) hold[Symbol.dispose]()
  }

  /** Asks the PACS what it has of a series, or of the whole study; what it no longer has is forgotten here too. */
  async count (series: string | undefined): Promise<void> {
    const { cache, query, signal } = this.#parts
    for (const { seriesUid, instances, date, modality } of await query.series(this.#studyUid, series, signal)) {
      this.#modalities.set(seriesUid, modality)
      this.#counts.set(seriesUid, instances)
      if (date !== undefined && date > (this.#studyDate ?? '')) this.#studyDate = date
    }
    // What the centre has taken out of its PACS must not live on here.
    for (const uid of series === undefined ? cache.seriesOf(this.#studyUid) : [series]) {
      if (!this.#counts.has(uid) && !this.#packs.has(uid)) await cache.purge(this.#studyUid, uid)
    }
    this.#counted.add(series ?? WHOLE)
  }

  /** What is known of series before their images are counted. */
  note (names: readonly SeriesName[]): void {
    for (const { seriesUid, modality } of names) this.#modalities.set(seriesUid, modality)
  }

  modality (series: string | undefined): string | undefined {
    return series === undefined ? undefined : this.#modalities.get(series)
  }

  /** Whether the PACS has said what it has of this series, or of the whole study. */
  isCounted (series: string | undefined): boolean {
    return this.#counted.has(WHOLE) || this.#counted.has(series ?? WHOLE)
  }

  /** Whether the PACS has been seen to have this series. */
  isKnown (series: string): boolean {
    return this.#counts.has(series) || this.#packs.has(series)
  }

  /** @throws RequestError STUDY_UNKNOWN or SERIES_UNKNOWN */
  assertKnown (series: string | undefined): void {
    if (series === undefined ? this.scope().length > 0 : this.isKnown(series)) return
    throw series === undefined
      ? new RequestError('STUDY_UNKNOWN', 'the PACS has no such study', { facts: { study: this.#studyUid } })
      : new RequestError('SERIES_UNKNOWN', 'the PACS has no such series', { facts: { study: this.#studyUid, series } })
  }

  /** Series that have been counted, or have come. */
  scope (): string[] {
    return [...new Set([...this.#counts.keys(), ...this.#packs.keys()])]
  }

  /** We hold all that the PACS counts. */
  isWhole (series: string): boolean {
    const expected = this.#counts.get(series)
    return expected !== undefined && this.heldOf(series) >= expected
  }

  heldIn (series: string | undefined): number {
    const all = series === undefined ? new Set([...this.#parts.cache.seriesOf(this.#studyUid), ...this.#packs.keys()]) : [series]
    return [...all].reduce((sum, uid) => sum + this.heldOf(uid), 0)
  }

  heldOf (series: string): number {
    return this.#packs.get(series)?.pack.instances.size ?? this.#parts.cache.completeness(this.#studyUid, series)?.held ?? 0
  }

  /**
   * What the PACS has and we don't: whole series, or instances of one, by name.
   *
   * @param isLeftOut series that somebody else sees to
   */
  async missing (series: string | undefined, isLeftOut: (series: string) => boolean): Promise<Missing[]> {
    const missing: Missing[] = []
    for (const uid of series === undefined ? this.scope() : [series]) {
      if (isLeftOut(uid)) continue
      const expected = this.#counts.get(uid)
      const held = this.heldOf(uid)
      if (expected !== undefined && held >= expected) continue
      if (held === 0 && !this.#parts.namesFirst) {
        missing.push({ series: uid })
        continue
      }
      const names = await this.#parts.query.instances(this.#studyUid, uid, this.#parts.signal)
      // A PACS that doesn't answer at this level can only be asked for all of it; where it doesn't count
      // either, nobody knows whether there is more.
      if (names.length === 0) {
        if (expected !== undefined || held === 0) missing.push({ series: uid })
        continue
      }
      this.#counts.set(uid, names.length)
      const there = this.#instancesOf(uid)
      const instances = names.filter(name => !there.has(name.sopInstanceUid))
      if (instances.length > 0) missing.push({ series: uid, instances, all: there.size === 0 })
    }
    return missing
  }

  #instancesOf (series: string): ReadonlyMap<string, Stored> {
    const { cache } = this.#parts
    const pack = this.#packs.get(series)?.pack ?? (this.heldOf(series) > 0 ? cache.pack(this.#studyUid, series) : undefined)
    return pack?.instances ?? new Map()
  }
}
