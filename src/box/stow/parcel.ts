/**
 * One object that a caller wants stored, received whole before the PACS hears of it: in memory while
 * it is small, else in the spool. So a slow caller never holds an association, and what was cut on
 * its way here never reaches the PACS.
 *
 * Source: DICOM PS3.10 §7.1 (files), PS3.18 Table I.2-2 (reasons).
 */

import { CapacityError } from '#core/errors.ts'
import { isUid } from '#core/uid.ts'
import { HeadReader } from '#standards/dicom/head.ts'
import { readPart10Head } from '#standards/dicom/part10.ts'
import { DEFLATED_LE } from '#standards/dicom/transfer-syntax.ts'
import { WholeReader } from '#standards/dicom/whole.ts'
import { FAILURE, type StoreOutcome } from '#standards/dicomweb/store-response.ts'
import type { Spool, SpoolFile } from './spool.ts'

type Instance = NonNullable<StoreOutcome['instance']>

export interface Parcel {
  readonly instance: Instance
  readonly transferSyntaxUid: string
  /** What it takes of the memory: nothing when it is in the spool. */
  readonly memoryBytes: number
  /** The data set, once. */
  readonly dataset: () => Iterable<Uint8Array> | AsyncIterable<Uint8Array>
  readonly drop: () => Promise<void>
}

export interface ParcelRules {
  readonly spool: Spool
  /** Longer objects are refused. */
  readonly bytesMax: number
  /** A reason not to store this one; undefined where there is none. Asked before its pixels come. */
  readonly refuse: (instance: Instance, transferSyntaxUid: string) => number | undefined
}

/** File meta information with all that makers put into it takes some hundred bytes, with a private block some thousand. */
const HEAD_BYTES_MAX = 64 << 10
/** Larger objects go to the spool. A CT image has 512 KB. */
const MEMORY_BYTES_MAX = 2 << 20
/** Gathered for one write into the spool. */
const WRITE_BYTES = 512 << 10

/** What isn't as it should be, with the reason that the caller is told. */
class Refusal extends Error {
  readonly status: number
  readonly badSyntax: boolean

  constructor (status: number, badSyntax = false) {
    super('refused')
    this.status = status
    this.badSyntax = badSyntax
  }
}

/**
 * Receives one part.
 *
 * @returns the parcel, to be dropped by the caller; or why it won't be stored
 * @throws whatever `body` throws: then the request itself has ended too early
 */
export async function receiveParcel (body: AsyncIterable<Uint8Array>, rules: ParcelRules): Promise<Parcel | StoreOutcome> {
  const incoming = new Incoming(rules)
  let kept = false
  try {
    for await (const chunk of body) {
      const refused = await incoming.outcome(async () => { await incoming.write(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length)) })
      if (refused !== undefined) return refused
    }
    let parcel: Parcel | undefined
    const refused = await incoming.outcome(async () => { parcel = await incoming.end() })
    kept = refused === undefined
    return refused ?? parcel as Parcel
  } finally {
    if (!kept) await incoming.drop()
  }
}

class Incoming {
  readonly #rules: ParcelRules
  #parts: Buffer[] = []
  /** Of {@link Incoming.#parts}. */
  #held = 0
  #bytes = 0
  #begun: { readonly transferSyntaxUid: string, readonly head: HeadReader, readonly whole: WholeReader } | undefined
  #instance: Instance | undefined
  #file: SpoolFile | undefined

  constructor (rules: ParcelRules) {
    this.#rules = rules
  }

  /** Runs a step; a refusal becomes what the caller is told. */
  async outcome (step: () => Promise<void>): Promise<StoreOutcome | undefined> {
    const known = (): Pick<StoreOutcome, 'instance'> => this.#instance === undefined ? {} : { instance: this.#instance }
    try {
      await step()
      return undefined
    } catch (error) {
      if (error instanceof Refusal) return { ...known(), status: error.status, badSyntax: error.badSyntax }
      if (error instanceof CapacityError) return { ...known(), status: FAILURE.outOfResources }
      throw error
    }
  }

