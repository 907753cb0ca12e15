/**
 * What the caller can read, and which of our offers they like best.
 *
 * Source: RFC 9110 §12.5.1 (Accept) and §5.6 (lists, tokens, quoted strings); DICOM PS3.18 §8.3.3.1
 * (the accept query parameter), §8.7.3.5 (DICOM media types), §8.7.8 (selection) and §10.4.4.
 * Tolerates what national samples and common clients send: `boundary=**`, a type that isn't quoted,
 * trailing commas, `*; q=.2`. Knows nothing of what is stored: frame-media.ts and the routes make
 * the offers.
 */

import { RequestError } from '#core/errors.ts'
import { isUid } from '#core/uid.ts'

export interface MediaRange {
  /** Lower case: 'multipart/related', 'application/dicom', with asterisks for any. */
  readonly type: string
  /** The `type="…"` of multipart/related, lower case. */
  readonly inner?: string
  /** A UID or '*'. */
  readonly transferSyntax?: string
  /** 0 (never) to 1. */
  readonly q: number
  readonly boundary?: string
  /** All of them but q, names in lower case, values unquoted. */
  readonly parameters: ReadonlyMap<string, string>
  /** The query parameter is asked first, the header only if nothing of the former can be given. */
  readonly source: 'query' | 'header'
}

/** A representation that we can give; the first of two equally liked ones wins. */
export interface Offer {
  readonly type: string
  readonly inner?: string
  readonly transferSyntax?: string
  /** Only for ranges with a transfer syntax, an asterisk among them; or only for those that name this one. */
  readonly onlyIf?: 'syntax-given' | 'syntax-named'
}

/** In which transfer syntaxes objects may leave, in multipart or as one single part. */
export interface ObjectAccept {
  readonly multipart: boolean
  /** The caller's weight for this transfer syntax; 0 when it is not acceptable. */
  readonly accepts: (transferSyntaxUid: string) => number
  /** The UIDs that were named, most liked first. */
  readonly preference: readonly string[]
  /** Any other transfer syntax will do as well: '*', or none was named. */
  readonly any: boolean
}

/** Twice the longest list that ten transfer syntaxes in every spelling make; a header is 16 KiB at most in Node. */
const ACCEPT_CHARS_MAX = 8192
/** Every transfer syntax of PS3.6 once; more is nobody's taste. */
const RANGES_MAX = 128
const PARAMETERS_MAX = 16

/**
 * Reads the Accept header and the `accept` query parameter. Neither, or empty ones, mean anything.
 *
 * @param header as Node gives it: repeated headers joined by a comma, or a list
 * @returns the query parameter's ranges, then the header's; each most liked first, then most
 *   specific first, then in the order given
 * @throws RequestError ACCEPT_INVALID
 */
export function parseAccept (header: string | readonly string[] | undefined, query: string = ''): readonly MediaRange[] {
  const text = typeof header === 'string' ? header : (header ?? []).join(',')
  // No header holds a line's end.
  const key = `${query}\n${text}`
  let ranges = parsed.get(key)
  if (ranges === undefined) {
    ranges = parse(text, query)
    if (key.length <= REMEMBERED_CHARS_MAX) {
      if (parsed.size >= REMEMBERED_MAX) parsed.delete(parsed.keys().next().value as string)
      parsed.set(key, ranges)
    }
  }
  return ranges
}

/** Most callers say the same with each of their requests. A tenth of a megabyte, at most. */
const REMEMBERED_MAX = 64
const REMEMBERED_CHARS_MAX = 2048
const parsed = new Map<string, readonly MediaRange[]>()

function parse (header: string, query: string): readonly MediaRange[] {
  // A '+' that was not percent-encoded reaches us as a space: application/dicom+json.
  const asked = parseRanges(query.replace(/\bdicom (json|xml)\b/g, 'dicom+$1'), 'query')
  const accepted = parseRanges(header, 'header')
  if (asked.length + accepted.length === 0) return [ANYTHING]
  return [...asked, ...accepted]
}

/** What the caller likes best of `offers`; undefined when nothing fits, which is a 406. */
export function choose<T extends Offer> (ranges: readonly MediaRange[], offers: readonly T[]): T | undefined {
  for (const source of ['query', 'header'] as const) {
    const own = ranges.filter(range => range.source === source)
    let best: T | undefined
    let bestQ = 0
    for (const offer of offers) {
      const q = quality(own, offer)
      if (q > bestQ) [best, bestQ] = [offer, q]
    }
    if (best !== undefined) return best
  }
  return undefined
}

