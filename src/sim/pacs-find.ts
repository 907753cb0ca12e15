/**
 * The answers to a C-FIND, as an old PACS gives them: in Latin-1, with what was asked and no more.
 *
 * Source: DICOM PS3.4 §C.4.1 (C-FIND), §C.6.1 (Patient Root), §C.6.2 (Study Root). Hierarchical
 * search only: the keys of the levels above must be there.
 */

import { describe, encodeAttributes, type Attributes, type Value } from './dataset-writer.ts'
import { matches } from './pacs-matching.ts'
import { plainText, type Held, type UniqueKeys } from './pacs-store.ts'

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
 * @param retrieve a C-MOVE or C-GET must name what it wants; at its own level it may name several
 */
export function readKeys (identifier: Identifier, patientRoot: boolean, retrieve: boolean): { level: Level, keys: UniqueKeys } | Refused {
  const level = plainText(identifier.QueryRetrieveLevel)
  const index = LEVELS.indexOf(level as Level)
  if (index < 0 || (index === 0 && !patientRoot)) return { refused: 'QueryRetrieveLevel' }
  const lists = LEVELS.map(one => listOf(identifier[UNIQUE_KEYS[one]]))
  for (let above = patientRoot ? 0 : 1; above < index; above++) {
    if (lists[above]?.length !== 1) return { refused: `${UNIQUE_KEYS[LEVELS[above]]} is missing or not single` }
  }
  if (retrieve && lists[index] === undefined) return { refused: `${UNIQUE_KEYS[LEVELS[index]]} is missing` }
  const [patientIds, studyUids, seriesUids, instanceUids] = lists
  return { level: LEVELS[index], keys: { patientIds: patientRoot ? patientIds : undefined, studyUids, seriesUids, instanceUids } }
}

/**
 * Everything that matches, one answer each, encoded when it is taken.
 *
 * @param held all that the PACS holds; narrowed down by the unique keys of the levels above
 * @param countsHidden computed attributes are unknown: returned empty, never matched
 */
export function * findAnswers (held: readonly Held[], level: Level, identifier: Identifier, options: { aeTitle: string, explicitVr: boolean, countsHidden: boolean }): Generator<Buffer> {
  const wanted = Object.keys(identifier).filter(keyword => !NO_KEYS.has(keyword) && describe(keyword) !== undefined)
  const computed = options.countsHidden ? (): undefined => undefined : computedAttribute
  for (const group of groups(held, level)) {
    const known = attributesOf(group, level)
    const answer: Record<string, Value> = {}
    const found = wanted.every(keyword => {
      const value = COMPUTED.has(keyword) ? computed(keyword, group, held) : known[keyword]
      answer[keyword] = value ?? empty(keyword)
      if (COMPUTED.has(keyword) && value === undefined) return true
      return matches(keyword, plainText(identifier[keyword]), textsOf(value))
    })
    if (!found) continue
    answer.QueryRetrieveLevel = level
    answer.RetrieveAETitle = options.aeTitle
    const characterSet = characterSetOf(answer)
    if (characterSet !== undefined) answer.SpecificCharacterSet = characterSet
    yield encodeAttributes(answer, options.explicitVr)
  }
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
  if (/^[\x20-\x7e\\]*$/.test(text)) return undefined
  return /^[\x20-\xff]*$/.test(text) ? 'ISO_IR 100' : 'ISO_IR 192'
}

function listOf (value: unknown): readonly string[] | undefined {
  const text = plainText(value)
  const list = (typeof text === 'string' ? text.split('\\') : text ?? []).map(uid => uid.trim()).filter(uid => uid !== '' && uid !== '*')
  return list.length === 0 ? undefined : list
}
