/**
 * What stands behind every face of a box: the cache and what is made of its packs, the PACS, and the
 * workers that decode pixels.
 *
 * Rooms open in order of need and close in the reverse order.
 */

import type { Logger } from 'pino'
import { Cache } from './cache/cache.ts'
import type { Config } from './config.ts'
import { openPacs, type Pacs } from './pacs/pacs.ts'
import { openPixelPool, type PixelPool } from './pixels/pool.ts'
import { SeriesMetadata, type BulkDataUri } from './wado/metadata.ts'
import { Renditions } from './wado/renditions.ts'

export interface Rooms {
  readonly cache: Cache
  readonly metadata: SeriesMetadata
  readonly renditions: Renditions
  readonly pacs: Pacs
  readonly pixels: PixelPool
  /** Where metadata says that large values are. */
  readonly bulkDataUri: BulkDataUri
  close (): Promise<void>
}

/**
 * @param bulkDataUri as metadata tells it: made once, for callers who know this box by different names
 * @param pixelPool one whose workers do other things
 * @throws whatever keeps a room from opening; those that were open are closed by then
 */
export async function openRooms (config: Config, log: Logger, { bulkDataUri, pixelPool }: { readonly bulkDataUri: BulkDataUri, readonly pixelPool?: PixelPool }): Promise<Rooms> {
  const open: { close (): Promise<void> }[] = []
  let closing = false
  const close = async (): Promise<void> => {
    closing = true
    for (const room of open.splice(0).toReversed()) await room.close()
  }
  try {
    const metadata = new SeriesMetadata(bulkDataUri)
    const renditions = new Renditions()
    const cache = await Cache.open(config.cache, {
      onRemoved: ({ studyUid, seriesUid }) => { renditions.forget(studyUid, seriesUid) },
      onEvicted: facts => { log.info(facts, 'series evicted') },
      onFailed: error => { log.error({ err: error }, 'the disk or the index of the cache refused something') },
      onRecovered: facts => { log.warn(facts, 'series recovered from its pack') },
      // Made while nobody waits for it.
      onSettled: pack => { metadata.of(pack).catch(error => { if (!closing) log.warn({ err: error }, 'metadata could not be made') }) }
    })
    open.push(cache, metadata, renditions)
    const pacs = await openPacs(config, cache, log)
    open.push(pacs)
    const pixels = pixelPool ?? openPixelPool(config.pixels, facts => { log.error(facts, 'a pixel worker was lost and replaced') })
    open.push(pixels)
    return { cache, metadata, renditions, pacs, pixels, bulkDataUri, close }
  } catch (error) {
    await close()
    throw error
  }
}
