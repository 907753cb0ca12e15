/**
 * `drimbox find`: what the PACS has, as a table for people or DICOM JSON for scripts.
 *
 * Source: DICOM PS3.4 §C.4.1, §C.6.2; PS3.18 Annex F for `--json`.
 */

import { keywordOf, tagOf, vrOf, type Tag, type Vr } from '#standards/dicom/dictionary.ts'
import type { DicomJson, JsonElement } from '#standards/dicom/json.ts'
import { withAssociation } from '#standards/dimse/association.ts'
import { find } from '#standards/dimse/find.ts'
import { UsageError, choice, readOptions, wholeNumber, type Given } from './options.ts'
import { FIND_PROPOSAL } from './questions.ts'
import { PACS_OPTIONS, peerOf, settingsOf, timersOf } from './settings.ts'
import { table } from './table.ts'
import { EXIT, type Verb } from './terminal.ts'
import type { Words } from './words.ts'

type Level = 'study' | 'series' | 'image'

/** Columns that are asked for when nobody names others, in their order on the page. */
const COLUMNS: Readonly<Record<Level, readonly string[]>> = {
  study: ['StudyDate', 'StudyTime', 'PatientName', 'PatientBirthDate', 'PatientID', 'ModalitiesInStudy', 'StudyDescription', 'NumberOfStudyRelatedInstances', 'AccessionNumber', 'StudyInstanceUID'],
  series: ['SeriesNumber', 'Modality', 'SeriesDescription', 'NumberOfSeriesRelatedInstances', 'SeriesInstanceUID'],
  image: ['InstanceNumber', 'SOPClassUID', 'NumberOfFrames', 'SOPInstanceUID']
}

/** Unique keys of the levels above, which a hierarchical query must name (PS3.4 §C.4.1.3.1.1). */
const ABOVE: Readonly<Record<Level, readonly string[]>> = { study: [], series: ['StudyInstanceUID'], image: ['StudyInstanceUID', 'SeriesInstanceUID'] }

/** Value representations whose values are numbers, not text. */
const BINARY: ReadonlySet<Vr> = new Set<Vr>(['US', 'SS', 'UL', 'SL', 'FL', 'FD'])

const ROWS_DEFAULT = 100
const ROWS_MAX = 100_000

export const findVerb: Verb = async (args, terminal) => {
  const { words, signal } = terminal
  const given = readOptions(args, { ...PACS_OPTIONS, level: 'text', limit: 'text', json: 'flag' }, words)
  const level = choice(given, 'level', ['study', 'series', 'image'] as const, words) ?? 'study'
  const limit = wholeNumber(given, 'limit', 1, ROWS_MAX, words) ?? ROWS_DEFAULT
  const { identifier, columns } = question(level, given, words)
  const config = await settingsOf(given, words)
  const matches: DicomJson[] = []
  let isCut = false
  await withAssociation(await peerOf(config), [FIND_PROPOSAL], { signal, timers: timersOf(config) }, async association => {
    for await (const match of find(association, identifier, { signal })) {
      if (matches.length === limit) {
        isCut = true
        break
      }
      matches.push(match)
      terminal.progress(words.find.progress(matches.length))
    }
  })
  terminal.progress(undefined)
  if (given.flag('json')) terminal.out(JSON.stringify(matches, undefined, 2))
  else if (matches.length > 0) terminal.out(table(columns.map(tag => heading(tag, words)), matches.map(match => columns.map(tag => cell(match[tag], words)))))
  terminal.err(isCut ? words.find.cut(limit) : words.find.found(matches.length))
  return EXIT.ok
}

/** @throws UsageError */
function question (level: Level, given: Given, words: Words): { identifier: DicomJson, columns: readonly Tag[] } {
  const identifier: DicomJson = { '00080052': { vr: 'CS', Value: [level.toUpperCase()] } }
  const columns = COLUMNS[level].map(keyword => tagOf(keyword)!)
  for (const tag of columns) identifier[tag] = { vr: vrOf(tag) }
  for (const key of given.positionals) {
    const [name = '', ...rest] = key.split('=')
    const tag = tagOf(name)
    if (tag === undefined) throw new UsageError(words.usage.unknownKey(name))
    identifier[tag] = element(tag, rest.join('='))
    if (!columns.includes(tag)) columns.push(tag)
  }
  for (const keyword of ABOVE[level]) {
    if (identifier[tagOf(keyword)!]?.Value === undefined) throw new UsageError(words.usage.levelNeeds(level, `${keyword}=`))
  }
  return { identifier, columns: columns.filter(tag => !ABOVE[level].includes(keywordOf(tag) ?? '')) }
}

function element (tag: Tag, text: string): JsonElement {
  const vr = vrOf(tag)
  if (text === '') return { vr }
  const values = text.split('\\')
  if (vr === 'PN') return { vr, Value: values.map(Alphabetic => ({ Alphabetic })) }
  return { vr, Value: BINARY.has(vr) ? values.map(Number) : values }
}

function heading (tag: Tag, words: Words): string {
  const keyword = keywordOf(tag)
  return keyword === undefined ? tag : words.find.headings[keyword] ?? keyword
}

function cell (element: JsonElement | undefined, words: Words): string {
  return (element?.Value ?? []).map(value => text(element!.vr, value, words)).join(', ')
}

function text (vr: string, value: unknown, words: Words): string {
  if (value === null || value === undefined) return ''
  if (vr === 'PN') return personName(value)
  if (typeof value === 'object') return '…'
  if (vr === 'DA') return String(value).replace(/^(\d{4})(\d{2})(\d{2})$/, words.find.date)
  if (vr === 'TM') return String(value).replace(/^(\d{2})(\d{2})(\d{2})?.*$/, (_, hours, minutes, seconds) => [hours, minutes, seconds].filter(Boolean).join(':'))
  return String(value)
}

/** As it is spoken: the alphabetic group, without its carets; another group where there is no such one. */
function personName (value: unknown): string {
  const { Alphabetic, Ideographic, Phonetic } = value as { Alphabetic?: string, Ideographic?: string, Phonetic?: string }
  return (Alphabetic ?? Ideographic ?? Phonetic ?? '').split('^').filter(part => part !== '').join(' ')
}
