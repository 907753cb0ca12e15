/**
 * The graphic character sets that DICOM text can be written in, each as a table from code to
 * character and back. The tables come from the decoders that Node brings (ICU, WHATWG Encoding);
 * each is made when a text first needs it.
 *
 * Source: DICOM PS3.3 §C.12.1.1.2 (Tables C.12-2 to C.12-5), ISO/IEC 2022.
 */

/** A set of 94 or 96 characters (one byte each) or 94 x 94 (two bytes). */
export interface GraphicSet {
  /** 0: written with bytes below 0x80. 1: with bytes from 0xA0 on. */
  readonly side: 0 | 1
  readonly bytesPerCharacter: 1 | 2
  /** What switches to it, with ESC in front. */
  readonly escape: Buffer
  /** @param code seven bits per byte, the first byte highest; undefined where nothing is assigned */
  decode (code: number): string | undefined
  /** @returns the code, seven bits per byte; undefined when the set lacks this character */
  encode (character: string): number | undefined
}

/** Decodes many codes at once; what isn't exactly one character is unassigned. */
export function tableOf (codes: readonly number[], bytesOf: (code: number) => readonly number[], label: string): Map<number, string> {
  const LINE_FEED = 10
  const bytes = Buffer.from(codes.flatMap(code => [...bytesOf(code), LINE_FEED]))
  const lines = new TextDecoder(label).decode(bytes).split('\n')
  const table = new Map<number, string>()
  for (const [index, code] of codes.entries()) {
    const text = lines[index]!
    if ([...text].length === 1 && text !== '\ufffd') table.set(code, text)
  }
  return table
}

export function inverse (table: ReadonlyMap<number, string>): Map<string, number> {
  const inverse = new Map<string, number>()
  for (const [code, character] of table) if (!inverse.has(character)) inverse.set(character, code)
  return inverse
}

function graphicSet (side: 0 | 1, bytesPerCharacter: 1 | 2, escape: string, makeTable: () => Map<number, string>): GraphicSet {
  let codes: ReadonlyMap<number, string> | undefined
  let characters: ReadonlyMap<string, number> | undefined
  return {
    side,
    bytesPerCharacter,
    escape: Buffer.from('\x1b' + escape, 'latin1'),
    decode: code => (codes ??= makeTable()).get(code),
    encode: character => (characters ??= inverse(codes ??= makeTable())).get(character)
  }
}

const SEVEN_BITS = Array.from({ length: 0x7f - 0x21 }, (_, index) => 0x21 + index)
const RIGHT_HALF = Array.from({ length: 0x80 - 0x20 }, (_, index) => 0x20 + index)
const PAIRS = SEVEN_BITS.flatMap(first => SEVEN_BITS.map(second => first << 8 | second))

const high = (code: number): number[] => [code >> 8 | 0x80, (code & 0xff) | 0x80]

function rightHalf (escape: string, label: string): GraphicSet {
  return graphicSet(1, 1, escape, () => tableOf(RIGHT_HALF, code => [code | 0x80], label))
}

function ascii (): Map<number, string> {
  return new Map(SEVEN_BITS.map(code => [code, String.fromCharCode(code)]))
}

export const ASCII = graphicSet(0, 1, '(B', ascii)

/** ISO-IR 14, the left half of JIS X 0201: a yen and an overline where ASCII has \ and ~. */
export const ROMAJI = graphicSet(0, 1, '(J', () => ascii().set(0x5c, '\u00a5').set(0x7e, '\u203e'))

/** ISO-IR 13, the right half of JIS X 0201. */
const KATAKANA = graphicSet(1, 1, ')I', () =>
  new Map(SEVEN_BITS.slice(0, 63).map(code => [code, String.fromCharCode(0xff61 + code - 0x21)])))

/** What one defined term designates: a left half, a right half, or both. */
export interface Designation { readonly g0?: GraphicSet, readonly g1?: GraphicSet }

/** By ISO-IR number (PS3.3 Tables C.12-2 to C.12-4). */
export const DESIGNATIONS: ReadonlyMap<number, Designation> = new Map([
  [6, { g0: ASCII }],
  // Windows-1252 is Latin-1 there, and knows what careless senders write between 0x80 and 0x9F.
  [100, { g0: ASCII, g1: rightHalf('-A', 'windows-1252') }],
  [101, { g0: ASCII, g1: rightHalf('-B', 'iso-8859-2') }],
  [109, { g0: ASCII, g1: rightHalf('-C', 'iso-8859-3') }],
  [110, { g0: ASCII, g1: rightHalf('-D', 'iso-8859-4') }],
  [144, { g0: ASCII, g1: rightHalf('-L', 'iso-8859-5') }],
  [127, { g0: ASCII, g1: rightHalf('-G', 'iso-8859-6') }],
  [126, { g0: ASCII, g1: rightHalf('-F', 'iso-8859-7') }],
  [138, { g0: ASCII, g1: rightHalf('-H', 'iso-8859-8') }],
  [148, { g0: ASCII, g1: rightHalf('-M', 'windows-1254') }],
  [166, { g0: ASCII, g1: rightHalf('-T', 'windows-874') }],
  [203, { g0: ASCII, g1: rightHalf('-b', 'iso-8859-15') }],
  [13, { g0: ROMAJI, g1: KATAKANA }],
  [87, { g0: graphicSet(0, 2, '$B', () => tableOf(PAIRS, high, 'euc-jp')) }],
  [159, { g0: graphicSet(0, 2, '$(D', () => tableOf(PAIRS, code => [0x8f, ...high(code)], 'euc-jp')) }],
  [149, { g1: graphicSet(1, 2, '$)C', () => tableOf(PAIRS, high, 'euc-kr')) }],
  [58, { g1: graphicSet(1, 2, '$)A', () => tableOf(PAIRS, high, 'gbk')) }]
])

/** Every set, for recognising escapes. */
export const GRAPHIC_SETS: readonly GraphicSet[] = [...new Set(
  [...DESIGNATIONS.values()].flatMap(({ g0, g1 }) => [g0, g1]).filter(set => set !== undefined)
)]
