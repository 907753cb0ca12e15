/**
 * Lookup tables of images: modality, VOI, presentation and palette, segmented ones expanded.
 *
 * Source: DICOM PS3.3 §C.11.1.1 and §C.11.2.1.1 (descriptor and data), §C.7.6.3.1.5 and .6 (palettes),
 * §C.7.9.2 (segmented palettes).
 * Tolerates what makers write: a first value that is signed under an unsigned VR, 8-bit entries in
 * words, more bits in the entries than the descriptor admits.
 */

import { RequestError } from '#core/errors.ts'
import type { Tag } from '../dicom/dictionary.ts'
import type { DicomJson } from '../dicom/json.ts'

export interface LookupTable {
  /** Stored value that maps to the first entry; smaller ones map there too, larger ones to the last. */
  readonly first: number
  readonly entries: Uint16Array
  /** Of an entry: its largest value is 2^bits - 1. */
  readonly bits: number
}

/** Tags of a table within its item, or of one colour of a palette. */
export interface TableTags {
  readonly descriptor: Tag
  readonly data: Tag
  readonly segmented?: Tag
}

export const ITEM_TABLE: TableTags = { descriptor: '00283002', data: '00283006' }

/** A descriptor counts entries in 16 bits, where 0 stands for this many. */
const ENTRIES_MAX = 65536

/**
 * Reads a table; undefined where the item has none.
 *
 * @param signed whether what is looked up may be negative
 * @throws RequestError DATA_MALFORMED
 */
export function readTable (item: DicomJson, tags: TableTags, signed: boolean): LookupTable | undefined {
  const [count, first, bits] = (item[tags.descriptor]?.Value ?? []).map(Number)
  if (count === undefined || first === undefined || bits === undefined) return undefined
  const length = (count & 0xffff) === 0 ? ENTRIES_MAX : count & 0xffff
  const entries = dataOf(item, tags, length)
  if (entries === undefined) return undefined
  if (entries.length === 0) throw malformed(tags.descriptor)
  const largest = entries.reduce((max, entry) => Math.max(max, entry), 0)
  const needed = 32 - Math.clz32(largest)
  return { first: signed && first > 0x7fff ? first - 0x10000 : first, entries, bits: Math.min(Math.max(bits || 16, needed, 1), 16) }
}

/** Fewer entries than announced are what there is; more are passed over. */
function dataOf (item: DicomJson, { data, segmented }: TableTags, length: number): Uint16Array | undefined {
  const plain = wordsOf(item, data, length)
  if (plain !== undefined) return plain.subarray(0, length)
  if (segmented === undefined) return undefined
  const words = wordsOf(item, segmented)
  return words && expandSegments(words, length, segmented)
}

/** Values, or the words or bytes of a binary value: as many bytes as entries mean one byte for each. */
function wordsOf (item: DicomJson, tag: Tag, length?: number): Uint16Array | undefined {
  const element = item[tag]
  if (element?.Value !== undefined) return Uint16Array.from(element.Value, value => Number(value) & 0xffff)
  if (element?.InlineBinary === undefined) return undefined
  const bytes = Buffer.from(element.InlineBinary, 'base64')
  if (length !== undefined && bytes.length < 2 * length) return Uint16Array.from(bytes)
  return Uint16Array.from({ length: bytes.length >> 1 }, (_, place) => bytes.readUInt16LE(2 * place))
}

/** PS3.3 §C.7.9.2: discrete, linear and indirect segments. */
function expandSegments (words: Uint16Array, length: number, tag: Tag): Uint16Array {
  const table = { entries: new Uint16Array(length), filled: 0 }
  for (let at = 0; at < words.length && table.filled < length;) at = expandSegment(words, at, table, tag, false)
  return table.entries.subarray(0, table.filled)
}

/** @returns where the next segment begins */
function expandSegment (words: Uint16Array, at: number, table: { readonly entries: Uint16Array, filled: number }, tag: Tag, nested: boolean): number {
  if (at + 2 > words.length) throw malformed(tag)
  const { entries } = table
  const [code, count] = [words[at], words[at + 1]]
  const put = (value: number): void => { if (table.filled < entries.length) entries[table.filled++] = value }
  if (code === DISCRETE) {
    for (let place = 0; place < count; place++) put(words[at + 2 + place] ?? 0)
    return at + 2 + count
  }
  if (code === LINEAR) {
    const from = table.filled === 0 ? 0 : entries[table.filled - 1]
    const to = words[at + 2] ?? 0
    for (let place = 1; place <= count; place++) put(Math.round(from + (to - from) * place / count))
    return at + 3
  }
  if (code !== INDIRECT || nested) throw malformed(tag)
  let copied = (words[at + 2] ?? 0) + (words[at + 3] ?? 0) * 0x10000
  // What is full stays so: a table of 65536 entries cannot make us copy for ever.
  for (let turn = 0; turn < count && table.filled < entries.length; turn++) copied = expandSegment(words, copied, table, tag, true)
  return at + 4
}

const DISCRETE = 0
const LINEAR = 1
const INDIRECT = 2

function malformed (tag: Tag): RequestError {
  return new RequestError('DATA_MALFORMED', 'a lookup table cannot be read', { facts: { tag } })
}
