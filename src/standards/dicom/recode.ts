/**
 * A data set rewritten on its way: some attributes exchanged, and, where it must, another form of
 * writing (implicit to explicit, big to little endian). Takes and gives pieces of any size; holds no
 * more than one element's head and the few values that it has to know.
 *
 * Source: DICOM PS3.5 §6.2.2 (UN, and what is too long for its VR), §7.1 (elements), §7.5 (sequences),
 * §7.3 and Annex A (byte order).
 * Where the form stays, all bytes but those of the exchanged attributes stay too. Where it changes,
 * sequences and items leave with undefined lengths, since theirs aren't known until they have been
 * rewritten; group lengths, retired for that reason, are left out.
 */

import { isUsOrSs, vrOfNumber } from './dictionary.ts'
import {
  DEPTH_MAX, HEAD_BYTES_MAX, IMPLICIT_FORM, ITEM, ITEM_END, Nesting, SEQUENCE_END, UNDEFINED, isLongVr, isVr, malformed, newHead,
  readHead, vrCode, type Form
} from './elements.ts'

/** Attributes of the data set itself, by tag: what they become, or nothing where they go. */
export type Edits = ReadonlyMap<number, Edit | undefined>

export interface Edit {
  readonly vr: string
  /** Of even length, as it is to be written. */
  readonly value: Buffer
}

export interface Rewriter {
  /** @throws RequestError DATA_MALFORMED */
  push (bytes: Buffer): Buffer[]
  /** To be called after the last byte of the data set, or of a part that ends between two elements. @throws RequestError DATA_MALFORMED */
  end (): Buffer[]
}

/** @param to little endian */
export function rewriter (from: Form, to: Form, edits: Edits = new Map()): Rewriter {
  const isSame = from.explicit === to.explicit && from.bigEndian === to.bigEndian
  return isSame ? new Copier(from, edits) : new Recoder(from, to, edits)
}

const SHORT_LENGTH_MAX = 0xfffe
const VR_SQ = vrCode('SQ')
const VR_UN = vrCode('UN')
const PIXEL_REPRESENTATION = 0x00280103

/** Edits in the order of their tags, given out as the walk passes their places. */
class Queue {
  readonly #form: Form
  readonly #edits: Edits
  readonly #tags: readonly number[]
  #place = 0
  readonly #groups: ReadonlySet<number>

  constructor (edits: Edits, form: Form) {
    this.#form = form
    this.#edits = edits
    this.#tags = [...edits.keys()].sort((a, b) => a - b)
    this.#groups = new Set(this.#tags.map(tag => tag >>> 16))
  }

