/**
 * Objects for whoever asks: from the packs when they are there and still true, else from the PACS,
 * joining what is already on its way.
 *
 * One retrieve for each study at a time, whatever was asked for: a study, one of its series, an
 * instance or a frame. An instance is served the moment it is in a pack, however incomplete the
 * series still is.
 */

import { DrimboxError } from '#core/errors.ts'
import { Following, Given, type ObjectSet, type Target } from './object-set.ts'
import type { Claim } from './receive.ts'
import { StudyRetrieve, type RetrieveParts } from './study-retrieve.ts'

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

export class Supply {
  readonly #parts: SupplyParts
  readonly #now: () => number
  readonly #retrieves = new Map<string, { retrieve: StudyRetrieve, readers: number, timer: NodeJS.Timeout | undefined, settled: boolean }>()

  constructor (parts: SupplyParts) {
    this.#parts = parts
    this.#now = parts.now ?? Date.now
  }

  /** Studies that are being forgotten: whoever comes for one waits, and is given what the PACS has then. */
  readonly #purges = new Map<string, Promise<void>>()
  #closing = false

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
   * @param preference transfer syntaxes that the caller named, most liked first: heard where this is what
   *   asks the PACS; what is held, or on its way already, stays as it is
   * @throws RequestError STUDY_UNKNOWN, SERIES_UNKNOWN, INSTANCE_UNKNOWN; PeerError; CapacityError
   */
  async open (target: Target, signal: AbortSignal, preference: readonly string[] = []): Promise<ObjectSet> {
    while (true) {
      signal.throwIfAborted()
      const purge = this.#purges.get(target.study)
      if (purge !== undefined) {
        await purge.catch(() => {})
        continue
      }
      const held = this.#held(target)
      if (held !== undefined) {
        if (await held.open()) {
          this.reads.held++
          return held
        }
        held.close()
        continue
      }
      const found = this.#retrieves.get(target.study)
      if (found !== undefined && !found.retrieve.want(target.series)) {
        await found.retrieve.settled
        continue
      }
      const joined = this.#join(target, preference)
      const set = new Following(joined, target, this.#parts.cache, signal)
      try {
        await set.ready()
        this.reads.retrieved++
        return set
      } catch (error) {
        set.close()
        // Taken away while this caller waited for it.
        if (joined.retrieve.cancelled && !signal.aborted && !this.#closing) {
          await joined.retrieve.settled
          continue
        }
        const stale = this.#staleInstead(target, error)
        if (stale === undefined) throw error
        return stale
      }
    }
  }

  /** Whether {@link open} would answer without the PACS. */
  holds (target: Target): boolean {
    const held = this.#held(target)
    held?.close()
    return held !== undefined
  }

  /** Forgets a study, for instance since its report was withdrawn: what is on its way as well. */
  async purge (studyUid: string): Promise<void> {
    const earlier = this.#purges.get(studyUid)
    const purge = this.#purge(studyUid, earlier)
    this.#purges.set(studyUid, purge)
    try {
      await purge
    } finally {
      if (this.#purges.get(studyUid) === purge) this.#purges.delete(studyUid)
    }
  }

  async #purge (studyUid: string, earlier: Promise<void> | undefined): Promise<void> {
    await earlier?.catch(() => {})
    const found = this.#retrieves.get(studyUid)
    found?.retrieve.cancel()
    await found?.retrieve.settled
    await this.#parts.cache.purge(studyUid)
  }

  /**
   * Objects of these series were stored into the PACS: what is held of them may be of yesterday. A
   * retrieve that is under way goes on; what it brought is forgotten once it has settled.
   */
  async changed (studyUid: string, seriesUids: Iterable<string>): Promise<void> {
    const { cache } = this.#parts
    const forget = async (): Promise<void> => {
      for (const uid of seriesUids) await cache.purge(studyUid, uid)
      const row = cache.study(studyUid)
      if (row !== undefined) cache.settleStudy({ ...row, complete: false, checkedAt: 0 })
    }
    const found = this.#retrieves.get(studyUid)
    if (found === undefined) await forget()
    else void found.retrieve.settled.then(forget).catch(error => this.#parts.onUnsettled?.(error))
  }

  /** Cancels what is under way and waits until it has settled. */
  async close (): Promise<void> {
    this.#closing = true
    const all = [...this.#retrieves.values()]
    for (const { retrieve, timer } of all) {
      clearTimeout(timer)
      retrieve.cancel()
    }
    await Promise.all(all.map(async ({ retrieve }) => { await retrieve.settled }))
  }

  /** What the packs have and nothing speaks against. */
  #held (target: Target): Given | undefined {
    const { cache } = this.#parts
    const { study, series, instance } = target
    if (series !== undefined && instance !== undefined) {
      if (!cache.has(study, series)) return undefined
      const pack = cache.pack(study, series)
      const stored = pack.instances.get(instance)
      return stored && new Given(cache, [pack], [[stored]], { state: 'complete', held: 1, expected: 1 })
    }
    const row = cache.study(study)
    const checkedAt = series === undefined ? row?.checkedAt ?? 0 : cache.checkedAt(study, series)
    if (this.#isStale(row?.studyDate, checkedAt)) return undefined
    return this.#complete(target, row?.complete === true)
  }

  #complete ({ study, series }: Target, studyComplete: boolean): Given | undefined {
    const { cache } = this.#parts
    if (series === undefined && !studyComplete) return undefined
    const uids = series === undefined ? cache.seriesOf(study) : [series]
    if (uids.length === 0 || uids.some(uid => cache.completeness(study, uid)?.state !== 'complete')) return undefined
    const packs = uids.map(uid => cache.pack(study, uid))
    const all = packs.map(pack => pack.list)
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

  #join ({ study, series }: Target, preference: readonly string[]): { retrieve: StudyRetrieve, leave: () => void } {
    let entry = this.#retrieves.get(study)
    if (entry === undefined) {
      const retrieve = new StudyRetrieve(study, series, this.#parts, preference)
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
