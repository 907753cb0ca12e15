/**
 * The value of a matching key, as text in a URL, turned into values of DICOM JSON.
 *
 * Source: DICOM PS3.5 §6.2 (value representations), PS3.4 §C.2.2.2 (matching: single value, UID
 * list, wildcard, range), PS3.18 §8.3.4.1 and §F.2.2 (JSON).
 * Checks form, so that a slip is told to the caller instead of being answered with nothing by the
 * PACS. What each PACS can match is its own affair.
 */

import { parseUid } from '#core/uid.ts'
import type { Vr } from '#standards/dicom/dictionary.ts'

/** Sixty UIDs at their longest; a whole URL is 16 KiB at most in Node. */
const VALUE_CHARS_MAX = 4096

/** Why a value is refused. The value itself is never quoted: it may be a patient's name. */
export class ValueSlip extends Error {}

/**
 * @param text percent-decoded; UTF-8 that could not be decoded holds U+FFFD
 * @returns none for universal matching (empty, or `*` where wildcards are allowed)
 * @throws ValueSlip
 */
export function parseMatchValue (vr: Vr, text: string): readonly unknown[] {
  if (text === '') return []
  if (text.length > VALUE_CHARS_MAX) throw new ValueSlip(`longer than ${VALUE_CHARS_MAX} characters`)
  if (text.includes('\ufffd') || !text.isWellFormed()) throw new ValueSlip('not percent-encoded UTF-8')
  if (/\p{Cc}/u.test(text)) throw new ValueSlip('holds a control character')
  const parse = PARSERS[vr]
  if (parse === undefined) throw new ValueSlip(`attributes of VR ${vr} cannot be matched`)
  // Composed letters: the é that some systems send as two characters is one in every PACS.
  return parse(text.normalize('NFC'))
}

type Parse = (text: string) => readonly unknown[]

const manyTexts: Parse = text => text === '*' ? [] : text.split('\\').map(value => value.trim())
const oneText: Parse = text => text === '*' ? [] : [text]

function uids (text: string): string[] {
  return text.split(/[,\\]/).map(uid => {
    try {
      return parseUid(uid.trim())
    } catch {
      throw new ValueSlip('not a UID or a list of UIDs')
    }
  })
}

function names (text: string): unknown[] {
  if (text === '*') return []
  return text.split('\\').map(name => {
    const [alphabetic = '', ideographic = '', phonetic = '', ...more] = name.trim().split('=')
    if (more.length > 0) throw new ValueSlip('a name has three component groups at most')
    return {
      ...alphabetic !== '' && { Alphabetic: alphabetic },
      ...ideographic !== '' && { Ideographic: ideographic },
      ...phonetic !== '' && { Phonetic: phonetic }
    }
  })
}

/** One value, or a range: `a-b`, `a-`, `-b`. A hyphen that makes one valid value is part of it. */
function range (isValue: (text: string) => boolean, slip: string): Parse {
  return text => {
    if (isValue(text)) return [text]
    for (let at = text.indexOf('-'); at !== -1; at = text.indexOf('-', at + 1)) {
      const ends = [text.slice(0, at), text.slice(at + 1)].filter(end => end !== '')
      if (ends.length > 0 && ends.every(isValue)) return [text]
    }
    throw new ValueSlip(slip)
  }
}

function isDate (text: string): boolean {
  const [, year, month, day] = /^(\d{4})(\d\d)(\d\d)$/.exec(text) ?? []
  return day !== undefined && Number(month) >= 1 && Number(month) <= 12 && Number(day) >= 1 && Number(day) <= daysOf(Number(year), Number(month))
}

function daysOf (year: number, month: number): number {
  return new Date(Date.UTC(2000 + year % 400, month, 0)).getUTCDate()
}

function isTime (text: string): boolean {
  return /^([01]\d|2[0-3])([0-5]\d(([0-5]\d|60)(\.\d{1,6})?)?)?$/.test(text)
}

function isDateTime (text: string): boolean {
  const [, moment = '', offset] = /^([\d.]+)([+-]\d{4})?$/.exec(text) ?? []
  if (offset !== undefined && !isOffset(offset)) return false
  if (moment.length > 8) return isDate(moment.slice(0, 8)) && isTime(moment.slice(8))
  if (moment.length === 8) return isDate(moment)
  return /^\d{4}(0[1-9]|1[0-2])?$/.test(moment)
}

/** PS3.5 §6.2, DT: from -1200 to +1400. What lies below is the year after a range's hyphen. */
function isOffset (text: string): boolean {
  const minutes = Number(text.slice(1, 3)) * 60 + Number(text.slice(3))
  return Number(text.slice(3)) < 60 && minutes <= (text.startsWith('-') ? 12 : 14) * 60
}

function integer (min: number, max: number): Parse {
  return text => {
    const value = Number(text)
    if (!/^[+-]?\d{1,16}$/.test(text) || value < min || value > max) throw new ValueSlip('not a whole number of the allowed size')
    return [value]
  }
}

function decimal (text: string): number[] {
  if (!/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text) || !Number.isFinite(Number(text))) throw new ValueSlip('not a number')
  return [Number(text)]
}

function matching (form: RegExp, slip: string): Parse {
  return text => {
    if (!form.test(text)) throw new ValueSlip(slip)
    return [text]
  }
}

const dateTimes = range(isDateTime, 'not a date and time of PS3.5 or a range of them')

/** A VR that is missing cannot be matched: sequences are matched by their attributes, bytes not at all. */
const PARSERS: Partial<Record<Vr, Parse>> = {
  AE: manyTexts,
  CS: manyTexts,
  LO: manyTexts,
  SH: manyTexts,
  UC: manyTexts,
  LT: oneText,
  ST: oneText,
  UR: oneText,
  UT: oneText,
  PN: names,
  UI: uids,
  DA: range(isDate, 'not a date (YYYYMMDD) or a range of dates'),
  TM: range(isTime, 'not a time (HHMMSS.FFFFFF) or a range of times'),
  // A plus that was not percent-encoded reaches us as a blank.
  DT: text => dateTimes(text.replaceAll(' ', '+')),
  AS: matching(/^\d{3}[DWMY]$/, 'not an age (nnnD, nnnW, nnnM or nnnY)'),
  AT: text => matching(/^[\dA-F]{8}$/, 'not a tag of eight hexadecimal digits')(text.toUpperCase()),
  DS: decimal,
  FD: decimal,
  FL: decimal,
  IS: integer(-(2 ** 31), 2 ** 31 - 1),
  SS: integer(-(2 ** 15), 2 ** 15 - 1),
  US: integer(0, 2 ** 16 - 1),
  SL: integer(-(2 ** 31), 2 ** 31 - 1),
  UL: integer(0, 2 ** 32 - 1),
  SV: integer(Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER),
  UV: integer(0, Number.MAX_SAFE_INTEGER)
}
