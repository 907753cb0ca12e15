/**
 * One study on its way from the PACS, joined by everyone who wants any of it.
 *
 * The images are asked for at once; what the PACS has is counted beside it (C-FIND), and only what
 * is missing afterwards is asked for again. Ends honestly: complete, or so many of so many, and why.
 */

import { setTimeout as pause } from 'node:timers/promises'
import { CapacityError, DrimboxError, PeerError, RequestError } from '#core/errors.ts'
import type { Cache } from '../cache/cache.ts'
import type { Completeness } from '../cache/completeness.ts'
import type { Pack } from '../cache/pack.ts'
import type { Stored } from '../cache/stored.ts'
import { Arrivals } from './arrivals.ts'
import type { Mover } from './mover.ts'
import type { InstanceName, Query, SeriesName } from './query.ts'
import type { Claim } from './receive.ts'

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

/** A study of fewer images comes faster as a whole: each C-MOVE costs the PACS an association to us. */
const IMAGES_WORTH_PARTING = 64

/** Their series are stacks of slices: with two series, a study is worth parting before anybody has counted. */
const MODALITIES_OF_STACKS: ReadonlySet<string | undefined> = new Set(['CT', 'MR', 'PT'])

/** The job that brings the whole study, among those that bring a series. */
const WHOLE = ''

export class StudyRetrieve {
  readonly studyUid: string
  readonly arrivals = new Arrivals()
  /** Resolves when the packs are on disk and in the index. Never rejects. */
  readonly settled: Promise<void>
  readonly #parts: RetrieveParts
  readonly #preference: readonly string[]
  readonly #abort = new AbortController()
  /** What somebody wants, by series UID or {@link WHOLE}: one job for each, as long as this lives. */
  readonly #jobs = new Map<string, Promise<void>>()
  #started = 0
  readonly #done = new Set<string>()
  readonly #failures = new Map<string, Error>()
  readonly #packs = new Map<string, { pack: Pack, hold: Disposable }>()
  /** Instances that the PACS says it has of each series; undefined where it doesn't count. */
  readonly #counts = new Map<string, number | undefined>()
  readonly #modalities = new Map<string, string | undefined>()
  /** What the PACS has been asked the count of: a series UID, or {@link WHOLE}. */
  readonly #counted = new Set<string>()
  /** Why a series isn't whole. */
  readonly #reasons = new Map<string, string>()
  /** Objects on their way into a pack, by series UID. */
  readonly #landing = new Map<Promise<Stored>, string>()
  /** What keeps objects out of the packs. */
  #shortage: CapacityError | undefined
  #studyDate: string | undefined
  #closing = false

  /** @param preference transfer syntaxes that whoever began this named, most liked first */
  constructor (studyUid: string, seriesUid: string | undefined, parts: RetrieveParts, preference: readonly string[] = []) {
    this.studyUid = studyUid
    this.#preference = preference
    this.#parts = parts
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
    return this.#isWhole(seriesUid) && !this.#landing.values().some(uid => uid === seriesUid)
  }

  /** Whether the PACS has said what it has of this series, or of the whole study. */
  isCounted (seriesUid: string | undefined): boolean {
    return this.#counted.has(WHOLE) || this.#counted.has(seriesUid ?? WHOLE)
  }

  /** Whether the PACS has been seen to have this series. */
  isKnown (seriesUid: string): boolean {
    return this.#counts.has(seriesUid) || this.#packs.has(seriesUid)
  }

  /** What stopped the job that was to bring it, or kept its objects out of the packs. */
  failure (seriesUid: string | undefined): Error | undefined {
    return this.#shortage ?? this.#failures.get(seriesUid ?? WHOLE) ?? this.#failures.get(WHOLE)
  }

  /** The pack that this retrieve fills. */
  pack (seriesUid: string): Pack | undefined {
    return this.#packs.get(seriesUid)?.pack
  }

