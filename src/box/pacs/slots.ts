/**
 * The associations that one PACS bears: never more than it said, lent in the order in which they
 * were asked for, kept open a little while since opening one costs the first image 8 ms.
 */

import { DrimboxError, PeerError } from '#core/errors.ts'
import type { Association } from '#standards/dimse/association.ts'
import { echo } from '#standards/dimse/echo.ts'
import { Breaker, type BreakerSettings, type Encounter } from './breaker.ts'
import { associationsAt, secondsUntilOpen, type Hours } from './hours.ts'

export interface SlotSettings extends BreakerSettings {
  readonly associationsMax: number
  readonly hours: readonly Hours[]
  /** How long an association without work stays open, in seconds. */
  readonly idleSeconds: number
  /** Callers waiting beyond this are told so at once. */
  readonly waitingMax: number
}

/** Opens an association to the PACS. */
export type Dial = (signal: AbortSignal) => Promise<Association>

export interface LendOptions {
  /** How to open it, when this use needs contexts of its own; such a one isn't pooled. */
  readonly dial?: Dial
  /** Whether the PACS has begun to answer: it isn't asked once more then, should it hang up. */
  readonly hasBegun?: () => boolean
}

/**
 * So many stay open without work, to ask and to count at once. A PACS that serves its associations from a few
 * threads, as Orthanc does from four, lets everybody else's wait for a second behind each that says nothing.
 */
const IDLE_MAX = 2

/** The PACS has said its last word on the request, so the association can be used again. */
const ORDERLY = new Set(['PACS_STATUS', 'CANCELLED'])

interface Idle {
  readonly association: Association
  readonly timer: NodeJS.Timeout
}

interface Waiter {
  readonly go: () => void
  readonly refuse: (error: PeerError) => void
}

export class Slots {
  readonly #settings: SlotSettings
  readonly #dial: Dial
  readonly #breaker: Breaker
  readonly #idle: Idle[] = []
  /** On their way out: the PACS has them until it has agreed. */
  readonly #leaving = new Set<Promise<void>>()
  readonly #waiting: Waiter[] = []
  readonly #now: () => Date
  #lent = 0
  #closed = false

  constructor (settings: SlotSettings, dial: Dial, now: () => Date = () => new Date()) {
    this.#settings = settings
    this.#dial = dial
    this.#now = now
    this.#breaker = new Breaker(settings)
  }

