/**
 * A structured report as a tree of plain sentences: what every item says, made readable once, for the
 * writers of HTML and of text.
 *
 * Source: DICOM PS3.3 §C.17.2 (document general), §C.17.3 (content items, value types, relationships),
 * §C.18 (values of each type). The decoder bounds the depth.
 */

import { RequestError } from '#core/errors.ts'
import { firstText } from '../dicom/dataset.ts'
import type { Tag } from '../dicom/dictionary.ts'
import type { DicomJson } from '../dicom/json.ts'
import { STORAGE_CLASSES } from '../dicom/sop-class.ts'
import { readDate, readDateTime, readName, readTime } from './values.ts'

export interface Item {
  readonly relationship: string
  readonly valueType: string
  /** The concept that the item is about, as the report spells it; '' without one. */
  readonly name: string
  /** The value as one text, with line breaks where the report has them; '' for a container. */
  readonly value: string
  /** For coded values and names, the code behind: '121060, DCM'. */
  readonly code: string
  /** When it was observed, readable; '' where that isn't said. */
  readonly observedAt: string
  /** 1.2.3: how references name it. */
  readonly position: string
  readonly items: readonly Item[]
}

export interface Field { readonly label: keyof Labels, readonly value: string }

export interface Report {
  readonly title: string
  readonly fields: readonly Field[]
  readonly root: Item
}

/** French, since those who read these reports do; in the order in which a letter has them. */
export const LABELS = {
  patient: 'Patient',
  birthDate: 'Né(e) le',
  sex: 'Sexe',
  patientId: 'Identifiant',
  accession: 'Numéro de demande',
  study: 'Examen',
  studyDate: 'Date de l’examen',
  series: 'Série',
  institution: 'Établissement',
  manufacturer: 'Logiciel',
  referrer: 'Médecin demandeur',
  contentDate: 'Date du document',
  completion: 'État',
  verification: 'Vérification',
  verifier: 'Vérifié par',
  predecessor: 'Remplace',
  kind: 'Type de document'
} as const

export type Labels = typeof LABELS

/** Longer reports are data, not reading: a dose report of a long intervention has some ten thousand. */
const ITEMS_MAX = 50_000

/** How an item belongs to the one above, where that changes what it says. */
export const RELATIONSHIPS: Readonly<Record<string, string>> = { 'INFERRED FROM': 'Déduit de', 'SELECTED FROM': 'Choisi dans', 'HAS ACQ CONTEXT': 'Acquisition' }

const STATES: Readonly<Record<string, string>> = { COMPLETE: 'Complet', PARTIAL: 'Partiel', VERIFIED: 'Vérifié', UNVERIFIED: 'Non vérifié' }
const SEXES: Readonly<Record<string, string>> = { M: 'Masculin', F: 'Féminin', O: 'Autre' }

/** @throws RequestError RENDER_UNSUPPORTED for an object without a content tree, or with too many items */
export function readReport (head: DicomJson): Report {
  if (firstText(head, '0040A040') === undefined) throw new RequestError('RENDER_UNSUPPORTED', 'a report without content')
  const root = readItem(head, '1', { left: ITEMS_MAX })
  return { title: root.name === '' ? kindOf(head) : root.name, fields: fieldsOf(head), root }
}

function fieldsOf (head: DicomJson): Field[] {
  const text = (tag: Tag): string => firstText(head, tag) ?? ''
  const state = (tag: Tag): string => STATES[text(tag)] ?? text(tag)
  const fields: [keyof Labels, string][] = [
    ['patient', readName(text('00100010'))],
    ['birthDate', readDate(text('00100030'))],
    ['sex', SEXES[text('00100040')] ?? text('00100040')],
    ['patientId', text('00100020')],
    ['accession', text('00080050')],
    ['study', text('00081030')],
    ['studyDate', joined(readDate(text('00080020')), readTime(text('00080030')))],
    ['series', text('0008103E')],
    ['institution', text('00080080')],
    ['manufacturer', text('00080070')],
    ['referrer', readName(text('00080090'))],
    ['kind', kindOf(head)],
    ['contentDate', joined(readDate(text('00080023')), readTime(text('00080033')))],
    ['completion', [state('0040A491'), text('0040A492')].filter(part => part !== '').join(' : ')],
    ['verification', state('0040A493')],
    ...itemsOf(head, '0040A073').map(verifier => ['verifier', verifierText(verifier)] as [keyof Labels, string]),
    ...itemsOf(head, '0040A360').flatMap(study => itemsOf(study, '00081115')).flatMap(series => itemsOf(series, '00081199'))
      .map(reference => ['predecessor', referenceText(reference)] as [keyof Labels, string])
  ]
  return fields.filter(([, value]) => value !== '').map(([label, value]) => ({ label, value }))
}

function kindOf (head: DicomJson): string {
  return className(firstText(head, '00080016') ?? '')
}

function className (uid: string): string {
  return STORAGE_CLASSES.get(uid)?.replace(/ Storage$/, '') ?? uid
}

