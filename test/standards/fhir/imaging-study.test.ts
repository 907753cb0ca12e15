import { test } from 'tap'
import type { DicomJson } from '#standards/dicom/json.ts'
import { imagingStudy } from '#standards/fhir/imaging-study.ts'
import { fhirFaults } from '#test/fixtures/fhir-shape.ts'

const UID = '1.2.250.1.59.1'
const BASE = 'http://box/dicom-web'
const FULL: DicomJson = {
  '00080020': { vr: 'DA', Value: ['20250312'] },
  '00080030': { vr: 'TM', Value: ['101500'] },
  '00080050': { vr: 'SH', Value: ['ACC1 '] },
  '00080061': { vr: 'CS', Value: ['CT', 'SR'] },
  '00080090': { vr: 'PN', Value: [{ Alphabetic: 'MÉDECIN^Ève' }] },
  '00100010': { vr: 'PN', Value: [{ Alphabetic: 'LEFÈVRE^Zoé' }] },
  '00100020': { vr: 'LO', Value: ['IPP1'] },
  '0020000D': { vr: 'UI', Value: [UID] },
  '00201206': { vr: 'IS', Value: [2] },
  '00201208': { vr: 'IS', Value: [42] }
}

test('whatever a PACS leaves out, what comes is FHIR', t => {
  t.same(fhirFaults(imagingStudy(FULL, [], {}, BASE)), [])
  for (const tag of Object.keys(FULL)) {
    if (tag === '0020000D') continue
    const { [tag]: _, ...less } = FULL
    t.same(fhirFaults(imagingStudy(less, [{ '0020000E': { vr: 'UI', Value: ['1.2.3'] } }], {}, BASE)), [], tag)
    t.same(fhirFaults(imagingStudy({ ...less, [tag]: { vr: FULL[tag].vr } }, undefined, {}, BASE)), [], `${tag} empty`)
    t.same(fhirFaults(imagingStudy({ ...less, [tag]: { vr: FULL[tag].vr, Value: ['   '] } }, undefined, {}, BASE)), [], `${tag} blank`)
  }
  t.same(fhirFaults(imagingStudy({ '0020000D': FULL['0020000D'] }, undefined, {}, BASE)), [])
  t.end()
})

test('the judge of these tests sees what is wrong', t => {
  const good = imagingStudy(FULL, [{ '0020000E': { vr: 'UI', Value: ['1.2.3'] } }], {}, BASE)
  const broken: [string, object][] = [
    ['an element that R4 has not', { ...good, patientName: 'x' }],
    ['a missing status', { ...good, status: undefined }],
    ['a code that it has not', { ...good, status: 'open' }],
    ['a missing subject', { ...good, subject: undefined }],
    ['an empty list', { ...good, series: [] }],
    ['an empty object', { ...good, referrer: {} }],
    ['a time without offset', { ...good, started: '2025-03-12T10:15:00' }],
    ['a negative count', { ...good, numberOfSeries: -1 }],
    ['blanks around a text', { ...good, description: ' x' }],
    ['a series without modality', { ...good, series: [{ uid: '1.2.3' }] }],
    ['a reference to nothing', { ...good, contained: undefined }],
    ['something contained for nobody', { ...good, endpoint: undefined }],
    ['another resource', { resourceType: 'Patient' }]
  ]
  for (const [what, json] of broken) t.not(fhirFaults(JSON.parse(JSON.stringify(json))).length, 0, what)
  t.end()
})
