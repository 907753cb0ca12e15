/**
 * Values of elements: from bytes to the JSON model and back, one VR at a time.
 *
 * Source: DICOM PS3.5 §6.2 (VRs, padding), §6.4 (multiplicity), PS3.18 §F.2.3-F.2.7.
 */

import { RequestError } from '#core/errors.ts'
import { TEXT_VRS, decodeText, encodeText } from './charset.ts'
import type { Tag, Vr } from './dictionary.ts'
import type { JsonElement, PersonName } from './json.ts'

/** What a value's bytes need for being read, besides its VR. */
export interface Context {
  readonly bigEndian: boolean
  readonly characterSet: readonly string[]
}

/** Bytes per number; for the VRs that DICOM JSON gives as base64, bytes per word. */
const WIDTH: Partial<Record<Vr, 1 | 2 | 4 | 8>> = {
  AT: 2, FD: 8, FL: 4, SL: 4, SS: 2, SV: 8, UL: 4, US: 2, UV: 8, OB: 1, OD: 8, OF: 4, OL: 4, OV: 8, OW: 2, UN: 1
}

const BINARY: ReadonlySet<Vr> = new Set<Vr>(['OB', 'OD', 'OF', 'OL', 'OV', 'OW', 'UN'])
/** Never several values: a backslash is a character (PS3.5 §6.2). */
const SINGLE: ReadonlySet<Vr> = new Set<Vr>(['LT', 'ST', 'UR', 'UT'])
/** Leading blanks mean nothing here, as trailing ones nowhere do (PS3.5 §6.2). */
const LEADING_BLANKS: ReadonlySet<Vr> = new Set<Vr>(['AE', 'CS', 'DS', 'IS', 'LO', 'SH'])
/** May be given by reference (PS3.18 §F.2.2): the long ones. */
const BULK: ReadonlySet<Vr> = new Set<Vr>([
  'DS', 'FD', 'FL', 'IS', 'LT', 'OB', 'OD', 'OF', 'OL', 'OV', 'OW', 'SL', 'SS', 'ST', 'SV', 'UC', 'UL', 'UN', 'US', 'UT', 'UV'
])

export function mayBeBulk (vr: Vr): boolean {
  return BULK.has(vr)
}

/** Fills in `Value` or `InlineBinary`; neither where the value is empty. */
export function decodeValue (bytes: Buffer, vr: Vr, context: Context): JsonElement {
  if (bytes.length === 0) return { vr }
  if (BINARY.has(vr)) return { vr, InlineBinary: littleEndian(bytes, vr, context.bigEndian).toString('base64') }
  const values = WIDTH[vr] === undefined ? decodeStrings(bytes, vr, context) : decodeNumbers(bytes, vr, context.bigEndian)
  return values.length === 0 ? { vr } : { vr, Value: values }
}

/** False for a value that should be numbers of this VR and has a broken one. */
export function isWholeNumbers (length: number, vr: Vr): boolean {
  return BINARY.has(vr) || length % ((WIDTH[vr] ?? 1) * (vr === 'AT' ? 2 : 1)) === 0
}

function littleEndian (bytes: Buffer, vr: Vr, bigEndian: boolean): Buffer {
  const width = WIDTH[vr] ?? 1
  if (!bigEndian || width === 1 || bytes.length % width !== 0) return bytes
  const copy = Buffer.from(bytes)
  return width === 2 ? copy.swap16() : width === 4 ? copy.swap32() : copy.swap64()
}

function decodeStrings (bytes: Buffer, vr: Vr, context: Context): unknown[] {
  const text = TEXT_VRS.has(vr) ? decodeText(bytes, context.characterSet, vr) : bytes.toString('latin1')
  if (SINGLE.has(vr)) {
    const value = withoutTrailing(text)
    return value === '' ? [] : [value]
  }
  const parts = text.includes('\\') ? text.split('\\') : [text]
  const values = parts.map(part => {
    const bare = withoutTrailing(part)
    return decodeString(LEADING_BLANKS.has(vr) ? bare.trimStart() : bare, vr)
  })
  return values.length === 1 && values[0] === null ? [] : values
}

