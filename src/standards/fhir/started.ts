/**
 * When a study began, and which studies a search on that means.
 *
 * Source: HL7 FHIR R4 §2.24 (date, dateTime), §3.1.1.4.7 (date search, prefixes); DICOM PS3.5 §6.2
 * (DA, TM), PS3.3 §C.12.1.1.8 (Timezone Offset From UTC). Where neither side names an offset, the
 * clock on the wall of this machine counts.
 */

/** From its first millisecond (inclusive) to the next one that isn't in it, since 1970. */
export interface Span { readonly from: number, readonly to: number }

/** What the comparison of R4 §3.1.1.4.7 asks of a span; `ne` and `ap` are left out. */
export const PREFIXES = {
  eq: (study: Span, asked: Span) => asked.from <= study.from && study.to <= asked.to,
  gt: (study: Span, asked: Span) => study.to > asked.to,
  ge: (study: Span, asked: Span) => study.to > asked.to || (asked.from <= study.from && study.to <= asked.to),
  lt: (study: Span, asked: Span) => study.from < asked.from,
  le: (study: Span, asked: Span) => study.from < asked.from || (asked.from <= study.from && study.to <= asked.to),
  sa: (study: Span, asked: Span) => study.from >= asked.to,
  eb: (study: Span, asked: Span) => study.to <= asked.from
} as const

export type Prefix = keyof typeof PREFIXES

export interface Started {
  readonly prefix: Prefix
  readonly span: Span
  /** It named an offset: its days needn't be ours. */
  readonly zoned: boolean
}

const DATE = /^(\d{4})(?:-(\d{2})(?:-(\d{2})(?:T(\d{2}):(\d{2})(?::(\d{2})(\.\d{1,9})?)?(Z|[+-]\d{2}:\d{2})?)?)?)?$/

/** @returns undefined when it is none, or has a prefix that isn't supported */
export function parseStarted (text: string): Started | undefined {
  const [, named, date] = /^([a-z]{2})?(.*)$/.exec(text) as unknown as [string, string | undefined, string]
  const prefix = named ?? 'eq'
  if (!Object.hasOwn(PREFIXES, prefix)) return undefined
  const match = DATE.exec(date)
  if (match === null) return undefined
  const [, year, month, day, hour, minute, second, fraction, offset] = match as readonly (string | undefined)[]
  const fields = [Number(year), Number(month ?? 1) - 1, Number(day ?? 1), Number(hour ?? 0), Number(minute ?? 0), Number(second ?? 0)] as const
  if (!exists(fields)) return undefined
  const step = fraction !== undefined ? undefined : second !== undefined ? 5 : minute !== undefined ? 4 : day !== undefined ? 2 : month !== undefined ? 1 : 0
  const next = fields.map((field, place) => place === step ? field + 1 : field) as unknown as Fields
  const milliseconds = Number(fraction ?? 0) * 1000
  const from = instant(fields, offset) + milliseconds
  return { prefix: prefix as Prefix, span: { from, to: step === undefined ? from + 1 : instant(next, offset) }, zoned: offset !== undefined }
}

/**
 * @param date YYYYMMDD
 * @param time HHMMSS.FFFFFF, or its beginning
 * @param offset &ZZXX
 */
export function studySpan (date: string, time: string | undefined, offset: string | undefined): Span | undefined {
  const fields = dicomFields(date, time)
  if (fields === undefined) return undefined
  const zone = /^[+-]\d{4}$/.test(offset ?? '') ? `${offset!.slice(0, 3)}:${offset!.slice(3)}` : undefined
  const { values, step } = fields
  return { from: instant(values, zone), to: instant(values.map((field, place) => place === step ? field + 1 : field) as unknown as Fields, zone) }
}

/** As a FHIR dateTime: with its time only where that is known to the minute, since a time needs an offset. */
export function startedText (date: string, time: string | undefined, offset: string | undefined): string | undefined {
  const fields = dicomFields(date, time)
  if (fields === undefined) return undefined
  const day = `${date.slice(0, 4)}-${date.slice(4, 6)}-${date.slice(6, 8)}`
  const { values: [year, month, dayOfMonth, hour, minute, second], step } = fields
  if (step < 4) return day
  const zone = /^[+-]\d{4}$/.test(offset ?? '') ? `${offset!.slice(0, 3)}:${offset!.slice(3)}` : localOffset(new Date(year, month, dayOfMonth, hour, minute, second))
  return `${day}T${two(hour)}:${two(minute)}:${two(second)}${zone}`
}

type Fields = readonly [year: number, month: number, day: number, hour: number, minute: number, second: number]

function dicomFields (date: string, time: string | undefined): { values: Fields, step: number } | undefined {
  const [, year, month, day] = /^(\d{4})(\d{2})(\d{2})$/.exec(date) ?? []
  if (year === undefined) return undefined
  const [, hour, minute, second] = /^(\d{2})(?:(\d{2})(?:(\d{2})(?:\.\d{1,6})?)?)?\s*$/.exec(time ?? '') ?? []
  const values: Fields = [Number(year), Number(month) - 1, Number(day), Number(hour ?? 0), Number(minute ?? 0), Math.min(59, Number(second ?? 0))]
  if (!exists(values)) return undefined
  return { values, step: second !== undefined ? 5 : minute !== undefined ? 4 : hour !== undefined ? 3 : 2 }
}

function exists ([year, month, day, hour, minute, second]: Fields): boolean {
  const date = new Date(Date.UTC(year, month, day))
  return date.getUTCMonth() === month && date.getUTCDate() === day && hour < 24 && minute < 60 && second < 60
}

function instant ([year, month, day, hour, minute, second]: Fields, offset: string | undefined): number {
  if (offset === undefined) return new Date(year, month, day, hour, minute, second).getTime()
  const utc = Date.UTC(year, month, day, hour, minute, second)
  const [, sign, hours, minutes] = /^([+-])(\d{2}):(\d{2})$/.exec(offset) ?? [undefined, '+', '0', '0']
  return utc - (sign === '-' ? -1 : 1) * (Number(hours) * 60 + Number(minutes)) * 60_000
}

function localOffset (date: Date): string {
  const minutes = -date.getTimezoneOffset()
  return `${minutes < 0 ? '-' : '+'}${two(Math.floor(Math.abs(minutes) / 60))}:${two(Math.abs(minutes) % 60)}`
}

function two (value: number): string {
  return String(value).padStart(2, '0')
}