function verifierText (item: DicomJson): string {
  const said = [readName(firstText(item, '0040A075') ?? ''), firstText(item, '0040A027') ?? ''].filter(part => part !== '').join(', ')
  return joined(said, readDateTime(firstText(item, '0040A030') ?? ''))
}

function readItem (json: DicomJson, position: string, budget: { left: number }): Item {
  if (budget.left-- === 0) throw new RequestError('RENDER_UNSUPPORTED', 'a report of too many items', { facts: { itemsMax: ITEMS_MAX } })
  const [name] = itemsOf(json, '0040A043')
  const valueType = firstText(json, '0040A040') ?? ''
  const { value, code = '' } = valueOf(json, valueType)
  return {
    relationship: firstText(json, '0040A010') ?? '',
    valueType,
    name: name === undefined ? '' : meaning(name),
    value,
    code,
    observedAt: readDateTime(firstText(json, '0040A032') ?? ''),
    position,
    items: itemsOf(json, '0040A730').map((item, place) => readItem(item, `${position}.${place + 1}`, budget))
  }
}

function valueOf (json: DicomJson, valueType: string): { value: string, code?: string } {
  const text = (tag: Tag): string => firstText(json, tag) ?? ''
  switch (valueType) {
    case 'TEXT': return { value: text('0040A160').trimEnd() }
    case 'CODE': return coded(itemsOf(json, '0040A168')[0])
    case 'NUM': return { value: measured(json) }
    case 'DATETIME': return { value: readDateTime(text('0040A120')) }
    case 'DATE': return { value: readDate(text('0040A121')) }
    case 'TIME': return { value: readTime(text('0040A122')) }
    case 'PNAME': return { value: readName(text('0040A123')) }
    case 'UIDREF': return { value: text('0040A124') }
    case 'IMAGE': case 'COMPOSITE': case 'WAVEFORM': return { value: itemsOf(json, '00081199').map(referenceText).join('\n') }
    case 'SCOORD': case 'SCOORD3D': return { value: joined(text('00700023'), numbers(json, '00700022')) }
    case 'TCOORD': return { value: joined(text('0040A130'), numbers(json, '0040A132', '0040A138', '0040A13A')) }
    case 'CONTAINER': return { value: '' }
    // By reference: the item is elsewhere in the tree.
    case '': return { value: `→ ${(json['0040DB73']?.Value ?? []).join('.')}` }
    default: return { value: `(${valueType})` }
  }
}

function measured (json: DicomJson): string {
  const [measure] = itemsOf(json, '0040A300')
  const qualifier = itemsOf(json, '0040A301').map(meaning).join(', ')
  if (measure === undefined) return qualifier
  const [unit] = itemsOf(measure, '004008EA')
  // Units are UCUM, whose codes are what one writes; a mere number is a code of something else.
  const written = unit && firstText(unit, '00080100')
  const symbol = unit === undefined ? '' : written === undefined || /^\d{2,}$/.test(written) ? meaning(unit) : written
  // UCUM writes "no unit" as 1, and what is counted in braces.
  const shown = symbol === '1' ? '' : symbol.replace(/^\{(.*)\}$/, '$1')
  return [[firstText(measure, '0040A30A') ?? '', shown].filter(part => part !== '').join(' '), qualifier].filter(part => part !== '').join(' — ')
}

function coded (code: DicomJson | undefined): { value: string, code?: string } {
  if (code === undefined) return { value: '' }
  const parts = ['00080100', '00080102'].map(tag => firstText(code, tag) ?? '').filter(part => part !== '')
  return { value: meaning(code), code: parts.join(', ') }
}

/** What a code means in words; the code itself where it comes without. */
function meaning (code: DicomJson): string {
  return firstText(code, '00080104') ?? firstText(code, '00080100') ?? firstText(code, '00080119') ?? firstText(code, '00080120') ?? ''
}

function referenceText (reference: DicomJson): string {
  const frames = (reference['00081160']?.Value ?? []).join(', ')
  const states = itemsOf(reference, '00081199').map(state => `, avec ${referenceText(state)}`).join('')
  const said = joined(className(firstText(reference, '00081150') ?? ''), firstText(reference, '00081155') ?? '')
  return frames === '' ? said + states : `${said}, vue ${frames}${states}`
}

function numbers (json: DicomJson, ...tags: readonly Tag[]): string {
  const values = tags.flatMap(tag => json[tag]?.Value ?? []).map(String)
  return values.length > POINTS_SHOWN_MAX ? `${values.slice(0, POINTS_SHOWN_MAX).join(' ; ')} … (${values.length})` : values.join(' ; ')
}

/** A drawn outline has hundreds of coordinates that nobody reads. */
const POINTS_SHOWN_MAX = 16

function joined (...parts: readonly string[]): string {
  return parts.filter(part => part !== '').join(' — ')
}

function itemsOf (json: DicomJson, tag: Tag): readonly DicomJson[] {
  return json[tag]?.vr === 'SQ' ? (json[tag].Value ?? []) as DicomJson[] : []
}
