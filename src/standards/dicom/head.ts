/**
 * What the cache must know of an object that is still arriving: who it is, and where its pixels
 * begin. Runs for each instance received, so it touches as little as it can.
 *
 * Source: DICOM PS3.5 §7; the attributes are those of PS3.3 §C.12.1, §C.7.2, §C.7.3, §C.7.6.6.
 * Leaves values and their meaning to dataset.ts, except for these six attributes.
 */

import { constants, inflateRawSync } from 'node:zlib'
import { HEAD_BYTES_MAX, ITEM, Nesting, formOf, newHead, readHead, type ElementHead } from './elements.ts'
import { EXPLICIT_LE, transferSyntax } from './transfer-syntax.ts'

const SOP_CLASS_UID = 0x00080016
const SOP_INSTANCE_UID = 0x00080018
const STUDY_INSTANCE_UID = 0x0020000d
const SERIES_INSTANCE_UID = 0x0020000e
const INSTANCE_NUMBER = 0x00200013
const NUMBER_OF_FRAMES = 0x00280008

/** The pixel data and the tables that come with them (PS3.5 §A.4). */
const PIXEL_GROUP = 0x7fe00000
const PIXEL_DATA = 0x7fe00010

/** A UID has 64 characters, an IS 12; longer values of these attributes are no use to anyone. */
const VALUE_BYTES_MAX = 128

/** Of a deflated data set, this much is tried at first; then twice as much, up to the maximum. */
const DEFLATED_BYTES_MIN = 2 * 1024
const DEFLATED_BYTES_MAX = 64 * 1024
/** What one try may inflate to: far more than the heads of deflated objects have, and bounded. */
const INFLATED_BYTES_MAX = 4 * 1024 * 1024

/**
 * Walks a data set that arrives in pieces of any size, keeping at most one cut element head and a
 * short value from one piece to the next.
 */
export class HeadReader {
  studyUid: string | undefined = undefined
  seriesUid: string | undefined = undefined
  sopInstanceUid: string | undefined = undefined
  sopClassUid: string | undefined = undefined
  instanceNumber: number | undefined = undefined
  numberOfFrames: number | undefined = undefined
  /** Nothing more will be learnt: the pixel data are reached, or the walk cannot go on. */
  done = false
  malformed = false
  /**
   * Offset of the tag of the first element of group 7FE0, from the start of the data set. Undefined
   * while not reached, where there is none, and where the data set is deflated.
   */
  pixelOffset: number | undefined = undefined

  readonly #nesting: Nesting
  readonly #head: ElementHead = newHead()
  /** Data set offset of the first byte of the next piece. */
  #offset = 0
  /** How many bytes of the next piece belong to a value that is stepped over. */
  #skip = 0
  /** An element that the last piece cut in its head or in a value that we want, from its tag on. */
  #held: Buffer | undefined = undefined
  readonly #deflated: DeflatedPrefix | undefined

  constructor (transferSyntaxUid: string) {
    this.#nesting = new Nesting(formOf(transferSyntaxUid))
    this.#deflated = transferSyntax(transferSyntaxUid).deflated ? new DeflatedPrefix() : undefined
  }

  /** Takes the next bytes. They are not kept, save for what a cut element needs. */
  push (chunk: Uint8Array): void {
    if (this.done) return
    const bytes = Buffer.isBuffer(chunk) ? chunk : Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length)
    try {
      if (this.#deflated === undefined) this.#walk(bytes)
      else this.#pushDeflated(bytes, this.#deflated)
    } catch {
      this.done = this.malformed = true
    }
  }

