/**
 * What one retrieve has brought so far, for any number of readers, each at their own pace.
 */

import type { Stored } from '../cache/stored.ts'

export class Arrivals {
  readonly #list: Stored[] = []
  readonly #waiting = new Set<() => void>()
  #waking: NodeJS.Immediate | undefined

  get count (): number {
    return this.#list.length
  }

  add (stored: Stored): void {
    this.#list.push(stored)
    this.wake()
  }

  /** What has come from `place` on; empty when nothing has. */
  from (place: number): readonly Stored[] {
    return place >= this.#list.length ? [] : this.#list.slice(place)
  }

  /** Resolves at the next {@link wake}, or when `signal` fires. */
  async news (signal: AbortSignal): Promise<void> {
    if (signal.aborted) return
    await new Promise<void>(resolve => {
      const go = (): void => {
        signal.removeEventListener('abort', go)
        this.#waiting.delete(go)
        resolve()
      }
      signal.addEventListener('abort', go, { once: true })
      this.#waiting.add(go)
    })
  }

  /**
   * Something has come, or something has ended: readers look again. Not in this turn: the PACS gets its
   * answer first, and makes the next object ready while readers are served.
   */
  wake (): void {
    this.#waking ??= setImmediate(() => {
      this.#waking = undefined
      for (const go of [...this.#waiting]) go()
    })
  }
}
