/**
 * Work on pixels, in threads of their own: what is decoded may be hostile, and takes long.
 *
 * Each caller has a lane; lanes take turns, so that a study of a thousand images doesn't keep a
 * thumbnail waiting. A job begins when a worker and the budget have room for it: only then are its
 * bytes read, so that what waits takes no memory. Workers start when they are needed and end when
 * they have been idle for a while, except the last: a new one takes 150 to 400 ms to its first picture.
 * One that crashes, hangs or grows is replaced, and the job that it was at fails, naming the instance.
 */

import { availableParallelism } from 'node:os'
import { CapacityError, RequestError } from '#core/errors.ts'
import type { Config } from '../config.ts'
import type { JobRegistry, OutputOf } from './job.ts'
import type { BoxJobs } from './jobs.ts'
import { PoolLane, type Cost, type Lane, type Prepared, type Task, type Waiting } from './lane.ts'
import { PixelWorker, type Done } from './pixel-worker.ts'
import { DEFAULTS, type PixelPoolOptions } from './pool-options.ts'

const MEGA = 1 << 20

/** The pool of one box, by its settings. */
export function openPixelPool (config: Config['pixels'], onLost: NonNullable<PixelPoolOptions['onLost']>): PixelPool {
  return new PixelPool({
    workersMax: config.workersMax,
    framePixelsMax: config.frameMegapixelsMax * MEGA,
    pixelsMax: 2 * config.frameMegapixelsMax * MEGA,
    bytesMax: config.megabytesMax * MEGA,
    lanesMax: config.callersMax,
    jobMs: config.jobSeconds * 1000,
    idleMs: config.idleSeconds * 1000,
    onLost
  })
}

export interface PixelPoolState {
  readonly workers: number
  readonly busy: number
  /** Heap and all other memory of the workers, as they told after their last jobs. */
  readonly workerBytes: number
  readonly lanes: number
  readonly waiting: number
  /** In flight. */
  readonly bytes: number
  readonly pixels: number
  /** Since the start: jobs done, and workers that were lost. */
  readonly done: number
  readonly lost: number
}

interface Ready extends Waiting { readonly prepared: Prepared<unknown> }

const ENTRY = new URL('worker.ts', import.meta.url)

/** Begun beyond the workers that there are: read while those are busy. */
const AHEAD_PER_WORKER = 1

export class PixelPool<R extends JobRegistry = BoxJobs> {
  readonly #options: PixelPoolOptions
  readonly #entry: URL
  readonly #workersMax: number
  readonly #workers = new Set<PixelWorker>()
  readonly #idleTimers = new Map<PixelWorker, NodeJS.Timeout>()
  /** Whose turn it is comes first. */
  readonly #lanes = new Set<PoolLane>()
  readonly #ready: Ready[] = []
  /** Begun and not finished: being read, waiting for a worker, or in one. */
  #begun = 0
  #bytes = 0
  #pixels = 0
  #done = 0
  #lost = 0
  #closed = false

  /** @param entry of the workers; another one in tests */
  constructor (options: Partial<PixelPoolOptions> = {}, entry: URL = ENTRY) {
    this.#options = { ...DEFAULTS, ...options }
    this.#entry = entry
    this.#workersMax = this.#options.workersMax > 0 ? this.#options.workersMax : availableParallelism()
  }

  get workersMax (): number {
    return this.#workersMax
  }

