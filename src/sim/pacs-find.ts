/**
 * The answers to a C-FIND, as an old PACS gives them: in Latin-1, with what was asked and no more.
 *
 * Source: DICOM PS3.4 §C.4.1 (C-FIND), §C.6.1 (Patient Root), §C.6.2 (Study Root). Hierarchical
 * search only: the keys of the levels above must be there.
 */

import { describe, encodeAttributes, type Attributes, type Value } from './dataset-writer.ts'
import { matches } from './pacs-matching.ts'
import { plainText, type Held, type PacsStore, type UniqueKeys } from './pacs-store.ts'

export type Level = 'PATIENT' | 'STUDY' | 'SERIES' | 'IMAGE'

/** An identifier as dcmjs gives it: keyword to value. */
export type Identifier = Readonly<Record<string, unknown>>

const UNIQUE_KEYS = { PATIENT: 'PatientID', STUDY: 'StudyInstanceUID', SERIES: 'SeriesInstanceUID', IMAGE: 'SOPInstanceUID' } as const
const LEVELS = Object.keys(UNIQUE_KEYS) as Level[]

/** Keys that steer the search, or are no keys at all. */
const NO_KEYS = new Set(['QueryRetrieveLevel', 'SpecificCharacterSet', 'RetrieveAETitle', '_vrMap', '_meta'])

/** Why an identifier can't be served: PS3.4 Table C.4-1, A900. */
export interface Refused { readonly refused: string }

/**
 * The level and the unique keys of an identifier.
 *
 * @param retrieve a C-MOVE or C-GET must name what it wants, and may name several at its own level.
 *   Of a C-FIND, only the keys of the levels above are unique; its own are matched like the rest.
 */
export function readKeys (identifier: Identifier, patientRoot: boolean, retrieve: boolean): { level: Level, keys: UniqueKeys } | Refused {
  const own = LEVELS.indexOf(plainText(identifier.QueryRetrieveLevel) as Level)
  const top = patientRoot ? 0 : 1
  if (own < top) return { refused: 'QueryRetrieveLevel' }
  const lists = LEVELS.map((level, index) => index < top || index > own || (index === own && !retrieve) ? undefined : listOf(identifier[UNIQUE_KEYS[level]]))
  for (let index = top; index < own; index++) {
    if (lists[index]?.length !== 1) return { refused: `${UNIQUE_KEYS[LEVELS[index]]} is missing or not single` }
  }
  if (retrieve && lists[own] === undefined) return { refused: `${UNIQUE_KEYS[LEVELS[own]]} is missing` }
  const [patientIds, studyUids, seriesUids, instanceUids] = lists
  return { level: LEVELS[own], keys: { patientIds, studyUids, seriesUids, instanceUids } }
}

export interface FindOptions {
  readonly aeTitle: string
  readonly explicitVr: boolean
  /** Computed attributes are unknown: returned empty, never matched. */
  readonly countsHidden: boolean
}

export interface Found {
  /** FF00, or FF01 when a key is unknown at this level and was therefore ignored. */
  readonly pendingStatus: number
  /** One for each match, encoded when it is taken. */
  readonly answers: Iterable<Buffer>
}

/** Everything below `keys` that matches. */
export function find (store: Pick<PacsStore, 'all' | 'select'>, level: Level, keys: UniqueKeys, identifier: Identifier, options: FindOptions): Found {
  const all = store.all()
  const entities = groups(store.select(keys), level)
  const asked = Object.keys(identifier).filter(keyword => !NO_KEYS.has(keyword) && describe(keyword) !== undefined)
  const supported = new Set(entities.flatMap(group => Object.keys(attributesOf(group, level))))
  const isKnown = (keyword: string): boolean => COMPUTED.has(keyword) ? !options.countsHidden : supported.has(keyword)
  const keyed = asked.filter(keyword => listOf(identifier[keyword]) !== undefined)
  return {
    pendingStatus: keyed.every(isKnown) ? 0xff00 : 0xff01,
    answers: answers()
  }

  function * answers (): Generator<Buffer> {
    for (const group of entities) {
      const known = attributesOf(group, level)
      const valueOf = (keyword: string): Value | undefined => !isKnown(keyword) ? undefined : COMPUTED.has(keyword) ? computedAttribute(keyword, group, all) : known[keyword]
      if (!keyed.every(keyword => !isKnown(keyword) || matches(keyword, plainText(identifier[keyword]), textsOf(valueOf(keyword))))) continue
      const answer: Record<string, Value> = { QueryRetrieveLevel: level, RetrieveAETitle: options.aeTitle }
      for (const keyword of asked) answer[keyword] = valueOf(keyword) ?? empty(keyword)
      const characterSet = characterSetOf(answer)
      if (characterSet !== undefined) answer.SpecificCharacterSet = characterSet
      yield encodeAttributes(answer, options.explicitVr)
    }
  }
}