/** Trailing padding: blanks, or the NUL that is meant for UIDs and found everywhere. */
function withoutTrailing (text: string): string {
  let end = text.length
  while (end > 0 && (text.charCodeAt(end - 1) === 0x20 || text.charCodeAt(end - 1) === 0)) end--
  return end === text.length ? text : text.slice(0, end)
}

const DECIMAL = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:E[+-]?\d+)?$/i
const INTEGER = /^[+-]?\d+$/

function decodeString (text: string, vr: Vr): unknown {
  if (text === '') return null
  if (vr === 'PN') return decodeName(text)
  if (vr === 'DS' && DECIMAL.test(text)) return finite(text)
  if (vr === 'IS' && INTEGER.test(text)) return finite(text)
  return text
}

function finite (text: string): number | string {
  const number = Number(text)
  return Number.isFinite(number) && (Number.isSafeInteger(number) || !Number.isInteger(number)) ? number : text
}

function decodeName (text: string): PersonName | null {
  const [Alphabetic = '', Ideographic = '', Phonetic = ''] = text.split('=').map(withoutTrailing)
  const name: PersonName = {}
  if (Alphabetic !== '') name.Alphabetic = Alphabetic
  if (Ideographic !== '') name.Ideographic = Ideographic
  if (Phonetic !== '') name.Phonetic = Phonetic
  return Alphabetic === '' && Ideographic === '' && Phonetic === '' ? null : name
}

function decodeNumbers (bytes: Buffer, vr: Vr, bigEndian: boolean): unknown[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const width = vr === 'AT' ? 4 : WIDTH[vr]!
  const values: unknown[] = []
  for (let at = 0; at < bytes.length; at += width) values.push(decodeNumber(view, at, vr, !bigEndian))
  return values
}

function decodeNumber (view: DataView, at: number, vr: Vr, little: boolean): unknown {
  switch (vr) {
    case 'US': return view.getUint16(at, little)
    case 'SS': return view.getInt16(at, little)
    case 'UL': return view.getUint32(at, little)
    case 'SL': return view.getInt32(at, little)
    case 'UV': return exact(view.getBigUint64(at, little))
    case 'SV': return exact(view.getBigInt64(at, little))
    case 'FL': return special(view.getFloat32(at, little))
    case 'FD': return special(view.getFloat64(at, little))
    default: return hex4(view.getUint16(at, little)) + hex4(view.getUint16(at + 2, little))
  }
}

function exact (value: bigint): number | string {
  return Number.isSafeInteger(Number(value)) ? Number(value) : String(value)
}

function special (value: number): number | string {
  return Number.isFinite(value) ? value : Number.isNaN(value) ? 'NaN' : value > 0 ? 'inf' : '-inf'
}

function hex4 (value: number): string {
  return value.toString(16).toUpperCase().padStart(4, '0')
}

/**
 * The bytes of an element that is no sequence, padded to an even length.
 *
 * @throws RequestError DATA_MALFORMED for values that this VR cannot have, QUERY_INVALID for
 *   characters that the character set lacks
 */
export function encodeValue (tag: Tag, element: JsonElement, context: Context): Buffer {
  const { vr } = element
  if (element.InlineBinary !== undefined) {
    return padded(littleEndian(Buffer.from(element.InlineBinary, 'base64'), vr, context.bigEndian), vr)
  }
  const values = element.Value ?? []
  if (values.length === 0) return Buffer.alloc(0)
  if (BINARY.has(vr)) throw unwritable(tag, vr)
  if (WIDTH[vr] !== undefined) return encodeNumbers(tag, values, vr, context.bigEndian)
  const parts = values.map(value => encodeString(tag, value, vr))
  // There is no way to write a backslash inside one of several values (PS3.18 §F.2.4).
  if (SINGLE.has(vr) ? parts.length > 1 : parts.some(part => part.includes('\\'))) throw unwritable(tag, vr)
  const text = parts.join('\\')
  if (!TEXT_VRS.has(vr) && LATIN_1_BEYOND.test(text)) throw unwritable(tag, vr)
  return padded(TEXT_VRS.has(vr) ? encodeText(text, context.characterSet, vr) : Buffer.from(text, 'latin1'), vr)
}

