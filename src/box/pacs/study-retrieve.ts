/**
 * One study on its way from the PACS, joined by everyone who wants any of it.
 *
 * The images are asked for at once; what the PACS has is counted beside it (C-FIND), and only what
 * is missing afterwards is asked for again. Ends honestly: complete, or so many of so many, and why.
 */

import { DrimboxError, PeerError, RequestError } from '#core/errors.ts'
import type { Cache } from '../cache/cache.ts'
import type { Completeness } from '../cache/completeness.ts'
import type { Pack } from '../cache/pack.ts'
import { Arrivals } from './arrivals.ts'
import type { Mover } from './mover.ts'
import type { InstanceName, Query } from './query.ts'
import type { Claim } from './receive.ts'

export interface RetrieveSettings {
  /** How often what is missing is asked for again. */
  readonly retriesMax: number
  /** Series of one study moved at the same time; 1 moves the study as a whole. */
  readonly seriesAtOnce: number
  /** C-GET must announce the classes that will come, hence learn of the instances first. */
  readonly namesFirst: boolean
}

export interface RetrieveParts {
  readonly cache: Cache
  readonly query: Query
  readonly mover: Mover
  readonly settings: RetrieveSettings
}

/** The job that brings the whole study, among those that bring a series. */
const WHOLE = ''

export class StudyRetrieve {
  readonly studyUid: string
  readonly arrivals = new Arrivals()
  /** Resolves when the packs are on disk and in the index. Never rejects. */
  readonly settled: Promise<void>
  readonly #parts: RetrieveParts
  readonly #abort = new AbortController()
  /** What somebody wants, by series UID or {@link WHOLE}: one job for each, as long as this lives. */
  readonly #jobs = new Map<string, Promise<void>>()
  readonly #done = new Set<string>()
  readonly #failures = new Map<string, Error>()
  readonly #packs = new Map<string, { pack: Pack, hold: Disposable }>()
  /** Instances that the PACS says it has of each series; undefined where it doesn't count. */
  readonly #counts = new Map<string, number | undefined>()
  /** Why a series isn't whole. */
  readonly #reasons = new Map<string, string>()
  #studyDate: string | undefined
  #closing = false

  constructor (studyUid: string, seriesUid: string | undefined, parts: RetrieveParts) {
    this.studyUid = studyUid
    this.#parts = parts
    this.want(seriesUid)
    this.settled = this.#live()
  }