  /** Writes what belongs before `tag`. @returns whether what stands there goes */
  pass (tag: number, out: Buffer[]): boolean {
    while (this.#place < this.#tags.length && this.#tags[this.#place]! <= tag) {
      const edited = this.#tags[this.#place++]!
      const edit = this.#edits.get(edited)
      if (edit !== undefined) out.push(encodeHead(edited, vrCode(edit.vr), edit.value.length, this.#form), edit.value)
    }
    // A group that has another length now; nobody misses the number.
    return this.#edits.has(tag) || (tag % 0x10000 === 0 && this.#groups.has(tag >>> 16))
  }
}

/** Same form: elements are stepped over, and leave as views of what came. */
class Copier implements Rewriter {
  readonly #queue: Queue
  readonly #nesting: Nesting
  readonly #head = newHead()
  #held: Buffer | undefined
  /** Bytes still to come of a value that is stepped over. */
  #left = 0
  /** Whether the element that the walk is in leaves. */
  #keeps = true

  constructor (form: Form, edits: Edits) {
    this.#queue = new Queue(edits, form)
    this.#nesting = new Nesting(form)
  }

  push (chunk: Buffer): Buffer[] {
    const bytes = this.#held === undefined ? chunk : Buffer.concat([this.#held, chunk])
    this.#held = undefined
    const out: Buffer[] = []
    let from = 0
    let at = Math.min(this.#left, bytes.length)
    this.#left -= at
    const flush = (): void => {
      if (this.#keeps && at > from) out.push(bytes.subarray(from, at))
      from = at
    }
    while (at < bytes.length) {
      if (!readHead(bytes, at, bytes.length, this.#nesting.form, this.#head)) {
        flush()
        this.#held = bytes.subarray(at)
        return out
      }
      if (this.#nesting.depth === 0) {
        flush()
        this.#keeps = !this.#queue.pass(this.#head.tag, out)
      }
      const next = this.#head.value + this.#nesting.pass(this.#head)
      at = Math.min(next, bytes.length)
      this.#left = next - at
    }
    flush()
    return out
  }

  end (): Buffer[] {
    if (this.#left > 0 || this.#nesting.depth > 0 || !isBlank(this.#held)) throw malformed('ends inside of an element', 0)
    const out: Buffer[] = []
    this.#queue.pass(UNDEFINED, out)
    return out
  }
}

/** A sequence or an item that the walk is in. */
interface Level {
  readonly isItem: boolean
  /** Where it ends, in bytes from the start of the data set; Infinity where a delimiter says. */
  readonly end: number
  /** How the heads before it were read. */
  readonly form: Form
  /** Pixel Representation, as far as it is known in there. */
  signed: boolean
}

/** Another form: every element is looked at, down to the innermost. */
class Recoder implements Rewriter {
  readonly #to: Form
  readonly #queue: Queue
  readonly #head = newHead()
  #form: Form
  #signed = false
  readonly #levels: Level[] = []
  #held: Buffer | undefined
  /** From the start of the data set, of the first byte that hasn't been used. */
  #offset = 0
  /** What is left of the value that the walk is in, and of how many bytes its numbers are. */
  #left = 0
  #unit = 1
  #padded = false
  #leaves = true
  /** Whether the attribute of the data set that the walk is in leaves. */
  #keeps = true
  /** Fragments are items that aren't looked into. */
  #fragments = false

  constructor (from: Form, to: Form, edits: Edits) {
    this.#form = from
    this.#to = to
    this.#queue = new Queue(edits, to)
  }

  push (chunk: Buffer): Buffer[] {
    const bytes = this.#held === undefined ? chunk : Buffer.concat([this.#held, chunk])
    this.#held = undefined
    const out: Buffer[] = []
    let at = 0
    while (at < bytes.length) {
      const used = this.#left > 0 ? this.#value(bytes, at, out) : this.#element(bytes, at, out)
      if (used === 0) {
        this.#held = bytes.subarray(at)
        break
      }
      at += used
      this.#offset += used
    }
    return out
  }

  end (): Buffer[] {
    const out: Buffer[] = []
    this.#close(out)
    if (this.#left > 0 || this.#levels.length > 0 || this.#fragments || !isBlank(this.#held)) throw malformed('ends inside of an element', this.#offset)
    this.#queue.pass(UNDEFINED, out)
    return out
  }

  /** Passes what is there of a value. @returns how many bytes; 0 when they are fewer than one number */
  #value (bytes: Buffer, at: number, out: Buffer[]): number {
    const there = Math.min(this.#left, bytes.length - at)
    // The last bytes of a value that is no multiple of its unit stay as they are.
    const length = there === this.#left ? there : there - there % this.#unit
    if (length === 0) return 0
    this.#left -= length
    if (!this.#leaves) return length
    const value = bytes.subarray(at, at + length)
    out.push(this.#unit === 1 ? value : swapped(value, this.#unit))
    if (this.#left === 0 && this.#padded) out.push(ZERO)
    return length
  }

  /** Passes one head. @returns its bytes; 0 when it is cut */
  #element (bytes: Buffer, at: number, out: Buffer[]): number {
    this.#close(out)
    const head = this.#head
    if (!readHead(bytes, at, bytes.length, this.#form, head)) return 0
    const used = head.value - at
    const { tag, length } = head
    const top = this.#levels.at(-1)
    if (top === undefined && !this.#fragments) this.#keeps = !this.#queue.pass(tag, out)
    if (this.#fragments) this.#fragment(tag, length, out)
    else if (tag === ITEM) this.#open(true, length, out)
    else if (tag === ITEM_END || tag === SEQUENCE_END) this.#delimiter(tag, out)
    else if (top !== undefined && !top.isItem) throw malformed('something else than an item in a sequence', this.#offset)
    else return this.#plain(bytes, at, used, out)
    return used
  }

  #plain (bytes: Buffer, at: number, used: number, out: Buffer[]): number {
    const { tag, vr: given, length, value } = this.#head
    const vr = this.#vrOf(tag, given, length)
    if (vr === VR_SQ) {
      if (this.#keeps) out.push(encodeHead(tag, vr, length === 0 ? 0 : UNDEFINED, this.#to))
      // What an archive stored as UN is implicit inside (PS3.5 §6.2.2).
      if (length > 0) this.#enter(false, length, given === VR_UN && length === UNDEFINED ? IMPLICIT_FORM : this.#form, used)
      return used
    }
    if (length === UNDEFINED) {
      this.#fragments = true
      if (this.#keeps) out.push(encodeHead(tag, vr, UNDEFINED, this.#to))
      return used
    }
    if (tag === PIXEL_REPRESENTATION) {
      if (bytes.length - at < used + length && length <= HEAD_BYTES_MAX) return 0
      this.#learn((bytes[value]! | bytes[value + 1]!) === 1)
    }
    // Group lengths tell of the old form.
    this.#begin(length, this.#form.bigEndian ? unitOf(vr) : 1, this.#keeps && tag % 0x10000 !== 0)
    if (this.#leaves) out.push(encodeHead(tag, vr, length + length % 2, this.#to))
    return used
  }

  #vrOf (tag: number, given: number, length: number): number {
    if (given !== 0 && given !== VR_UN) return given
    if (length === UNDEFINED) return tag % 0x10000 === 0x0010 && tag >>> 16 === 0x7fe0 ? vrCode('OB') : VR_SQ
    if (given === VR_UN) return VR_UN
    if (this.#signedNow() && isUsOrSs(tag)) return vrCode('SS')
    return vrCode(vrOfNumber(tag))
  }

  #signedNow (): boolean {
    return this.#levels.at(-1)?.signed ?? this.#signed
  }

  #learn (signed: boolean): void {
    const top = this.#levels.at(-1)
    if (top === undefined) this.#signed = signed
    else top.signed = signed
  }

  #open (isItem: true, length: number, out: Buffer[]): void {
    if (this.#levels.at(-1)?.isItem !== false) throw malformed('an item outside of a sequence', this.#offset)
    if (this.#keeps) out.push(delimiterHead(ITEM, length === 0 ? 0 : UNDEFINED))
    if (length > 0) this.#enter(isItem, length, this.#form, 8)
  }

  /** @param used bytes of the head, which lie before what is entered */
  #enter (isItem: boolean, length: number, inner: Form, used: number): void {
    // Each level of nesting is a sequence and an item.
    if (this.#levels.length >= 2 * DEPTH_MAX) throw malformed('nested too deeply', this.#offset)
    const end = length === UNDEFINED ? Infinity : this.#offset + used + length
    if (end > this.#outerEnd() && end !== Infinity) throw malformed('a value is longer than what is around it', this.#offset)
    this.#levels.push({ isItem, end, form: this.#form, signed: this.#signedNow() })
    this.#form = inner
  }

  #outerEnd (): number {
    return this.#levels.reduce((least, { end }) => Math.min(least, end), Infinity)
  }

  #delimiter (tag: number, out: Buffer[]): void {
    const top = this.#levels.at(-1)
    if (top === undefined || top.isItem !== (tag === ITEM_END)) throw malformed('a delimiter without anything to end', this.#offset)
    this.#leave(out)
  }

  #leave (out: Buffer[]): void {
    const top = this.#levels.pop()!
    this.#form = top.form
    if (this.#keeps) out.push(delimiterHead(top.isItem ? ITEM_END : SEQUENCE_END, 0))
  }

  /** Ends what has a length and has reached it. */
  #close (out: Buffer[]): void {
    for (let top = this.#levels.at(-1); top !== undefined && top.end <= this.#offset; top = this.#levels.at(-1)) {
      if (top.end < this.#offset) throw malformed('a value is longer than what is around it', this.#offset)
      this.#leave(out)
    }
  }

  #fragment (tag: number, length: number, out: Buffer[]): void {
    if (tag !== ITEM && tag !== SEQUENCE_END) throw malformed('something else than a fragment', this.#offset)
    if (length === UNDEFINED) throw malformed('a fragment without a length', this.#offset)
    if (this.#keeps) out.push(delimiterHead(tag, length + length % 2))
    this.#fragments = tag === ITEM
    this.#begin(length, 1, this.#keeps)
  }

  /** A value follows. */
  #begin (length: number, unit: number, leaves: boolean): void {
    this.#left = length
    this.#unit = unit
    this.#padded = length % 2 === 1
    this.#leaves = leaves
  }
}

const ZERO = Buffer.alloc(1)

/** Padding of fewer bytes than a head, which some writers leave behind a data set. */
function isBlank (held: Buffer | undefined): boolean {
  return held === undefined || held.every(byte => byte === 0)
}

const UNITS = new Map([
  ...['AT', 'OW', 'SS', 'US'].map(vr => [vrCode(vr), 2] as const),
  ...['FL', 'OF', 'OL', 'SL', 'UL'].map(vr => [vrCode(vr), 4] as const),
  ...['FD', 'OD', 'OV', 'SV', 'UV'].map(vr => [vrCode(vr), 8] as const)
])

function unitOf (vr: number): number {
  return UNITS.get(vr) ?? 1
}

/** A copy in the other byte order; bytes after the last whole number stay. */
function swapped (value: Buffer, unit: number): Buffer {
  const copy = Buffer.from(value)
  const whole = copy.subarray(0, copy.length - copy.length % unit)
  if (unit === 2) whole.swap16()
  else if (unit === 4) whole.swap32()
  else whole.swap64()
  return copy
}

/** In little endian. What is too long for its VR is written as UN (PS3.5 §6.2.2), and so is what is none. */
export function encodeHead (tag: number, vr: number, length: number, { explicit }: Form): Buffer {
  const named = isVr(vr) && (isLongVr(vr) || length <= SHORT_LENGTH_MAX) ? vr : VR_UN
  const isLong = explicit && isLongVr(named)
  const bytes = Buffer.alloc(isLong ? HEAD_BYTES_MAX : 8)
  bytes.writeUInt16LE(tag >>> 16, 0)
  bytes.writeUInt16LE(tag % 0x10000, 2)
  if (explicit) bytes.writeUInt16BE(named, 4)
  if (explicit && !isLong) bytes.writeUInt16LE(length, 6)
  else bytes.writeUInt32LE(length, bytes.length - 4)
  return bytes
}

/** An item, or the end of one or of a sequence: the same in all little endian forms. */
export function delimiterHead (tag: number, length: number): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeUInt16LE(tag >>> 16, 0)
  bytes.writeUInt16LE(tag % 0x10000, 2)
  bytes.writeUInt32LE(length, 4)
  return bytes
}