/** One match of a study that wasn't asked for: what a PACS answers that forgets a unique key. */
export function foreignAnswer (store: PacsStore, level: Level, identifier: Identifier, options: FindOptions): Iterable<Buffer> {
  const studyUids = listOf(identifier.StudyInstanceUID) ?? []
  const [stranger] = store.all().filter(({ studyUid }) => !studyUids.includes(studyUid))
  if (stranger === undefined) return []
  const blank = Object.fromEntries(Object.keys(identifier).map(keyword => [keyword, keyword === 'QueryRetrieveLevel' ? identifier[keyword] : '']))
  return find({ all: () => store.all(), select: () => [stranger] }, level, {}, blank, options).answers
}

const COMPUTED = new Set([
  'ModalitiesInStudy', 'SOPClassesInStudy', 'NumberOfPatientRelatedStudies', 'NumberOfPatientRelatedSeries', 'NumberOfPatientRelatedInstances',
  'NumberOfStudyRelatedSeries', 'NumberOfStudyRelatedInstances', 'NumberOfSeriesRelatedInstances'
])

/** PS3.4 §C.3.4: what is counted rather than stored. */
function computedAttribute (keyword: string, group: readonly Held[], all: readonly Held[]): string | string[] | undefined {
  const [first] = group
  const ofStudy = keyword.includes('Study') ? all.filter(held => held.studyUid === first.studyUid) : []
  const ofPatient = keyword.includes('Patient') ? all.filter(held => held.study.PatientID === first.study.PatientID) : []
  const distinct = (list: readonly Held[], of: (held: Held) => string): string[] => [...new Set(list.map(of))]
  switch (keyword) {
    case 'ModalitiesInStudy': return distinct(ofStudy, held => String(held.series.Modality))
    case 'SOPClassesInStudy': return distinct(ofStudy, held => held.sopClassUid)
    case 'NumberOfStudyRelatedSeries': return String(distinct(ofStudy, held => held.seriesUid).length)
    case 'NumberOfStudyRelatedInstances': return String(ofStudy.length)
    case 'NumberOfSeriesRelatedInstances': return String(all.filter(held => held.seriesUid === first.seriesUid).length)
    case 'NumberOfPatientRelatedStudies': return String(distinct(ofPatient, held => held.studyUid).length)
    case 'NumberOfPatientRelatedSeries': return String(distinct(ofPatient, held => held.seriesUid).length)
    case 'NumberOfPatientRelatedInstances': return String(ofPatient.length)
    default: return undefined
  }
}

/** The objects of each patient, study, series or instance. */
function groups (held: readonly Held[], level: Level): Held[][] {
  const identity = { PATIENT: (one: Held) => String(one.study.PatientID), STUDY: (one: Held) => one.studyUid, SERIES: (one: Held) => one.seriesUid, IMAGE: (one: Held) => one.sopInstanceUid }[level]
  return [...Map.groupBy(held, identity).values()]
}

function attributesOf ([first]: readonly Held[], level: Level): Attributes {
  if (level === 'PATIENT') return Object.fromEntries(Object.entries(first.study).filter(([keyword]) => /^(Patient|IssuerOfPatient)/.test(keyword)))
  if (level === 'STUDY') return first.study
  if (level === 'SERIES') return { ...first.study, ...first.series }
  return { ...first.study, ...first.series, ...first.instance }
}

/** A key that the PACS doesn't know comes back with no value. */
function empty (keyword: string): Value {
  return { vr: describe(keyword)?.vr ?? 'UN', bytes: Buffer.alloc(0) }
}

function textsOf (value: Value | undefined): string[] {
  if (typeof value === 'string' || typeof value === 'number') return [String(value)]
  return Array.isArray(value) ? value.filter(item => typeof item !== 'object').map(String) : []
}

/** Latin-1 as long as it will do; none for plain ASCII, since old PACS say nothing then. */
function characterSetOf (answer: Attributes): string | undefined {
  const text = Object.values(answer).flatMap(textsOf).join('')
  if (/^[\t\n\f\r -~]*$/.test(text)) return undefined
  return /^[\t\n\f\r -\xff]*$/.test(text) ? 'ISO_IR 100' : 'ISO_IR 192'
}

/** What a key asks for in particular; undefined when it matches everything. */
function listOf (value: unknown): readonly string[] | undefined {
  const text = plainText(value)
  const list = (typeof text === 'string' ? text.split('\\') : text ?? []).map(uid => uid.trim()).filter(uid => uid !== '' && uid !== '*')
  return list.length === 0 ? undefined : list
}
