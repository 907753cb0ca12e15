/**
 * Dates, times and names of a report, as they are written in France.
 *
 * Source: DICOM PS3.5 §6.2 (DA, TM, DT, PN). What doesn't have their form is shown as it is.
 */

/** 20260203 → 03/02/2026 */
export function readDate (text: string): string {
  return text.replace(/^(\d{4})\.?(\d\d)\.?(\d\d)$/, '$3/$2/$1')
}

/** 101500.000 → 10:15:00 */
export function readTime (text: string): string {
  return text.replace(/^(\d\d):?(\d\d)?:?(\d\d)?(\.\d+)?$/, (_, hours: string, minutes?: string, seconds?: string) => [hours, minutes ?? '00', ...seconds === undefined ? [] : [seconds]].join(':'))
}

/** 20260203101500+0100 → 03/02/2026 10:15:00 (UTC+01:00) */
export function readDateTime (text: string): string {
  const [, date, time, zone] = /^(\d{8})(\d{2,6}(?:\.\d+)?)?([+-]\d{4})?$/.exec(text) ?? []
  if (date === undefined) return text
  return [readDate(date), ...time === undefined ? [] : [readTime(time)], ...zone === undefined ? [] : [`(UTC${zone.slice(0, 3)}:${zone.slice(3)})`]].join(' ')
}

/** LEFÈVRE^Zoé^^Mme → Mme LEFÈVRE Zoé: prefix, family, given, middle, suffix. */
export function readName (text: string): string {
  const [family = '', given = '', middle = '', prefix = '', suffix = ''] = text.split('=')[0].split('^')
  return [prefix, family, given, middle, suffix].map(part => part.trim()).filter(part => part !== '').join(' ')
}
