/**
 * Text in the character sets of DICOM: read so that a name comes out as the patient spells it, and
 * written so that an old PACS understands it.
 *
 * Source: DICOM PS3.3 §C.12.1.1.2, PS3.5 §6.1 (code extensions: §6.1.2.4, §6.1.2.5), Annexes H to K.
 * Reading never fails: a byte without meaning becomes U+FFFD. Writing fails rather than to change
 * a letter.
 */

import { RequestError } from '#core/errors.ts'
import type { Vr } from './dictionary.ts'
import { encodeChinese } from './gb18030.ts'
import { ASCII, DESIGNATIONS, GRAPHIC_SETS, ROMAJI, type Designation, type GraphicSet } from './graphic-sets.ts'

/** The VRs whose repertoire Specific Character Set (0008,0005) extends (PS3.5 §6.1.2.3). */
export const TEXT_VRS: ReadonlySet<Vr> = new Set<Vr>(['LO', 'LT', 'PN', 'SH', 'ST', 'UC', 'UT'])

const ESCAPE = 0x1b
const BACKSLASH = 0x5c
const NO_CHARACTER = '\ufffd'

/** The code in which all text of a data set begins, and what escapes may add to it. */
interface Plan {
  /** A code of its own, to which ISO 2022 doesn't apply. */
  readonly whole?: 'utf-8' | 'gb18030' | 'gbk'
  readonly initial: Designation & { readonly g0: GraphicSet }
  /** Decoder for text without escapes, where one knows the initial code. */
  readonly label?: string
  /** In order of the attribute, initial ones included; for writing. */
  readonly sets: readonly GraphicSet[]
}

/** One plan per value of (0008,0005): a data set asks with the same array for each of its texts. */
const plans = new WeakMap<readonly string[], Plan>()

/**
 * @param specificCharacterSet the values of (0008,0005); empty when absent
 * @returns the whole value, its backslashes included; those of a multi-byte character never show
 */
export function decodeText (bytes: Uint8Array, specificCharacterSet: readonly string[], vr: Vr): string {
  const plan = planFor(specificCharacterSet)
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  const hasEscape = buffer.includes(ESCAPE) && plan.whole === undefined
  if (!hasEscape) {
    if (plan.initial.g0 === ASCII && isAscii(buffer)) return buffer.toString('latin1')
    if (plan.whole !== undefined) return decoder(plan.whole).decode(buffer)
    if (plan.label !== undefined) return decoder(plan.label).decode(buffer)
    if (plan.initial.g0 === ASCII && plan.initial.g1 === undefined) return guess(buffer, plan)
  }
  return decodeWithEscapes(buffer, plan, vr)
}

/**
 * Writes a whole value. Returns to the first character set where PS3.5 §6.1.2.5.3 asks for it.
 *
 * @throws RequestError QUERY_INVALID when a character exists in none of the sets
 */
export function encodeText (text: string, specificCharacterSet: readonly string[], vr: Vr): Buffer {
  const plan = planFor(specificCharacterSet)
  if (plan.initial.g0 === ASCII && ASCII_ONLY.test(text)) return Buffer.from(text, 'latin1')
  const bytes = plan.whole === 'utf-8'
    ? (text.isWellFormed() ? Buffer.from(text, 'utf8') : undefined)
    : plan.whole !== undefined ? encodeChinese(text, plan.whole) : encodeWithEscapes(text, plan, vr)
  if (bytes === undefined) {
    throw new RequestError('QUERY_INVALID', 'a text has a character that its character set lacks', {
      facts: { characterSet: specificCharacterSet.join('\\') }
    })
  }
  return bytes
}

/** From the one that every PACS reads to the one that can write everything. */
const BY_RISING_REACH: readonly (readonly string[])[] = [[], ['ISO_IR 100'], ['ISO_IR 203'], ['ISO_IR 192']]