  async write (chunk: Buffer): Promise<void> {
    this.#bytes += chunk.length
    if (this.#bytes > this.#rules.bytesMax) throw new Refusal(FAILURE.outOfResources)
    if (this.#begun !== undefined) this.#take(chunk)
    else {
      this.#parts.push(chunk)
      this.#held += chunk.length
      if (this.#held < HEAD_BYTES_MAX) return
      this.#begin()
    }
    if (this.#held > (this.#file === undefined ? MEMORY_BYTES_MAX : WRITE_BYTES)) await this.#flush()
  }

  async end (): Promise<Parcel> {
    if (this.#begun === undefined) this.#begin()
    const { transferSyntaxUid, whole } = this.#begun!
    const instance = this.#instance
    // PS3.10 §7: a file without these is no instance of anything.
    if (instance === undefined) throw new Refusal(FAILURE.cannotUnderstand, true)
    if (whole.cut) throw new Refusal(FAILURE.cannotUnderstand, true)
    // PS3.5 §A.5: a deflated data set of odd length is padded with one zero.
    if (transferSyntaxUid === DEFLATED_LE && whole.bytes % 2 === 1) this.#keep(Buffer.of(0))
    const file = this.#file
    if (file !== undefined) await this.#flush()
    const parts = this.#parts
    return {
      instance,
      transferSyntaxUid,
      memoryBytes: file === undefined ? this.#held : 0,
      dataset: () => file === undefined ? parts : file.read(),
      drop: async () => { await this.drop() }
    }
  }

  async drop (): Promise<void> {
    this.#parts = []
    await this.#file?.drop()
  }

  /** The head of the file is here, or the file is shorter than that. */
  #begin (): void {
    const bytes = Buffer.concat(this.#parts)
    this.#parts = []
    this.#held = 0
    const { transferSyntaxUid, datasetOffset } = readHead(bytes)
    this.#begun = { transferSyntaxUid, head: new HeadReader(transferSyntaxUid), whole: new WholeReader(transferSyntaxUid) }
    if (datasetOffset < bytes.length) this.#take(bytes.subarray(datasetOffset))
  }

  #take (piece: Buffer): void {
    const { head, whole, transferSyntaxUid } = this.#begun!
    whole.push(piece)
    if (!head.done) head.push(piece)
    if (this.#instance === undefined) {
      this.#instance = instanceOf(head)
      const refusal = this.#instance && this.#rules.refuse(this.#instance, transferSyntaxUid)
      if (refusal !== undefined) throw new Refusal(refusal)
    }
    this.#keep(piece)
  }

  #keep (piece: Buffer): void {
    this.#parts.push(piece)
    this.#held += piece.length
  }

  async #flush (): Promise<void> {
    // Gigabytes of something without UIDs needn't be written anywhere.
    if (this.#instance === undefined) throw new Refusal(FAILURE.cannotUnderstand, true)
    this.#file ??= await this.#rules.spool.open()
    const parts = this.#parts
    this.#parts = []
    this.#held = 0
    await this.#file.write(parts)
  }
}

function readHead (bytes: Buffer): ReturnType<typeof readPart10Head> {
  try {
    return readPart10Head(bytes)
  } catch {
    throw new Refusal(FAILURE.cannotUnderstand, true)
  }
}

/** Who it is, as its data set says: what the file's head says of it doesn't travel over DIMSE. */
function instanceOf ({ studyUid, seriesUid, sopInstanceUid, sopClassUid }: HeadReader): Instance | undefined {
  const uids = [studyUid, seriesUid, sopInstanceUid, sopClassUid]
  if (!uids.every(uid => uid !== undefined && isUid(uid))) return undefined
  return { studyUid, seriesUid, sopInstanceUid, sopClassUid } as Instance
}
