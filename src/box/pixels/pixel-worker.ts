/**
 * One worker thread, seen from the service: runs one job at a time, and may be lost over it.
 *
 * Owns the thread. Leaves to pool.ts which job comes next and when a new thread is started.
 */

import { Worker } from 'node:worker_threads'
import { RequestError } from '#core/errors.ts'
import type { Order, Report } from './job.ts'

export interface WorkerLimits {
  /** JavaScript heap of one worker, in MB: pixels lie outside of it. */
  readonly heapMb: number
  /** What a worker may still hold after a job, heap and everything else, in bytes. */
  readonly bytesMax: number
  /** How long one job may take, in milliseconds. */
  readonly jobMs: number
}

/** Small, as the service's own (core/runtime.ts): what a codec allocates lies outside. In MB. */
const YOUNG_MB = 4
/** Codecs recurse little; this is V8's default, said aloud. In MB. */
const STACK_MB = 4

export interface Done {
  readonly output: unknown
  readonly outputBytes: number
}

interface Current {
  readonly instance: string
  readonly resolve: (done: Done) => void
  readonly reject: (error: unknown) => void
  readonly timer: NodeJS.Timeout
}

export class PixelWorker {
  readonly #thread: Worker
  readonly #limits: WorkerLimits
  #current: Current | undefined
  /** Why the thread is to be used no more. */
  #lost: string | undefined
  readonly #ended: Promise<void>
  /** As the worker told after its last job. */
  bytes = 0

  constructor (entry: URL, limits: WorkerLimits) {
    this.#limits = limits
    this.#thread = new Worker(entry, {
      name: 'pixels',
      // Whatever the service was started with, a worker needs none of it.
      execArgv: [],
      resourceLimits: { maxOldGenerationSizeMb: limits.heapMb, maxYoungGenerationSizeMb: YOUNG_MB, stackSizeMb: STACK_MB },
      // Codecs print what they think of their input: it may be anything.
      stdout: true,
      stderr: true
    })
    this.#thread.stdout.resume()
    this.#thread.stderr.resume()
    this.#thread.unref()
    this.#ended = new Promise(resolve => { this.#thread.once('exit', () => { resolve() }) })
    this.#thread
      .on('message', (report: Report) => { this.#take(report) })
      .on('messageerror', () => { this.#lose('its report could not be read') })
      .on('error', (error: NodeJS.ErrnoException) => { this.#lose(error.code === 'ERR_WORKER_OUT_OF_MEMORY' ? 'it ran out of memory' : 'it crashed', error) })
      .on('exit', () => { this.#lose('it ended') })
  }

  /** Of no more use, and why. */
  get lost (): string | undefined {
    return this.#lost
  }

  get busy (): boolean {
    return this.#current !== undefined
  }

  /**
   * @param instance told in errors
   * @throws RequestError what the job threw; PIXELS_UNREADABLE when it took the worker with it
   */
  async run (order: Order, transfer: readonly ArrayBuffer[], instance: string): Promise<Done> {
    return await new Promise((resolve, reject) => {
      const timer = setTimeout(() => { this.#lose('it took too long') }, this.#limits.jobMs)
      this.#current = { instance, resolve, reject, timer }
      this.#thread.ref()
      try {
        this.#thread.postMessage(order, [...transfer])
      } catch (error) {
        this.#settle()?.reject(error)
      }
    })
  }

  async end (): Promise<void> {
    this.#lose('the pool ended it')
    await this.#ended
  }

  #take ({ failure, output, outputBytes = 0, workerBytes }: Report): void {
    this.bytes = workerBytes
    const current = this.#settle()
    if (workerBytes > this.#limits.bytesMax) this.#lose('it grew')
    if (failure === undefined) {
      current?.resolve({ output, outputBytes })
    } else if (failure.code === undefined) {
      this.#lose('its job failed in a way that was not foreseen')
      current?.reject(unreadable(current.instance, 'the pixel data cannot be decoded', new Error(failure.message)))
    } else {
      current?.reject(new RequestError(failure.code, failure.message, { facts: { ...failure.facts, instance: current.instance } }))
    }
  }

  #lose (why: string, cause?: unknown): void {
    if (this.#lost === undefined) {
      this.#lost = why
      void this.#thread.terminate()
    }
    const current = this.#settle()
    current?.reject(unreadable(current.instance, `the pixel data cost a worker: ${why}`, cause))
  }

  #settle (): Current | undefined {
    const current = this.#current
    this.#current = undefined
    if (current !== undefined) {
      clearTimeout(current.timer)
      this.#thread.unref()
    }
    return current
  }
}

function unreadable (instance: string, message: string, cause?: unknown): RequestError {
  return new RequestError('PIXELS_UNREADABLE', message, { cause, facts: { instance } })
}
