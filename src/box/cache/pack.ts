/**
 * The pack of one series: what a retrieve brought, byte for byte, appended to files.
 *
 * Instances of ordinary size go one after the other into one file, since creating a file for each
 * costs more than the DICOM itself. One larger than {@link SPILL_BYTES} gets a file of its own, which
 * grows while it arrives, so that memory never follows the size of an object.
 *
 * Owns the files of one folder. Knows nothing of the PACS, nor of who reads.
 */

import { close, fdatasync, open, read, readSync, renameSync } from 'node:fs'
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { crc32 } from 'node:zlib'
import { CapacityError } from '#core/errors.ts'
import { Lingering } from './lingering.ts'
import { Pace } from './pace.ts'
import { encodeRecordHead, RECORD_HEAD_BYTES } from './record.ts'
import type { Stored } from './stored.ts'
import { writePieces, writePiecesNow } from './write-pieces.ts'

/** Above this an object gets its own file: eight associations that each hold one stay below 32 MB. */
export const SPILL_BYTES = 4 << 20

/** A read of no more than this is made where we are, as long as the disk keeps up; a longer one beside us. */
const SHORT_READ_BYTES_MAX = 256 << 10

const reading = new Pace()
/** Packs that nobody holds, and whose files are still open. */
const lingering = new Lingering()

const openFile = promisify(open)
const closeFile = promisify(close)
const readFile = promisify(read)
const syncFile = promisify(fdatasync)

/** A pack of more files than this, which large objects make, closes them at once. */
const LINGERING_FILES_MAX = 4

/** A segment is made by the first append, never by a read; it is read through the same descriptor. */
const CREATE = 'w+'

export interface PackedObject {
  readonly sopInstanceUid: string
  readonly sopClassUid: string
  readonly transferSyntaxUid: string
  /** Bytes before the data set: preamble and file meta information. */
  readonly datasetOffset: number
  /** From the start of the Part 10 file; 0 when there is none. */
  readonly pixelOffset: number
}

/** What a record head says of the bytes that follow it. */
type Seal = Pick<Stored, 'crc' | 'receivedAt'>

/** Name of a segment's file, from its number. */
export function segmentName (segment: number): string {
  return `${String(segment).padStart(6, '0')}.pack`
}

/** Number of a segment, from its file's name; undefined for any other file. */
export function segmentNumber (name: string): number | undefined {
  const match = /^(\d{6})\.pack$/.exec(name)
  return match === null ? undefined : Number(match[1])
}

export class Pack {
  readonly studyUid: string
  readonly seriesUid: string
  readonly folder: string
  /** By SOP Instance UID, in the order in which they came. */
  readonly instances = new Map<string, Stored>()
  /** SOP Instance UIDs on their way in: the same object may come twice at once. */
  readonly arriving = new Set<string>()
  /** Bytes that its files hold. */
  bytes = 0
  readonly #files = new Map<number, Promise<number>>()
  /** Those of them that are open by now. */
  readonly #descriptors = new Map<number, number>()
  /** The segment that ordinary instances are appended to, and where the next one goes. */
  #tail: { segment: number, at: number } | undefined
  #nextSegment: number
  #users = 0
  #removed = false
  #list: readonly Stored[] | undefined

  constructor (studyUid: string, seriesUid: string, folder: string, found: Iterable<Stored> = [], segments = 0) {
    this.studyUid = studyUid
    this.seriesUid = seriesUid
    this.folder = folder
    for (const stored of found) {
      this.instances.set(stored.sopInstanceUid, stored)
      this.bytes += RECORD_HEAD_BYTES + stored.length
    }
    this.#nextSegment = segments
  }

