/**
 * Data elements as they lie in bytes: the one place that knows how an element's head is laid out
 * and how nested values end. Everything that reads a data set (dataset.ts, head.ts, ins.ts,
 * part10.ts, frames.ts) walks with this.
 *
 * Source: DICOM PS3.5 §7.1 (elements), §7.5 (sequences), §6.2.2 (UN of undefined length), §A.1-A.3.
 * Lengths are never believed: they are compared with the bytes at hand, never allocated.
 */

import { RequestError } from '#core/errors.ts'
import { transferSyntax } from './transfer-syntax.ts'

/** How element heads are written. */
export interface Form {
  readonly explicit: boolean
  readonly bigEndian: boolean
}

export const IMPLICIT_FORM: Form = { explicit: false, bigEndian: false }
const EXPLICIT_FORM: Form = { explicit: true, bigEndian: false }
const BIG_ENDIAN_FORM: Form = { explicit: true, bigEndian: true }

export function formOf (transferSyntaxUid: string): Form {
  const { explicitVr, bigEndian } = transferSyntax(transferSyntaxUid)
  return bigEndian ? BIG_ENDIAN_FORM : explicitVr ? EXPLICIT_FORM : IMPLICIT_FORM
}

/** The length that says: until the delimiter (PS3.5 §7.1.1). */
export const UNDEFINED = 0xffffffff

export const ITEM = 0xfffee000
export const ITEM_END = 0xfffee00d
export const SEQUENCE_END = 0xfffee0dd

/** Bytes of the longest head: tag, VR, two reserved, length of 32 bits. */
export const HEAD_BYTES_MAX = 12

/** Sequences inside sequences. Real structured reports reach about 15; the rest is an attack. */
export const DEPTH_MAX = 64

/** One element's head, filled anew by {@link readHead} so that a walk allocates nothing. */
export interface ElementHead {
  /** (gggg,eeee) as one number: 0x7FE00010. */
  tag: number
  /** Both letters as one number (see {@link vrCode}); 0 where the form has none. */
  vr: number
  /** As announced; {@link UNDEFINED} possible. */
  length: number
  /** Where the value begins. */
  value: number
}

export function newHead (): ElementHead {
  return { tag: 0, vr: 0, length: 0, value: 0 }
}

export function vrCode (vr: string): number {
  return vr.charCodeAt(0) << 8 | vr.charCodeAt(1)
}

const SHORT = 1
const LONG = 2
/** What follows each VR: a length of 16 bits, or two reserved bytes and 32 bits (PS3.5 §7.1.2). */
const LENGTH_KIND = new Uint8Array(0x10000)
for (const vr of 'AE AS AT CS DA DS DT FL FD IS LO LT PN SH SL SS ST TM UI UL US'.split(' ')) {
  LENGTH_KIND[vrCode(vr)] = SHORT
}
for (const vr of 'OB OD OF OL OV OW SQ SV UC UN UR UT UV'.split(' ')) {
  LENGTH_KIND[vrCode(vr)] = LONG
}

const VR_UN = vrCode('UN')

export function isVr (code: number): boolean {
  return LENGTH_KIND[code] !== 0
}

/** Does a VR of this code have a length of 32 bits when written explicitly? */
export function isLongVr (code: number): boolean {
  return LENGTH_KIND[code] === LONG
}

/**
 * Reads the head of the element at `at`.
 *
 * @returns false when the bytes end before the head does
 */
export function readHead (bytes: Uint8Array, at: number, end: number, form: Form, head: ElementHead): boolean {
  if (end - at < 8) return false
  if (form.bigEndian) return readBigEndianHead(bytes, at, end, head)
  const group = bytes[at]! | bytes[at + 1]! << 8
  head.tag = group * 0x10000 + (bytes[at + 2]! | bytes[at + 3]! << 8)
  if (!form.explicit || group === 0xfffe) {
    head.vr = 0
    head.length = uint32(bytes, at + 4)
    head.value = at + 8
    return true
  }
  const vr = bytes[at + 4]! << 8 | bytes[at + 5]!
  const kind = LENGTH_KIND[vr]
  head.vr = vr
  if (kind === SHORT) {
    head.length = bytes[at + 6]! | bytes[at + 7]! << 8
    head.value = at + 8
    return true
  }
  if (kind === LONG || isFutureVr(bytes, at)) {
    if (end - at < HEAD_BYTES_MAX) return false
    head.length = uint32(bytes, at + 8)
    head.value = at + HEAD_BYTES_MAX
    return true
  }
  if (isImplicitInside(bytes, at)) {
    head.vr = 0
    head.length = uint32(bytes, at + 4)
  } else {
    head.length = bytes[at + 6]! | bytes[at + 7]! << 8
  }
  head.value = at + 8
  return true
}

