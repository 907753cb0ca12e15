/**
 * Writing GBK and GB 18030, which Node can only read: the reader's answers, turned round.
 *
 * Source: GB 18030-2022 as the WHATWG Encoding standard reads it; PS3.3 Table C.12-5, PS3.5 Annex J.
 */

import { inverse, tableOf } from './graphic-sets.ts'

const LEADS = Array.from({ length: 0xfe - 0x80 }, (_, index) => 0x81 + index)
const TRAILS = Array.from({ length: 0xff - 0x40 }, (_, index) => 0x40 + index)
const PAIR_CODES = LEADS.flatMap(lead => TRAILS.map(trail => lead << 8 | trail))
/** Four-byte codes of GB 18030 for the Basic Multilingual Plane, in order. */
const LINEAR_CODES = Array.from({ length: 39420 }, (_, index) => index)
/** Where the other planes begin in that order: 0x90308130. */
const LINEAR_PLANES = 189000

let pairCodes: ReadonlyMap<string, number> | undefined
let linearCodes: ReadonlyMap<string, number> | undefined

/** @returns undefined when a character has no code */
export function encodeChinese (text: string, code: 'gbk' | 'gb18030'): Buffer | undefined {
  pairCodes ??= inverse(tableOf(PAIR_CODES, pair => [pair >> 8, pair & 0xff], 'gb18030'))
  if (code === 'gb18030') linearCodes ??= inverse(tableOf(LINEAR_CODES, fourBytes, 'gb18030'))
  const bytes: number[] = []
  for (const character of text) {
    const point = character.codePointAt(0)!
    const pair = pairCodes.get(character)
    const linear = code === 'gbk' ? undefined : point > 0xffff ? LINEAR_PLANES + point - 0x10000 : linearCodes!.get(character)
    if (point < 0x80) bytes.push(point)
    else if (pair !== undefined) bytes.push(pair >> 8, pair & 0xff)
    else if (linear !== undefined) bytes.push(...fourBytes(linear))
    else return undefined
  }
  return Buffer.from(bytes)
}

function fourBytes (linear: number): number[] {
  return [0x81 + Math.floor(linear / 12600), 0x30 + Math.floor(linear / 1260) % 10, 0x81 + Math.floor(linear / 10) % 126, 0x30 + linear % 10]
}
