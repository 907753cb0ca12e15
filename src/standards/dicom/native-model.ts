/**
 * A data set as XML: the Native DICOM Model.
 *
 * Source: DICOM PS3.19 §A.1; PS3.18 §F.3 (how it relates to DICOM JSON).
 * Made from the JSON model, so numbers of DS and IS are written in their shortest form.
 */

import { keywordOf } from './dictionary.ts'
import type { DicomJson, JsonElement, PersonName } from './json.ts'
import { xmlText } from './xml-text.ts'

/** One document of its own, in UTF-8. */
export function nativeModel (json: DicomJson): string {
  return `<?xml version="1.0" encoding="UTF-8"?>\n<NativeDicomModel xml:space="preserve">${attributes(json)}</NativeDicomModel>\n`
}

function attributes (json: DicomJson): string {
  let text = ''
  for (const tag of Object.keys(json).sort()) text += attribute(tag, json[tag]!, json)
  return text
}

function attribute (tag: string, element: JsonElement, around: DicomJson): string {
  const creator = creatorOf(tag, around)
  // The block that a creator was given in this object means nothing outside of it (PS3.19 Table A.1.5-2).
  const named = creator === undefined ? tag : `${tag.slice(0, 4)}00${tag.slice(6)}`
  const keyword = creator === undefined ? keywordOf(tag) : undefined
  const names = `tag="${named}" vr="${element.vr}"` +
    (keyword === undefined ? '' : ` keyword="${xmlText(keyword)}"`) +
    (creator === undefined ? '' : ` privateCreator="${xmlText(creator)}"`)
  return `<DicomAttribute ${names}>${content(element)}</DicomAttribute>`
}

function content ({ vr, Value, InlineBinary, BulkDataURI }: JsonElement): string {
  if (BulkDataURI !== undefined) return `<BulkData uri="${xmlText(BulkDataURI)}"/>`
  if (InlineBinary !== undefined) return `<InlineBinary>${InlineBinary}</InlineBinary>`
  let text = ''
  for (const [place, value] of (Value ?? []).entries()) {
    const number = place + 1
    if (vr === 'SQ') text += `<Item number="${number}">${attributes(value as DicomJson | null ?? {})}</Item>`
    else if (vr === 'PN') text += personName(value as PersonName | null ?? {}, number)
    else text += `<Value number="${number}">${value === null || value === undefined ? '' : xmlText(String(value))}</Value>`
  }
  return text
}

function personName (name: PersonName, number: number): string {
  const groups = (['Alphabetic', 'Ideographic', 'Phonetic'] as const).map(group => {
    const whole = name[group]
    const text = whole === undefined ? '' : components(whole)
    return text === '' ? '' : `<${group}>${text}</${group}>`
  })
  return `<PersonName number="${number}">${groups.join('')}</PersonName>`
}

/** PS3.5 §6.2.1: in this order; what follows the fifth is part of it. */
const COMPONENTS = ['FamilyName', 'GivenName', 'MiddleName', 'NamePrefix', 'NameSuffix'] as const

function components (group: string): string {
  const parts = group.split('^')
  return COMPONENTS.map((name, place) => {
    const part = place === COMPONENTS.length - 1 ? parts.slice(place).join('^') : parts[place] ?? ''
    return part === '' ? '' : `<${name}>${xmlText(part)}</${name}>`
  }).join('')
}

/** Who gave a private attribute its meaning (PS3.5 §7.8.1), where the object says. */
function creatorOf (tag: string, around: DicomJson): string | undefined {
  if (Number.parseInt(tag.slice(0, 4), 16) % 2 === 0 || tag.slice(4, 6) === '00') return undefined
  const creator = around[`${tag.slice(0, 4)}00${tag.slice(4, 6)}`]?.Value?.[0]
  return typeof creator === 'string' ? creator : undefined
}
