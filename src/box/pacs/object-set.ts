/**
 * What one reader is given: objects of a study, in the order in which they came, from packs that are
 * held as long as the reader is there.
 */

import { CapacityError, PeerError, RequestError, type DrimboxError } from '#core/errors.ts'
import type { Cache } from '../cache/cache.ts'
import type { Completeness } from '../cache/completeness.ts'
import type { Pack } from '../cache/pack.ts'
import type { Stored } from '../cache/stored.ts'
import type { StudyRetrieve } from './study-retrieve.ts'

export interface Target {
  readonly study: string
  readonly series?: string
  /** With its series. */
  readonly instance?: string
}

/** Objects in the order in which they came, and what became of the rest. */
export interface ObjectSet {
  /** Everything that will be given, when that is known beforehand. */
  readonly all?: readonly (readonly Stored[])[]
  /** All of it is only now coming from the PACS, and how much that will be isn't known yet. */
  readonly arriving?: boolean
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

/** What was complete when it was asked for. */
export class Given implements ObjectSet {
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

  /**
   * Opens the file of the first object, so that it is still there when the head of an answer has left.
   *
   * @returns false when it was removed meanwhile; anything else is told by whoever reads
   */
  async open (): Promise<boolean> {
    const first = this.all[0]?.[0]
    if (first === undefined) return false
    const pack = this.pack(first.seriesUid)
    if (pack.isOpen(first.segment)) return true
    await pack.open(first.segment).catch(() => {})
    return !pack.removed
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
export class Following implements ObjectSet {
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

  get arriving (): boolean {
    return this.#holds.size === 0 && !this.#retrieve.isDone(this.#target.series)
  }

  /** Resolves when there is something to give. @throws what stopped it before that */
  async ready (): Promise<void> {
    const { series } = this.#target
    while (!this.#retrieve.isDone(series)) {
      if (this.#retrieve.cancelled) break
      if (this.#look() && !this.#waitsForAll) return
      await this.#retrieve.arrivals.news(this.#signal)
      this.#signal.throwIfAborted()
    }
    // Should the PACS not be there to say whether it still has what is held, that is another matter.
    if (!this.#retrieve.cancelled && this.#look()) return
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
    const { series } = this.#target
    if (series !== undefined && this.#retrieve.isCounted(series) && !this.#retrieve.isKnown(series)) {
      return new RequestError('SERIES_UNKNOWN', 'the PACS has no such series', { facts })
    }
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
