/**
 * A search over HTTP, turned into what C-FIND is asked, and its answers into DICOM JSON.
 *
 * Source: DICOM PS3.18 §8.3.4 (query parameters) and §10.6 (search transaction); PS3.4 §C.4.1
 * (hierarchical and relational queries).
 * Owns keys and levels; values are match-value's. Sends nothing: box/pacs asks, box/wado streams.
 */

import { RequestError } from '#core/errors.ts'
import { parseUid, type Uid } from '#core/uid.ts'
import { keywordOf, tagOf, vrOf, type Tag } from '#standards/dicom/dictionary.ts'
import type { DicomJson } from '#standards/dicom/json.ts'
import { parseMatchValue, ValueSlip } from './match-value.ts'
import { DEFAULTS, levelOf, LEVELS, OPTIONAL, UNIQUE_KEY, type Level } from './query-levels.ts'

/** One C-FIND of a hierarchical search. */
export interface QueryStep {
  readonly level: Level
  /** Unique keys of the levels above that the path doesn't name are missing: the answers of the step before supply them. */
  readonly identifier: DicomJson
}

export interface QidoRequest {
  readonly level: Level
  /** Everything in one identifier, with QueryRetrieveLevel: all that a PACS with relational queries needs. */
  readonly identifier: DicomJson
  /** `identifier` names more of the levels above than their unique keys, or lacks one of these (PS3.4 §C.4.1.2.2). */
  readonly relational: boolean
  /** The same search for a PACS without relational queries, from the top; one step unless `relational`. */
  readonly steps: readonly QueryStep[]
  readonly limit?: number
  readonly offset: number
  readonly fuzzy: boolean
  /** Texts for {@link warningHeader}. */
  readonly warnings: readonly string[]
}

const KEYS_MAX = 128
/** Deeper than any sequence that a C-FIND key has. */
const PATH_TAGS_MAX = 8
/** Of a key that is quoted back to its sender. */
const KEY_CHARS_MAX = 64

/** Parameters that aren't keys. Those of content negotiation (§8.3.3) are accept.ts's and the route's. */
const PARAMETERS = new Set(['limit', 'offset', 'fuzzymatching', 'emptyvaluematching', 'multiplevaluematching', 'includefield', 'accept', 'charset'])

/** §8.3.4.2, §8.3.4.5, §8.3.4.6: no PACS is asked for these, and the caller is told so. */
const NOT_SUPPORTED = {
  fuzzymatching: 'The fuzzymatching parameter is not supported. Only literal matching has been performed.',
  emptyvaluematching: 'The emptyvaluematching parameter is not supported. Empty Value Matching has not been performed.',
  multiplevaluematching: 'The multiplevaluematching parameter is not supported. Multiple Value Matching has not been performed.'
}

const RETRIEVE_URL = '00081190'
const QUERY_RETRIEVE_LEVEL = '00080052'
const RETRIEVE_AE_TITLE = '00080054'
const SPECIFIC_CHARACTER_SET = '00080005'
/** About the search, not of what is searched. */
const NOT_MATCHED = new Set([RETRIEVE_URL, QUERY_RETRIEVE_LEVEL, SPECIFIC_CHARACTER_SET])

/**
 * @param path UIDs that the path names
 * @throws RequestError QUERY_INVALID naming the key; UID_INVALID for the path
 */
export function parseQido (level: Level, path: { readonly study?: string, readonly series?: string }, query: URLSearchParams): QidoRequest {
  const given: Partial<Record<Level, Uid>> = {
    ...path.study !== undefined && { STUDY: parseUid(path.study) },
    ...path.series !== undefined && { SERIES: parseUid(path.series) }
  }
  const keys: Record<Level, DicomJson> = { STUDY: {}, SERIES: {}, IMAGE: {} }
  const levels = LEVELS.slice(0, LEVELS.indexOf(level) + 1)

  for (const { name, tags, values } of matchingKeys(query)) {
    const own = levelOf(tags[0]) ?? level
    if (!levels.includes(own)) throw invalid(name, `belongs to a level below ${level}`)
    if (tags.length === 1 && tags[0] === UNIQUE_KEY[own] && given[own] !== undefined) throw invalid(name, 'is in the path already')
    ask(keys[own], tags, values)
  }
  for (const own of levels) {
    // A level that the path names is not described again (§10.6.3.3).
    if (given[own] === undefined) for (const tags of DEFAULTS[own]) ask(keys[own], tags)
  }
  for (const tags of includedFields(query, levels.filter(own => given[own] === undefined))) {
    const own = levelOf(tags[0]) ?? level
    if (levels.includes(own)) ask(keys[own], tags)
  }

  const steps = levels
    .filter(own => own === level || Object.keys(keys[own]).length > 0)
    .map(own => ({ level: own, identifier: identifierOf(own, keys[own], given) }))
  const limit = count(query, 'limit')
  return {
    level,
    identifier: identifierOf(level, Object.assign({}, ...levels.map(own => keys[own])), given),
    relational: steps.length > 1,
    steps,
    ...limit !== undefined && { limit },
    offset: count(query, 'offset') ?? 0,
    fuzzy: flag(query, 'fuzzymatching'),
    warnings: Object.entries(NOT_SUPPORTED).filter(([name]) => flag(query, name)).map(([, text]) => text)
  }
}

