/**
 * One after the other: a TPM does one thing at a time, and an operation of several commands must not be
 * mixed with another's.
 */

import { CapacityError } from '#core/errors.ts'

/** At 80 ms a signature, who comes behind these would wait for more than two seconds. */
const WAITING_MAX = 32

export class Queue {
  #tail: Promise<unknown> = Promise.resolve()
  #waiting = 0

  /** @throws CapacityError BUSY when too many wait already; else whatever `work` throws */
  async run<T> (work: () => Promise<T>): Promise<T> {
    if (this.#waiting >= WAITING_MAX) throw new CapacityError('BUSY', 'too many wait for the TPM', { facts: { waitingMax: WAITING_MAX } })
    this.#waiting++
    const turn = this.#tail.then(work)
    this.#tail = turn.catch(() => {})
    try {
      return await turn
    } finally {
      this.#waiting--
    }
  }
}