/**
 * Narrows an Accept to objects of one media type. A range that names no transfer syntax accepts
 * every one (docs/decisions/0003).
 *
 * @param single whether the resource is one object, so that a single part may carry it (PS3.18
 *   §10.4.4); for others, ranges of a single part are passed over
 * @throws RequestError ACCEPT_UNSUPPORTED when no range allows this media type
 */
export function objectAccept (ranges: readonly MediaRange[], mediaType: string, single: boolean = false): ObjectAccept {
  const key = `${mediaType} ${single}`
  let accepts = narrowed.get(ranges)
  if (accepts === undefined) narrowed.set(ranges, accepts = new Map())
  let accept = accepts.get(key)
  if (accept === undefined) accepts.set(key, accept = narrow(ranges, mediaType, single))
  return accept
}

/** For as long as the ranges themselves are remembered. */
const narrowed = new WeakMap<readonly MediaRange[], Map<string, ObjectAccept>>()

function narrow (ranges: readonly MediaRange[], mediaType: string, single: boolean): ObjectAccept {
  const forms: Offer[] = [{ type: 'multipart/related', inner: mediaType }]
  if (single) forms.push({ type: mediaType })
  for (const source of ['query', 'header'] as const) {
    const own = ranges.filter(range => range.source === source)
    // The range that stands first decides the form; one that allows both leaves us the multipart.
    for (const range of own) {
      const form = range.q > 0 ? forms.find(form => fits(range, form)) : undefined
      if (form === undefined) continue
      const accept = formAccept(own, form)
      if (accept.any || accept.preference.length > 0) return accept
    }
  }
  throw new RequestError('ACCEPT_UNSUPPORTED', `no acceptable way to give ${mediaType}`, {
    facts: { offered: forms.map(({ type, inner }) => inner === undefined ? type : `${type}; type="${inner}"`) }
  })
}

/**
 * The transfer syntaxes that are liked better than just any, most liked first: worth asking for. Empty
 * where anything will do as well.
 */
export function wishedSyntaxes ({ accepts, preference }: ObjectAccept): readonly string[] {
  return preference.filter(uid => accepts(uid) > accepts('*'))
}

function formAccept (ranges: readonly MediaRange[], form: Offer): ObjectAccept {
  const accepts = (transferSyntax: string) => quality(ranges, { ...form, transferSyntax })
  const named = ranges
    .filter(range => fits(range, form) && range.transferSyntax !== undefined && range.transferSyntax !== '*')
    .map(range => range.transferSyntax as string)
  return {
    multipart: form.inner !== undefined,
    accepts,
    preference: [...new Set(named)].filter(uid => accepts(uid) > 0).sort((a, b) => accepts(b) - accepts(a)),
    any: quality(ranges, { ...form, transferSyntax: '*' }) > 0
  }
}

/** The weight that the most specific fitting range gives to an offer (RFC 9110 §12.5.1); 0 without one. */
function quality (ranges: readonly MediaRange[], offer: Offer): number {
  let best: MediaRange | undefined
  for (const range of ranges) {
    if (!fits(range, offer)) continue
    if (range.transferSyntax !== undefined && range.transferSyntax !== '*' && range.transferSyntax !== offer.transferSyntax) continue
    if (offer.onlyIf !== undefined && (range.transferSyntax === undefined || (offer.onlyIf === 'syntax-named' && range.transferSyntax === '*'))) continue
    if (best === undefined || specificity(range) > specificity(best)) best = range
  }
  return best?.q ?? 0
}

/** Whether media type and inner type fit; the transfer syntax is another question. */
function fits (range: MediaRange, offer: Offer): boolean {
  if (!typeFits(range.type, offer.type)) return false
  return range.inner === undefined || (offer.inner !== undefined && typeFits(range.inner, offer.inner))
}

function typeFits (pattern: string, type: string): boolean {
  return pattern === '*/*' || pattern === type || (pattern.endsWith('/*') && type.startsWith(pattern.slice(0, -1)))
}

function specificity ({ type, inner, transferSyntax }: MediaRange): number {
  return 100 * precision(type) + 10 * (inner === undefined ? 0 : 1 + precision(inner)) +
    (transferSyntax === undefined ? 0 : transferSyntax === '*' ? 1 : 2)
}

