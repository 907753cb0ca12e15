/**
 * Attribute matching of a C-FIND.
 *
 * Source: DICOM PS3.4 §C.2.2.2: single value (.1), list of UID (.2), universal (.3), wild card (.4)
 * and range (.5). Sequence keys match everything here, as in many a PACS.
 */

import { describe } from './dataset-writer.ts'

/** Value representations in which * and ? are wild (PS3.4 §C.2.2.2.4). */
const WILD = new Set(['AE', 'CS', 'LO', 'LT', 'PN', 'SH', 'ST', 'UC', 'UR', 'UT'])
const BINARY = new Set(['US', 'UL', 'SS', 'SL', 'FL', 'FD'])
const RANGED = new Set(['DA', 'TM', 'DT'])

/**
 * @param key what was asked; empty, or a lone *, matches everything
 * @param values what the object has; several when the attribute has, any of which may match
 */
export function matches (keyword: string, key: string | readonly string[] | undefined, values: readonly string[]): boolean {
  const vr = describe(keyword)?.vr ?? 'UN'
  // dcmjs reads an empty binary number as 0.
  const universal = BINARY.has(vr) ? ['', '0'] : ['', '*']
  const keys = (typeof key === 'string' ? [key] : key ?? []).map(text => text.trim()).filter(text => !universal.includes(text))
  if (keys.length === 0) return true
  return keys.some(one => values.some(value => matchesOne(vr, one, value.trim())))
}

function matchesOne (vr: string, key: string, value: string): boolean {
  if (RANGED.has(vr)) return inRange(vr, key, value)
  if (vr === 'PN') return matchesWild(personName(key), personName(value))
  if (WILD.has(vr)) return matchesWild(key, value)
  if (vr === 'IS' || vr === 'DS' || vr === 'US') return Number(key) === Number(value)
  return key === value
}

/** Case doesn't count in a name, nor do empty components at its end (PS3.4 §C.2.2.2.1, PS3.5 §6.2). */
function personName (name: string): string {
  return name.replace(/\^+$/, '').toLocaleLowerCase('fr')
}

function matchesWild (key: string, value: string): boolean {
  const pattern = key.replace(/[.+^${}()|[\]\\]/g, '\\$&').replaceAll('*', '.*').replaceAll('?', '.')
  return new RegExp(`^${pattern}$`, 'su').test(value)
}

/** `a-b`, `a-`, `-b` or one value, which for a time means all that begin so. */
function inRange (vr: string, key: string, value: string): boolean {
  if (value === '') return false
  const plain = (text: string): string => text.replace(/[:.]/g, '')
  const dash = key.indexOf('-')
  const own = plain(value)
  if (dash < 0) return vr === 'DA' ? own === plain(key) : own.startsWith(plain(key))
  const from = plain(key.slice(0, dash).trim())
  const to = plain(key.slice(dash + 1).trim())
  // What the key leaves open at its end is the latest that it could mean.
  return own.padEnd(from.length, '0') >= from && (to === '' || own.slice(0, to.length) <= to)
}
