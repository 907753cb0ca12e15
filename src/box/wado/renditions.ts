/**
 * Pictures that have been made, kept for whoever asks next: the newest in memory, more of them beside
 * the pack of their series.
 *
 * They are known by what they show: the instance with its checksum, the frame, the parameters. So a
 * picture never outlives what it was made of: another state of the instance has another name, and
 * whatever removes a series (eviction, or a report that was withdrawn) removes its folder, and is told
 * here. Losing one only costs making it again.
 */

import { createHash } from 'node:crypto'
import { mkdir, readdir, readFile, rename, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { PeerError } from '#core/errors.ts'
import type { Pack } from '../cache/pack.ts'
import type { Stored } from '../cache/stored.ts'

/** Some two hundred CT slices as JPEG, or a thousand thumbnails. */
const MEMORY_BYTES_MAX = 8 << 20
/** A single picture may take so much of that. */
const MEMORY_BYTES_EACH_MAX = 1 << 20
/** The pictures of a series may take this part of what its pack takes, or so many bytes if that is more. */
const DISK_PART_MAX = 1 / 4
const DISK_BYTES_MIN = 1 << 20
const FOLDER = 'renditions'
/** Counted up when pictures come out differently: those of before are then not found any more. */
const VERSION = 1
/** Checksum and length, before the picture. */
const HEAD_BYTES = 8

/** What a picture shows; the same for the same bytes. */
export type RenditionName = string & { readonly named: unique symbol }

/** @param what frame, media type and parameters */
export function renditionName ({ studyUid, seriesUid, sopInstanceUid, crc, length }: Stored, what: readonly (string | number)[]): RenditionName {
  return createHash('sha256').update(JSON.stringify([VERSION, studyUid, seriesUid, sopInstanceUid, crc, length, ...what])).digest('hex').slice(0, 32) as RenditionName
}

/** Stopped when nobody waits any more. */
interface Making {
  readonly bytes: Promise<Buffer>
  readonly stop: AbortController
  waiting: number
}

export class Renditions {
  readonly #memory = new Map<RenditionName, { readonly series: string, readonly bytes: Buffer }>()
  #memoryBytes = 0
  readonly #making = new Map<RenditionName, Making>()
  /** Bytes beside each pack, once they have been counted. */
  readonly #diskBytes = new WeakMap<Pack, Promise<{ bytes: number }>>()
  readonly #writing = new Set<Promise<void>>()

  /** How many were at hand, and how many were made. */
  readonly counts = { memory: 0, disk: 0, made: 0 }

  /**
   * The picture of this name, made now if there is none. Several who ask at once share the making; it
   * goes on as long as one of them is there.
   *
   * @throws the signal's reason, and whatever `make` throws
   */
  async of (pack: Pack, name: RenditionName, signal: AbortSignal, make: (signal: AbortSignal) => Promise<Buffer>): Promise<Buffer> {
    signal.throwIfAborted()
    const held = this.#recall(name)
    if (held !== undefined) return held
    let making = this.#making.get(name)
    if (making === undefined) {
      const stop = new AbortController()
      const begun = making = { bytes: this.#readOrMake(pack, name, make, stop.signal), stop, waiting: 0 }
      this.#making.set(name, begun)
      const done = (): void => { if (this.#making.get(name) === begun) this.#making.delete(name) }
      begun.bytes.then(done, done)
    }
    return await this.#share(name, making, signal)
  }

  /** Nothing of this series, or of this study, may be given any more. Its files go with its pack. */
  forget (studyUid: string, seriesUid: string): void {
    const series = `${studyUid}/${seriesUid}`
    for (const [name, { series: other }] of this.#memory) if (other === series) this.#drop(name)
  }

  async close (): Promise<void> {
    for (const { stop } of this.#making.values()) stop.abort(new PeerError('CANCELLED', 'the box is closing'))
    await Promise.allSettled([...this.#making.values()].map(async ({ bytes }) => await bytes))
    await Promise.allSettled(this.#writing)
    this.#memory.clear()
    this.#memoryBytes = 0
  }

  async #share (name: RenditionName, making: Making, signal: AbortSignal): Promise<Buffer> {
    making.waiting++
    const { promise: left, reject } = Promise.withResolvers<never>()
    const leave = (): void => { reject(signal.reason) }
    signal.addEventListener('abort', leave)
    try {
      return await Promise.race([making.bytes, left])
    } finally {
      signal.removeEventListener('abort', leave)
      if (--making.waiting === 0 && signal.aborted) {
        // Whoever comes now begins anew.
        if (this.#making.get(name) === making) this.#making.delete(name)
        making.stop.abort(signal.reason)
      }
    }
  }

  async #readOrMake (pack: Pack, name: RenditionName, make: (signal: AbortSignal) => Promise<Buffer>, signal: AbortSignal): Promise<Buffer> {
    using _held = pack.use()
    const kept = await readKept(pack, name)
    if (kept !== undefined) {
      this.counts.disk++
      this.#remember(pack, name, kept)
      return kept
    }
    const made = await make(signal)
    this.counts.made++
    this.#remember(pack, name, made)
    const writing = this.#keep(pack, name, made).catch(() => {}).finally(() => { this.#writing.delete(writing) })
    this.#writing.add(writing)
    return made
  }

  #recall (name: RenditionName): Buffer | undefined {
    const found = this.#memory.get(name)
    if (found === undefined) return undefined
    // The last to be used is the last to go.
    this.#memory.delete(name)
    this.#memory.set(name, found)
    this.counts.memory++
    return found.bytes
  }

  #remember (pack: Pack, name: RenditionName, bytes: Buffer): void {
    if (bytes.length > MEMORY_BYTES_EACH_MAX || pack.removed || this.#memory.has(name)) return
    this.#memory.set(name, { series: `${pack.studyUid}/${pack.seriesUid}`, bytes })
    this.#memoryBytes += bytes.length
    for (const oldest of this.#memory.keys()) {
      if (this.#memoryBytes <= MEMORY_BYTES_MAX) break
      this.#drop(oldest)
    }
  }

  #drop (name: RenditionName): void {
    this.#memoryBytes -= this.#memory.get(name)?.bytes.length ?? 0
    this.#memory.delete(name)
  }

  /** Fails where the series was removed meanwhile: its folder is gone then, and isn't made again. */
  async #keep (pack: Pack, name: RenditionName, bytes: Buffer): Promise<void> {
    using _held = pack.use()
    let counting = this.#diskBytes.get(pack)
    if (counting === undefined) this.#diskBytes.set(pack, counting = countKept(pack))
    const taken = await counting
    const size = HEAD_BYTES + bytes.length
    if (pack.removed || taken.bytes + size > Math.max(pack.bytes * DISK_PART_MAX, DISK_BYTES_MIN)) return
    taken.bytes += size
    const folder = join(pack.folder, FOLDER)
    await mkdir(folder).catch(error => { if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error })
    const head = Buffer.alloc(HEAD_BYTES)
    head.writeUInt32LE(crc32(bytes))
    head.writeUInt32LE(bytes.length, 4)
    const path = join(folder, name)
    await writeFile(`${path}.new`, [head, bytes])
    await rename(`${path}.new`, path)
  }
}

async function countKept (pack: Pack): Promise<{ bytes: number }> {
  const folder = join(pack.folder, FOLDER)
  let bytes = 0
  for (const name of await readdir(folder).catch(() => [])) bytes += (await stat(join(folder, name)).catch(() => ({ size: 0 }))).size
  return { bytes }
}

/** What a power cut left half written doesn't fit its checksum. */
async function readKept (pack: Pack, name: RenditionName): Promise<Buffer | undefined> {
  try {
    const file = await readFile(join(pack.folder, FOLDER, name))
    const bytes = file.subarray(HEAD_BYTES)
    return file.readUInt32LE(4) === bytes.length && file.readUInt32LE() === crc32(bytes) ? bytes : undefined
  } catch {
    return undefined
  }
}
