/**
 * Whether the disk keeps up, so that short work with it may be done where we are.
 *
 * Handing a CT image to the operating system's cache, or getting it back from there, takes 50 µs; the way
 * through the thread pool and back costs more than that, once for each image. So short work is done in the
 * event loop as long as the disk keeps up; after some that had to wait, it goes through the pool for a while,
 * so that a slow or full disk never keeps the associations and readers of everybody else waiting.
 */

/** Short work that took longer had to wait for the disk. In milliseconds. */
const WAITED_MS = 5
/**
 * How long the pool is used then, in milliseconds: briefly at first, since a busy machine may have taken our
 * time as well; twice as long whenever the disk makes us wait again soon after.
 */
const POOL_MS_MIN = 250
const POOL_MS_MAX = 10_000

export class Pace {
  #poolUntil = 0
  #poolMs = 0

  /** Short work may be done here, by {@link timed}. */
  get keepsUp (): boolean {
    return this.#poolUntil === 0 || performance.now() >= this.#poolUntil
  }

  timed<T> (work: () => T): T {
    const from = performance.now()
    const result = work()
    const until = performance.now()
    if (until - from > WAITED_MS) {
      const isSoon = until - this.#poolUntil < this.#poolMs
      this.#poolMs = isSoon ? Math.min(2 * this.#poolMs, POOL_MS_MAX) : POOL_MS_MIN
      this.#poolUntil = until + this.#poolMs
    }
    return result
  }
}