/**
 * The smallest character set that can write all of `texts`.
 *
 * @param preferred taken when it can, whatever its size
 * @returns values for (0008,0005); empty means that the attribute isn't needed
 */
export function characterSetFor (texts: Iterable<string>, preferred?: readonly string[]): readonly string[] {
  const all = [...texts]
  const candidates = preferred === undefined ? BY_RISING_REACH : [preferred, ...BY_RISING_REACH]
  return candidates.find(set => all.every(text => canWrite(text, set))) ?? ['ISO_IR 192']
}

function canWrite (text: string, set: readonly string[]): boolean {
  try {
    encodeText(text, set, 'LO')
    return true
  } catch {
    return false
  }
}

function planFor (terms: readonly string[]): Plan {
  let plan = plans.get(terms)
  if (plan === undefined) plans.set(terms, plan = makePlan(terms))
  return plan
}

/** Takes the terms as they are spelt in the field: 'ISO-IR 100', 'ISO IR100', 'iso_ir 192', 'UTF-8'. */
function makePlan (terms: readonly string[]): Plan {
  const designations = terms.map(term => {
    const number = /^ISO[ _-]?(?:2022[ _-]?)?IR[ _-]?(\d{1,3})$/i.exec(term.trim())?.[1]
    return number === undefined ? undefined : DESIGNATIONS.get(Number(number))
  })
  const first = designations[0] ?? {}
  const initial = { ...first, g0: first.g0?.bytesPerCharacter === 1 ? first.g0 : ASCII }
  const sets = [initial, ...designations, { g0: ASCII }].flatMap(each => [each?.g0, each?.g1]).filter(set => set !== undefined)
  return {
    whole: wholeCode(terms[0] ?? ''),
    initial,
    label: initial.g0 === ASCII ? LABELS.get(initial.g1) : undefined,
    // Code extensions are in use when there are several values; else there is but the first set.
    sets: terms.length > 1 ? sets : [initial.g0, initial.g1].filter(set => set !== undefined)
  }
}

function wholeCode (term: string): Plan['whole'] {
  const name = term.trim().toUpperCase().replace(/[ _-]/g, '')
  if (name === 'ISOIR192' || name === 'ISO2022IR192' || name === 'UTF8') return 'utf-8'
  if (name === 'GB18030') return 'gb18030'
  if (name === 'GBK') return 'gbk'
  return undefined
}

/** Decoders that know ASCII together with a right half, and are faster than our tables. */
const LABELS: ReadonlyMap<GraphicSet | undefined, string> = new Map([
  [100, 'windows-1252'], [101, 'iso-8859-2'], [109, 'iso-8859-3'], [110, 'iso-8859-4'], [144, 'iso-8859-5'],
  [127, 'iso-8859-6'], [126, 'iso-8859-7'], [138, 'iso-8859-8'], [148, 'windows-1254'], [166, 'windows-874'],
  [203, 'iso-8859-15'], [149, 'euc-kr'], [58, 'gbk']
].map(([number, label]) => [DESIGNATIONS.get(number as number)!.g1!, label as string]))

const decoders = new Map<string, TextDecoder>()

function decoder (label: string): TextDecoder {
  let found = decoders.get(label)
  if (found === undefined) decoders.set(label, found = new TextDecoder(label, { ignoreBOM: true }))
  return found
}

/**
 * Bytes beyond ASCII where no set for them is in force, which the standard doesn't allow and old
 * devices do. A right half that is listed is meant; UTF-8 hardly happens by chance; then Latin-1,
 * as this is France.
 */
function guess (buffer: Buffer, plan: Plan): string {
  const listed = LABELS.get(plan.sets.find(set => set.side === 1))
  if (listed !== undefined) return decoder(listed).decode(buffer)
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(buffer)
  } catch {
    return decoder('windows-1252').decode(buffer)
  }
}

function isAscii (buffer: Buffer): boolean {
  for (let index = 0; index < buffer.length; index++) if (buffer[index]! > 0x7f) return false
  return true
}

