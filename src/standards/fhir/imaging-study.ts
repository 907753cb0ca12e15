/**
 * A study, as C-FIND tells of it, as a FHIR ImagingStudy.
 *
 * Source: HL7 FHIR R4 ImagingStudy, Endpoint, Reference, Identifier; its mapping to DICOM
 * (R4 "imagingstudy-mappings"). What the PACS doesn't say isn't made up: an element that must be there
 * says with an extension that it isn't known.
 */

import { firstText } from '#standards/dicom/dataset.ts'
import type { DicomJson } from '#standards/dicom/json.ts'
import { startedText } from './started.ts'

export const UID_SYSTEM = 'urn:dicom:uid'
export const MODALITY_SYSTEM = 'http://dicom.nema.org/resources/ontology/DCM'
const IDENTIFIER_TYPES = 'http://terminology.hl7.org/CodeSystem/v2-0203'
const UNKNOWN = { extension: [{ url: 'http://hl7.org/fhir/StructureDefinition/data-absent-reason', valueCode: 'unknown' }] }

/** In which number spaces this site's identifiers are. */
export interface Systems {
  readonly patient?: string
  readonly accession?: string
}

export type Resource = Readonly<Record<string, unknown>> & { readonly resourceType: string }

/** Asked of the PACS for each study; the search adds its own. */
export const STUDY_KEYS: DicomJson = {
  '00080020': { vr: 'DA' },
  '00080030': { vr: 'TM' },
  '00080050': { vr: 'SH' },
  '00080061': { vr: 'CS' },
  '00080090': { vr: 'PN' },
  '00080201': { vr: 'SH' },
  '00081030': { vr: 'LO' },
  '00100010': { vr: 'PN' },
  '00100020': { vr: 'LO' },
  '00100021': { vr: 'LO' },
  '0020000D': { vr: 'UI' },
  '00201206': { vr: 'IS' },
  '00201208': { vr: 'IS' }
}

/** And for each of its series. */
export const SERIES_KEYS: DicomJson = {
  '00080021': { vr: 'DA' },
  '00080031': { vr: 'TM' },
  '00080060': { vr: 'CS' },
  '0008103E': { vr: 'LO' },
  '00180015': { vr: 'CS' },
  '0020000E': { vr: 'UI' },
  '00200011': { vr: 'IS' },
  '00201209': { vr: 'IS' }
}

/**
 * @param series where they were asked for
 * @param dicomweb absolute URL under which the study can be had
 */
export function imagingStudy (study: DicomJson, series: readonly DicomJson[] | undefined, systems: Systems, dicomweb: string): Resource {
  const uid = firstText(study, '0020000D')!
  const accession = trimmed(study, '00080050')
  const modalities = modalitiesOf(study) ?? [...new Set((series ?? []).flatMap(one => trimmed(one, '00080060') ?? []))]
  const started = startedText(firstText(study, '00080020') ?? '', firstText(study, '00080030'), trimmed(study, '00080201'))
  const referrer = personText(study, '00080090')
  const description = trimmed(study, '00081030')
  return withoutAbsent({
    resourceType: 'ImagingStudy',
    id: uid,
    contained: [{
      resourceType: 'Endpoint',
      id: 'dicomweb',
      status: 'active',
      connectionType: { system: 'http://terminology.hl7.org/CodeSystem/endpoint-connection-type', code: 'dicom-wado-rs' },
      payloadType: [{ text: 'DICOM' }],
      payloadMimeType: ['application/dicom'],
      address: dicomweb
    }],
    identifier: [
      { use: 'official', system: UID_SYSTEM, value: `urn:oid:${uid}` },
      ...accession === undefined ? [] : [withoutAbsent({ type: { coding: [{ system: IDENTIFIER_TYPES, code: 'ACSN' }] }, system: systems.accession, value: accession })]
    ],
    status: 'available',
    modality: modalities.length === 0 ? undefined : modalities.map(modality),
    subject: subject(study, systems),
    started,
    referrer: referrer === undefined ? undefined : { display: referrer },
    endpoint: [{ reference: '#dicomweb' }],
    numberOfSeries: count(study, '00201206') ?? series?.length,
    numberOfInstances: count(study, '00201208'),
    description,
    series: series === undefined || series.length === 0 ? undefined : series.map(one => seriesOf(one, trimmed(study, '00080201')))
  }) as Resource
}

/** Modalities in Study; undefined where the PACS doesn't tell. */
export function modalitiesOf (study: DicomJson): string[] | undefined {
  const values = study['00080061']?.Value?.filter(value => typeof value === 'string' && value.trim() !== '') as string[] | undefined
  return values === undefined || values.length === 0 ? undefined : [...new Set(values.map(value => value.trim()))]
}

/** The patient isn't a resource here: the reference is a logical one (R4 §2.26.0.2). */
function subject (study: DicomJson, systems: Systems): object {
  const id = trimmed(study, '00100020')
  const issuer = trimmed(study, '00100021')
  const display = personText(study, '00100010')
  if (id === undefined && display === undefined) return { ...UNKNOWN, type: 'Patient' }
  return withoutAbsent({
    type: 'Patient',
    identifier: id === undefined
      ? undefined
      : withoutAbsent({ type: { coding: [{ system: IDENTIFIER_TYPES, code: 'MR' }] }, system: systems.patient, value: id, assigner: issuer === undefined ? undefined : { display: issuer } }),
    display
  })
}

function seriesOf (series: DicomJson, offset: string | undefined): object {
  const code = trimmed(series, '00080060')
  const bodyPart = trimmed(series, '00180015')
  return withoutAbsent({
    uid: firstText(series, '0020000E'),
    number: count(series, '00200011'),
    modality: code === undefined ? UNKNOWN : modality(code),
    description: trimmed(series, '0008103E'),
    numberOfInstances: count(series, '00201209'),
    bodySite: bodyPart === undefined ? undefined : { display: bodyPart },
    started: startedText(firstText(series, '00080021') ?? '', firstText(series, '00080031'), offset)
  })
}

function modality (code: string): object {
  return { system: MODALITY_SYSTEM, code }
}

/** An unsignedInt; some that don't count say nothing, or something else. */
function count (json: DicomJson, tag: string): number | undefined {
  const text = firstText(json, tag)?.trim() ?? ''
  return /^\d{1,9}$/.test(text) ? Number(text) : undefined
}

/** A FHIR string isn't empty, and has no blanks around it. */
function trimmed (json: DicomJson, tag: string): string | undefined {
  const text = firstText(json, tag)?.trim() ?? ''
  return text === '' ? undefined : text
}

/** 'LEFÈVRE^Zoé' as a person writes it. */
function personText (json: DicomJson, tag: string): string | undefined {
  const text = firstText(json, tag)?.replace(/\^+/g, ' ').trim() ?? ''
  return text === '' ? undefined : text
}

function withoutAbsent (object: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined))
}