  get state (): PixelPoolState {
    const workers = [...this.#workers]
    return {
      workers: workers.length,
      busy: workers.filter(({ busy }) => busy).length,
      workerBytes: workers.reduce((sum, { bytes }) => sum + bytes, 0),
      lanes: this.#lanes.size,
      waiting: [...this.#lanes].reduce((sum, { waiting }) => sum + waiting.length, this.#ready.length),
      bytes: this.#bytes,
      pixels: this.#pixels,
      done: this.#done,
      lost: this.#lost
    }
  }

  /**
   * A lane for one caller, who must close it.
   *
   * @param signal fires when the caller has left
   * @throws CapacityError BUSY
   */
  lane (signal: AbortSignal): Lane<R> {
    if (this.#closed) throw busy('the pool is closed')
    if (this.#lanes.size >= this.#options.lanesMax) throw busy('too many callers wait for pixels')
    const lane: PoolLane = new PoolLane(signal, {
      add: waiting => { this.#add(waiting) },
      release: bytes => { this.#bytes -= bytes; this.#pump() },
      leave: () => { this.#lanes.delete(lane); this.#pump() }
    })
    this.#lanes.add(lane)
    return lane as unknown as Lane<R>
  }

  /** One job alone. @throws as a lane does, and CapacityError BUSY */
  async run<N extends keyof R & string> (task: Task<R, N>, signal: AbortSignal): Promise<OutputOf<R, N>> {
    const lane = this.lane(signal)
    try {
      return (await lane.run(task)).output
    } finally {
      lane.close()
    }
  }

  async close (): Promise<void> {
    this.#closed = true
    for (const lane of [...this.#lanes]) lane.abandon(busy('the pool is closing'))
    for (const timer of this.#idleTimers.values()) clearTimeout(timer)
    this.#idleTimers.clear()
    await Promise.all([...this.#workers].map(async worker => { await worker.end() }))
    this.#workers.clear()
  }

  #add (waiting: Waiting): void {
    const { cost, instance } = waiting.task
    const { framePixelsMax, bytesMax } = this.#options
    // What can be given never must not wait for ever.
    if (cost.pixels > framePixelsMax || cost.bytes > bytesMax) {
      waiting.reject(new RequestError('PIXELS_TOO_LARGE', 'a frame is too large to be worked on here', {
        facts: { instance, pixels: cost.pixels, pixelsMax: framePixelsMax, bytes: cost.bytes, bytesMax }
      }))
      return
    }
    waiting.lane.waiting.push(waiting)
    this.#pump()
  }

  /** Begins what there is room for, one job from each lane in turn. */
  #pump (): void {
    while (this.#begun < this.#workersMax * (1 + AHEAD_PER_WORKER)) {
      const next = this.#next()
      if (next === undefined) break
      void this.#begin(next)
    }
  }

  #next (): Waiting | undefined {
    const isTight = this.#bytes > this.#options.bytesMax / 2
    for (const lane of this.#lanes) {
      const [waiting] = lane.waiting
      // The second half of the budget is for those that have nothing yet: a slow reader keeps one frame, not four.
      if (waiting === undefined || (isTight && lane.charged > 0)) continue
      // The first in turn is waited for, however small the next one may be: else a large frame would never come.
      if (!this.#fits(waiting.task.cost)) return undefined
      lane.waiting.shift()
      this.#lanes.delete(lane)
      this.#lanes.add(lane)
      return waiting
    }
    return undefined
  }

  #fits ({ bytes, pixels }: Cost): boolean {
    const { bytesMax, pixelsMax } = this.#options
    return this.#bytes + bytes <= bytesMax && (this.#pixels + pixels <= pixelsMax || this.#pixels === 0)
  }

  async #begin (waiting: Waiting): Promise<void> {
    const { task, lane } = waiting
    this.#begun++
    this.#bytes += task.cost.bytes
    this.#pixels += task.cost.pixels
    lane.charged++
    this.#ensureWorker()
    try {
      const prepared = await task.prepare()
      this.#ready.push({ ...waiting, prepared })
      this.#assign()
    } catch (error) {
      this.#finish(waiting, 0)
      waiting.reject(error)
    }
  }

  /** Threads start while bytes are read. */
  #ensureWorker (): void {
    if (this.#closed || this.#workers.size >= Math.min(this.#workersMax, this.#begun)) return
    const { workerHeapMb, workerBytesMax, jobMs } = this.#options
    this.#workers.add(new PixelWorker(this.#entry, { heapMb: workerHeapMb, bytesMax: workerBytesMax, jobMs }))
  }

  #assign (): void {
    while (this.#ready.length > 0) {
      const [ready] = this.#ready
      // Whoever left meanwhile has been told; a worker has better things to do.
      if (ready.lane.gone) {
        this.#ready.shift()
        this.#finish(ready, 0)
        continue
      }
      // One that ended while it rested isn't there any more.
      for (const worker of this.#workers) if (worker.lost !== undefined) this.#workers.delete(worker)
      this.#ensureWorker()
      const worker = [...this.#workers].find(({ busy }) => !busy)
      if (worker === undefined) return
      this.#ready.shift()
      void this.#work(worker, ready)
    }
  }

  async #work (worker: PixelWorker, ready: Ready): Promise<void> {
    const { task, lane, prepared } = ready
    clearTimeout(this.#idleTimers.get(worker))
    this.#idleTimers.delete(worker)
    let result: Done | undefined
    let failure: unknown
    try {
      result = await worker.run({ name: task.job, input: prepared.input }, prepared.transfer ?? [], task.instance)
      this.#done++
    } catch (error) {
      failure = error
    }
    if (worker.lost === undefined) this.#rest(worker)
    else this.#replace(worker, task)
    if (result === undefined) {
      this.#finish(ready, 0)
      ready.reject(failure)
    } else {
      const { output, outputBytes } = result
      const held = lane.hold(output, outputBytes)
      this.#finish(ready, lane.gone ? 0 : outputBytes)
      ready.resolve(held)
    }
    this.#assign()
  }

  /** @param bytes that the caller holds from now on */
  #finish ({ task, lane }: Waiting, bytes: number): void {
    this.#begun--
    this.#bytes += bytes - task.cost.bytes
    this.#pixels -= task.cost.pixels
    lane.charged--
    this.#pump()
  }

  #rest (worker: PixelWorker): void {
    this.#idleTimers.set(worker, setTimeout(() => {
      this.#idleTimers.delete(worker)
      if (this.#workers.size === 1 && worker.bytes <= this.#options.restBytesMax) return
      this.#workers.delete(worker)
      void worker.end()
    }, this.#options.idleMs).unref())
  }

  #replace (worker: PixelWorker, { instance, job }: Task<JobRegistry, string>): void {
    this.#workers.delete(worker)
    if (this.#closed) return
    this.#lost++
    this.#options.onLost?.({ instance, job, why: worker.lost as string })
  }
}

function busy (message: string): CapacityError {
  return new CapacityError('BUSY', message, { facts: { retryAfterSeconds: RETRY_SECONDS } })
}

/** A caller who is told to come back does so after this long. */
const RETRY_SECONDS = 5
