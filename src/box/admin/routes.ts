/**
 * What the command line asks a running box, over a UNIX socket that only the machine's own people open.
 */

import type { FastifyInstance } from 'fastify'
import { parseUid } from '#core/uid.ts'
import type { Cache } from '../cache/cache.ts'
import type { Pacs } from '../pacs/pacs.ts'
import { Resources } from '../http/resources.ts'
import type { Drain, DrainState } from '../http/drain.ts'
import type { Metrics } from './metrics.ts'
import type { PixelPool, PixelPoolState } from '../pixels/pool.ts'

export interface AdminParts {
  readonly cache: Cache
  readonly pacs: Pacs
  readonly pixels: Pick<PixelPool, 'state'>
  readonly metrics: Metrics
  readonly drain: Drain
}

/** What `GET /status` answers. */
export interface Status {
  readonly upSeconds: number
  readonly residentBytes: number
  readonly pacs: Pacs['slots']['state']
  readonly retrieves: Pacs['supply']['active']
  readonly cache: { readonly series: number, readonly bytes: number }
  readonly reads: Pacs['supply']['reads']
  /** Threads that work on pixels: their memory is part of `residentBytes`. */
  readonly pixels: PixelPoolState
}

/** What `GET /cache` answers: series, the last used first. */
export type CacheList = ReturnType<Cache['list']>

export function adminRoutes (app: FastifyInstance, { cache, pacs, pixels, metrics, drain }: AdminParts): void {
  const resources = new Resources(app, {})
  app.get('/metrics', async (_, reply) => reply.type(metrics.contentType).send(await metrics.text()))
  app.get('/status', async (): Promise<Status> => {
    const series = cache.list()
    return {
      upSeconds: Math.round(process.uptime()),
      residentBytes: process.memoryUsage.rss(),
      pacs: pacs.slots.state,
      retrieves: pacs.supply.active,
      cache: { series: series.length, bytes: series.reduce((sum, one) => sum + one.bytes, 0) },
      reads: pacs.supply.reads,
      pixels: pixels.state
    }
  })
  app.get('/cache', async (): Promise<CacheList> => cache.list().sort((a, b) => b.usedAt - a.usedAt))
  app.delete('/cache/:study', async request => {
    await pacs.supply.purge(parseUid((request.params as { study: string }).study))
    return {}
  })
  app.get('/drain', async (): Promise<DrainState> => drain.state)
  app.post('/drain', async (): Promise<DrainState> => {
    drain.begin()
    return drain.state
  })
  app.delete('/drain', async (): Promise<DrainState> => {
    drain.end()
    return drain.state
  })
  resources.close(async (_, reply) => reply.code(204).send())
}
