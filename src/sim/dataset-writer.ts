/**
 * Writes generated data sets, so that the simulated PACS sends bytes that no part of the product
 * has made.
 *
 * Source: DICOM PS3.5 §7.1 (elements), §7.5 (sequences), §6.2 (padding), §A.4 (encapsulated pixels).
 * Little endian only, explicit or implicit VR. Attributes are named by their keyword.
 */

import assert from 'node:assert/strict'
import { createRequire } from 'node:module'

/** dcmjs ships no types, and only its dictionary is wanted here. */
const { data: { DicomMetaDictionary: { nameMap } } } = createRequire(import.meta.url)('dcmjs') as {
  data: { DicomMetaDictionary: { nameMap: Record<string, { tag: string, vr: string } | undefined> } }
}

/** A value already in bytes, for private elements and bulk values. */
export interface Raw { readonly vr: string, readonly bytes: Uint8Array }

export type Value = string | number | readonly string[] | readonly number[] | readonly Attributes[] | Raw

/** By keyword ('PatientName'), or by eight hexadecimal digits where the value is {@link Raw}. */
export interface Attributes { readonly [keywordOrTag: string]: Value }

export type Pixels =
  | { readonly vr: 'OW' | 'OB', readonly native: Uint8Array }
  | { readonly frames: readonly Uint8Array[], readonly offsetTable: boolean }

const LONG_FORM = new Set(['OB', 'OD', 'OF', 'OL', 'OV', 'OW', 'SQ', 'SV', 'UC', 'UN', 'UR', 'UT', 'UV']) // PS3.5 §7.1.2
const UNDEFINED_LENGTH = 0xffffffff

/** Tag and VR of a keyword, or undefined where the dictionary has no such word. */
export function describe (keyword: string): { readonly tag: number, readonly vr: string } | undefined {
  if (/^[0-9A-F]{8}$/.test(keyword)) return { tag: parseInt(keyword, 16), vr: 'UN' }
  const entry = Object.hasOwn(nameMap, keyword) ? nameMap[keyword] : undefined
  if (entry === undefined || !/^\([0-9A-F]{4},[0-9A-F]{4}\)$/.test(entry.tag)) return undefined
  // 'xs' and 'ox' mean "US or SS", "OB or OW": everything generated here is unsigned.
  const vr = entry.vr === 'xs' || entry.vr === 'US or SS' ? 'US' : entry.vr === 'ox' ? 'OW' : entry.vr
  return { tag: parseInt(entry.tag.replace(/[(),]/g, ''), 16), vr }
}

/**
 * Encodes attributes in tag order. Text is written in the data set's own SpecificCharacterSet,
 * of which three are known: none (ASCII), ISO_IR 100 and ISO_IR 192.
 */
export function encodeAttributes (attributes: Attributes, explicitVr: boolean, characterSet = attributes.SpecificCharacterSet): Buffer {
  const elements = Object.entries(attributes).map(([keyword, value]) => {
    const entry = describe(keyword)
    assert.ok(entry, `no such attribute: ${keyword}`)
    return { tag: entry.tag, vr: isRaw(value) ? value.vr : entry.vr, value }
  })
  elements.sort((a, b) => a.tag - b.tag)
  return Buffer.concat(elements.flatMap(({ tag, vr, value }) => {
    const bytes = valueBytes(vr, value, explicitVr, characterSet)
    return [elementHead(tag, vr, bytes.length, explicitVr), bytes]
  }))
}