function readBigEndianHead (bytes: Uint8Array, at: number, end: number, head: ElementHead): boolean {
  const group = bytes[at]! << 8 | bytes[at + 1]!
  head.tag = group * 0x10000 + (bytes[at + 2]! << 8 | bytes[at + 3]!)
  head.value = at + 8
  if (group === 0xfffe) {
    head.vr = 0
    head.length = uint32BigEndian(bytes, at + 4)
    return true
  }
  const vr = bytes[at + 4]! << 8 | bytes[at + 5]!
  head.vr = vr
  if (LENGTH_KIND[vr] === LONG || (LENGTH_KIND[vr] === 0 && isFutureVr(bytes, at))) {
    if (end - at < HEAD_BYTES_MAX) return false
    head.length = uint32BigEndian(bytes, at + 8)
    head.value = at + HEAD_BYTES_MAX
  } else {
    head.length = bytes[at + 6]! << 8 | bytes[at + 7]!
  }
  return true
}

/** Two capitals that aren't a VR yet: all future ones have the long form (PS3.5 §6.2). */
function isFutureVr (bytes: Uint8Array, at: number): boolean {
  return isCapital(bytes[at + 4]!) && isCapital(bytes[at + 5]!) && bytes[at + 6] === 0 && bytes[at + 7] === 0
}

/**
 * Some makers drop an element of implicit form into explicit ones. Its length of 32 bits then lies
 * where VR and length should be: small ones show by their two high bytes. Anything else that is no
 * VR ('??', blanks) is an element with a short length, as DCMTK reads it.
 */
function isImplicitInside (bytes: Uint8Array, at: number): boolean {
  const isText = bytes[at + 4]! >= 0x20 && bytes[at + 5]! >= 0x20
  return !isText && bytes[at + 6] === 0 && bytes[at + 7] === 0
}

function isCapital (byte: number): boolean {
  return byte >= 0x41 && byte <= 0x5a
}

function uint32 (bytes: Uint8Array, at: number): number {
  return (bytes[at]! | bytes[at + 1]! << 8 | bytes[at + 2]! << 16) + bytes[at + 3]! * 0x1000000
}

function uint32BigEndian (bytes: Uint8Array, at: number): number {
  return bytes[at]! * 0x1000000 + (bytes[at + 1]! << 16 | bytes[at + 2]! << 8 | bytes[at + 3]!)
}

/**
 * Where a walk is, as it steps over values of undefined length without looking at them: a counter,
 * since each of them (sequence, item, fragments) ends by a delimiter of its own, and what has a
 * length is stepped over whole.
 */
export class Nesting {
  readonly #outermost: Form
  /** How to read the next head. */
  form: Form
  /** 0: between the elements of the data set itself. */
  depth = 0
  /** Depth from which all is implicit, because a UN of undefined length was entered there. */
  #implicitFrom = 0

  constructor (form: Form) {
    this.#outermost = form
    this.form = form
  }

  /**
   * Takes note of one more head.
   *
   * @returns bytes to step over, from `head.value` on, to the next head
   * @throws RequestError DATA_MALFORMED
   */
  pass (head: ElementHead): number {
    if (head.tag === ITEM_END || head.tag === SEQUENCE_END) {
      if (this.depth === 0) throw malformed('a delimiter without anything to end', head.value - 8)
      this.depth--
      if (this.depth < this.#implicitFrom) {
        this.#implicitFrom = 0
        this.form = this.#outermost
      }
      return 0
    }
    if (head.tag === ITEM && this.depth === 0) throw malformed('an item outside of a sequence', head.value - 8)
    if (head.length !== UNDEFINED) return head.length
    // Each level of nesting is a sequence and an item.
    if (this.depth >= 2 * DEPTH_MAX) throw malformed('nested too deeply', head.value)
    this.depth++
    if (head.vr === VR_UN && this.#implicitFrom === 0) {
      this.#implicitFrom = this.depth
      this.form = IMPLICIT_FORM
    }
    return 0
  }
}

/**
 * The end of an element that lies whole in `bytes`, delimiters included.
 *
 * @param form of the data set around it
 * @throws RequestError DATA_MALFORMED when it goes on beyond `end`
 */
export function endOf (bytes: Uint8Array, head: Readonly<ElementHead>, end: number, form: Form): number {
  const nesting = new Nesting(form)
  let at = head.value + nesting.pass(head)
  if (nesting.depth > 0) {
    const inner = newHead()
    while (nesting.depth > 0) {
      if (!readHead(bytes, at, end, nesting.form, inner)) throw malformed('a sequence is cut', at)
      at = inner.value + nesting.pass(inner)
    }
  }
  if (at > end) throw malformed('a value is longer than what is there', head.value)
  return at
}

/** The way all readers of this room say that bytes are not what they should be. */
export function malformed (what: string, offset: number): RequestError {
  return new RequestError('DATA_MALFORMED', `not a DICOM data set: ${what}`, { facts: { offset } })
}

/** 'GGGGEEEE', as DICOM JSON writes tags. */
export function tagText (tag: number): string {
  return tag.toString(16).toUpperCase().padStart(8, '0')
}
