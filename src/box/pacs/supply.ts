/**
 * Objects for whoever asks: from the packs when they are there and still true, else from the PACS,
 * joining what is already on its way.
 *
 * One retrieve for each study at a time, whatever was asked for: a study, one of its series, an
 * instance or a frame. An instance is served the moment it is in a pack, however incomplete the
 * series still is.
 */

import { CapacityError, DrimboxError, PeerError, RequestError } from '#core/errors.ts'
import type { Completeness } from '../cache/completeness.ts'
import type { Cache } from '../cache/cache.ts'
import type { Pack } from '../cache/pack.ts'
import type { Stored } from '../cache/stored.ts'
import type { Claim } from './receive.ts'
import { StudyRetrieve, type RetrieveParts } from './study-retrieve.ts'

export interface Target {
  readonly study: string
  readonly series?: string
  /** With its series. */
  readonly instance?: string
}

export interface FreshnessSettings {
  /** A study this young may still grow, in days since its date. */
  readonly youngDays: number
  /** The PACS is asked again whether it has more of a young study after so many seconds. */
  readonly youngSecondsMax: number
  /** The same for any other study. */
  readonly oldSecondsMax: number
  /** A retrieve goes on for so many seconds after its last reader left: viewers ask piece by piece. */
  readonly unreadSecondsMax: number
}

export interface SupplyParts extends RetrieveParts {
  readonly freshness: FreshnessSettings
  readonly now?: () => number
}

/** Objects in the order in which they came, and what became of the rest. */
export interface ObjectSet {
  /** Everything that will be given, when that is known beforehand. */
  readonly all?: readonly (readonly Stored[])[]
  /**
   * What is at hand, waiting for the PACS if nothing is; undefined when all has been given.
   *
   * @throws DrimboxError when the retrieve failed after some of it was given
   */
  next (): Promise<readonly Stored[] | undefined>
  /** How much of what was asked for there is; final once `next` has given undefined. */
  completeness (): Completeness
  /** Reads from the pack that holds `stored`. */
  read (stored: Stored, offset: number, target: Uint8Array, length?: number): Promise<number>
  /** The pack of a series of which something has been given. */
  pack (seriesUid: string): Pack
  close (): void
}

export class Supply {
  readonly #parts: SupplyParts
  readonly #now: () => number
  readonly #retrieves = new Map<string, { retrieve: StudyRetrieve, readers: number, timer: NodeJS.Timeout | undefined, settled: boolean }>()

  constructor (parts: SupplyParts) {
    this.#parts = parts
    this.#now = parts.now ?? Date.now
  }

  /** How many requests the packs could answer, and how many had to ask the PACS. */
  readonly reads = { held: 0, retrieved: 0 }

  /** Studies on their way from the PACS. */
  get active (): { studyUid: string, readers: number, arrived: number }[] {
    return [...this.#retrieves.values()].map(({ retrieve, readers }) => ({ studyUid: retrieve.studyUid, readers, arrived: retrieve.arrivals.count }))
  }

  /** For the receiver: does a retrieve want this? */
  claim (studyUid: string, seriesUid: string): Claim | undefined {
    return this.#retrieves.get(studyUid)?.retrieve.claim(seriesUid)
  }

  /**
   * Opens what was asked for; resolves when there is something to give, so that until then an error
   * can still be told.
   *
   * @throws RequestError STUDY_UNKNOWN, SERIES_UNKNOWN, INSTANCE_UNKNOWN; PeerError; CapacityError
   */
  async open (target: Target, signal: AbortSignal): Promise<ObjectSet> {
    while (true) {
      signal.throwIfAborted()
      const held = this.#held(target)
      if (held !== undefined) {
        this.reads.held++
        return held
      }
      const found = this.#retrieves.get(target.study)
      if (found !== undefined && !found.retrieve.want(target.series)) {
        await found.retrieve.settled
        continue
      }
      const joined = this.#join(target)
      const set = new Following(joined, target, this.#parts.cache, signal)
      try {
        await set.ready()
        this.reads.retrieved++
        return set
      } catch (error) {
        set.close()
        const stale = this.#staleInstead(target, error)
        if (stale === undefined) throw error
        return stale
      }
    }
  }

  /** Forgets a study, for instance since its report was withdrawn: what is on its way as well. */
  async purge (studyUid: string): Promise<void> {
    const found = this.#retrieves.get(studyUid)
    found?.retrieve.cancel()
    await found?.retrieve.settled
    await this.#parts.cache.purge(studyUid)
  }

  /** Cancels what is under way and waits until it has settled. */
  async close (): Promise<void> {
    const all = [...this.#retrieves.values()]
    for (const { retrieve, timer } of all) {
      clearTimeout(timer)
      retrieve.cancel()
    }
    await Promise.all(all.map(async ({ retrieve }) => { await retrieve.settled }))
  }

  /** What the packs have and nothing speaks against. */
  #held (target: Target): ObjectSet | undefined {
    const { cache } = this.#parts
    const { study, series, instance } = target
    if (series !== undefined && instance !== undefined) {
      if (!cache.seriesOf(study).includes(series)) return undefined
      const pack = cache.pack(study, series)
      const stored = pack.instances.get(instance)
      return stored && new Given(cache, [pack], [[stored]], { state: 'complete', held: 1, expected: 1 })
    }
    const row = cache.study(study)
    const checkedAt = series === undefined ? row?.checkedAt ?? 0 : cache.checkedAt(study, series)
    if (this.#isStale(row?.studyDate, checkedAt)) return undefined
    return this.#complete(target, row?.complete === true)
  }

  #complete ({ study, series }: Target, studyComplete: boolean): ObjectSet | undefined {
    const { cache } = this.#parts
    if (series === undefined && !studyComplete) return undefined
    const uids = series === undefined ? cache.seriesOf(study) : [series]
    if (uids.length === 0 || uids.some(uid => cache.completeness(study, uid)?.state !== 'complete')) return undefined
    const packs = uids.map(uid => cache.pack(study, uid))
    const all = packs.map(pack => [...pack.instances.values()])
    const count = all.reduce((sum, list) => sum + list.length, 0)
    return new Given(cache, packs, all, { state: 'complete', held: count, expected: count })
  }

  /** When the PACS can't be asked whether there is more, what was complete is still worth having. */
  #staleInstead (target: Target, error: unknown): ObjectSet | undefined {
    if (!(error instanceof DrimboxError) || !error.code.startsWith('PACS_')) return undefined
    return this.#complete(target, this.#parts.cache.study(target.study)?.complete === true)
  }

  #isStale (studyDate: string | undefined, checkedAt: number): boolean {
    const { youngDays, youngSecondsMax, oldSecondsMax } = this.#parts.freshness
    const now = this.#now()
    const youngest = new Date(now - youngDays * 86_400_000).toISOString().slice(0, 10).replaceAll('-', '')
    // A study without a date may be of today.
    const young = studyDate === undefined || studyDate >= youngest
    // A clock that was set back must not make anything fresh for years.
    const age = Math.abs(now - checkedAt)
    return age > (young ? youngSecondsMax : oldSecondsMax) * 1000
  }

