/**
 * One caller of the pixel workers: what it waits for, what it holds, and how it leaves.
 *
 * Leaves to pool.ts when a job begins and where.
 */

import { CapacityError } from '#core/errors.ts'
import type { InputOf, JobRegistry, OutputOf } from './job.ts'

/** What a job needs while it is done. */
export interface Cost {
  /** What goes in and what will come out, in bytes. */
  readonly bytes: number
  /** Rows × columns of the frame. */
  readonly pixels: number
}

export interface Prepared<Input> {
  readonly input: Input
  /** Buffers within `input` that are handed over instead of copied. */
  readonly transfer?: readonly ArrayBuffer[]
}

export interface Task<R extends JobRegistry, N extends keyof R & string> {
  readonly job: N
  /** SOP Instance UID, told in errors. */
  readonly instance: string
  readonly cost: Cost
  /** Called once there is room: reads the bytes. What it throws, the job throws. */
  readonly prepare: () => Promise<Prepared<InputOf<R, N>>> | Prepared<InputOf<R, N>>
}

/** A result whose bytes count until it is released. */
export interface Held<Output> {
  readonly output: Output
  release (): void
}

/** One caller's jobs, begun in the order in which they were given. */
export interface Lane<R extends JobRegistry> {
  /**
   * @throws RequestError PIXELS_TOO_LARGE, PIXELS_UNREADABLE, and whatever the job or `prepare` throws;
   *   the signal's reason once that has fired
   */
  run<N extends keyof R & string> (task: Task<R, N>): Promise<Held<OutputOf<R, N>>>
  /** Gives up what is under way and releases what is held. */
  close (): void
}

/** A job that has not begun. */
export interface Waiting {
  readonly task: Task<JobRegistry, string>
  readonly lane: PoolLane
  readonly resolve: (held: Held<unknown>) => void
  readonly reject: (error: unknown) => void
}

interface PoolSide {
  readonly add: (waiting: Waiting) => void
  readonly release: (bytes: number) => void
  readonly leave: () => void
}

export class PoolLane implements Lane<JobRegistry> {
  readonly waiting: Waiting[] = []
  /** Jobs begun, and results held. */
  charged = 0
  /** The caller has left, or has all it wanted. */
  gone = false
  #reason: unknown
  readonly #signal: AbortSignal
  readonly #pool: PoolSide
  readonly #holds = new Set<() => void>()
  readonly #rejects = new Set<(error: unknown) => void>()

  constructor (signal: AbortSignal, pool: PoolSide) {
    this.#signal = signal
    this.#pool = pool
    signal.addEventListener('abort', this.#aborted)
  }

  async run (task: Task<JobRegistry, string>): Promise<Held<never>> {
    this.#signal.throwIfAborted()
    if (this.gone) throw this.#reason
    return await new Promise<Held<unknown>>((resolve, reject) => {
      const done = <A extends unknown[]>(settle: (...args: A) => void) => (...args: A): void => {
        this.#rejects.delete(reject)
        settle(...args)
      }
      this.#rejects.add(reject)
      this.#pool.add({ task, lane: this, resolve: done(resolve), reject: done(reject) })
    }) as Held<never>
  }

  /** The result, whose bytes have been counted already. */
  hold (output: unknown, bytes: number): Held<unknown> {
    if (this.gone) return { output, release () {} }
    const release = (): void => {
      if (!this.#holds.delete(release)) return
      this.charged--
      this.#pool.release(bytes)
    }
    this.charged++
    this.#holds.add(release)
    return { output, release }
  }

  close (): void {
    this.abandon(new CapacityError('BUSY', 'the lane is closed'))
  }

  /** What waits fails with `reason`; what a worker is at ends there, unheard. */
  abandon (reason: unknown): void {
    if (this.gone) return
    this.gone = true
    this.#reason = reason
    this.#signal.removeEventListener('abort', this.#aborted)
    this.waiting.length = 0
    for (const reject of [...this.#rejects]) reject(reason)
    this.#rejects.clear()
    for (const release of [...this.#holds]) release()
    this.#pool.leave()
  }

  readonly #aborted = (): void => { this.abandon(this.#signal.reason) }
}
