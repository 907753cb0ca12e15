/**
 * Packs whose files stay open for a moment after their last reader has left, since the next one often
 * follows at once.
 *
 * Bounded in time, so that a box at rest has no file open, and in number.
 */

/** In milliseconds. Long enough for a viewer's next request. */
const LINGER_MS = 2000
/** Packs, each with a few files at most. */
const PACKS_MAX = 64

export interface Lingers {
  readonly inUse: boolean
  close (): Promise<void>
}

export class Lingering {
  /** With the time since when nobody holds them, the longest first. */
  readonly #since = new Map<Lingers, number>()
  #timer: NodeJS.Timeout | undefined

  /** Nobody holds it any more. */
  add (pack: Lingers): void {
    this.#since.delete(pack)
    this.#since.set(pack, performance.now())
    if (this.#since.size > PACKS_MAX) this.#close(this.#since.keys().next().value as Lingers)
    this.#timer ??= setTimeout(() => { this.#look() }, LINGER_MS).unref()
  }

  delete (pack: Lingers): void {
    this.#since.delete(pack)
  }

  #look (): void {
    this.#timer = undefined
    const now = performance.now()
    for (const [pack, since] of this.#since) {
      const left = since + LINGER_MS - now
      if (left > 0) {
        this.#timer = setTimeout(() => { this.#look() }, left).unref()
        return
      }
      this.#close(pack)
    }
  }

  /** One that somebody has taken up again comes back when it is let go of. */
  #close (pack: Lingers): void {
    this.#since.delete(pack)
    void pack.close()
  }
}