  #walk (bytes: Buffer): void {
    const end = bytes.length
    let at = this.#skip
    if (this.#held !== undefined) {
      const held = this.#held
      const joined = Buffer.concat([held, bytes.subarray(0, HEAD_BYTES_MAX + VALUE_BYTES_MAX)])
      const next = this.#passElement(joined, 0, this.#offset - held.length)
      this.#held = next < 0 ? joined : undefined
      at = next < 0 ? end : next - held.length
    }
    while (at < end && !this.done) {
      const next = this.#passElement(bytes, at, this.#offset)
      if (next < 0) {
        this.#held = Buffer.from(bytes.subarray(at))
        at = end
      } else {
        at = next
      }
    }
    this.#skip = at - end
    this.#offset += end
  }

  /**
   * Takes the element, item or delimiter at `at`.
   *
   * @param base data set offset of `bytes[0]`
   * @returns where the next one begins, perhaps beyond the bytes; -1 when this one is cut
   */
  #passElement (bytes: Buffer, at: number, base: number): number {
    const head = this.#head
    const nesting = this.#nesting
    if (!readHead(bytes, at, bytes.length, nesting.form, head)) return -1
    if (nesting.depth === 0) {
      if (head.tag >= PIXEL_GROUP && head.tag < ITEM) {
        this.done = true
        if (head.tag <= PIXEL_DATA) this.pixelOffset = base + at
        return at
      }
      if (head.length <= VALUE_BYTES_MAX && isWanted(head.tag)) {
        const end = head.value + head.length
        if (end > bytes.length) return -1
        this.#learn(head.tag, bytes.toString('latin1', head.value, end).replace(PADDING, ''))
      }
    }
    return head.value + nesting.pass(head)
  }

  #learn (tag: number, text: string): void {
    switch (tag) {
      case SOP_CLASS_UID: this.sopClassUid = text; break
      case SOP_INSTANCE_UID: this.sopInstanceUid = text; break
      case STUDY_INSTANCE_UID: this.studyUid = text; break
      case SERIES_INSTANCE_UID: this.seriesUid = text; break
      case INSTANCE_NUMBER: this.instanceNumber = integer(text); break
      case NUMBER_OF_FRAMES: this.numberOfFrames = integer(text); break
    }
  }

  #pushDeflated (bytes: Buffer, prefix: DeflatedPrefix): void {
    for (const inflated of prefix.push(bytes)) {
      const reader = new HeadReader(EXPLICIT_LE)
      reader.push(inflated)
      this.studyUid = reader.studyUid
      this.seriesUid = reader.seriesUid
      this.sopInstanceUid = reader.sopInstanceUid
      this.sopClassUid = reader.sopClassUid
      this.instanceNumber = reader.instanceNumber
      this.numberOfFrames = reader.numberOfFrames
      this.malformed = reader.malformed
      this.done = reader.done
      if (this.done) return
    }
    this.done = prefix.full
  }
}

/** Trailing blank or NUL (PS3.5 §6.2); leading blanks are no part of a UID or an IS either. */
const PADDING = /^ +|[ \0]+$/g

function isWanted (tag: number): boolean {
  return tag === SOP_CLASS_UID || tag === SOP_INSTANCE_UID || tag === STUDY_INSTANCE_UID ||
    tag === SERIES_INSTANCE_UID || tag === INSTANCE_NUMBER || tag === NUMBER_OF_FRAMES
}

function integer (text: string): number | undefined {
  return /^[+-]?\d{1,12}$/.test(text) ? Number(text) : undefined
}

/** The beginning of a deflated data set, inflated again each time that it has doubled. */
class DeflatedPrefix {
  #bytes: Buffer = Buffer.alloc(0)
  #next = DEFLATED_BYTES_MIN

  get full (): boolean {
    return this.#bytes.length >= DEFLATED_BYTES_MAX
  }

  /** @yields what the bytes so far inflate to, ever more */
  * push (chunk: Buffer): Generator<Buffer> {
    this.#bytes = Buffer.concat([this.#bytes, chunk.subarray(0, DEFLATED_BYTES_MAX - this.#bytes.length)])
    for (; this.#next <= this.#bytes.length; this.#next *= 2) yield this.#inflate(this.#next)
    // A small object may end here: try all there is.
    if (this.#bytes.length < 2 * DEFLATED_BYTES_MIN) yield this.#inflate(this.#bytes.length)
  }

  #inflate (length: number): Buffer {
    return inflateRawSync(this.#bytes.subarray(0, length), {
      finishFlush: constants.Z_SYNC_FLUSH,
      maxOutputLength: INFLATED_BYTES_MAX
    })
  }
}