// eslint-disable-next-line no-control-regex
const ASCII_ONLY = /^[\0-\x1a\x1c-\x7f]*$/

/** Is the first character set in force again after this byte? All controls, and the VR's delimiters. */
function isReset (byte: number, vr: Vr): boolean {
  if (byte < 0x20) return true
  if (byte === BACKSLASH) return isDelimited(vr)
  return vr === 'PN' && (byte === 0x5e || byte === 0x3d)
}

/** May a value of this VR be one of several, so that 0x5C separates them whatever it looks like? */
function isDelimited (vr: Vr): boolean {
  return vr !== 'ST' && vr !== 'LT' && vr !== 'UT' && vr !== 'UR'
}

function decodeWithEscapes (buffer: Buffer, plan: Plan, vr: Vr): string {
  let { g0, g1 } = plan.initial
  let text = ''
  for (let at = 0; at < buffer.length;) {
    const byte = buffer[at]!
    const isControl = byte < 0x20 || byte === 0x7f
    const active = byte < 0x80 ? g0 : g1
    if (byte === ESCAPE) {
      const set = GRAPHIC_SETS.find(({ escape }) => escape.equals(buffer.subarray(at, at + escape.length)))
      if (set === undefined) text += NO_CHARACTER
      else if (set.side === 0) g0 = set
      else g1 = set
      at += set?.escape.length ?? 1
    } else if (isControl || byte === 0x20 || (active?.bytesPerCharacter === 1 && isReset(byte, vr))) {
      text += String.fromCharCode(byte)
      at++
      if (isReset(byte, vr)) ({ g0, g1 } = plan.initial)
    } else if (active?.bytesPerCharacter === 2 && at + 1 < buffer.length) {
      text += active.decode((byte & 0x7f) << 8 | (buffer[at + 1]! & 0x7f)) ?? NO_CHARACTER
      at += 2
    } else {
      text += active?.decode(byte & 0x7f) ?? NO_CHARACTER
      at++
    }
  }
  return text
}

function encodeWithEscapes (text: string, plan: Plan, vr: Vr): Buffer | undefined {
  const { initial } = plan
  let { g0, g1 } = initial as { g0: GraphicSet, g1?: GraphicSet }
  const parts: Buffer[] = []
  const goBack = (): void => {
    if (g0 !== initial.g0) parts.push(initial.g0.escape)
    if (g1 !== initial.g1 && initial.g1 !== undefined) parts.push(initial.g1.escape)
    ;({ g0, g1 } = initial as { g0: GraphicSet, g1?: GraphicSet })
  }
  for (const character of text) {
    const code = character.codePointAt(0)!
    if (code === ESCAPE) return undefined
    if (code < 0x80 && isReset(code, vr)) goBack()
    if (code <= 0x20 || code === 0x7f || (code < 0x80 && isReset(code, vr))) {
      parts.push(Buffer.of(code))
      continue
    }
    // A yen of JIS X 0201 would separate values, so it can only be written where nothing does.
    const able = (set: GraphicSet | undefined): boolean => set?.encode(character) !== undefined &&
      !(set === ROMAJI && set.encode(character) === BACKSLASH && isDelimited(vr))
    const set = [g0, g1, ...plan.sets].find(able)
    if (set === undefined) return undefined
    if (set !== g0 && set !== g1) {
      parts.push(set.escape)
      if (set.side === 0) g0 = set
      else g1 = set
    }
    parts.push(bytesOf(set, set.encode(character)!))
  }
  if (g0 !== initial.g0) parts.push(initial.g0.escape)
  return Buffer.concat(parts)
}

function bytesOf (set: GraphicSet, code: number): Buffer {
  const high = set.side === 1 ? 0x80 : 0
  return set.bytesPerCharacter === 1 ? Buffer.of(code | high) : Buffer.of(code >> 8 | high, (code & 0xff) | high)
}