  #join ({ study, series }: Target): { retrieve: StudyRetrieve, leave: () => void } {
    let entry = this.#retrieves.get(study)
    if (entry === undefined) {
      const retrieve = new StudyRetrieve(study, series, this.#parts)
      const made = entry = { retrieve, readers: 0, timer: undefined as NodeJS.Timeout | undefined, settled: false as boolean }
      this.#retrieves.set(study, made)
      void retrieve.settled.then(() => {
        clearTimeout(made.timer)
        made.settled = true
        this.#retrieves.delete(study)
        if (made.readers === 0) retrieve.release()
      })
    }
    const joined = entry
    clearTimeout(joined.timer)
    joined.readers++
    let left = false
    const leave = (): void => {
      if (left) return
      left = true
      if (--joined.readers > 0) return
      if (joined.settled) joined.retrieve.release()
      else joined.timer = setTimeout(() => { joined.retrieve.cancel() }, this.#parts.freshness.unreadSecondsMax * 1000).unref()
    }
    return { retrieve: joined.retrieve, leave }
  }
}

/** What was complete when it was asked for. */
class Given implements ObjectSet {
  readonly all: readonly (readonly Stored[])[]
  readonly #cache: Cache
  readonly #packs: ReadonlyMap<string, Pack>
  readonly #holds: readonly Disposable[]
  #place = 0
  readonly #completeness: Completeness

  constructor (cache: Cache, packs: readonly Pack[], batches: readonly (readonly Stored[])[], completeness: Completeness) {
    this.#cache = cache
    this.#packs = new Map(packs.map(pack => [pack.seriesUid, pack]))
    this.#holds = packs.map(pack => pack.use())
    this.all = batches
    this.#completeness = completeness
  }

