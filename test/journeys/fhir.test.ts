/**
 * ImagingStudy from the C-FIND of PACS that no one here wrote.
 */

import { test, type Test } from 'tap'
import type { NodeAddress } from '#sim/node-address.ts'
import type { GeneratedStudy } from '#sim/studies.ts'
import { startBox } from '#test/fixtures/box.ts'
import { startDcmqrscp } from '#test/fixtures/dcmqrscp.ts'
import { fhirFaults } from '#test/fixtures/fhir-shape.ts'
import { skipWithoutDicomWebPlugin, startOrthanc } from '#test/fixtures/orthanc.ts'
import { skipWithout } from '#test/fixtures/peer.ts'
import { sendStudies } from '#test/fixtures/send.ts'
import { studiesNamed } from '#test/fixtures/site.ts'

const STUDIES = studiesNamed('mr', 'sr')

interface Study { readonly id: string, readonly subject: { readonly display: string }, readonly series?: readonly { readonly uid: string }[] }

async function assertListed (t: Test, pacs: NodeAddress, studies: readonly GeneratedStudy[]): Promise<void> {
  const box = await startBox(t, pacs, { fhir: { enabled: true } })
  const base = `${new URL(box.dicomweb).origin}/fhir/ImagingStudy`
  const read = async (url: string): Promise<Record<string, unknown>> => {
    const json = await (await fetch(url)).json() as Record<string, unknown>
    t.same(fhirFaults(json), [], url)
    return json
  }
  const ids = async (query: string): Promise<string[]> =>
    ((await read(`${base}?${query}`)).entry as { resource: Study, search: { mode: string } }[] | undefined ?? []).filter(({ search }) => search.mode === 'match').map(({ resource }) => resource.id).sort()
  const all = studies.map(({ studyUid }) => studyUid).sort()
  t.same(await ids(''), all)
  for (const study of studies) {
    const { StudyDate: date, AccessionNumber: accession, PatientID: patient } = study.attributes as Record<string, string>
    const day = `${date.slice(0, 4)}-${date.slice(4, 6)}-${date.slice(6, 8)}`
    t.same(await ids(`identifier=${encodeURIComponent(accession)}`), [study.studyUid])
    t.same(await ids(`_id=${study.studyUid}&started=${day}`), [study.studyUid])
    t.ok((await ids(`patient=${encodeURIComponent(patient)}`)).includes(study.studyUid))
    t.notOk((await ids(`started=gt${day}`)).includes(study.studyUid))
    const one = await read(`${base}/${study.studyUid}`) as unknown as Study
    t.same(one.series?.map(({ uid }) => uid).sort(), study.series.map(({ seriesUid }) => seriesUid).sort())
    t.equal(one.subject.display, study.patientName.replace('^', ' '))
  }
}

test('Orthanc\'s studies are listed as FHIR', { skip: skipWithout('Orthanc') || skipWithoutDicomWebPlugin }, async t => {
  const orthanc = await startOrthanc(t, [])
  await sendStudies(STUDIES, orthanc)
  await assertListed(t, orthanc, STUDIES)
})

test('dcmqrscp\'s studies are listed as FHIR', { skip: skipWithout('dcmqrscp') }, async t => {
  const pacs = await startDcmqrscp(t, [])
  await sendStudies(STUDIES, pacs)
  await assertListed(t, pacs, STUDIES)
})
