/**
 * Data sets: identifiers of queries, and heads of objects, from bytes to the JSON model and back.
 *
 * Source: DICOM PS3.5 §7 and Annex A, PS3.18 Annex F.
 * Group lengths, command and file meta groups and trailing padding don't enter the JSON model. Text
 * enters it as Unicode, so (0008,0005) is ISO_IR 192 there whatever it was in the bytes.
 */

import { constants, deflateRawSync, inflateRawSync } from 'node:zlib'
import { RequestError } from '#core/errors.ts'
import { TEXT_VRS, characterSetFor } from './charset.ts'
import { isUsOrSs, vrOfNumber, type Tag, type Vr } from './dictionary.ts'
import {
  DEPTH_MAX, IMPLICIT_FORM, ITEM, ITEM_END, SEQUENCE_END, UNDEFINED, endOf, formOf, isLongVr, isVr, malformed, newHead,
  readHead, tagText, vrCode, type ElementHead, type Form
} from './elements.ts'
import type { DicomJson, JsonElement, PersonName } from './json.ts'
import { transferSyntax } from './transfer-syntax.ts'
import { decodeValue, encodeValue, isWholeNumbers, mayBeBulk } from './values.ts'

export interface DecodeOptions {
  /**
   * For heads of objects: the pixel data become a BulkDataURI, or are left out without
   * `bulkDataUri`, and nothing after them is read. The bytes may end where the pixel data element
   * begins, or anywhere in it.
   */
  readonly stopAtPixelData?: boolean
  /** Address of a value, by a path such as '7FE00010' or '00081140/0/00091002'. */
  readonly bulkDataUri?: (path: string) => string
  /** Longer values become a BulkDataURI, when `bulkDataUri` is given. */
  readonly bulkDataBytesMin?: number
  /** For an identifier that doesn't say its character set: the one of the request. */
  readonly characterSet?: readonly string[]
}

const BULK_DATA_BYTES_MIN = 1024

/** An enhanced multi-frame head has some 60 elements per frame; each takes some 100 bytes of ours. */
const ELEMENTS_MAX = 1_000_000

/** What a deflated data set may inflate to before it is decoded: the longest head, with room. */
const INFLATED_BYTES_MAX = 64 * 1024 * 1024

const CHARACTER_SET = '00080005'
const CHARACTER_SET_TAG = 0x00080005
const PIXEL_REPRESENTATION = 0x00280103
const TRAILING_PADDING = 0xfffcfffc

/**
 * Decodes an identifier, or the head of an object.
 *
 * @throws RequestError DATA_MALFORMED with the offset
 */
export function decodeDataset (bytes: Uint8Array, transferSyntaxUid: string, options: DecodeOptions = {}): DicomJson {
  const isDeflated = transferSyntax(transferSyntaxUid).deflated
  const buffer = isDeflated ? inflate(bytes) : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  return new Decoder(buffer, options).dataset(buffer.length, formOf(transferSyntaxUid), {
    characterSet: options.characterSet ?? [], isSigned: false, path: '', depth: 0
  }, false)
}

/** A cut stream gives what it gives: the walk will say whether that is enough. */
function inflate (bytes: Uint8Array): Buffer {
  try {
    return inflateRawSync(bytes, { finishFlush: constants.Z_SYNC_FLUSH, maxOutputLength: INFLATED_BYTES_MAX })
  } catch (cause) {
    throw new RequestError('DATA_MALFORMED', 'not a deflated data set, or too long', { cause, facts: { bytes: bytes.length } })
  }
}

/** What an item takes over from the data set around it. */
interface Scope {
  characterSet: readonly string[]
  isSigned: boolean
  readonly path: string
  readonly depth: number
}

const VR_NAMES = new Map<number, Vr>()
for (const vr of ('AE AS AT CS DA DS DT FD FL IS LO LT OB OD OF OL OV OW PN SH SL SQ SS ST SV TM UC UI UL UN UR US UT UV').split(' ') as Vr[]) {
  VR_NAMES.set(vrCode(vr), vr)
}