  async next (): Promise<readonly Stored[] | undefined> {
    return this.all[this.#place++]
  }

  completeness (): Completeness {
    return this.#completeness
  }

  async read (stored: Stored, offset: number, target: Uint8Array, length?: number): Promise<number> {
    return await readFrom(this.pack(stored.seriesUid), this.#cache, stored, offset, target, length)
  }

  pack (seriesUid: string): Pack {
    return this.#packs.get(seriesUid) as Pack
  }

  close (): void {
    for (const hold of this.#holds) hold[Symbol.dispose]()
  }
}

/** What is still on its way: first what was held before, then what arrives. */
class Following implements ObjectSet {
  readonly #retrieve: StudyRetrieve
  readonly #leave: () => void
  readonly #target: Target
  readonly #cache: Cache
  readonly #signal: AbortSignal
  /** Packs of which something was held before this retrieve; what it fills itself, it holds. */
  readonly #holds = new Map<string, { pack: Pack, hold: Disposable }>()
  /** Seen, and not given yet. */
  #waiting: Stored[] = []
  #place = 0
  #given = 0
  #exhausted = false
  /** What was held before is given once the PACS has said that it still has it. */
  #heldIsTaken = false
  /** Once the PACS has been seen to keep some back, readers learn so before the first byte. */
  readonly #waitsForAll: boolean

  constructor (joined: { retrieve: StudyRetrieve, leave: () => void }, target: Target, cache: Cache, signal: AbortSignal) {
    this.#retrieve = joined.retrieve
    this.#leave = joined.leave
    this.#target = target
    this.#cache = cache
    this.#signal = signal
    const series = cache.seriesOf(target.study).filter(uid => target.series === undefined || uid === target.series)
    this.#waitsForAll = series.some(uid => cache.completeness(target.study, uid)?.reason === 'PACS_INCOMPLETE')
    for (const uid of series) {
      const pack = cache.pack(target.study, uid)
      this.#holds.set(uid, { pack, hold: pack.use() })
    }
  }

  /** Resolves when there is something to give. @throws what stopped it before that */
  async ready (): Promise<void> {
    const { series } = this.#target
    while (!this.#retrieve.isDone(series)) {
      if (this.#look() && !this.#waitsForAll) return
      await this.#retrieve.arrivals.news(this.#signal)
      this.#signal.throwIfAborted()
    }
    // Should the PACS not be there to say whether it still has what is held, that is another matter.
    if (this.#look()) return
    throw this.#retrieve.failure(series) ?? this.#nothing()
  }

  async next (): Promise<readonly Stored[] | undefined> {
    while (true) {
      // Asked before looking: what comes meanwhile is seen the next time round.
      const done = this.#retrieve.isDone(this.#target.series)
      if (this.#look()) {
        const batch = this.#waiting
        this.#waiting = []
        this.#given += batch.length
        return batch
      }
      if (done || (this.#target.instance !== undefined && this.#given > 0)) {
        this.#exhausted = true
        return undefined
      }
      await this.#retrieve.arrivals.news(this.#signal)
      this.#signal.throwIfAborted()
    }
  }

  completeness (): Completeness {
    if (this.#target.instance !== undefined) return { state: 'complete', held: 1, expected: 1 }
    const completeness = this.#retrieve.completeness(this.#target.series)
    // Whatever is believed elsewhere: this reader was given so many and no more.
    if (!this.#exhausted || this.#given >= completeness.held) return completeness
    return { ...completeness, state: 'partial', held: this.#given }
  }

  async read (stored: Stored, offset: number, target: Uint8Array, length?: number): Promise<number> {
    const filled = this.#retrieve.pack(stored.seriesUid)
    const pack = filled?.instances.get(stored.sopInstanceUid) === stored ? filled : this.#holds.get(stored.seriesUid)?.pack ?? filled
    return await readFrom(pack as Pack, this.#cache, stored, offset, target, length)
  }

  pack (seriesUid: string): Pack {
    return this.#retrieve.pack(seriesUid) ?? (this.#holds.get(seriesUid)?.pack as Pack)
  }

  close (): void {
    this.#leave()
    for (const { hold } of this.#holds.values()) hold[Symbol.dispose]()
    this.#holds.clear()
  }

  /** Takes note of what has come since the last look. @returns whether there is something to give */
  #look (): boolean {
    const { arrivals } = this.#retrieve
    if (!this.#heldIsTaken && this.#retrieve.isCounted(this.#target.series)) {
      this.#heldIsTaken = true
      const arrived = new Set(arrivals.from(0))
      for (const { pack } of this.#holds.values()) {
        for (const stored of pack.instances.values()) {
          if (!arrived.has(stored) && this.#wants(stored)) this.#waiting.push(stored)
        }
      }
    }
    for (const stored of arrivals.from(this.#place)) {
      if (this.#wants(stored)) this.#waiting.push(stored)
    }
    this.#place = arrivals.count
    return this.#waiting.length > 0
  }

  #wants (stored: Stored): boolean {
    const { series, instance } = this.#target
    return (series === undefined || stored.seriesUid === series) && (instance === undefined || stored.sopInstanceUid === instance)
  }

  /** Nothing came, and nothing went wrong. */
  #nothing (): DrimboxError {
    const facts = { ...this.#target }
    if (this.#target.instance !== undefined && this.#retrieve.completeness(this.#target.series).state === 'complete') {
      return new RequestError('INSTANCE_UNKNOWN', 'the PACS has no such instance', { facts })
    }
    return new PeerError('PACS_INCOMPLETE', 'the PACS sent nothing of this', { facts })
  }
}

/** Of a pack whose files aren't what the index says nothing is believed any more: the next reader has it from the PACS. */
async function readFrom (pack: Pack, cache: Cache, stored: Stored, offset: number, target: Uint8Array, length?: number): Promise<number> {
  try {
    return await pack.read(stored.segment, stored.offset + offset, target, length)
  } catch (error) {
    if (error instanceof CapacityError && error.facts.damaged === true) cache.distrust(pack)
    throw error
  }
}