const LATIN_1_BEYOND = /[^\0-\xff]/

function encodeString (tag: Tag, value: unknown, vr: Vr): string {
  if (value === null || value === undefined) return ''
  if (vr === 'PN' && typeof value === 'object') {
    const { Alphabetic = '', Ideographic = '', Phonetic = '' } = value as PersonName
    return [Alphabetic, Ideographic, Phonetic].join('=').replace(/=+$/, '')
  }
  if (typeof value === 'string') return value
  if (typeof value === 'number' && Number.isFinite(value)) return vr === 'DS' ? decimalString(value) : String(value)
  throw unwritable(tag, vr)
}

/** At most 16 characters (PS3.5 §6.2), with as many digits as they can hold. */
function decimalString (value: number): string {
  const DS_CHARACTERS_MAX = 16
  for (let digits = 17; ; digits--) {
    const rounded = digits === 17 ? value : Number(value.toPrecision(digits))
    if (!Number.isFinite(rounded)) continue // rounded up beyond the largest number there is
    for (const text of [String(rounded), rounded.toExponential()]) if (text.length <= DS_CHARACTERS_MAX) return text
  }
}

function encodeNumbers (tag: Tag, values: readonly unknown[], vr: Vr, bigEndian: boolean): Buffer {
  const width = vr === 'AT' ? 4 : WIDTH[vr]!
  const bytes = Buffer.alloc(width * values.length)
  try {
    for (const [index, value] of values.entries()) encodeNumber(bytes, index * width, value, vr, bigEndian)
  } catch {
    throw unwritable(tag, vr)
  }
  return bytes
}

/** @throws RangeError or TypeError where the value isn't one of this VR */
function encodeNumber (bytes: Buffer, at: number, value: unknown, vr: Vr, bigEndian: boolean): void {
  if (vr === 'AT') {
    if (typeof value !== 'string' || !/^[\dA-F]{8}$/i.test(value)) throw new TypeError('not a tag')
    const words = Buffer.from(value, 'hex')
    ;(bigEndian ? words : words.swap16()).copy(bytes, at)
  } else if (vr === 'UV' || vr === 'SV') {
    if (typeof value !== 'number' && typeof value !== 'string') throw new TypeError('not a number')
    const integer = BigInt(value)
    const unsigned = vr === 'SV' && integer < 0n ? integer + (1n << 64n) : integer
    if (vr === 'SV' && (integer >= 1n << 63n || integer < -(1n << 63n))) throw new RangeError('beyond 64 bits')
    if (bigEndian) bytes.writeBigUInt64BE(unsigned, at)
    else bytes.writeBigUInt64LE(unsigned, at)
  } else if (vr === 'FL' || vr === 'FD') {
    const number = typeof value === 'number' ? value : SPECIAL.get(value)
    if (number === undefined) throw new TypeError('not a number')
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
    if (vr === 'FL') view.setFloat32(at, number, !bigEndian)
    else view.setFloat64(at, number, !bigEndian)
  } else {
    if (!Number.isInteger(value)) throw new TypeError('not an integer')
    const width = WIDTH[vr]!
    const isSigned = vr === 'SS' || vr === 'SL'
    const number = value as number
    if (isSigned && bigEndian) bytes.writeIntBE(number, at, width)
    else if (isSigned) bytes.writeIntLE(number, at, width)
    else if (bigEndian) bytes.writeUIntBE(number, at, width)
    else bytes.writeUIntLE(number, at, width)
  }
}

const SPECIAL: ReadonlyMap<unknown, number> = new Map([['NaN', NaN], ['inf', Infinity], ['-inf', -Infinity]])

function padded (bytes: Buffer, vr: Vr): Buffer {
  if (bytes.length % 2 === 0) return bytes
  return Buffer.concat([bytes, Buffer.of(vr === 'UI' || BINARY.has(vr) ? 0 : 0x20)])
}

function unwritable (tag: Tag, vr: Vr): RequestError {
  return new RequestError('DATA_MALFORMED', `a value of ${tag} isn't one of ${vr}`, { facts: { tag, vr } })
}
