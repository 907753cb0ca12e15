/**
 * Objects on their way to the PACS that are too large for the memory: files that have no name any
 * more once they are open, so that neither a crash nor a power cut leaves anything of a patient behind.
 */

import { mkdir, open, statfs, unlink, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import { CapacityError } from '#core/errors.ts'
import { writePieces } from '../cache/write-pieces.ts'

export interface SpoolSettings {
  /** Below the folder of the cache: the packs' own disk. */
  readonly folder: string
  /** All objects that wait, together. */
  readonly bytesMax: number
  /** What the disk keeps free for everything else. */
  readonly diskFreeBytesMin: number
}

/** Read at once on the way to the PACS. */
const BLOCK_BYTES = 512 << 10
/** The disk's room is looked at each time so many bytes have been taken. */
const LOOK_EVERY_BYTES = 64 << 20
/** A disk that is full, or a quota that is used up. */
const FULL = new Set(['ENOSPC', 'EDQUOT'])

export class Spool {
  readonly #settings: SpoolSettings
  #bytes = 0
  #names = 0
  #sinceLook = LOOK_EVERY_BYTES

  constructor (settings: SpoolSettings) {
    this.#settings = settings
  }

  /** What lies there now. */
  get bytes (): number {
    return this.#bytes
  }

  /** @throws CapacityError STORE_FAILED */
  async open (): Promise<SpoolFile> {
    const { folder } = this.#settings
    try {
      await mkdir(folder, { recursive: true, mode: 0o700 })
      const path = join(folder, `${process.pid}-${this.#names++}`)
      // Left by a crash between the two calls below, should that ever happen: it is ours to overwrite.
      const file = await open(path, 'w+', 0o600)
      await unlink(path)
      return new SpoolFile(file, async bytes => { await this.#take(bytes) }, bytes => { this.#bytes -= bytes })
    } catch (error) {
      throw spoolError(error)
    }
  }

  /** @throws CapacityError STORE_FULL */
  async #take (bytes: number): Promise<void> {
    const { folder, bytesMax, diskFreeBytesMin } = this.#settings
    if (this.#bytes + bytes > bytesMax) throw new CapacityError('STORE_FULL', 'too much waits to be stored in the PACS', { facts: { bytesMax } })
    this.#bytes += bytes
    this.#sinceLook += bytes
    if (this.#sinceLook < LOOK_EVERY_BYTES) return
    this.#sinceLook = 0
    const { bavail, bsize } = await statfs(folder)
    if (bavail * bsize >= diskFreeBytesMin) return
    this.#sinceLook = LOOK_EVERY_BYTES
    this.#bytes -= bytes
    throw new CapacityError('STORE_FULL', 'the disk has no room for objects that wait to be stored in the PACS')
  }
}

/** One object's bytes: written once from the front, then read once. */
export class SpoolFile {
  readonly #file: FileHandle
  readonly #take: (bytes: number) => Promise<void>
  readonly #giveBack: (bytes: number) => void
  #taken = 0
  #length = 0
  #dropped = false

  constructor (file: FileHandle, take: (bytes: number) => Promise<void>, giveBack: (bytes: number) => void) {
    this.#file = file
    this.#take = take
    this.#giveBack = giveBack
  }

  /** @throws CapacityError STORE_FULL, STORE_FAILED */
  async write (parts: readonly Buffer[]): Promise<void> {
    const bytes = parts.reduce((sum, part) => sum + part.length, 0)
    try {
      await this.#take(bytes)
      this.#taken += bytes
      await writePieces(this.#file.fd, parts, this.#length)
      this.#length += bytes
    } catch (error) {
      throw spoolError(error)
    }
  }

  /** @throws CapacityError STORE_FAILED */
  async * read (): AsyncGenerator<Buffer> {
    for (let at = 0; at < this.#length;) {
      // Each block is given away: what takes it may still be sending it when the next is read.
      const block = Buffer.allocUnsafeSlow(Math.min(BLOCK_BYTES, this.#length - at))
      const { bytesRead } = await this.#file.read(block, 0, block.length, at).catch(error => { throw spoolError(error) })
      if (bytesRead === 0) throw new CapacityError('STORE_FAILED', 'an object that waits to be stored cannot be read back')
      yield block.subarray(0, bytesRead)
      at += bytesRead
    }
  }

  /** Harmless when it is gone. */
  async drop (): Promise<void> {
    if (this.#dropped) return
    this.#dropped = true
    await this.#file.close().catch(() => {})
    this.#giveBack(this.#taken)
  }
}

function spoolError (error: unknown): CapacityError {
  if (error instanceof CapacityError) return error
  const { code } = error as NodeJS.ErrnoException
  return FULL.has(code ?? '')
    ? new CapacityError('STORE_FULL', 'the disk is full', { cause: error })
    : new CapacityError('STORE_FAILED', 'the disk refused an object that is to be stored in the PACS', { cause: error, facts: { errno: code } })
}
