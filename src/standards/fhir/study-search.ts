/**
 * A FHIR search for imaging studies, as the questions that a PACS can be asked, and what its answers
 * must be besides: not every PACS matches every key.
 *
 * Source: HL7 FHIR R4 §3.1.1 (search), ImagingStudy search parameters; DICOM PS3.4 §C.2.2.2, §C.6.2.1.
 */

import { RequestError } from '#core/errors.ts'
import { isUid } from '#core/uid.ts'
import { firstText } from '#standards/dicom/dataset.ts'
import type { DicomJson } from '#standards/dicom/json.ts'
import { MODALITY_SYSTEM, modalitiesOf, STUDY_KEYS, UID_SYSTEM, type Systems } from './imaging-study.ts'
import { parseStarted, PREFIXES, studySpan, type Started } from './started.ts'

export interface StudySearch {
  /** C-FIND identifiers at study level, one after the other; their answers may overlap. */
  readonly questions: readonly DicomJson[]
  readonly matches: (study: DicomJson) => boolean
  /** Matches of one page. */
  readonly count: number
  readonly offset: number
  /** Only how many there are. */
  readonly countOnly: boolean
  /** Parameters that were heard, for the link to itself. */
  readonly heard: URLSearchParams
  /** Names of those that weren't. */
  readonly ignored: readonly string[]
}

export const PAGE_DEFAULT = 50
export const PAGE_MAX = 500
/** Matches that are gone through for one answer: a PACS gives no page but the first, so each later one costs all before it. */
export const MATCHES_MAX = 10_000
/** C-FINDs for one search: alternatives are asked one by one, save for UIDs. */
const QUESTIONS_MAX = 16
/** A list of UIDs fits into one key. */
const UIDS_MAX = 100
const PARAMETERS_MAX = 64

/** Said of the answer's form, and answered by the route. */
const FORM = new Set(['_format', '_pretty'])

interface Asked {
  uids?: readonly string[]
  patients?: readonly string[]
  accessions?: readonly string[]
  modalities?: readonly string[]
  readonly started: Started[]
}

/**
 * @param strict unknown parameters are refused (`Prefer: handling=strict`)
 * @throws RequestError QUERY_INVALID naming the parameter
 */
export function parseStudySearch (query: URLSearchParams, systems: Systems, strict: boolean): StudySearch {
  if (query.size > PARAMETERS_MAX) throw invalid('', `more than ${PARAMETERS_MAX} parameters`)
  const asked: Asked = { started: [] }
  const heard = new URLSearchParams()
  const ignored: string[] = []
  let count = PAGE_DEFAULT
  let offset = 0
  let countOnly = false
  for (const [name, value] of query) {
    if (FORM.has(name)) continue
    if (value === '') continue
    if (heard.has(name) && name !== 'started') throw invalid(name, 'is given more than once')
    switch (name) {
      case '_id': asked.uids = both(asked.uids, alternatives(name, value)); break
      case 'identifier': identify(asked, alternatives(name, value), systems); break
      case 'patient':
      case 'subject': asked.patients = both(asked.patients, alternatives(name, value).map(reference => patientOf(name, reference))); break
      case 'patient:identifier':
      case 'subject:identifier':
      case 'patient.identifier':
      case 'subject.identifier': asked.patients = both(asked.patients, alternatives(name, value).flatMap(token => tokenValue(token, systems.patient) ?? [])); break
      case 'modality': asked.modalities = alternatives(name, value).flatMap(token => tokenValue(token, MODALITY_SYSTEM) ?? []); break
      case 'started': asked.started.push(started(name, value)); break
      case '_count': count = Math.min(PAGE_MAX, whole(name, value)); break
      case '_offset': offset = whole(name, value); break
      case '_summary':
        if (value !== 'count' && value !== 'false') throw invalid(name, 'is supported as count and false')
        countOnly = value === 'count'
        break
      default:
        if (/[:.]/.test(name) || strict) throw invalid(name, 'is not supported')
        ignored.push(name)
        continue
    }
    heard.append(name, value)
  }
  if (offset + count > MATCHES_MAX) throw invalid('_offset', `leads beyond the first ${MATCHES_MAX} matches: narrow the search`)
  return { questions: questionsOf(asked), matches: study => matches(asked, study), count, offset, countOnly: countOnly || count === 0, heard, ignored }
}

/** Identifiers of a study: its UID, or its accession number. */
function identify (asked: Asked, tokens: readonly string[], systems: Systems): void {
  const isUidToken = (token: string): boolean => token.startsWith(`${UID_SYSTEM}|`) || (token.startsWith('urn:oid:') && !token.includes('|'))
  const [ofStudies, others] = [tokens.filter(isUidToken), tokens.filter(token => !isUidToken(token))]
  if (ofStudies.length > 0 && others.length > 0) throw invalid('identifier', 'mixes UIDs and accession numbers')
  if (others.length > 0) asked.accessions = others.flatMap(token => tokenValue(token, systems.accession) ?? [])
  else asked.uids = both(asked.uids, ofStudies.map(token => exact(token.slice(token.indexOf('|') + 1)).replace(/^urn:oid:/, '')))
}

/** @returns undefined when the token is of another system than ours, and so of no study here */
function tokenValue (token: string, system: string | undefined): string | undefined {
  const bar = token.indexOf('|')
  if (bar < 0) return exact(token)
  const named = token.slice(0, bar)
  if (named !== (system ?? '')) return undefined
  return exact(token.slice(bar + 1))
}

