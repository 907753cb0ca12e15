/**
 * Figures for Prometheus, on the admin side alone.
 *
 * Labels come from closed lists (routes, statuses): never a patient, a study, a user or an address.
 * What others count already is read when somebody asks; only requests are counted here.
 */

import type { Socket } from 'node:net'
import { Counter, Gauge, Histogram, Registry } from '@prometheus-io/client'
import type { FastifyInstance } from 'fastify'
import type { Cache } from '../cache/cache.ts'
import type { Pacs } from '../pacs/pacs.ts'
import type { PixelPool } from '../pixels/pool.ts'

export interface MetricsParts {
  readonly cache: Cache
  readonly pacs: Pick<Pacs, 'slots' | 'supply'>
  readonly pixels: Pick<PixelPool, 'state'>
}

/** From a frame in memory to a study from slow storage, in seconds. */
const SECONDS = [0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300]
/** A path that is no route of ours. */
const NO_ROUTE = 'none'

export class Metrics {
  readonly #registry = new Registry()
  readonly #seconds: Histogram<'route' | 'method' | 'code'>
  readonly #bytes: Counter<'route'>
  /** How far the bytes of a connection are counted. */
  readonly #counted = new WeakMap<Socket, number>()

  constructor (parts: MetricsParts) {
    const registers = [this.#registry]
    this.#seconds = new Histogram({ name: 'drimbox_dicomweb_request_seconds', help: 'Time of each request, from its head to the end of its answer; code "cut" where that never came', labelNames: ['route', 'method', 'code'], buckets: SECONDS, registers })
    this.#bytes = new Counter({ name: 'drimbox_dicomweb_sent_bytes_total', help: 'Bytes sent to callers, heads included', labelNames: ['route'], registers })
    const { cache, pacs, pixels } = parts
    const held = (): { series: number, bytes: number } => {
      const series = cache.list()
      return { series: series.length, bytes: series.reduce((sum, { bytes }) => sum + bytes, 0) }
    }
    this.#total('drimbox_cache_hits_total', 'Requests that the cache could answer', () => pacs.supply.reads.held)
    this.#total('drimbox_cache_misses_total', 'Requests that had to ask the PACS for images', () => pacs.supply.reads.retrieved)
    this.#gauge('drimbox_cache_bytes', 'Bytes of all packs', () => held().bytes)
    this.#gauge('drimbox_cache_series', 'Series held', () => held().series)
    this.#total('drimbox_dimse_received_bytes_total', 'Bytes of objects received from the PACS', () => cache.receivedBytes)
    this.#total('drimbox_dimse_requests_total', 'Uses of an association that the PACS answered, well or not', () => pacs.slots.encounters.reached)
    this.#total('drimbox_dimse_failures_total', 'Uses of an association for which the PACS was not reached', () => pacs.slots.encounters.failed)
    this.#gauge('drimbox_dimse_association_active', 'Associations to the PACS in use', () => pacs.slots.state.lent)
    this.#gauge('drimbox_dimse_association_idle', 'Associations to the PACS kept open', () => pacs.slots.state.idle)
    this.#gauge('drimbox_queue_depth', 'Requests that wait for an association', () => pacs.slots.state.waiting)
    this.#gauge('drimbox_pacs_resting', '1 while the PACS is left alone after failures', () => pacs.slots.state.breaker === 'closed' ? 0 : 1)
    this.#gauge('drimbox_retrieve_active', 'Studies on their way from the PACS', () => pacs.supply.active.length)
    for (const [name, value] of Object.entries(pixels.state)) {
      if (typeof value === 'number') this.#gauge(`drimbox_pixels_${name.replace(/[A-Z]/g, letter => `_${letter.toLowerCase()}`)}`, `Pixel workers: ${name}`, () => Number(pixels.state[name as keyof typeof pixels.state]))
    }
    this.#gauge('process_resident_memory_bytes', 'Resident memory', () => process.memoryUsage.rss())
    this.#gauge('process_start_time_seconds', 'Start, in seconds since 1970', () => Math.round(Date.now() / 1000 - process.uptime()))
    this.#total('process_cpu_seconds_total', 'Processor time', () => {
      const { user, system } = process.cpuUsage()
      return (user + system) / 1e6
    })
  }

  get contentType (): string {
    return this.#registry.contentType
  }

  async text (): Promise<string> {
    return await this.#registry.metrics()
  }

  /** Counts every request of this service from now on. */
  watch (app: FastifyInstance): void {
    app.addHook('onRequest', (request, { raw }, done) => {
      const began = performance.now()
      raw.once('close', () => {
        const route = request.routeOptions.url ?? NO_ROUTE
        this.#seconds.observe({ route, method: request.method, code: raw.writableFinished ? String(raw.statusCode) : 'cut' }, (performance.now() - began) / 1000)
        this.#countBytes(route, request.raw.socket)
      })
      done()
    })
  }

  #countBytes (route: string, socket: Socket): void {
    const written = socket.bytesWritten
    const sent = written - (this.#counted.get(socket) ?? 0)
    this.#counted.set(socket, written)
    if (sent > 0) this.#bytes.inc({ route }, sent)
  }

  #gauge (name: string, help: string, value: () => number): void {
    const gauge: Gauge = new Gauge({ name, help, registers: [this.#registry], collect: () => { gauge.set(value()) } })
  }

  /** Counted elsewhere: told as it stands. */
  #total (name: string, help: string, value: () => number): void {
    const counter: Counter = new Counter({
      name,
      help,
      registers: [this.#registry],
      collect: () => {
        counter.reset()
        counter.inc(value())
      }
    })
  }
}
