/**
 * What the PACS sends us goes into the pack of its series, if somebody asked for it.
 *
 * A C-STORE is answered when its bytes are in the pack, never before. Study and series are read
 * from the head of the data set itself, since a Move Originator is optional and may lie. Source:
 * DICOM PS3.4 §B.2.3 (statuses), PS3.10 §7.1 (the file that a data set becomes).
 */

import { crc32 } from 'node:zlib'
import { CapacityError } from '#core/errors.ts'
import { isUid } from '#core/uid.ts'
import { HeadReader } from '#standards/dicom/head.ts'
import { encodePart10Head } from '#standards/dicom/part10.ts'
import type { Flow, StoreHandler, StoreRequest, StoreSink } from '#standards/dimse/store-provider.ts'
import { SPILL_BYTES, type Pack, type PackedObject, type Spill } from '../cache/pack.ts'
import type { Stored } from '../cache/stored.ts'

/**
 * Of an object that goes to a file of its own, so much is gathered for one write. The PACS goes on filling
 * the socket meanwhile.
 */
const SPILL_PIECE_BYTES = 256 << 10

/** DIMSE statuses that we answer a C-STORE with. */
export const STORE_STATUS = {
  success: 0x0000,
  /** Refused, not authorized (PS3.7 §C.4.12): nobody here asked for this object. */
  notAuthorized: 0x0124,
  outOfResources: 0xA700,
  /** The data set isn't the object that the command announced. */
  mismatch: 0xA900,
  cannotUnderstand: 0xC000
} as const

/** A retrieve's claim on an object that is arriving. */
export interface Claim {
  readonly pack: Pack
  /**
   * Puts a whole object into the pack by `write`, and shows it to the readers. The retrieve doesn't settle
   * before that is done.
   *
   * @returns false when the retrieve has ended: the object came too late
   * @throws what `write` throws
   */
  readonly land: (write: () => Promise<Stored>) => Promise<boolean>
  /**
   * The same within this turn, where `write` can.
   *
   * @returns false when {@link land} must do it
   */
  readonly landNow: (write: () => Stored | undefined) => boolean
}

/** All that receiving needs from the others. */
export interface Intake {
  /** The retrieve that wants this object; undefined when nobody does. */
  readonly claim: (studyUid: string, seriesUid: string) => Claim | undefined
  /** Some bytes of an object that was claimed have come. */
  readonly heard?: (studyUid: string) => void
  /** Frees disk, if it can; never rejects. */
  readonly makeRoom: () => Promise<void>
  readonly onRefused?: (facts: { reason: string, studyUid?: string, seriesUid?: string, sopInstanceUid: string, peerTitle: string }) => void
}

export function receiver (intake: Intake): StoreHandler {
  return (request, flow) => new Incoming(request, flow, intake)
}

class Incoming implements StoreSink {
  readonly #request: StoreRequest
  readonly #flow: Flow
  readonly #intake: Intake
  readonly #head: HeadReader
  readonly #part10: Buffer
  #claim: Claim | undefined
  /** What hasn't been written yet; the Part 10 head goes first. */
  #parts: Buffer[]
  #bytes: number
  /** Of all that has come, counted while the PACS sends what follows. */
  #crc: number
  #refusal: number | undefined
  #spill: Promise<Spill> | undefined
  #spilled: Promise<void> = Promise.resolve()

  constructor (request: StoreRequest, flow: Flow, intake: Intake) {
    this.#request = request
    this.#flow = flow
    this.#intake = intake
    this.#head = new HeadReader(request.transferSyntaxUid)
    this.#part10 = encodePart10Head({ ...request, sourceTitle: request.peer.title })
    this.#parts = [this.#part10]
    this.#bytes = this.#part10.length
    this.#crc = crc32(this.#part10)
  }