/**
 * One match as the caller gets it: what was asked, and where to retrieve it. Group lengths, the
 * query level and whatever else a PACS adds stay behind; json.ts brings the rest into order.
 * Availability is passed on where the PACS tells it, and isn't made up where it doesn't.
 *
 * @param match a response identifier; with the levels above merged in, where the search took steps
 * @param base absolute URL of this DICOMweb service, without a slash at its end
 */
export function qidoAnswer (match: DicomJson, request: QidoRequest, base: string): DicomJson {
  const answer: DicomJson = {}
  for (const [tag, element] of Object.entries(match)) {
    if (tag === RETRIEVE_AE_TITLE || (isAsked(tag, request.identifier) && tag !== QUERY_RETRIEVE_LEVEL)) answer[tag] = element
  }
  // The text itself is UTF-8 by now, as all JSON is (§F.2).
  if (SPECIFIC_CHARACTER_SET in match) answer[SPECIFIC_CHARACTER_SET] = { vr: 'CS', Value: ['ISO_IR 192'] }

  const uids: string[] = []
  for (const level of LEVELS.slice(0, LEVELS.indexOf(request.level) + 1)) {
    const key = UNIQUE_KEY[level]
    const uid = single(match, key) ?? single(request.identifier, key)
    if (uid === undefined) break
    answer[key] = { vr: 'UI', Value: [uid] }
    uids.push(`/${COLLECTION[level]}/${uid}`)
  }
  if (uids.length > LEVELS.indexOf(request.level)) answer[RETRIEVE_URL] = { vr: 'UR', Value: [base + uids.join('')] }
  return answer
}

/** A private attribute that was asked for comes with its creator (§10.6.3.3), whose block nobody knew beforehand. */
function isAsked (tag: Tag, identifier: DicomJson): boolean {
  if (Object.hasOwn(identifier, tag)) return true
  return isPrivate([tag]) && /^.{4}00[1-9A-F]./.test(tag) && Object.keys(identifier).some(asked => asked.startsWith(tag.slice(0, 4)))
}

const COLLECTION: Readonly<Record<Level, string>> = { STUDY: 'studies', SERIES: 'series', IMAGE: 'instances' }

/** The value of a Warning header as §8.3.4.2 writes it. */
export function warningHeader (base: string, text: string): string {
  return `299 ${base}: "${text}"`
}

type TagPath = readonly [Tag, ...Tag[]]

function matchingKeys (query: URLSearchParams): Array<{ name: string, tags: TagPath, values: readonly unknown[] }> {
  const keys: Array<{ name: string, tags: TagPath, values: readonly unknown[] }> = []
  const seen = new Set<string>()
  for (const [name, text] of query) {
    if (PARAMETERS.has(name)) continue
    const tags = parsePath(name)
    if (isPrivate(tags) && text !== '') throw invalid(name, 'a private attribute cannot be matched')
    if (NOT_MATCHED.has(tags[0])) throw invalid(name, 'cannot be matched')
    if (seen.has(tags.join('.'))) throw invalid(name, 'is given more than once')
    if (seen.size === KEYS_MAX) throw invalid(name, `is one of more than ${KEYS_MAX} keys`)
    seen.add(tags.join('.'))
    keys.push({ name, tags, values: valuesOf(name, tags, text) })
  }
  return keys
}