/** The pixel data element, whole: native or as encapsulated fragments, one for each frame. */
export function encodePixels (pixels: Pixels, explicitVr: boolean): Buffer[] {
  if ('native' in pixels) return [elementHead(0x7fe00010, pixels.vr, pixels.native.length, explicitVr), Buffer.from(pixels.native.buffer, pixels.native.byteOffset, pixels.native.length)]
  const pieces = [elementHead(0x7fe00010, 'OB', UNDEFINED_LENGTH, true)]
  const padded = pixels.frames.map(frame => pad(Buffer.from(frame.buffer, frame.byteOffset, frame.length), 0))
  const table = Buffer.alloc(pixels.offsetTable ? 4 * padded.length : 0)
  let offset = 0
  padded.forEach((frame, index) => {
    if (pixels.offsetTable) table.writeUInt32LE(offset, 4 * index)
    offset += 8 + frame.length
  })
  for (const fragment of [table, ...padded]) pieces.push(itemHead(0xe000, fragment.length), fragment)
  pieces.push(itemHead(0xe0dd, 0))
  return pieces
}

/** Tag, VR and length of one element. */
export function elementHead (tag: number, vr: string, length: number, explicitVr: boolean): Buffer {
  const long = explicitVr && LONG_FORM.has(vr)
  const head = Buffer.alloc(long ? 12 : 8)
  head.writeUInt16LE(tag >>> 16, 0)
  head.writeUInt16LE(tag & 0xffff, 2)
  if (explicitVr) head.write(vr, 4, 'latin1')
  if (long) head.writeUInt32LE(length, 8)
  else if (explicitVr) head.writeUInt16LE(length, 6)
  else head.writeUInt32LE(length, 4)
  return head
}

function itemHead (element: number, length: number): Buffer {
  const head = Buffer.alloc(8)
  head.writeUInt16LE(0xfffe, 0)
  head.writeUInt16LE(element, 2)
  head.writeUInt32LE(length, 4)
  return head
}

function valueBytes (vr: string, value: Value, explicitVr: boolean, characterSet: Value | undefined): Buffer {
  if (isRaw(value)) return pad(Buffer.from(value.bytes), 0)
  if (vr === 'SQ') {
    return Buffer.concat((value as readonly Attributes[]).flatMap(item => {
      const bytes = encodeAttributes(item, explicitVr, characterSet)
      return [itemHead(0xe000, bytes.length), bytes]
    }))
  }
  const values = (Array.isArray(value) ? value : [value]) as readonly (string | number)[]
  const number = NUMBERS[vr]
  if (number !== undefined) {
    const bytes = Buffer.alloc(number.bytes * values.length)
    values.forEach((item, index) => number.write(bytes, Number(item), index * number.bytes))
    return bytes
  }
  const text = values.join('\\')
  if (characterSet === 'ISO_IR 192') return pad(Buffer.from(text), vr === 'UI' ? 0 : 0x20)
  const bytes = Buffer.from(text, 'latin1')
  assert.equal(bytes.toString('latin1'), text, `not to be written in ${String(characterSet)}`)
  return pad(bytes, vr === 'UI' ? 0 : 0x20)
}

const NUMBERS: Readonly<Record<string, { bytes: number, write: (to: Buffer, value: number, at: number) => void } | undefined>> = {
  US: { bytes: 2, write: (to, value, at) => { to.writeUInt16LE(value, at) } },
  SS: { bytes: 2, write: (to, value, at) => { to.writeInt16LE(value, at) } },
  UL: { bytes: 4, write: (to, value, at) => { to.writeUInt32LE(value, at) } },
  SL: { bytes: 4, write: (to, value, at) => { to.writeInt32LE(value, at) } },
  FL: { bytes: 4, write: (to, value, at) => { to.writeFloatLE(value, at) } },
  FD: { bytes: 8, write: (to, value, at) => { to.writeDoubleLE(value, at) } },
  // A tag is two numbers of 16 bits, group first.
  AT: { bytes: 4, write: (to, value, at) => { to.writeUInt16LE(value >>> 16, at); to.writeUInt16LE(value & 0xffff, at + 2) } }
}

function isRaw (value: Value): value is Raw {
  return typeof value === 'object' && 'vr' in value && 'bytes' in value
}

function pad (bytes: Buffer, filler: number): Buffer {
  return bytes.length % 2 === 0 ? bytes : Buffer.concat([bytes, Buffer.of(filler)])
}