class Decoder {
  readonly #bytes: Buffer
  readonly #options: DecodeOptions
  readonly #bulkDataBytesMin: number
  #at = 0
  #elements = 0

  constructor (bytes: Buffer, options: DecodeOptions) {
    this.#bytes = bytes
    this.#options = options
    this.#bulkDataBytesMin = options.bulkDataUri === undefined ? Infinity : options.bulkDataBytesMin ?? BULK_DATA_BYTES_MIN
  }

  /** @param isDelimited it ends with an item delimiter, before `end` */
  dataset (end: number, form: Form, scope: Scope, isDelimited: boolean): DicomJson {
    const json: DicomJson = {}
    const head = newHead()
    while (this.#at < end) {
      const start = this.#at
      if (!readHead(this.#bytes, start, end, form, head)) {
        if (this.#isBlank(start, end)) break
        throw malformed('an element is cut', start)
      }
      if (head.tag === ITEM_END && isDelimited) {
        this.#at = head.value
        return json
      }
      if (++this.#elements > ELEMENTS_MAX) throw malformed('too many elements', start)
      const group = head.tag >>> 16
      if (group === 0x7fe0 && scope.depth === 0 && this.#options.stopAtPixelData === true) {
        if (this.#stopAt(json, head, end)) break
        continue
      }
      if (head.tag === TRAILING_PADDING && scope.depth === 0) break
      const element = this.#element(head, end, form, scope)
      if (head.tag % 0x10000 !== 0 && group !== 0x0000 && group !== 0x0002) json[tagText(head.tag)] = element
    }
    if (isDelimited) throw malformed('an item has no end', this.#at)
    return json
  }

  /** Some writers fill up their last block with zeros. */
  #isBlank (from: number, end: number): boolean {
    for (let at = from; at < end; at++) if (this.#bytes[at] !== 0) return false
    return true
  }

  /** Group 7FE0 of a head. Offset tables serve nobody without the bytes that they point into. */
  #stopAt (json: DicomJson, head: ElementHead, end: number): boolean {
    const { bulkDataUri } = this.#options
    const element = head.tag % 0x10000
    if (element < 0x0008) {
      this.#at = head.value + head.length
      if (this.#at < end) return false
      // What follows an offset table are encapsulated pixel data, and those are OB (PS3.5 §A.4).
      if (element > 0 && bulkDataUri !== undefined) json['7FE00010'] = { vr: 'OB', BulkDataURI: bulkDataUri('7FE00010') }
      return true
    }
    const tag = tagText(head.tag)
    if (bulkDataUri !== undefined) json[tag] = { vr: VR_NAMES.get(head.vr) ?? vrOfNumber(head.tag), BulkDataURI: bulkDataUri(tag) }
    return true
  }

  #element (head: ElementHead, end: number, form: Form, scope: Scope): JsonElement {
    const { tag, length, value } = head
    const vr = this.#vrOf(head, scope)
    const isUnknown = vr === 'UN' && head.vr !== 0
    if (vr === 'SQ' || (vr === 'UN' && length === UNDEFINED)) {
      return this.#sequence(head, end, isUnknown ? IMPLICIT_FORM : form, scope)
    }
    if (length === UNDEFINED) {
      if (vr !== 'OB' && vr !== 'OW') throw malformed('a value without an end', value)
      this.#at = endOf(this.#bytes, head, end, form)
      // Fragments have no form in JSON but that of bulk data.
      return this.#bulk('OB', tag, scope) ?? { vr: 'OB' }
    }
    if (length > end - value) throw malformed('a value is longer than what is there', value)
    this.#at = value + length
    if (isUnknown) return this.#formerlyUnknown(head, scope)
    if (length > this.#bulkDataBytesMin && mayBeBulk(vr)) return this.#bulk(vr, tag, scope)!
    const bytes = this.#bytes.subarray(value, value + length)
    // Kept byte for byte, under the VR that promises nothing.
    const element = decodeValue(bytes, isWholeNumbers(length, vr) ? vr : 'UN', { bigEndian: form.bigEndian, characterSet: scope.characterSet })
    if (tag === CHARACTER_SET_TAG && element.Value !== undefined) {
      scope.characterSet = element.Value.map(term => typeof term === 'string' ? term : '')
      return { vr: 'CS', Value: ['ISO_IR 192'] }
    }
    if (tag === PIXEL_REPRESENTATION) scope.isSigned = element.Value?.[0] === 1
    return element
  }

  #vrOf (head: ElementHead, scope: Scope): Vr {
    const written = isVr(head.vr) ? VR_NAMES.get(head.vr) : undefined
    if (written !== undefined) return written
    return scope.isSigned && isUsOrSs(head.tag) ? 'SS' : vrOfNumber(head.tag)
  }

  /**
   * An attribute that some archive stored as UN because its dictionary was too old, and that ours
   * knows: it is read as implicit little endian (PS3.5 §6.2.2), and stays UN if that fails.
   */
  #formerlyUnknown (head: ElementHead, scope: Scope): JsonElement {
    const end = head.value + head.length
    const vr = vrOfNumber(head.tag)
    const asItIs = (): JsonElement => head.length > this.#bulkDataBytesMin
      ? this.#bulk('UN', head.tag, scope)!
      : decodeValue(this.#bytes.subarray(head.value, end), 'UN', { bigEndian: false, characterSet: [] })
    if (vr === 'UN') return asItIs()
    const known: ElementHead = { ...head, vr: 0 }
    try {
      return this.#element(known, end, IMPLICIT_FORM, scope)
    } catch {
      return asItIs()
    } finally {
      this.#at = end
    }
  }

  #bulk (vr: Vr, tag: number, scope: Scope): JsonElement | undefined {
    const uri = this.#options.bulkDataUri?.(scope.path + tagText(tag))
    return uri === undefined ? undefined : { vr, BulkDataURI: uri }
  }

  #sequence (head: ElementHead, outerEnd: number, form: Form, scope: Scope): JsonElement {
    const { tag, length, value } = head
    const isDelimited = length === UNDEFINED
    const end = isDelimited ? outerEnd : value + length
    if (end > outerEnd) throw malformed('a sequence is longer than what is there', value)
    if (scope.depth >= DEPTH_MAX) throw malformed('nested too deeply', value)
    const items: DicomJson[] = []
    const item = newHead()
    this.#at = value
    while (this.#at < end) {
      const start = this.#at
      if (!readHead(this.#bytes, start, end, form, item)) throw malformed('a sequence is cut', start)
      this.#at = item.value
      if (item.tag === SEQUENCE_END) return filled(items)
      if (item.tag !== ITEM) throw malformed('something else than an item', start)
      if (++this.#elements > ELEMENTS_MAX) throw malformed('too many elements', start)
      const itemEnd = item.length === UNDEFINED ? end : item.value + item.length
      if (itemEnd > end) throw malformed('an item is longer than its sequence', start)
      const path = `${scope.path}${tagText(tag)}/${items.length}/`
      items.push(this.dataset(itemEnd, form, { ...scope, path, depth: scope.depth + 1 }, item.length === UNDEFINED))
    }
    if (isDelimited) throw malformed('a sequence has no end', this.#at)
    return filled(items)
  }
}

function filled (items: DicomJson[]): JsonElement {
  return items.length === 0 ? { vr: 'SQ' } : { vr: 'SQ', Value: items }
}

/** The first value of an attribute as text; undefined when absent or empty. */
export function firstText (json: DicomJson, tag: Tag): string | undefined {
  const value = json[tag]?.Value?.[0]
  if (typeof value === 'string') return value
  if (typeof value === 'number') return String(value)
  if (typeof value !== 'object' || value === null) return undefined
  const { Alphabetic, Ideographic, Phonetic } = value as PersonName
  return Alphabetic ?? Ideographic ?? Phonetic
}

/**
 * Encodes a data set: elements in ascending order, values padded to even lengths, sequences and items
 * with lengths. (0008,0005) is kept if all texts can be written in it, else it becomes the smallest
 * that can; where all is ASCII and nobody asked for it, it is left out.
 *
 * @throws RequestError DATA_MALFORMED when a value isn't one of its VR, or is there by reference only
 */
export function encodeDataset (json: DicomJson, transferSyntaxUid: string): Buffer {
  const preferred = json[CHARACTER_SET]?.Value?.map(term => String(term ?? ''))
  const characterSet = characterSetFor(textsOf(json, 0), preferred)
  const whole = characterSet.length === 0
    ? json
    : { ...json, [CHARACTER_SET]: { vr: 'CS' as const, Value: [...characterSet] } }
  const bytes = encodeElements(whole, formOf(transferSyntaxUid), characterSet, 0)
  return transferSyntax(transferSyntaxUid).deflated ? deflateRawSync(bytes) : bytes
}

function * textsOf (json: DicomJson, depth: number): Generator<string> {
  if (depth > DEPTH_MAX) throw unwritable('', 'nested too deeply')
  for (const { vr, Value } of Object.values(json)) {
    if (Value === undefined) continue
    for (const value of Value) {
      if (vr === 'SQ') yield * textsOf(value as DicomJson | null ?? {}, depth + 1)
      else if (!TEXT_VRS.has(vr)) break
      else if (typeof value === 'string') yield value
      else if (typeof value === 'object' && value !== null) yield * Object.values(value).map(String)
    }
  }
}

function encodeElements (json: DicomJson, form: Form, characterSet: readonly string[], depth: number): Buffer {
  const parts: Buffer[] = []
  for (const tag of Object.keys(json).sort()) {
    if (!/^[\dA-F]{8}$/.test(tag)) throw unwritable(tag, 'not a tag')
    // One character set for all: items inherit it.
    if (tag.endsWith('0000') || (depth > 0 && tag === CHARACTER_SET)) continue
    const element = json[tag]!
    if (!VR_NAMES.has(vrCode(element.vr)) || element.BulkDataURI !== undefined) throw unwritable(tag, 'no value that could be written')
    const value = element.vr === 'SQ'
      ? encodeItems(element, form, characterSet, depth)
      : encodeValue(tag, element, { bigEndian: form.bigEndian, characterSet })
    parts.push(encodeHead(tag, element.vr, value.length, form), value)
  }
  return Buffer.concat(parts)
}

function encodeItems (element: JsonElement, form: Form, characterSet: readonly string[], depth: number): Buffer {
  return Buffer.concat((element.Value ?? []).flatMap(item => {
    const bytes = encodeElements(item as DicomJson | null ?? {}, form, characterSet, depth + 1)
    return [encodeHead('FFFEE000', '', bytes.length, form), bytes]
  }))
}

const SHORT_LENGTH_MAX = 0xfffe

/** @param vr empty for items, which have none in any form */
function encodeHead (tag: Tag, vr: Vr | '', length: number, form: Form): Buffer {
  const bytes = Buffer.alloc(form.explicit && vr !== '' && (isLongVr(vrCode(vr)) || length > SHORT_LENGTH_MAX) ? 12 : 8)
  bytes.write(tag, 'hex')
  if (!form.bigEndian) bytes.subarray(0, 4).swap16()
  if (form.explicit && vr !== '') {
    // What is too long for its VR is written as UN (PS3.5 §6.2.2).
    bytes.write(length > SHORT_LENGTH_MAX && !isLongVr(vrCode(vr)) ? 'UN' : vr, 4, 'latin1')
  }
  if (form.explicit && vr !== '' && bytes.length === 8) {
    if (form.bigEndian) bytes.writeUInt16BE(length, 6)
    else bytes.writeUInt16LE(length, 6)
  } else if (form.bigEndian) {
    bytes.writeUInt32BE(length, bytes.length - 4)
  } else {
    bytes.writeUInt32LE(length, bytes.length - 4)
  }
  return bytes
}

function unwritable (tag: Tag, why: string): RequestError {
  return new RequestError('DATA_MALFORMED', `cannot be written as DICOM: ${why}`, { facts: { tag } })
}