  get state (): { lent: number, idle: number, waiting: number, breaker: Breaker['state'] } {
    return { lent: this.#lent, idle: this.#idle.length, waiting: this.#waiting.length, breaker: this.#breaker.state }
  }

  /** How the PACS was met when somebody last asked it. */
  get last (): Encounter | undefined {
    return this.#breaker.last
  }

  /** How often it was reached, and how often not, since the start. */
  get encounters (): Readonly<Breaker['encounters']> {
    return this.#breaker.encounters
  }

  /** Asks the PACS for a sign of life (C-ECHO). @throws what {@link lend} throws */
  async echo (signal: AbortSignal): Promise<void> {
    await this.lend(signal, async association => { await echo(association, signal) })
  }

  /**
   * Lends an association. It goes back to the pool if it is still open afterwards, also when `use` throws
   * what the PACS said in good order; any other error aborts it.
   *
   * @throws PeerError PACS_RESTING, CANCELLED, or whatever reaching the PACS or `use` throws
   */
  async lend<T> (signal: AbortSignal, use: (association: Association) => Promise<T>, options: LendOptions = {}): Promise<T> {
    await this.#slot(signal)
    try {
      return await this.#breaker.run(async () => { await this.#probe(signal) }, async () => {
        const pooled = options.dial === undefined ? this.#takeIdle() : undefined
        if (pooled === undefined) return await this.#useFresh(signal, use, options)
        try {
          return await this.#use(pooled, use)
        } catch (error) {
          // The PACS may have hung up on an idle association just as we used it: that is no failure.
          const hungUp = error instanceof PeerError && error.code === 'PACS_ABORTED' && options.hasBegun?.() !== true
          if (!hungUp || signal.aborted) throw error
          return await this.#useFresh(signal, use, options)
        }
      })
    } finally {
      this.#giveBack()
    }
  }

  async close (): Promise<void> {
    this.#closed = true
    for (const { go } of this.#waiting.splice(0)) go()
    const idle = this.#idle.splice(0)
    for (const { timer } of idle) clearTimeout(timer)
    await Promise.allSettled(idle.map(async ({ association }) => { await association.release() }))
  }

  async #slot (signal: AbortSignal): Promise<void> {
    const { waitingMax } = this.#settings
    if (signal.aborted) throw leftTheQueue()
    const allowed = this.allowed
    if (allowed === 0) throw this.#outOfHours()
    if (this.#lent < allowed && this.#waiting.length === 0) {
      this.#lent++
      return
    }
    if (this.#waiting.length >= waitingMax) {
      throw new PeerError('PACS_RESTING', 'too many requests already wait for the PACS', { facts: { retryAfterSeconds: 10 } })
    }
    await new Promise<void>((resolve, reject) => {
      const waiter: Waiter = {
        go: () => { signal.removeEventListener('abort', leave); resolve() },
        refuse: error => { signal.removeEventListener('abort', leave); reject(error) }
      }
      const leave = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(waiter), 1)
        reject(leftTheQueue())
      }
      this.#waiting.push(waiter)
      signal.addEventListener('abort', leave, { once: true })
    })
    if (this.#closed) throw new PeerError('CANCELLED', 'the box is closing')
  }

  /** Hands slots to those who wait longest: as many as the hour allows by now. */
  #giveBack (): void {
    this.#lent--
    const allowed = this.allowed
    if (allowed === 0) {
      for (const { refuse } of this.#waiting.splice(0)) refuse(this.#outOfHours())
    }
    while (this.#lent < allowed && this.#waiting.length > 0) {
      this.#lent++
      this.#waiting.shift()?.go()
    }
  }

  /** How many may be lent at this hour. */
  get allowed (): number {
    return associationsAt(this.#settings.hours, this.#settings.associationsMax, this.#now())
  }

  #outOfHours (): PeerError {
    return new PeerError('PACS_RESTING', 'the PACS is not to be asked at this hour', {
      facts: { retryAfterSeconds: secondsUntilOpen(this.#settings.hours, this.#settings.associationsMax, this.#now()) }
    })
  }

  async #useFresh<T> (signal: AbortSignal, use: (association: Association) => Promise<T>, { dial }: LendOptions): Promise<T> {
    // What is open and idle counts for the PACS as well.
    while (this.#idle.length > 0 && this.#lent + this.#idle.length > this.allowed) {
      const idle = this.#idle.shift() as Idle
      clearTimeout(idle.timer)
      await idle.association.release()
    }
    while (this.#leaving.size > 0 && this.#lent + this.#idle.length + this.#leaving.size > this.allowed) await Promise.race(this.#leaving)
    return await this.#use(await (dial ?? this.#dial)(signal), use, dial === undefined)
  }

  async #use<T> (association: Association, use: (association: Association) => Promise<T>, pooled = true): Promise<T> {
    try {
      const result = await use(association)
      if (pooled) this.#keep(association)
      else await association.release()
      return result
    } catch (error) {
      if (pooled && error instanceof DrimboxError && ORDERLY.has(error.code)) this.#keep(association)
      else association.abort()
      throw error
    }
  }

  async #probe (signal: AbortSignal): Promise<void> {
    const association = await this.#dial(signal)
    try {
      await echo(association, signal)
      this.#keep(association)
    } catch (error) {
      association.abort()
      throw error
    }
  }

  #takeIdle (): Association | undefined {
    while (this.#idle.length > 0) {
      const { association, timer } = this.#idle.pop() as Idle
      clearTimeout(timer)
      if (association.open) return association
    }
    return undefined
  }

  #keep (association: Association): void {
    if (!association.open) return
    if (this.#closed || this.#idle.length >= IDLE_MAX) {
      this.#letGo(association)
      return
    }
    const timer = setTimeout(() => {
      this.#idle.splice(this.#idle.findIndex(idle => idle.association === association), 1)
      this.#letGo(association)
    }, this.#settings.idleSeconds * 1000).unref()
    this.#idle.push({ association, timer })
  }

  #letGo (association: Association): void {
    const leaving = association.release().catch(() => {}).finally(() => { this.#leaving.delete(leaving) })
    this.#leaving.add(leaving)
  }
}

function leftTheQueue (): PeerError {
  return new PeerError('CANCELLED', 'nobody waits for the PACS any more')
}
