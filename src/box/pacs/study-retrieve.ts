/**
 * One study on its way from the PACS, joined by everyone who wants any of it.
 *
 * The images are asked for at once; what the PACS has is counted beside it (C-FIND), and only what
 * is missing afterwards is asked for again. Ends honestly: complete, or so many of so many, and why.
 */

import { CapacityError, DrimboxError, PeerError } from '#core/errors.ts'
import type { Cache } from '../cache/cache.ts'
import type { Completeness } from '../cache/completeness.ts'
import type { Pack } from '../cache/pack.ts'
import type { Stored } from '../cache/stored.ts'
import { Arrivals } from './arrivals.ts'
import { Fetching, NOT_PARTED, hasTried, type Ahead } from './fetching.ts'
import type { Mover } from './mover.ts'
import type { Query } from './query.ts'
import type { Claim } from './receive.ts'
import { Tally, WHOLE, type Missing } from './tally.ts'

export interface RetrieveSettings {
  /** How often what is missing is asked for again. */
  readonly retriesMax: number
  /** Series of one study moved at the same time, as the hour allows; 1 moves the study as a whole. */
  readonly seriesAtOnce: number
  /**
   * A PACS that takes longer to say which series it has is asked for the study as a whole meanwhile: the first
   * image matters more than how soon the last one comes.
   */
  readonly seriesKnownSeconds: number
  /** C-GET must announce the classes that will come, hence learn of the instances first. */
  readonly namesFirst: boolean
}

export interface RetrieveParts {
  readonly cache: Cache
  readonly query: Query
  readonly mover: Mover
  readonly settings: RetrieveSettings
  /** A pack that the disk doesn't let settle. */
  readonly onUnsettled?: (error: unknown) => void
}

export class StudyRetrieve {
  readonly studyUid: string
  readonly arrivals = new Arrivals()
  /** Resolves when the packs are on disk and in the index. Never rejects. */
  readonly settled: Promise<void>
  readonly #parts: RetrieveParts
  readonly #tally: Tally
  readonly #fetching: Fetching
  readonly #preference: readonly string[]
  readonly #abort = new AbortController()
  /** What somebody wants, by series UID or {@link WHOLE}: one job for each, as long as this lives. */
  readonly #jobs = new Map<string, Promise<void>>()
  #started = 0
  readonly #done = new Set<string>()
  readonly #failures = new Map<string, Error>()
  /** Why a series isn't whole. */
  readonly #reasons = new Map<string, string>()
  /** Objects on their way into a pack, by series UID. */
  readonly #landing = new Map<Promise<Stored>, string>()
  /** What keeps objects out of the packs. */
  #shortage: CapacityError | undefined
  #closing = false

  /** @param preference transfer syntaxes that whoever began this named, most liked first */
  constructor (studyUid: string, seriesUid: string | undefined, parts: RetrieveParts, preference: readonly string[] = []) {
    this.studyUid = studyUid
    this.#preference = preference
    this.#parts = parts
    const { cache, query, mover, settings: { namesFirst, seriesKnownSeconds } } = parts
    const { signal } = this.#abort
    const tally = this.#tally = new Tally(studyUid, { cache, query, signal, namesFirst })
    this.#fetching = new Fetching(studyUid, { tally, query, mover, signal, preference, seriesKnownSeconds, count: async () => { await this.#count(undefined) } })
    this.want(seriesUid)
    this.settled = this.#live()
  }