  /**
   * Appends a whole instance.
   *
   * @param parts the Part 10 file, in order; kept by reference until written
   * @param length their sum in bytes
   * @param crc CRC-32 of them, where it has been counted while they came
   * @returns once the bytes are with the operating system
   * @throws CapacityError STORE_FULL or STORE_FAILED
   */
  async append (object: PackedObject, parts: readonly Buffer[], length: number, crc: number = crcOf(parts)): Promise<Stored> {
    const seal: Seal = { crc, receivedAt: Date.now() }
    const head = encodeRecordHead({ ...object, length, ...seal })
    const tail = this.#tail ??= { segment: this.#nextSegment++, at: 0 }
    const { segment, at } = tail
    const end = tail.at += RECORD_HEAD_BYTES + length
    this.#users++
    try {
      const file = await this.#file(segment, CREATE)
      await writePieces(file, [head, ...parts], at)
      return this.#add(object, segment, at + RECORD_HEAD_BYTES, length, seal)
    } catch (error) {
      // A hole would hide what follows from the scan after a power cut: the next one takes its place, or
      // goes into a fresh file.
      if (tail.at === end) tail.at = at
      else if (this.#tail === tail) this.#tail = undefined
      throw storeError(error)
    } finally {
      this.#letGo()
    }
  }

  /**
   * Appends a whole instance before it returns, where the file is open and the disk keeps up: an
   * answer that needn't wait lets the PACS send the next one at once.
   *
   * @returns undefined when {@link append} must do it
   */
  appendNow (object: PackedObject, parts: readonly Buffer[], length: number, crc: number): Stored | undefined {
    const tail = this.#tail
    const file = tail && this.#descriptors.get(tail.segment)
    if (tail === undefined || file === undefined) return undefined
    const seal: Seal = { crc, receivedAt: Date.now() }
    const head = encodeRecordHead({ ...object, length, ...seal })
    const { segment, at } = tail
    if (!writePiecesNow(file, [head, ...parts], RECORD_HEAD_BYTES + length, at)) return undefined
    tail.at += RECORD_HEAD_BYTES + length
    return this.#add(object, segment, at + RECORD_HEAD_BYTES, length, seal)
  }

  /** Begins a file of its own for an object too large to be held; held until that is kept or dropped. */
  async spill (): Promise<Spill> {
    const segment = this.#nextSegment++
    const hold = this.use()
    try {
      const file = await this.#file(segment, CREATE)
      return new Spill(file, async (object, length, crc, kept) => {
        if (!kept) {
          await this.#dropSegment(segment).finally(() => { hold[Symbol.dispose]() })
          return undefined
        }
        const seal: Seal = { crc, receivedAt: Date.now() }
        const head = encodeRecordHead({ ...object, length, ...seal })
        await writePieces(file, [head], 0).catch(error => { throw storeError(error) })
        const stored = this.#add(object, segment, RECORD_HEAD_BYTES, length, seal)
        hold[Symbol.dispose]()
        return stored
      })
    } catch (error) {
      hold[Symbol.dispose]()
      throw storeError(error)
    }
  }

  /**
   * Reads part of a segment.
   *
   * @returns bytes read into `target`
   * @throws CapacityError STORE_FAILED: `damaged` when the file is absent, shorter than the index says, or
   *   unreadable; `removed` when the series was evicted or purged before its file had been opened
   */
  async read (segment: number, offset: number, target: Uint8Array, length = target.byteLength): Promise<number> {
    if (this.#readNow(segment, offset, target, length)) return length
    this.#users++
    try {
      const file = await this.#file(segment)
      let done = 0
      while (done < length) {
        const { bytesRead } = await readFile(file, target, done, length - done, offset + done)
        if (bytesRead === 0) throw new Error('pack file is shorter than its index')
        done += bytesRead
      }
      return done
    } catch (error) {
      if (error instanceof CapacityError) throw error
      const { code } = error as NodeJS.ErrnoException
      const damaged = code === undefined || code === 'ENOENT' || code === 'EIO'
      throw new CapacityError('STORE_FAILED', 'a pack cannot be read', { cause: error, facts: { series: this.seriesUid, segment, damaged } })
    } finally {
      this.#letGo()
    }
  }

  isOpen (segment: number): boolean {
    return this.#descriptors.has(segment)
  }

  /** Opens a segment for whoever holds the pack: from then on it can be read, even should the pack be removed. */
  async open (segment: number): Promise<void> {
    await this.#file(segment)
  }

  /** @returns false when the file isn't open, or the disk is behind, or anything is wrong that {@link read} will tell of */
  #readNow (segment: number, offset: number, target: Uint8Array, length: number): boolean {
    const file = this.#descriptors.get(segment)
    if (file === undefined || length > SHORT_READ_BYTES_MAX || !reading.keepsUp) return false
    try {
      return reading.timed(() => readSync(file, target, 0, length, offset)) === length
    } catch {
      return false
    }
  }

  /** Forces what was appended to the disk, so that it may be believed after a power cut. */
  async sync (): Promise<void> {
    for (const file of this.#files.values()) await syncFile(await file)
  }

  /** Pack files that it has had, hence the number of the next one. */
  get segments (): number {
    return this.#nextSegment
  }

  /** Whether a reader or a retrieve holds it: it isn't evicted then. */
  get inUse (): boolean {
    return this.#users > 0
  }

  /** Its series was evicted or purged: nothing is to be kept of it. */
  get removed (): boolean {
    return this.#removed
  }

  /** In the order in which they came: one list for all readers until something changes. */
  get list (): readonly Stored[] {
    this.#list ??= [...this.instances.values()]
    return this.#list
  }

  /** Held by whoever reads or appends; when the last one has let go, its files are closed soon. */
  use (): Disposable {
    this.#users++
    let held = true
    return {
      [Symbol.dispose]: () => {
        if (!held) return
        held = false
        this.#letGo()
      }
    }
  }

  /**
   * Removes every file of it; nothing more is appended. Whoever has a file open goes on reading, and it
   * vanishes with the last of them.
   */
  async remove (): Promise<void> {
    this.instances.clear()
    this.#list = undefined
    this.bytes = 0
    this.#removed = true
    await discard(this.folder)
    if (!this.inUse) await this.close()
  }

  /** Closes its files, unless somebody holds it. */
  async close (): Promise<void> {
    if (this.inUse) return
    lingering.delete(this)
    await this.#closeFiles()
  }

  /** A write or a read counts as a user: its file must not be closed, and its number given to another, meanwhile. */
  #letGo (): void {
    if (--this.#users > 0) return
    // Whatever is appended later goes into a fresh segment.
    this.#tail = undefined
    // Whoever asks for image after image comes back at once: opening a file costs more than reading one.
    if (this.#removed || this.#files.size > LINGERING_FILES_MAX) void this.close()
    else if (this.#files.size > 0) lingering.add(this)
  }

  async #closeFiles (): Promise<void> {
    const files = [...this.#files.values()]
    this.#files.clear()
    this.#descriptors.clear()
    for (const file of files) await file.then(closeFile).catch(() => {})
  }

  #add (object: PackedObject, segment: number, offset: number, length: number, { crc, receivedAt }: Seal): Stored {
    if (this.#removed) throw this.#gone('the series was removed while it arrived')
    const stored: Stored = {
      studyUid: this.studyUid,
      seriesUid: this.seriesUid,
      sopInstanceUid: object.sopInstanceUid,
      sopClassUid: object.sopClassUid,
      transferSyntaxUid: object.transferSyntaxUid,
      segment,
      offset,
      length,
      datasetOffset: object.datasetOffset,
      pixelOffset: object.pixelOffset,
      crc,
      receivedAt
    }
    this.instances.set(stored.sopInstanceUid, stored)
    this.#list = undefined
    this.bytes += RECORD_HEAD_BYTES + length
    return stored
  }

  #gone (message: string): CapacityError {
    return new CapacityError('STORE_FAILED', message, { facts: { series: this.seriesUid, removed: true } })
  }

  #file (segment: number, flags = 'r'): Promise<number> {
    let file = this.#files.get(segment)
    if (file === undefined) {
      const opening = file = this.#openSegment(segment, flags)
      this.#files.set(segment, opening)
      opening.then(descriptor => {
        if (this.#files.get(segment) === opening) this.#descriptors.set(segment, descriptor)
      }, () => {
        // A file that could not be opened is tried afresh by whoever comes next.
        if (this.#files.get(segment) === opening) this.#files.delete(segment)
      })
    }
    return file
  }

  async #openSegment (segment: number, flags: string): Promise<number> {
    // By now the same path may lead to another pack.
    if (this.#removed) throw this.#gone('the pack has been removed')
    if (flags === CREATE) await mkdir(this.folder, { recursive: true })
    return await openFile(join(this.folder, segmentName(segment)), flags)
  }

  async #dropSegment (segment: number): Promise<void> {
    const file = this.#files.get(segment)
    this.#files.delete(segment)
    this.#descriptors.delete(segment)
    if (file !== undefined) await closeFile(await file)
    if (!this.#removed) await rm(join(this.folder, segmentName(segment)), { force: true })
  }
}

/** Whether a read failed since its pack was removed meanwhile: whoever asks anew is given what there is now. */
export function isRemoved (error: unknown): boolean {
  return error instanceof CapacityError && error.facts.removed === true
}

/** Takes a pack's folder out of its place at once, so that another may come there, and removes it then. */
export async function discard (folder: string): Promise<void> {
  const aside = `${folder}${DISCARDED}${process.hrtime.bigint()}`
  try {
    renameSync(folder, aside)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return
    throw storeError(error)
  }
  await rm(aside, { recursive: true, force: true })
}

/** What a folder's name bears once it is discarded: no UID has it. */
export const DISCARDED = '~'

type Finish = (object: PackedObject, length: number, crc: number, kept: boolean) => Promise<Stored | undefined>

/** A large object on its way into its own file. */
export class Spill {
  readonly #file: number
  readonly #finish: Finish
  #length = 0
  #crc = 0

  constructor (file: number, finish: Finish) {
    this.#file = file
    this.#finish = finish
  }

  /** May be tried again after a failure. @throws CapacityError STORE_FULL or STORE_FAILED */
  async write (parts: readonly Buffer[]): Promise<void> {
    await writePieces(this.#file, parts, RECORD_HEAD_BYTES + this.#length).catch(error => { throw storeError(error) })
    for (const part of parts) {
      this.#crc = crc32(part, this.#crc)
      this.#length += part.length
    }
  }

  /** The object is whole: its record head is written, and with that it exists. */
  async keep (object: PackedObject): Promise<Stored> {
    return await this.#finish(object, this.#length, this.#crc, true) as Stored
  }

  async drop (): Promise<void> {
    await this.#finish({ sopInstanceUid: '', sopClassUid: '', transferSyntaxUid: '', datasetOffset: 0, pixelOffset: 0 }, 0, 0, false)
  }
}

function crcOf (parts: readonly Buffer[]): number {
  return parts.reduce((crc, part) => crc32(part, crc), 0)
}

const FULL = new Set(['ENOSPC', 'EDQUOT'])

function storeError (error: unknown): CapacityError {
  if (error instanceof CapacityError) return error
  const code = (error as NodeJS.ErrnoException).code
  return FULL.has(code ?? '')
    ? new CapacityError('STORE_FULL', 'the disk of the cache is full', { cause: error })
    : new CapacityError('STORE_FAILED', 'the disk of the cache refused a write', { cause: error, facts: { errno: code } })
}
