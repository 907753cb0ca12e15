/**
 * How often one caller may ask: so many times a minute, saved up while it doesn't.
 *
 * Source: RFC 6585 §4 (429), RFC 9110 §10.2.3 (Retry-After). Kept in memory: a restart forgives.
 */

import { FleetError } from '../errors.ts'

/** Callers that are remembered; the one that was seen longest ago is forgotten. */
const CALLERS_MAX = 10_000

export class Budget {
  readonly #perMinute: number
  readonly #now: () => number
  readonly #callers = new Map<string, { left: number, at: number }>()

  /** @param now in milliseconds */
  constructor (perMinute: number, now: () => number) {
    this.#perMinute = perMinute
    this.#now = now
  }

  /** @throws FleetError TOO_MANY, with the seconds after which it may come again */
  spend (caller: string): void {
    const at = this.#now()
    const before = this.#callers.get(caller) ?? { left: this.#perMinute, at }
    const left = Math.min(this.#perMinute, before.left + Math.max(0, at - before.at) / 60_000 * this.#perMinute)
    this.#callers.delete(caller)
    this.#callers.set(caller, { left: left < 1 ? left : left - 1, at })
    if (this.#callers.size > CALLERS_MAX) this.#callers.delete(this.#callers.keys().next().value!)
    if (left < 1) throw new FleetError('TOO_MANY', 'asked too often', { facts: { retryAfterSeconds: Math.max(1, (1 - left) / this.#perMinute * 60) } })
  }
}
