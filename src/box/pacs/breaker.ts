/**
 * Spares a PACS that is down, and ourselves the waiting: after several failures in a row nobody asks
 * it for a while, then one probe does, and its success opens the way again for all.
 *
 * A table of three states; the clock and the probe are handed in. The clock is one that nobody sets: a PACS
 * isn't left alone for a year because the time of day was mended meanwhile.
 */

import { PeerError } from '#core/errors.ts'

export interface BreakerSettings {
  /** Failures in a row after which the PACS is left alone. */
  readonly failuresMax: number
  /** For how long, in seconds. */
  readonly restSeconds: number
}

/** How the PACS was met when somebody last asked it. */
export interface Encounter {
  readonly reached: boolean
  /** Milliseconds since 1970. */
  readonly at: number
  /** Why it wasn't reached. */
  readonly code?: string
}

/** Reaching the PACS failed, as opposed to the PACS answering something unpleasant. */
const COUNTED = new Set(['PACS_UNREACHABLE', 'PACS_TIMEOUT', 'PACS_ABORTED', 'PACS_REJECTED'])

export class Breaker {
  readonly #settings: BreakerSettings
  readonly #now: () => number
  #failures = 0
  #restUntil = 0
  #probing = false
  #cause: unknown
  /** Undefined until somebody has asked. */
  last: Encounter | undefined
  /** Since the start. */
  readonly encounters = { reached: 0, failed: 0 }

  /** @param now milliseconds, from anywhere, never set back */
  constructor (settings: BreakerSettings, now: () => number = () => performance.now()) {
    this.#settings = settings
    this.#now = now
  }

  get state (): 'closed' | 'open' | 'half-open' {
    if (this.#failures < this.#settings.failuresMax) return 'closed'
    return this.#now() < this.#restUntil ? 'open' : 'half-open'
  }

  /**
   * Runs `use` if the PACS may be asked. In the half-open state only one caller gets through, and
   * `probe` goes first.
   *
   * @throws PeerError PACS_RESTING, with the seconds after which to try again
   */
  async run<T> (probe: () => Promise<void>, use: () => Promise<T>): Promise<T> {
    const state = this.state
    if (state === 'open' || (state === 'half-open' && this.#probing)) throw this.#resting()
    if (state === 'half-open') {
      this.#probing = true
      try {
        await probe()
        this.#reached()
      } catch (error) {
        this.#failed(error)
        throw error
      } finally {
        this.#probing = false
      }
    }
    try {
      const result = await use()
      this.#reached()
      return result
    } catch (error) {
      this.#failed(error)
      throw error
    }
  }

  #reached (): void {
    this.#failures = 0
    this.encounters.reached++
    this.last = { reached: true, at: Date.now() }
  }

  #failed (error: unknown): void {
    if (!(error instanceof PeerError) || !COUNTED.has(error.code)) {
      // It answered, if not what one hoped for.
      if (error instanceof PeerError && error.code === 'PACS_STATUS') this.#reached()
      return
    }
    this.#failures++
    this.encounters.failed++
    this.last = { reached: false, at: Date.now(), code: error.code }
    this.#cause = error
    if (this.#failures >= this.#settings.failuresMax) this.#restUntil = this.#now() + this.#settings.restSeconds * 1000
  }

  #resting (): PeerError {
    const retryAfterSeconds = Math.max(1, Math.ceil((this.#restUntil - this.#now()) / 1000))
    return new PeerError('PACS_RESTING', 'the PACS failed several times in a row and is left alone for a while', { cause: this.#cause, facts: { retryAfterSeconds } })
  }
}