/** Patients have no resource of their own here: their logical id is the patient's identifier in the PACS. */
function patientOf (name: string, reference: string): string {
  const id = /^(?:(?:https?:\/\/[^\s?#]+\/)?Patient\/)?([^/]+)$/.exec(reference)?.[1]
  if (id === undefined) throw invalid(name, 'is no reference to a patient')
  return exact(id)
}

/** C-FIND would take an asterisk and a question mark for wildcards, and a backslash for a list. FHIR's tokens have neither. */
const EXACT = /^[^*?\\\p{Cc}]+$/u

function exact (value: string): string {
  if (value === '' || value.length > 64 || !EXACT.test(value)) throw invalid('', 'holds a value that no identifier has')
  return value
}

function started (name: string, value: string): Started {
  const parsed = parseStarted(value)
  if (parsed === undefined) throw invalid(name, `is a date or time with one of the prefixes ${Object.keys(PREFIXES).join(', ')}, or none`)
  return parsed
}

/** Commas separate alternatives; a backslash makes one a letter. */
function alternatives (name: string, value: string): string[] {
  const list = value.split(/(?<!\\),/).map(part => part.replace(/\\([,$|\\])/g, '$1')).filter(part => part !== '')
  if (list.length > UIDS_MAX) throw invalid(name, `names more than ${UIDS_MAX} alternatives`)
  return list
}

/** Two parameters about the same thing must both hold. */
function both (before: readonly string[] | undefined, now: readonly string[]): readonly string[] {
  return before === undefined ? now : before.filter(value => now.includes(value))
}

function questionsOf ({ uids, started, ...lists }: Asked): DicomJson[] {
  const [patients, accessions, modalities] = [lists.patients, lists.accessions, lists.modalities].map((list): readonly (string | undefined)[] => list ?? [undefined])
  const known = uids?.filter(isUid)
  if (known?.length === 0) return []
  const dates = dateRange(started)
  if (dates === undefined) return []
  if (patients.length * accessions.length * modalities.length > QUESTIONS_MAX) throw invalid('', `has more than ${QUESTIONS_MAX} combinations of alternatives`)
  return patients.flatMap(patient => accessions.flatMap(accession => modalities.map(modality => ({
    '00080052': { vr: 'CS' as const, Value: ['STUDY'] },
    ...STUDY_KEYS,
    ...known !== undefined && { '0020000D': { vr: 'UI' as const, Value: [...known] } },
    ...patient !== undefined && { '00100020': { vr: 'LO' as const, Value: [patient] } },
    ...accession !== undefined && { '00080050': { vr: 'SH' as const, Value: [accession] } },
    ...modality !== undefined && { '00080061': { vr: 'CS' as const, Value: [modality] } },
    ...dates !== '' && { '00080020': { vr: 'DA' as const, Value: [dates] } }
  }))))
}

/** One DICOM range of days that holds all that is asked; empty for any day, undefined for no day. */
function dateRange (all: readonly Started[]): string | undefined {
  let low = -Infinity
  let high = Infinity
  for (const { prefix, span: { from, to }, zoned } of all) {
    const slack = zoned ? 86_400_000 : 0
    if (prefix === 'eq' || prefix === 'ge' || prefix === 'gt' || prefix === 'sa') low = Math.max(low, from - slack)
    if (prefix === 'eq' || prefix === 'le' || prefix === 'lt' || prefix === 'eb') high = Math.min(high, to - 1 + slack)
  }
  if (low > high) return undefined
  if (low === -Infinity && high === Infinity) return ''
  const days = `${low === -Infinity ? '' : day(low)}-${high === Infinity ? '' : day(high)}`
  return days.length === 17 && days.slice(0, 8) === days.slice(9) ? days.slice(0, 8) : days
}

function day (instant: number): string {
  const date = new Date(instant)
  return `${String(date.getFullYear()).padStart(4, '0')}${String(date.getMonth() + 1).padStart(2, '0')}${String(date.getDate()).padStart(2, '0')}`
}

function matches ({ uids, patients, accessions, modalities, started }: Asked, study: DicomJson): boolean {
  const is = (list: readonly string[] | undefined, tag: string): boolean => list === undefined || list.includes(firstText(study, tag)?.trim() ?? '')
  if (!is(uids, '0020000D') || !is(patients, '00100020') || !is(accessions, '00080050')) return false
  // A PACS that doesn't tell the modalities of a study may still have matched them.
  const told = modalitiesOf(study)
  if (modalities !== undefined && told !== undefined && !told.some(modality => modalities.includes(modality))) return false
  if (started.length === 0) return true
  const span = studySpan(firstText(study, '00080020') ?? '', firstText(study, '00080030'), firstText(study, '00080201'))
  return span !== undefined && started.every(({ prefix, span: asked }) => PREFIXES[prefix](span, asked))
}

function whole (name: string, value: string): number {
  if (!/^\d{1,9}$/.test(value)) throw invalid(name, 'is not a whole number')
  return Number(value)
}

function invalid (name: string, why: string): RequestError {
  const key = name.slice(0, 64)
  return new RequestError('QUERY_INVALID', key === '' ? `the search ${why}` : `${key} ${why}`, { facts: { ...key !== '' && { key } } })
}