function valuesOf (name: string, tags: TagPath, text: string): readonly unknown[] {
  try {
    return parseMatchValue(vrOf(tags.at(-1) as Tag), text)
  } catch (error) {
    if (error instanceof ValueSlip) throw invalid(name, error.message)
    throw error
  }
}

/** @param levels those of which `all` means all */
function includedFields (query: URLSearchParams, levels: readonly Level[]): TagPath[] {
  const names = query.getAll('includefield').flatMap(list => list.split(',')).map(name => name.trim()).filter(name => name !== '')
  if (names.length > KEYS_MAX) throw invalid('includefield', `names more than ${KEYS_MAX} attributes`)
  return names.flatMap(name => name === 'all'
    ? levels.flatMap(level => OPTIONAL[level] as readonly TagPath[])
    : [parsePath(name)].filter(tags => !NOT_MATCHED.has(tags[0])))
}

/** Keywords or tags, a dot leading into a sequence: `RequestAttributesSequence.00400009`. */
function parsePath (name: string): TagPath {
  const words = name.split('.', PATH_TAGS_MAX + 1)
  if (words.length > PATH_TAGS_MAX) throw invalid(name, 'leads too deep')
  const tags = words.map(word => {
    const tag = tagOf(word)
    if (tag === undefined || !isAttribute(tag)) throw invalid(name, 'is no attribute that we know')
    return tag
  })
  for (const tag of tags.slice(0, -1)) {
    if (vrOf(tag) !== 'SQ' && !isPrivate([tag])) throw invalid(name, 'leads through an attribute that is no sequence')
  }
  return tags as unknown as TagPath
}

/** Not a part of commands (groups below 0008), of file heads, of items (FFFE), nor a group's length. */
function isAttribute (tag: Tag): boolean {
  return tag >= '0008' && tag < 'FFFE' && !tag.endsWith('0000') && (keywordOf(tag) !== undefined || isPrivate([tag]))
}

function isPrivate (tags: readonly Tag[]): boolean {
  return tags.some(tag => Number.parseInt(tag.slice(0, 4), 16) % 2 === 1)
}

/** Adds a key, matching one if it has values; what is asked already stays. */
function ask (json: DicomJson, [tag, ...below]: readonly Tag[], values: readonly unknown[] = []): void {
  if (tag === undefined) return
  if (below.length > 0) {
    const element = json[tag] ??= { vr: 'SQ' }
    const [item = {}] = (element.Value ??= [{}]) as DicomJson[]
    ask(item, below, values)
  } else if (values.length > 0) {
    json[tag] = { vr: vrOf(tag), Value: [...values] }
  } else {
    json[tag] ??= { vr: vrOf(tag) }
  }
}

function identifierOf (level: Level, keys: DicomJson, given: Partial<Record<Level, Uid>>): DicomJson {
  const identifier: DicomJson = { [QUERY_RETRIEVE_LEVEL]: { vr: 'CS', Value: [level] }, ...keys }
  for (const above of LEVELS) {
    const uid = given[above]
    if (uid !== undefined && LEVELS.indexOf(above) <= LEVELS.indexOf(level)) identifier[UNIQUE_KEY[above]] = { vr: 'UI', Value: [uid] }
  }
  identifier[UNIQUE_KEY[level]] ??= { vr: 'UI' }
  return identifier
}

function single (json: DicomJson, tag: Tag): string | undefined {
  const values = json[tag]?.Value ?? []
  return values.length === 1 && typeof values[0] === 'string' && values[0] !== '' ? values[0] : undefined
}

function once (query: URLSearchParams, name: string): string | undefined {
  const [text, ...more] = query.getAll(name)
  if (more.length > 0) throw invalid(name, 'is given more than once')
  return text
}

function count (query: URLSearchParams, name: string): number | undefined {
  const text = once(query, name)
  if (text === undefined) return undefined
  if (!/^\d{1,9}$/.test(text)) throw invalid(name, 'is not a whole number')
  return Number(text)
}

function flag (query: URLSearchParams, name: string): boolean {
  const text = once(query, name) ?? 'false'
  if (text !== 'true' && text !== 'false') throw invalid(name, 'is neither true nor false')
  return text === 'true'
}

function invalid (name: string, why: string): RequestError {
  const key = name.slice(0, KEY_CHARS_MAX)
  return new RequestError('QUERY_INVALID', `query key ${key}: ${why}`, { facts: { key } })
}