  /** To be called once it has settled and its last reader has left: its packs may be evicted from then on. */
  release (): void {
    for (const { hold } of this.#packs.values()) hold[Symbol.dispose]()
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
      pack: this.#filling(seriesUid),
      land: async write => await this.#land(seriesUid, write),
      landNow: write => this.#landNow(write)
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
      if (!this.#isWhole(uid)) reason ??= this.#reasons.get(uid)
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
    const { settings } = this.#parts
    const atOnce = series === undefined ? settings.seriesAtOnce : 1
    const heldBefore = this.#heldIn(series)
    let failure: DrimboxError | undefined
    let rounds = settings.retriesMax
    let attempt = 0
    // A study of which somebody already fetches a series is not moved as a whole.
    const mayBeWhole = (): boolean => heldBefore === 0 && !settings.namesFirst && this.#running(series).length === 0
    const { counting, isParted, ahead } = atOnce > 1 && mayBeWhole() ? await this.#part() : NOT_PARTED
    if (ahead !== undefined) {
      failure = await this.#fetchBeside(ahead, counting as Promise<void>, atOnce)
      attempt++
      if (this.#preference.length > 0) rounds++
    } else if (!isParted && mayBeWhole()) {
      // The count goes beside the move, on an association of its own.
      const [moved, counted] = await Promise.allSettled([this.#fetch({ series }, attempt++), counting ?? this.#count(series)])
      if (moved.status === 'rejected') throw moved.reason
      failure = moved.value
      // A PACS that took the move may have refused a second association: it is asked again.
      if (counted.status === 'rejected' && this.#heldIn(series) > 0) await this.#count(series)
      else if (counted.status === 'rejected') throw counted.reason
      this.#assertKnown(series)
      if (failure !== undefined && this.#heldIn(series) === 0 && !hasTried(failure)) throw failure
    } else {
      await (counting ?? this.#count(series))
      this.#assertKnown(series)
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
      else if (rounds-- === 0 || (this.#heldIn(series) === tried && !isNews(attempt)) || this.#shortage !== undefined) break
      else {
        tried = this.#heldIn(series)
        // A PACS that didn't bear several at once is asked for one after the other.
        failure = await this.#fetchEach(missing, failure === undefined ? atOnce : 1, attempt++) ?? failure
      }
    }
    await Promise.all(this.#running(series))
    if (failure !== undefined && this.#heldIn(series) <= heldBefore) throw failure
    return failure
  }

  /**
   * How the whole study is to come. Which series it has is asked first, since counting their images takes a PACS
   * several times as long; one that is a stack of slices is asked for at once, while the images are counted.
   */
  async #part (): Promise<Parting> {
    const naming = this.#parts.query.seriesNames(this.studyUid, this.#abort.signal)
    const until = performance.now() + this.#parts.settings.seriesKnownSeconds * 1000
    const names = await within(naming, until)
    const stack = names === undefined || names.length < 2 ? undefined : names.find(({ modality }) => MODALITIES_OF_STACKS.has(modality))
    if (stack === undefined) {
      const counting = naming.then(async () => { await this.#count(undefined) })
      return { counting, isParted: names !== undefined && await this.#isWorthParting(counting, until) }
    }
    for (const { seriesUid, modality } of names as readonly SeriesName[]) this.#modalities.set(seriesUid, modality)
    // The image first: where associations are few, the count has the next one.
    const bringing = this.#fetch({ series: stack.seriesUid }, 0)
    const counting = this.#count(undefined)
    for (const promise of [bringing, counting]) promise.catch(() => {})
    return { ahead: { series: stack.seriesUid, bringing }, counting, isParted: true }
  }

  /** Whether its images are counted, soon enough, and come faster side by side. */
  async #isWorthParting (counting: Promise<void>, until: number): Promise<boolean> {
    const known = await within(counting.then(() => true), until)
    if (known === undefined || this.#counts.size < 2) return false
    const counts = [...this.#counts.values()]
    return counts.includes(undefined) || counts.reduce<number>((sum, count) => sum + (count ?? 0), 0) >= IMAGES_WORTH_PARTING
  }

  /** Brings the other series beside the one that is on its way. @returns the failure that stopped some of it */
  async #fetchBeside (ahead: Ahead, counting: Promise<void>, atOnce: number): Promise<DrimboxError | undefined> {
    const counted = await Promise.allSettled([counting])
    if (counted[0].status === 'rejected') {
      // A PACS that took the move may have refused a second association: it is asked again.
      await ahead.bringing
      if (this.#heldIn(undefined) === 0) throw counted[0].reason
      await this.#count(undefined)
    }
    this.#assertKnown(undefined)
    return await this.#fetchEach(await this.#missing(undefined, ahead.series), atOnce, 0, ahead.bringing)
  }

  /** For the job that brings the whole study: those that bring a series of it. */
  #running (series: string | undefined): Promise<void>[] {
    if (series !== undefined) return []
    return this.#jobs.entries().filter(([key]) => key !== WHOLE && !this.#done.has(key)).map(([, job]) => job).toArray()
  }

  async #count (series: string | undefined): Promise<void> {
    const { cache, query } = this.#parts
    for (const { seriesUid, instances, date, modality } of await query.series(this.studyUid, series, this.#abort.signal)) {
      this.#modalities.set(seriesUid, modality)
      this.#counts.set(seriesUid, instances)
      if (date !== undefined && date > (this.#studyDate ?? '')) this.#studyDate = date
    }
    // What the centre has taken out of its PACS must not live on here.
    for (const uid of series === undefined ? cache.seriesOf(this.studyUid) : [series]) {
      if (!this.#counts.has(uid) && !this.#packs.has(uid)) await cache.purge(this.studyUid, uid)
    }
    this.#counted.add(series ?? WHOLE)
    this.arrivals.wake()
  }

  /** @throws RequestError STUDY_UNKNOWN or SERIES_UNKNOWN */
  #assertKnown (series: string | undefined): void {
    if (series === undefined ? this.#scope().length > 0 : this.isKnown(series)) return
    throw series === undefined
      ? new RequestError('STUDY_UNKNOWN', 'the PACS has no such study', { facts: { study: this.studyUid } })
      : new RequestError('SERIES_UNKNOWN', 'the PACS has no such series', { facts: { study: this.studyUid, series } })
  }

  /**
   * What the PACS has and we don't: whole series, or instances of one, by name.
   *
   * @param but a series that is on its way
   */
  async #missing (series: string | undefined, but?: string): Promise<Missing[]> {
    const missing: Missing[] = []
    for (const uid of series === undefined ? this.#scope() : [series]) {
      if (uid === but) continue
      // A job of its own sees to it.
      if (series === undefined && this.#jobs.has(uid) && !this.#done.has(uid)) continue
      const expected = this.#counts.get(uid)
      const held = this.#heldOf(uid)
      if (expected !== undefined && held >= expected) continue
      if (held === 0 && !this.#parts.settings.namesFirst) {
        missing.push({ series: uid })
        continue
      }
      const names = await this.#parts.query.instances(this.studyUid, uid, this.#abort.signal)
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

  /**
   * Those that the PACS refuses don't keep it from being asked for the others; one that is gone is left alone.
   *
   * @param ahead one that is on its way already, and counts among those at once
   */
  async #fetchEach (missing: readonly Missing[], atOnce: number, attempt: number, ahead?: Promise<DrimboxError | undefined>): Promise<DrimboxError | undefined> {
    // The longest first, so that they end together.
    const length = ({ series, instances }: Missing): number => instances?.length ?? this.#counts.get(series) ?? 0
    const queue = atOnce > 1 ? missing.toSorted((a, b) => length(b) - length(a)) : [...missing]
    let failure: DrimboxError | undefined
    const ended = async (bringing: Promise<DrimboxError | undefined>): Promise<void> => {
      const failed = await bringing
      failure ??= failed
      if (failed !== undefined && failed.code !== 'PACS_STATUS') queue.length = 0
    }
    const workers = await Promise.allSettled(Array.from({ length: atOnce }, async (_, worker) => {
      if (worker === 0 && ahead !== undefined) await ended(ahead)
      for (let next = queue.shift(); next !== undefined; next = queue.shift()) await ended(this.#fetch(next, attempt))
    }))
    for (const worker of workers) {
      if (worker.status === 'rejected') throw worker.reason
    }
    return failure
  }

  /** @returns what went wrong; some may have come all the same, the count will tell */
  async #fetch (portion: Partial<Missing>, attempt: number): Promise<DrimboxError | undefined> {
    const before = this.#heldIn(portion.series)
    try {
      const modality = portion.series === undefined ? undefined : this.#modalities.get(portion.series)
      await this.#parts.mover.bring({ study: this.studyUid, ...portion, modality, preference: this.#preference, attempt }, this.#abort.signal, () => this.#heldIn(portion.series) > before)
      return undefined
    } catch (error) {
      if (!(error instanceof DrimboxError) || error.code === 'CANCELLED') throw error
      return error
    }
  }

  /** Says why a series isn't whole, where it isn't. */
  #judge (uid: string, failure: DrimboxError | undefined): void {
    if (this.#isWhole(uid)) this.#reasons.delete(uid)
    else if (!this.#reasons.has(uid)) this.#reasons.set(uid, failure?.code ?? 'PACS_INCOMPLETE')
  }

  async #settle (): Promise<void> {
    const { cache, onUnsettled } = this.#parts
    for (const [uid, { pack }] of this.#packs) {
      const facts = { held: pack.instances.size, expected: this.#counts.get(uid) }
      const completeness: Completeness = this.#isWhole(uid) ? { state: 'complete', ...facts } : { state: 'partial', ...facts, reason: this.#reasons.get(uid) }
      await cache.settle(pack, completeness).catch(error => onUnsettled?.(error))
    }
    if (this.#counts.size === 0) return
    for (const [uid, expected] of this.#counts) {
      if (!this.#packs.has(uid) && expected !== undefined && this.#isWhole(uid)) cache.confirm(this.studyUid, uid, expected)
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

  /** We hold all that the PACS counts. */
  #isWhole (series: string): boolean {
    const expected = this.#counts.get(series)
    return expected !== undefined && this.#heldOf(series) >= expected
  }

  #heldIn (series: string | undefined): number {
    const all = series === undefined ? new Set([...this.#parts.cache.seriesOf(this.studyUid), ...this.#packs.keys()]) : [series]
    return [...all].reduce((sum, uid) => sum + this.#heldOf(uid), 0)
  }

  #heldOf (series: string): number {
    return this.#packs.get(series)?.pack.instances.size ?? this.#parts.cache.completeness(this.studyUid, series)?.held ?? 0
  }

  #instancesOf (series: string): ReadonlyMap<string, Stored> {
    const { cache } = this.#parts
    const pack = this.pack(series) ?? (this.#heldOf(series) > 0 ? cache.pack(this.studyUid, series) : undefined)
    return pack?.instances ?? new Map()
  }

  #filling (series: string): Pack {
    let filling = this.#packs.get(series)
    if (filling === undefined) {
      const pack = this.#parts.cache.fill(this.studyUid, series)
      this.#packs.set(series, filling = { pack, hold: pack.use() })
    }
    return filling.pack
  }
}

/** The PACS did send, or tried to: some of it may come in another transfer syntax. */
function hasTried ({ code, facts }: DrimboxError): boolean {
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

/** A series on its way before anything has been counted. */
interface Ahead {
  readonly series: string
  readonly bringing: Promise<DrimboxError | undefined>
}

/** How a study comes: series by series, with one ahead or not, or as a whole. */
interface Parting {
  readonly isParted: boolean
  readonly counting?: Promise<void>
  readonly ahead?: Ahead
}

const NOT_PARTED: Parting = { isParted: false }

interface Missing {
  readonly series: string
  /** All of the series when absent. */
  readonly instances?: readonly InstanceName[]
  /** These are all of the series. */
  readonly all?: boolean
}
