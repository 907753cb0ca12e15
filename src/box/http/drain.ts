/**
 * Taking no new requests while those under way end: before a planned restart of the machine.
 *
 * Source: RFC 9110 §15.6.4 (503), §10.2.3 (Retry-After).
 * Knows HTTP only. Messages that must be acknowledged before the machine goes (HL7) count themselves
 * by {@link Drain.hold}.
 */

import type { FastifyInstance } from 'fastify'
import { CapacityError } from '#core/errors.ts'

/** A restart takes a minute and a half on slow hardware. */
const RETRY_SECONDS = 120

export interface DrainState {
  readonly isDraining: boolean
  /** Requests and other work under way. */
  readonly active: number
}

export class Drain {
  #isDraining = false
  #active = 0

  get state (): DrainState {
    return { isDraining: this.#isDraining, active: this.#active }
  }

  begin (): void {
    this.#isDraining = true
  }

  /** The restart did not come. */
  end (): void {
    this.#isDraining = false
  }

  /** Something that has to end before the machine goes, until it is disposed of. */
  hold (): Disposable {
    this.#active++
    let isHeld = true
    return {
      [Symbol.dispose]: () => {
        if (isHeld) this.#active--
        isHeld = false
      }
    }
  }

  /** From now on, requests of this service count, and are refused while it drains. */
  watch (app: FastifyInstance): void {
    app.addHook('onRequest', (_, { raw }, done) => {
      if (this.#isDraining) {
        // The connection too: a front that keeps it would ask again on it.
        raw.setHeader('connection', 'close')
        done(new CapacityError('CLOSING', 'the box is about to restart', { facts: { retryAfterSeconds: RETRY_SECONDS } }))
        return
      }
      const held = this.hold()
      raw.once('close', () => { held[Symbol.dispose]() })
      done()
    })
  }
}