  /** Adds to what is wanted. @returns false when it is too late: this retrieve is settling */
  want (seriesUid: string | undefined): boolean {
    if (this.#closing || this.#abort.signal.aborted) return false
    const key = seriesUid ?? WHOLE
    if (!this.#jobs.has(key) && !this.#jobs.has(WHOLE)) this.#jobs.set(key, this.#job(key))
    return true
  }

  /** Whether nothing more will come of this series, or of the whole study. */
  isDone (seriesUid: string | undefined): boolean {
    if (this.#done.has(WHOLE) || this.#done.has(seriesUid ?? WHOLE)) return true
    if (seriesUid === undefined) return false
    const expected = this.#counts.get(seriesUid)
    return expected !== undefined && this.#heldOf(seriesUid) >= expected
  }

  /** Why the job failed that was to bring it, where it did. */
  failure (seriesUid: string | undefined): Error | undefined {
    return this.#failures.get(seriesUid ?? WHOLE) ?? this.#failures.get(WHOLE)
  }

  /** Nobody reads any more: the PACS is told (C-CANCEL). */
  cancel (): void {
    this.#abort.abort(new PeerError('CANCELLED', 'nobody reads this study any more'))
  }

  /** An object of this study is arriving. */
  claim (seriesUid: string): Claim | undefined {
    if (this.#closing) return undefined
    const pack = this.#pack(seriesUid)
    return {
      pack,
      arrived: (stored, memory) => {
        if (memory !== undefined) this.#parts.cache.recent.keep(stored, memory)
        this.#parts.cache.arrived(stored.length)
        this.arrivals.add(stored)
      },
      failed: error => { this.#reasons.set(seriesUid, error.code) }
    }
  }

  /** How much of a series, or of the whole study, is here. */
  completeness (seriesUid?: string): Completeness {
    let held = 0
    let expected: number | undefined = 0
    let reason: string | undefined
    for (const uid of seriesUid === undefined ? this.#scope() : [seriesUid]) {
      const count = this.#counts.get(uid)
      held += this.#heldOf(uid)
      expected = expected === undefined || count === undefined ? undefined : expected + count
      reason ??= this.#reasons.get(uid)
    }
    const failure = this.failure(seriesUid)
    reason ??= failure instanceof DrimboxError ? failure.code : undefined
    if (!this.isDone(seriesUid)) return { state: 'filling', held, expected, reason }
    return { state: reason === undefined && expected !== undefined && held >= expected ? 'complete' : 'partial', held, expected, reason }
  }

  async #live (): Promise<void> {
    for (let before = 0; before < this.#jobs.size;) {
      before = this.#jobs.size
      await Promise.all(this.#jobs.values())
    }
    this.#closing = true
    await this.#settle()
    this.arrivals.wake()
  }

  async #job (key: string): Promise<void> {
    // Whoever made this retrieve goes on before anything is asked of the PACS.
    await Promise.resolve()
    const series = key === WHOLE ? undefined : key
    let failure: DrimboxError | undefined
    try {
      failure = await this.#bring(series)
    } catch (error) {
      this.#failures.set(key, error as Error)
      if (error instanceof DrimboxError) failure = error
    }
    for (const uid of series === undefined ? this.#scope() : [series]) this.#judge(uid, failure)
    this.#done.add(key)
    this.arrivals.wake()
  }

  /**
   * Brings one series, or the whole study, until it is complete or no further try brings anything.
   *
   * @returns the failure that stopped some of it
   * @throws what stopped all of it
   */
  async #bring (series: string | undefined): Promise<DrimboxError | undefined> {
    const { cache, settings } = this.#parts
    const nothingHeld = series === undefined ? cache.seriesOf(this.studyUid).length === 0 : this.#heldOf(series) === 0
    const atOnce = series === undefined ? settings.seriesAtOnce : 1
    let failure: DrimboxError | undefined
    if (nothingHeld && atOnce === 1 && !settings.namesFirst) {
      // The count goes beside the move, on an association of its own.
      const [moved, counted] = await Promise.allSettled([this.#fetch({ series }), this.#count(series)])
      if (counted.status === 'rejected') throw counted.reason
      this.#assertKnown(series)
      if (moved.status === 'rejected') throw moved.reason
      failure = moved.value
    } else {
      await this.#count(series)
      this.#assertKnown(series)
    }
    for (let tried = -1, round = 0; round <= settings.retriesMax && this.arrivals.count !== tried; round++) {
      tried = this.arrivals.count
      const missing = await this.#missing(series)
      if (missing.length === 0) return undefined
      failure = await this.#fetchEach(missing, atOnce) ?? failure
    }
    return failure
  }

  async #count (series: string | undefined): Promise<void> {
    for (const { seriesUid, instances, date } of await this.#parts.query.series(this.studyUid, series, this.#abort.signal)) {
      this.#counts.set(seriesUid, instances)
      if (date !== undefined && date > (this.#studyDate ?? '')) this.#studyDate = date
    }
    if (series !== undefined || this.#counts.size === 0) return
    // What the centre has taken out of its PACS must not live on here.
    for (const uid of this.#parts.cache.seriesOf(this.studyUid)) {
      if (!this.#counts.has(uid) && !this.#packs.has(uid)) await this.#parts.cache.purge(this.studyUid, uid)
    }
  }

  /** @throws RequestError STUDY_UNKNOWN or SERIES_UNKNOWN */
  #assertKnown (series: string | undefined): void {
    if (series === undefined ? this.#scope().length > 0 : this.#counts.has(series) || this.#heldOf(series) > 0) return
    throw series === undefined
      ? new RequestError('STUDY_UNKNOWN', 'the PACS has no such study', { facts: { study: this.studyUid } })
      : new RequestError('SERIES_UNKNOWN', 'the PACS has no such series', { facts: { study: this.studyUid, series } })
  }

  /** What the PACS has and we don't: whole series, or instances of one, by name. */
  async #missing (series: string | undefined): Promise<Missing[]> {
    const missing: Missing[] = []
    for (const uid of series === undefined ? this.#scope() : [series]) {
      // A job of its own sees to it.
      if (series === undefined && this.#jobs.has(uid)) continue
      const expected = this.#counts.get(uid)
      const held = this.#heldOf(uid)
      if (expected !== undefined && held >= expected) continue
      if (held === 0 && !this.#parts.settings.namesFirst) {
        missing.push({ series: uid })
        continue
      }
      const names = await this.#parts.query.instances(this.studyUid, uid, this.#abort.signal)
      this.#counts.set(uid, names.length)
      const there = this.#pack(uid).instances
      const instances = names.filter(name => !there.has(name.sopInstanceUid))
      if (instances.length > 0) missing.push({ series: uid, instances })
    }
    return missing
  }

  async #fetchEach (missing: readonly Missing[], atOnce: number): Promise<DrimboxError | undefined> {
    const queue = [...missing]
    let failure: DrimboxError | undefined
    await Promise.all(Array.from({ length: atOnce }, async () => {
      for (let next = queue.shift(); next !== undefined; next = queue.shift()) failure = await this.#fetch(next) ?? failure
    }))
    return failure
  }

  /** @returns the failure if some of it may have come all the same; the count will tell */
  async #fetch (portion: Partial<Missing>): Promise<DrimboxError | undefined> {
    const before = this.arrivals.count
    try {
      await this.#parts.mover.bring({ study: this.studyUid, ...portion }, this.#abort.signal)
      return undefined
    } catch (error) {
      if (!(error instanceof DrimboxError) || error.code === 'CANCELLED' || this.arrivals.count === before) throw error
      return error
    }
  }

  /** Says why a series isn't whole, where it isn't. */
  #judge (uid: string, failure: DrimboxError | undefined): void {
    const expected = this.#counts.get(uid)
    if (expected !== undefined && this.#heldOf(uid) >= expected) this.#reasons.delete(uid)
    else if (!this.#reasons.has(uid)) this.#reasons.set(uid, failure?.code ?? 'PACS_INCOMPLETE')
  }

  async #settle (): Promise<void> {
    const { cache } = this.#parts
    for (const [uid, { pack, hold }] of this.#packs) {
      const expected = this.#counts.get(uid)
      const reason = this.#reasons.get(uid)
      const complete = reason === undefined && expected !== undefined
      // A disk that refuses leaves the pack unsettled: it is scanned at the next start.
      await cache.settle(pack, { state: complete ? 'complete' : 'partial', held: pack.instances.size, expected, reason }).catch(() => {})
      hold[Symbol.dispose]()
    }
    if (this.#counts.size === 0) return
    for (const [uid, expected] of this.#counts) {
      if (!this.#packs.has(uid) && expected !== undefined && this.#heldOf(uid) >= expected) cache.confirm(this.studyUid, uid)
    }
    const before = cache.study(this.studyUid)
    const checked = this.#jobs.has(WHOLE)
    cache.settleStudy({
      studyUid: this.studyUid,
      complete: checked ? this.completeness().state === 'complete' : before?.complete === true,
      checkedAt: checked || before === undefined ? Date.now() : before.checkedAt,
      studyDate: this.#studyDate ?? before?.studyDate
    })
  }

  /** Series that this retrieve is about. */
  #scope (): string[] {
    return [...new Set([...this.#counts.keys(), ...this.#packs.keys()])]
  }

  #heldOf (series: string): number {
    return this.#packs.get(series)?.pack.instances.size ?? this.#parts.cache.completeness(this.studyUid, series)?.held ?? 0
  }

  #pack (series: string): Pack {
    let filling = this.#packs.get(series)
    if (filling === undefined) {
      const pack = this.#parts.cache.fill(this.studyUid, series)
      this.#packs.set(series, filling = { pack, hold: pack.use() })
    }
    return filling.pack
  }
}

interface Missing {
  readonly series: string
  /** All of the series when absent. */
  readonly instances?: readonly InstanceName[]
}