function precision (type: string): number {
  return type === '*/*' ? 0 : type.endsWith('/*') ? 1 : 2
}

function parseRanges (text: string, source: MediaRange['source']): MediaRange[] {
  if (text.length > ACCEPT_CHARS_MAX) throw invalid('Accept is too long', { charsMax: ACCEPT_CHARS_MAX })
  if (!/^[\t\x20-\x7e]*$/.test(text)) throw invalid('Accept holds a character that no media type has')
  const elements = splitUnquoted(text, ',')
  if (elements.length > RANGES_MAX) throw invalid('Accept lists too many media types', { rangesMax: RANGES_MAX })
  return elements
    .map(element => parseRange(element, source))
    .sort((a, b) => b.q - a.q || specificity(b) - specificity(a))
}

function parseRange (element: string, source: MediaRange['source']): MediaRange {
  const [first = '', ...rest] = splitUnquoted(element, ';')
  if (rest.length > PARAMETERS_MAX) throw invalid('a media type has too many parameters', { parametersMax: PARAMETERS_MAX })
  // A lone asterisk is what Java's HttpURLConnection has sent for decades.
  const type = first === '*' ? '*/*' : first.toLowerCase()
  if (!TYPE.test(type)) throw invalid('not a media type')

  const parameters = new Map<string, string>()
  for (const parameter of rest) {
    const [, name = '', quoted, plain = ''] = PARAMETER.exec(parameter) ?? []
    if (name === '') throw invalid('a media type has an unreadable parameter')
    if (parameters.has(name.toLowerCase())) throw invalid('a media type has a parameter twice', { parameter: name })
    parameters.set(name.toLowerCase(), quoted === undefined ? plain : quoted.replace(/\\(.)/g, '$1'))
  }
  const weight = parameters.get('q') ?? '1'
  parameters.delete('q')
  if (!WEIGHT.test(weight)) throw invalid('a weight is not a number from 0 to 1 of at most three decimals')

  const inner = type === 'multipart/related' ? parameters.get('type')?.toLowerCase() : undefined
  if (inner !== undefined && !TYPE.test(inner)) throw invalid('the type of a multipart is not a media type')
  const transferSyntax = parameters.get('transfer-syntax')
  if (transferSyntax !== undefined && transferSyntax !== '*' && !isUid(transferSyntax)) throw invalid('a transfer syntax is not a UID')
  const boundary = parameters.get('boundary')
  return {
    type,
    q: Number(weight),
    parameters,
    source,
    ...inner !== undefined && { inner },
    ...transferSyntax !== undefined && { transferSyntax },
    ...boundary !== undefined && { boundary }
  }
}

/** Pieces between separators that stand outside quoted strings; empty ones are left out (RFC 9110 §5.6.1.2). */
function splitUnquoted (text: string, separator: string): string[] {
  const pieces: string[] = []
  let start = 0
  let quoted = false
  for (let i = 0; i < text.length; i++) {
    const char = text[i]
    if (quoted && char === '\\') i++
    else if (char === '"') quoted = !quoted
    else if (!quoted && char === separator) {
      pieces.push(text.slice(start, i))
      start = i + 1
    }
  }
  if (quoted) throw invalid('a quoted string has no end')
  pieces.push(text.slice(start))
  return pieces.map(piece => piece.trim()).filter(piece => piece !== '')
}

const TOKEN = "[!#$%&'*+.^_`|~0-9A-Za-z-]+"
const TYPE = new RegExp(`^(\\*/\\*|${TOKEN.replace('*', '')}/${TOKEN})$`)
/** Name, then a quoted string, or anything without blanks or quotes: `type=application/dicom` is no token, yet sent. */
const PARAMETER = new RegExp(`^(${TOKEN})\\s*=\\s*(?:"((?:[^"\\\\]|\\\\.)*)"|([^\\s"]+))$`)
/** RFC 9110 §12.4.2, and the `.2` of Java's HttpURLConnection. */
const WEIGHT = /^(0?\.\d{1,3}|0\.?|1(\.0{0,3})?)$/

const ANYTHING: MediaRange = { type: '*/*', q: 1, parameters: new Map(), source: 'header' }

function invalid (message: string, facts: Record<string, string | number> = {}): RequestError {
  return new RequestError('ACCEPT_INVALID', message, { facts })
}
