/**
 * The cache: every pack on this box, its index, and what must go when room is short.
 *
 * Losing all of it loses nothing, since the PACS has the images; serving something else than what
 * was received would. So the packs are the truth, the index a convenience, and after a power cut a
 * pack that hadn't settled is read again from its first byte.
 */

import { randomInt } from 'node:crypto'
import { mkdir, readdir, rm, rmdir, stat, statfs, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { IndexStore, type SeriesRow, type StudyRow } from './index-store.ts'
import { chooseEvicted, Forecast, type EvictLimits } from './evict.ts'
import { discard, DISCARDED, Pack, segmentName } from './pack.ts'
import { scanPack } from './scan.ts'
import type { Completeness } from './completeness.ts'

/** Times of use are written this often, in milliseconds: they only order the eviction. */
const TOUCH_EVERY_MS = 60_000
/** Room is looked at after this many bytes have arrived, as well as every minute. */
const LOOK_EVERY_BYTES = 256 << 20
/**
 * The first pack file of a series takes a number below this, by chance: should a power cut bring an index
 * row back to life whose pack was removed and filled anew, it leads to no file rather than into the wrong one.
 */
const FIRST_SEGMENT_MAX = 900_000

/** Written to see whether the disk still takes anything. */
const PROBE = '.probe'

export interface CacheSettings extends EvictLimits {
  readonly folder: string
}

export interface CacheEvents {
  /** A series has settled, whole. */
  readonly onSettled?: (pack: Pack) => void
  readonly onEvicted?: (series: { studyUid: string, seriesUid: string, bytes: number }) => void
  /** A series is gone from here, whatever the reason: nothing made of it may be given any more. */
  readonly onRemoved?: (series: { studyUid: string, seriesUid: string }) => void
  readonly onRecovered?: (series: { studyUid: string, seriesUid: string, instances: number, bytesCut: number }) => void
  /** The disk or the index refused something that can wait. */
  readonly onFailed?: (error: unknown) => void
}

interface Shelf {
  row: SeriesRow
  pack: Pack | undefined
  filling: boolean
  /** The index has the instances: the pack may be let go of, and found again. */
  indexed: boolean
}

export class Cache {
  /** That have arrived since the start. */
  receivedBytes = 0
  readonly #settings: CacheSettings
  readonly #events: CacheEvents
  readonly #index: IndexStore
  /** By study, then series. */
  readonly #shelves = new Map<string, Map<string, Shelf>>()
  readonly #touched = new Set<Shelf>()
  /** Studies that lost a series, which the index couldn't be told. */
  readonly #doubted = new Set<string>()
  readonly #forecast = new Forecast()
  readonly #timer: NodeJS.Timeout
  #sinceLook = 0
  #looking: Promise<void> | undefined

  private constructor (settings: CacheSettings, events: CacheEvents, index: IndexStore) {
    this.#settings = settings
    this.#events = events
    this.#index = index
    this.#timer = setInterval(() => { this.#makeRoomSoon() }, TOUCH_EVERY_MS).unref()
  }

  /** Opens the cache, making good what a power cut or a lost index left behind. */
  static async open (settings: CacheSettings, events: CacheEvents = {}): Promise<Cache> {
    await mkdir(settings.folder, { recursive: true, mode: 0o700 })
    const cache = new Cache(settings, events, new IndexStore(join(settings.folder, 'index.sqlite')))
    try {
      await cache.#recover()
      await cache.makeRoom()
    } catch (error) {
      await cache.close()
      throw error
    }
    return cache
  }

  /** The pack of a series, whether or not there is anything in it yet. */
  pack (studyUid: string, seriesUid: string): Pack {
    const shelf = this.#shelf(studyUid, seriesUid)
    shelf.pack ??= new Pack(studyUid, seriesUid, join(this.#settings.folder, studyUid, seriesUid),
      shelf.indexed ? this.#index.instances(studyUid, seriesUid) : [], shelf.row.segments)
    this.#use(shelf)
    return shelf.pack
  }

  /** Whether something of this series is here. */
  has (studyUid: string, seriesUid: string): boolean {
    const shelf = this.#shelves.get(studyUid)?.get(seriesUid)
    return shelf !== undefined && (shelf.filling || shelf.row.bytes > 0)
  }

  /** Series of this study of which something is here. */
  seriesOf (studyUid: string): string[] {
    return [...this.#shelves.get(studyUid)?.keys() ?? []].filter(uid => this.has(studyUid, uid))
  }

  study (studyUid: string): StudyRow | undefined {
    const row = this.#index.study(studyUid)
    return row && this.#doubted.has(studyUid) ? { ...row, complete: false } : row
  }

  completeness (studyUid: string, seriesUid: string): Completeness | undefined {
    const shelf = this.#shelves.get(studyUid)?.get(seriesUid)
    if (shelf === undefined) return undefined
    const { complete, expected, reason } = shelf.row
    const held = shelf.pack?.instances.size ?? shelf.row.instances
    return { state: shelf.filling ? 'filling' : complete ? 'complete' : 'partial', held, expected, reason }
  }

  /** Says that a retrieve has begun to fill this series. Until it settles, the packs are the only truth. */
  fill (studyUid: string, seriesUid: string): Pack {
    const pack = this.pack(studyUid, seriesUid)
    const shelf = this.#shelf(studyUid, seriesUid)
    // Also of a series that seems new: a row that outlived its pack must not speak for this one. Where the
    // index refuses, the row goes on telling the truth about what was there before.
    if (!shelf.filling && !this.#tryIndex(() => { this.#index.removeSeries(studyUid, seriesUid) })) this.#doubted.add(studyUid)
    shelf.filling = true
    shelf.indexed = false
    return pack
  }

  /** Counts what has arrived, so that room is made before it is needed. */
  arrived (bytes: number): void {
    this.receivedBytes += bytes
    this.#forecast.add(bytes, Date.now())
    this.#sinceLook += bytes
    if (this.#sinceLook > LOOK_EVERY_BYTES) this.#makeRoomSoon()
  }

  /**
   * A retrieve is done with this series: from here on the index may be believed.
   *
   * @throws when the disk refuses: the pack then serves until this box closes, and is scanned at the next start
   */
  async settle (pack: Pack, { expected, reason, state }: Completeness): Promise<void> {
    const shelf = this.#shelves.get(pack.studyUid)?.get(pack.seriesUid)
    // Purged meanwhile.
    if (shelf?.pack !== pack) return
    if (pack.instances.size === 0) {
      await this.#remove(shelf)
      return
    }
    try {
      await pack.sync()
    } finally {
      shelf.filling = false
      shelf.row = { ...shelf.row, instances: pack.instances.size, segments: pack.segments, bytes: pack.bytes, complete: state === 'complete', expected, reason, checkedAt: Date.now(), usedAt: Date.now() }
    }
    this.#index.putSeries(shelf.row, pack.instances.values())
    shelf.indexed = true
    if (state === 'complete') this.#events.onSettled?.(pack)
  }

  /** The PACS has been asked again, and has no more of this series than we hold: it is complete, if it wasn't called so before. */
  confirm (studyUid: string, seriesUid: string, expected: number): void {
    const shelf = this.#shelves.get(studyUid)?.get(seriesUid)
    if (shelf === undefined || shelf.filling) return
    const wasComplete = shelf.row.complete
    shelf.row = { ...shelf.row, complete: true, expected, reason: undefined, checkedAt: Date.now() }
    this.#touched.add(shelf)
    if (wasComplete || !shelf.indexed) return
    const pack = this.pack(studyUid, seriesUid)
    this.#index.putSeries(shelf.row, pack.instances.values())
    this.#events.onSettled?.(pack)
  }

  /** When the PACS last said how many instances this series has, in milliseconds since 1970; 0 for never. */
  checkedAt (studyUid: string, seriesUid: string): number {
    return this.#shelves.get(studyUid)?.get(seriesUid)?.row.checkedAt ?? 0
  }

  settleStudy (study: StudyRow): void {
    this.#index.putStudy(study)
    this.#doubted.delete(study.studyUid)
  }

  /** Forgets a series, for instance since its report was withdrawn. */
  async purge (studyUid: string, seriesUid?: string): Promise<void> {
    for (const uid of seriesUid === undefined ? [...this.#shelves.get(studyUid)?.keys() ?? []] : [seriesUid]) {
      const shelf = this.#shelves.get(studyUid)?.get(uid)
      if (shelf !== undefined) await this.#remove(shelf)
    }
  }

  /** Forgets a pack whose files have been seen to be damaged. */
  distrust (pack: Pack): void {
    const shelf = this.#shelves.get(pack.studyUid)?.get(pack.seriesUid)
    if (shelf === undefined || shelf.pack !== pack || shelf.filling) return
    this.#remove(shelf).catch(error => { this.#events.onFailed?.(error) })
  }

  /** All that is held, for a person or a metric. */
  list (): (SeriesRow & { readonly filling: boolean })[] {
    return [...this.#all()].map(({ row, pack, filling }) => ({ ...row, bytes: pack?.bytes ?? row.bytes, instances: pack?.instances.size ?? row.instances, filling }))
  }

  /** Whether the disk takes a file, with the room that is to be kept free, and the index can be read. */
  async check (): Promise<{ readonly disk: 'up' | 'full' | 'down', readonly index: 'up' | 'down' }> {
    const probe = join(this.#settings.folder, PROBE)
    const disk = await (async () => {
      try {
        await writeFile(probe, '')
        await rm(probe, { force: true })
        const { bavail, bsize } = await statfs(this.#settings.folder)
        return bavail * bsize < this.#settings.diskFreeBytesMin ? 'full' as const : 'up' as const
      } catch {
        return 'down' as const
      }
    })()
    try {
      this.#index.check()
      return { disk, index: 'up' }
    } catch {
      return { disk, index: 'down' }
    }
  }

  /** Evicts until the limits hold, as far as what is in use lets it. */
  async makeRoom (): Promise<void> {
    this.#looking ??= this.#look().finally(() => { this.#looking = undefined })
    await this.#looking
  }

  async close (): Promise<void> {
    clearInterval(this.#timer)
    await this.#looking?.catch(() => {})
    for (const { pack } of this.#all()) await pack?.close()
    this.#tryIndex(() => { this.#writeTouched() })
    this.#index.close()
  }

  #makeRoomSoon (): void {
    this.makeRoom().catch(error => { this.#events.onFailed?.(error) })
  }

  async #look (): Promise<void> {
    this.#sinceLook = 0
    this.#tryIndex(() => { this.#writeTouched() })
    const { bavail, bsize } = await statfs(this.#settings.folder)
    const now = Date.now()
    const disk = { freeBytes: bavail * bsize, forecastBytes: this.#forecast.bytes(now) }
    const held = [...this.#all()].map(shelf => ({
      shelf,
      bytes: shelf.pack?.bytes ?? shelf.row.bytes,
      createdAt: shelf.row.createdAt,
      usedAt: shelf.row.usedAt,
      inUse: shelf.filling || shelf.pack?.inUse === true
    }))
    for (const { shelf, bytes } of chooseEvicted(held, this.#settings, disk, now)) {
      // Somebody may have come for it while others were removed.
      if (shelf.filling || shelf.pack?.inUse === true || this.#shelves.get(shelf.row.studyUid)?.get(shelf.row.seriesUid) !== shelf) continue
      await this.#remove(shelf)
      this.#events.onEvicted?.({ studyUid: shelf.row.studyUid, seriesUid: shelf.row.seriesUid, bytes })
    }
    this.#unload()
  }

  /** Lets go of the instance lists of packs that nobody has open: the index has them. */
  #unload (): void {
    for (const shelf of this.#all()) {
      if (shelf.pack?.inUse !== false || shelf.filling || !shelf.indexed) continue
      void shelf.pack.close()
      shelf.pack = undefined
    }
  }

  async #remove (shelf: Shelf): Promise<void> {
    const { studyUid, seriesUid } = shelf.row
    this.#touched.delete(shelf)
    const series = this.#shelves.get(studyUid)
    series?.delete(seriesUid)
    if (series?.size === 0) this.#shelves.delete(studyUid)
    this.#events.onRemoved?.({ studyUid, seriesUid })
    // The index first, so that a power cut leaves no row without its pack; but on a full disk it may need
    // the room that the pack takes.
    const forget = (): void => { this.#index.removeSeries(studyUid, seriesUid) }
    const forgotten = this.#tryIndex(forget)
    await (shelf.pack?.remove() ?? discard(join(this.#settings.folder, studyUid, seriesUid)))
    if (!forgotten && this.#shelves.get(studyUid)?.has(seriesUid) !== true && !this.#tryIndex(forget)) this.#doubted.add(studyUid)
    // Fails, rightly, while another series of the study is there.
    if (series?.size === 0) await rmdir(join(this.#settings.folder, studyUid)).catch(() => {})
  }

  /** What the index refuses is made good at the next start, from the packs. */
  #tryIndex (write: () => void): boolean {
    try {
      write()
      return true
    } catch (error) {
      this.#events.onFailed?.(error)
      return false
    }
  }

  #shelf (studyUid: string, seriesUid: string): Shelf {
    let series = this.#shelves.get(studyUid)
    if (series === undefined) this.#shelves.set(studyUid, series = new Map())
    let shelf = series.get(seriesUid)
    if (shelf === undefined) {
      const now = Date.now()
      const row = { studyUid, seriesUid, instances: 0, segments: randomInt(FIRST_SEGMENT_MAX), bytes: 0, complete: false, expected: undefined, reason: undefined, createdAt: now, checkedAt: 0, usedAt: now }
      series.set(seriesUid, shelf = { row, pack: undefined, filling: false, indexed: false })
    }
    return shelf
  }

  #use (shelf: Shelf): void {
    shelf.row = { ...shelf.row, usedAt: Date.now() }
    this.#touched.add(shelf)
  }

  #writeTouched (): void {
    const touched = [...this.#touched]
    this.#touched.clear()
    this.#index.putTimes(touched.map(({ row }) => row))
  }

  * #all (): Generator<Shelf> {
    for (const series of this.#shelves.values()) yield * series.values()
  }

  /** Compares the index with the folders: rows without their pack go, packs without a row are scanned. */
  async #recover (): Promise<void> {
    const { folder } = this.#settings
    const rows = new Map(this.#index.series().map(row => [`${row.studyUid}/${row.seriesUid}`, row]))
    for (const { studyUid, seriesUid, segment, bytes } of [...this.#index.extents()]) {
      // A power cut can bring rows back to life whose pack was removed: whoever reads must not be the one to find out.
      const size = (await stat(join(folder, studyUid, seriesUid, segmentName(segment))).catch(() => undefined))?.size ?? 0
      if (size >= bytes || !rows.delete(`${studyUid}/${seriesUid}`)) continue
      this.#index.removeSeries(studyUid, seriesUid)
    }
    for (const studyUid of await foldersIn(folder)) {
      if (!isStoredUid(studyUid)) continue
      for (const name of await foldersIn(join(folder, studyUid))) {
        if (name.includes(DISCARDED)) await rm(join(folder, studyUid, name), { recursive: true, force: true })
        if (!isStoredUid(name)) continue
        const row = rows.get(`${studyUid}/${name}`)
        rows.delete(`${studyUid}/${name}`)
        // One that can't be read doesn't keep the box from opening: the PACS has it.
        if (row === undefined) await this.#rescan(studyUid, name).catch(async error => { await this.#giveUp(join(folder, studyUid, name), error) })
        else Object.assign(this.#shelf(studyUid, name), { row, indexed: true })
      }
    }
    for (const { studyUid, seriesUid } of rows.values()) this.#index.removeSeries(studyUid, seriesUid)
  }

  /** What can't be read goes, if the disk lets it: it must not be in the way when the PACS sends it again. */
  async #giveUp (folder: string, error: unknown): Promise<void> {
    this.#events.onFailed?.(error)
    await discard(folder).catch(() => {})
  }

  async #rescan (studyUid: string, seriesUid: string): Promise<void> {
    const folder = join(this.#settings.folder, studyUid, seriesUid)
    const { instances, segments, bytesCut } = await scanPack(folder, studyUid, seriesUid)
    this.#events.onRecovered?.({ studyUid, seriesUid, instances: instances.length, bytesCut })
    if (instances.length === 0) {
      await rm(folder, { recursive: true, force: true })
      return
    }
    const shelf = this.#shelf(studyUid, seriesUid)
    const bytes = new Pack(studyUid, seriesUid, folder, instances).bytes
    shelf.row = { ...shelf.row, instances: instances.length, segments, bytes, complete: false, reason: 'RECOVERED' }
    this.#index.putSeries(shelf.row, instances)
    shelf.indexed = true
  }
}

async function foldersIn (folder: string): Promise<string[]> {
  return (await readdir(folder, { withFileTypes: true })).filter(entry => entry.isDirectory()).map(({ name }) => name)
}

/** Folders are named for the UIDs that they hold; anything else in there isn't ours. */
function isStoredUid (name: string): boolean {
  return /^\d+(\.\d+)*$/.test(name)
}