  write (chunk: Buffer): void {
    if (this.#refusal !== undefined) {
      this.#flow.used()
      return
    }
    this.#parts.push(chunk)
    this.#bytes += chunk.length
    if (this.#spill === undefined) this.#crc = crc32(chunk, this.#crc)
    if (!this.#head.done) {
      this.#head.push(chunk)
      if (this.#claim === undefined) this.#route()
    }
    if (this.#claim !== undefined) this.#intake.heard?.(this.#claim.pack.studyUid)
    if (this.#bytes > (this.#spill === undefined ? SPILL_BYTES : SPILL_PIECE_BYTES) && this.#refusal === undefined) this.#overflow()
  }

  end (): number | Promise<number> {
    return this.#landedNow() ? STORE_STATUS.success : this.#endLater()
  }

  async #endLater (): Promise<number> {
    if (this.#refusal === undefined && this.#claim === undefined) this.#refuse(STORE_STATUS.cannotUnderstand, 'no-study-or-series')
    try {
      return this.#refusal ?? await this.#land(this.#claim as Claim)
    } catch (error) {
      if (error instanceof CapacityError) return STORE_STATUS.outOfResources
      throw error
    } finally {
      await this.#dropSpill()
    }
  }

  abort (): void {
    this.#refusal ??= STORE_STATUS.cannotUnderstand
    this.#parts = []
    void this.#dropSpill()
  }

  #landedNow (): boolean {
    if (this.#refusal !== undefined || this.#claim === undefined || this.#spill !== undefined) return false
    const { pack, landNow } = this.#claim
    const { sopInstanceUid } = this.#request
    if (pack.instances.has(sopInstanceUid) || pack.arriving.has(sopInstanceUid)) return false
    return landNow(() => pack.appendNow(this.#object(), this.#parts, this.#bytes, this.#crc))
  }

  async #land (claim: Claim): Promise<number> {
    const { pack } = claim
    const { sopInstanceUid } = this.#request
    // It came twice: the bytes of the first one stay, and the PACS needn't know.
    if (pack.instances.has(sopInstanceUid) || pack.arriving.has(sopInstanceUid)) return STORE_STATUS.success
    pack.arriving.add(sopInstanceUid)
    try {
      const landed = this.#spill === undefined
        ? await claim.land(async () => await this.#withRoom(async () => await pack.append(this.#object(), this.#parts, this.#bytes, this.#crc)))
        : await claim.land(async () => await this.#keepSpill())
      if (landed) return STORE_STATUS.success
      this.#refuse(STORE_STATUS.notAuthorized, 'too-late')
      return STORE_STATUS.notAuthorized
    } finally {
      pack.arriving.delete(sopInstanceUid)
    }
  }

  async #keepSpill (): Promise<Stored> {
    this.#pump()
    await this.#spilled
    const spill = await this.#spill as Spill
    const stored = await this.#withRoom(async () => await spill.keep(this.#object()))
    this.#spill = undefined
    return stored
  }

  /** On a full disk, what nobody reads gives way; then once more. */
  async #withRoom<T> (write: () => Promise<T>): Promise<T> {
    try {
      return await write()
    } catch (error) {
      if (!(error instanceof CapacityError) || error.code !== 'STORE_FULL') throw error
      await this.#intake.makeRoom()
      return await write()
    }
  }

  #object (): PackedObject {
    const datasetOffset = this.#part10.length
    const { pixelOffset } = this.#head
    return {
      sopInstanceUid: this.#request.sopInstanceUid,
      sopClassUid: this.#request.sopClassUid,
      transferSyntaxUid: this.#request.transferSyntaxUid,
      datasetOffset,
      pixelOffset: pixelOffset === undefined ? 0 : datasetOffset + pixelOffset
    }
  }

  /** Once study and series are known, finds out who asked for this object. */
  #route (): void {
    const { studyUid, seriesUid, sopInstanceUid } = this.#head
    if (sopInstanceUid !== undefined && sopInstanceUid !== this.#request.sopInstanceUid) {
      this.#refuse(STORE_STATUS.mismatch, 'other-instance-than-announced')
      return
    }
    if (studyUid === undefined || seriesUid === undefined) return
    // They name folders: what isn't a UID goes no further.
    if (!isUid(studyUid) || !isUid(seriesUid)) {
      this.#refuse(STORE_STATUS.cannotUnderstand, 'not-a-uid')
      return
    }
    const claim = this.#intake.claim(studyUid, seriesUid)
    if (claim === undefined) this.#refuse(STORE_STATUS.notAuthorized, 'not-asked-for')
    else this.#claim = claim
  }

  /** The rest of the object is read and forgotten: the standard knows no other way to say no. */
  #refuse (status: number, reason: string): void {
    this.#refusal = status
    this.#parts = []
    const { studyUid, seriesUid } = this.#head
    this.#intake.onRefused?.({ reason, studyUid, seriesUid, sopInstanceUid: this.#request.sopInstanceUid, peerTitle: this.#request.peer.title })
  }

  /** Too large to be held: it goes to a file of its own, and nothing more is read until that has what came. */
  #overflow (): void {
    if (this.#claim === undefined) {
      this.#refuse(STORE_STATUS.cannotUnderstand, 'no-study-or-series')
      return
    }
    const { pack } = this.#claim
    this.#spill ??= this.#withRoom(async () => await pack.spill())
    this.#flow.pause()
    this.#pump()
  }

  #pump (): void {
    const parts = this.#parts
    this.#parts = []
    this.#bytes = 0
    const before = this.#spilled
    this.#spilled = (async () => {
      await before
      const spill = await this.#spill
      if (spill !== undefined) await this.#withRoom(async () => { await spill.write(parts) })
    })().finally(() => {
      this.#flow.used()
      this.#flow.resume()
    })
    // Whoever ends the object learns of a failure; until then it must not count as unhandled.
    this.#spilled.catch(() => {})
  }

  /** What is left in a file of its own without having become an object. */
  async #dropSpill (): Promise<void> {
    const spill = this.#spill
    if (spill === undefined) return
    await this.#spilled.catch(() => {})
    this.#spill = undefined
    await spill.then(async file => { await file.drop() }).catch(() => {})
  }
}