  /** Adds to what is wanted. @returns false when it is too late: this retrieve is settling */
  want (seriesUid: string | undefined): boolean {
    if (this.#closing || this.#abort.signal.aborted) return false
    const key = seriesUid === undefined || this.#jobs.has(WHOLE) ? WHOLE : seriesUid
    // What failed while another job goes on is tried again for whoever comes next.
    const failed = this.#done.has(key) && this.#failures.delete(key)
    if (failed) {
      this.#done.delete(key)
      this.#shortage = undefined
    }
    if (failed || !this.#jobs.has(key)) {
      this.#started++
      this.#jobs.set(key, this.#job(key))
    }
    return true
  }

  /** Whether nothing more will come of this series, or of the whole study. */
  isDone (seriesUid: string | undefined): boolean {
    if (this.#done.has(WHOLE) || this.#done.has(seriesUid ?? WHOLE)) return true
    if (seriesUid === undefined) return false
    return this.#tally.isWhole(seriesUid) && !this.#landing.values().some(uid => uid === seriesUid)
  }

  /** Whether the PACS has said what it has of this series, or of the whole study. */
  isCounted (seriesUid: string | undefined): boolean {
    return this.#tally.isCounted(seriesUid)
  }

  /** Whether the PACS has been seen to have this series. */
  isKnown (seriesUid: string): boolean {
    return this.#tally.isKnown(seriesUid)
  }

  /** What stopped the job that was to bring it, or kept its objects out of the packs. */
  failure (seriesUid: string | undefined): Error | undefined {
    return this.#shortage ?? this.#failures.get(seriesUid ?? WHOLE) ?? this.#failures.get(WHOLE)
  }

  /** The pack that this retrieve fills. */
  pack (seriesUid: string): Pack | undefined {
    return this.#tally.packs.get(seriesUid)?.pack
  }

  /** To be called once it has settled and its last reader has left: its packs may be evicted from then on. */
  release (): void {
    this.#tally.release()
  }

  /** It was cancelled: what it has brought is no answer to anybody who waits. */
  get cancelled (): boolean {
    return this.#abort.signal.aborted
  }

  /** Nobody reads any more: the PACS is told (C-CANCEL). */
  cancel (): void {
    this.#abort.abort(new PeerError('CANCELLED', 'nobody reads this study any more'))
  }

  /** An object of this study is arriving. */
  claim (seriesUid: string): Claim | undefined {
    if (this.#closing) return undefined
    return {
      pack: this.#tally.filling(seriesUid),
      land: async write => await this.#land(seriesUid, write),
      landNow: write => this.#landNow(write)
    }
  }

  /** How much of a series, or of the whole study, is here. */
  completeness (seriesUid?: string): Completeness {
    let held = 0
    let expected: number | undefined = 0
    let reason: string | undefined
    for (const uid of seriesUid === undefined ? this.#tally.scope() : [seriesUid]) {
      const count = this.#tally.counts.get(uid)
      held += this.#tally.heldOf(uid)
      expected = expected === undefined || count === undefined ? undefined : expected + count
      if (!this.#tally.isWhole(uid)) reason ??= this.#reasons.get(uid)
    }
    if (!this.isDone(seriesUid)) return { state: 'filling', held, expected, reason }
    if (reason === undefined && expected !== undefined && held >= expected) return { state: 'complete', held, expected }
    const failure = this.failure(seriesUid)
    return { state: 'partial', held, expected, reason: reason ?? (failure instanceof DrimboxError ? failure.code : undefined) }
  }

  async #live (): Promise<void> {
    for (let seen = 0; seen < this.#started;) {
      seen = this.#started
      await Promise.all(this.#jobs.values())
    }
    this.#closing = true
    await Promise.allSettled(this.#landing.keys())
    await this.#settle().catch(error => this.#parts.onUnsettled?.(error))
    this.arrivals.wake()
  }

  async #land (seriesUid: string, write: () => Promise<Stored>): Promise<boolean> {
    if (this.#closing) return false
    const landing = write()
    this.#landing.set(landing, seriesUid)
    try {
      const stored = await landing
      this.#landing.delete(landing)
      this.#landed(stored)
      return true
    } catch (error) {
      if (error instanceof CapacityError) {
        this.#shortage = error
        this.#reasons.set(seriesUid, error.code)
      }
      throw error
    } finally {
      this.#landing.delete(landing)
    }
  }

  #landNow (write: () => Stored | undefined): boolean {
    const stored = this.#closing ? undefined : write()
    if (stored !== undefined) this.#landed(stored)
    return stored !== undefined
  }

  #landed (stored: Stored): void {
    this.arrivals.add(stored)
    this.#parts.cache.arrived(stored.length)
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
    // A PACS that was cut off may have left some behind that are still being written.
    await Promise.allSettled(this.#landing.keys())
    for (const uid of series === undefined ? this.#tally.scope() : [series]) this.#judge(uid, failure)
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
    const { settings } = this.#parts
    const atOnce = series === undefined ? settings.seriesAtOnce : 1
    const heldBefore = this.#tally.heldIn(series)
    let failure: DrimboxError | undefined
    let rounds = settings.retriesMax
    let attempt = 0
    // A study of which somebody already fetches a series is not moved as a whole.
    const mayBeWhole = (): boolean => heldBefore === 0 && !settings.namesFirst && this.#running(series).length === 0
    const { counting, isParted, ahead } = atOnce > 1 && mayBeWhole() ? await this.#fetching.part() : NOT_PARTED
    if (ahead !== undefined) {
      failure = await this.#fetchBeside(ahead, counting as Promise<void>, atOnce)
      attempt++
      if (this.#preference.length > 0) rounds++
    } else if (!isParted && mayBeWhole()) {
      // The count goes beside the move, on an association of its own.
      const [moved, counted] = await Promise.allSettled([this.#fetching.fetch({ series }, attempt++), counting ?? this.#count(series)])
      if (moved.status === 'rejected') throw moved.reason
      failure = moved.value
      // A PACS that took the move may have refused a second association: it is asked again.
      if (counted.status === 'rejected' && this.#tally.heldIn(series) > 0) await this.#count(series)
      else if (counted.status === 'rejected') throw counted.reason
      this.#tally.assertKnown(series)
      if (failure !== undefined && this.#tally.heldIn(series) === 0 && !hasTried(failure)) throw failure
    } else {
      await (counting ?? this.#count(series))
      this.#tally.assertKnown(series)
      // What the PACS doesn't give in the syntaxes that were wished for is asked for in any.
      rounds += this.#preference.length > 0 ? 2 : 1
    }
    // The second attempt takes other transfer syntaxes than the first, where those were somebody's wish or
    // the PACS tried in vain to send in the one that we had chosen.
    const isNews = (attempt: number): boolean => attempt === 1 && (this.#preference.length > 0 || (failure !== undefined && hasTried(failure)))
    for (let tried = ahead === undefined ? -1 : heldBefore; ;) {
      const missing = await this.#missing(series)
      const others = this.#running(series)
      if (missing.length === 0 && others.length === 0) return undefined
      if (missing.length === 0) await Promise.all(others)
      else if (rounds-- === 0 || (this.#tally.heldIn(series) === tried && !isNews(attempt)) || this.#shortage !== undefined) break
      else {
        tried = this.#tally.heldIn(series)
        // A PACS that didn't bear several at once is asked for one after the other.
        failure = await this.#fetching.fetchEach(missing, failure === undefined ? atOnce : 1, attempt++) ?? failure
      }
    }
    await Promise.all(this.#running(series))
    if (failure !== undefined && this.#tally.heldIn(series) <= heldBefore) throw failure
    return failure
  }

  /** Brings the other series beside the one that is on its way. @returns the failure that stopped some of it */
  async #fetchBeside (ahead: Ahead, counting: Promise<void>, atOnce: number): Promise<DrimboxError | undefined> {
    const counted = await Promise.allSettled([counting])
    if (counted[0].status === 'rejected') {
      // A PACS that took the move may have refused a second association: it is asked again.
      await ahead.bringing
      if (this.#tally.heldIn(undefined) === 0) throw counted[0].reason
      await this.#count(undefined)
    }
    this.#tally.assertKnown(undefined)
    return await this.#fetching.fetchEach(await this.#missing(undefined, ahead.series), atOnce, 0, ahead.bringing)
  }

  /** For the job that brings the whole study: those that bring a series of it. */
  #running (series: string | undefined): Promise<void>[] {
    if (series !== undefined) return []
    return this.#jobs.entries().filter(([key]) => key !== WHOLE && !this.#done.has(key)).map(([, job]) => job).toArray()
  }

  async #count (series: string | undefined): Promise<void> {
    await this.#tally.count(series)
    this.arrivals.wake()
  }

  /** @param but a series that is on its way */
  async #missing (series: string | undefined, but?: string): Promise<Missing[]> {
    // A job of its own sees to a series that somebody wants for itself.
    return await this.#tally.missing(series, uid => uid === but || (series === undefined && this.#jobs.has(uid) && !this.#done.has(uid)))
  }

  /** Says why a series isn't whole, where it isn't. */
  #judge (uid: string, failure: DrimboxError | undefined): void {
    if (this.#tally.isWhole(uid)) this.#reasons.delete(uid)
    else if (!this.#reasons.has(uid)) this.#reasons.set(uid, failure?.code ?? 'PACS_INCOMPLETE')
  }

  async #settle (): Promise<void> {
    const { cache, onUnsettled } = this.#parts
    for (const [uid, { pack }] of this.#tally.packs) {
      const facts = { held: pack.instances.size, expected: this.#tally.counts.get(uid) }
      const completeness: Completeness = this.#tally.isWhole(uid) ? { state: 'complete', ...facts } : { state: 'partial', ...facts, reason: this.#reasons.get(uid) }
      await cache.settle(pack, completeness).catch(error => onUnsettled?.(error))
    }
    if (this.#tally.counts.size === 0) return
    for (const [uid, expected] of this.#tally.counts) {
      if (!this.#tally.packs.has(uid) && expected !== undefined && this.#tally.isWhole(uid)) cache.confirm(this.studyUid, uid, expected)
    }
    const before = cache.study(this.studyUid)
    const checked = this.#jobs.has(WHOLE)
    cache.settleStudy({
      studyUid: this.studyUid,
      complete: checked ? this.completeness().state === 'complete' : before?.complete === true,
      checkedAt: checked || before === undefined ? Date.now() : before.checkedAt,
      studyDate: this.#tally.studyDate ?? before?.studyDate
    })
  }
}
