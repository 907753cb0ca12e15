import { test, type Test } from 'tap'
import type { GeneratedStudy } from '#sim/studies.ts'
import { fhirFaults } from '#test/fixtures/fhir-shape.ts'
import { openSite, studiesNamed, type Site } from '#test/fixtures/site.ts'
import { smallStudy } from '#test/fixtures/small-studies.ts'

const ACCESSIONS = 'urn:oid:1.2.250.1.999.1'
const PATIENTS = 'urn:oid:1.2.250.1.999.2'
const SOME = Array.from({ length: 12 }, (_, place) => smallStudy(`fhir ${place}`, {
  series: place === 0 ? [2, 1] : [1],
  date: `202503${String(place + 10)}`,
  patientName: place % 2 === 0 ? 'LEFÈVRE^Zoé' : 'NUÑEZ GARCÍA^Océane'
}))
const accession = (study: GeneratedStudy): string => String(study.attributes.AccessionNumber)
const patient = (study: GeneratedStudy): string => String(study.attributes.PatientID)

interface Coded { readonly code: string }
interface Study { readonly id: string, readonly started: string, readonly subject: { display: string, identifier: { value: string, system: string } }, readonly identifier: { system: string, value: string, type?: { coding: Coded[] } }[], readonly modality: Coded[], readonly numberOfSeries: number, readonly numberOfInstances: number, readonly contained: { address: string }[], readonly series?: { uid: string, modality: Coded, numberOfInstances: number }[] }
interface Bundle { readonly total?: number, readonly link: { relation: string, url: string }[], readonly entry?: { resource: Study & { resourceType: string, issue: { details: { text: string } }[] }, search: { mode: string } }[] }

async function fhir (t: Test, studies: readonly GeneratedStudy[] = SOME): Promise<{ site: Site, base: string }> {
  const site = await openSite(t, studies, { fhir: { enabled: true, accessionSystem: ACCESSIONS, patientSystem: PATIENTS } })
  return { site, base: `${new URL(site.box.dicomweb).origin}/fhir` }
}

/** Every answer is judged, whatever the test is about. */
async function read (t: Test, url: string, status = 200, init: RequestInit = {}): Promise<Record<string, unknown>> {
  const answer = await fetch(url, init)
  t.equal(answer.status, status, url)
  t.equal(answer.headers.get('content-type'), 'application/fhir+json')
  const json = await answer.json() as Record<string, unknown>
  t.same(fhirFaults(json), [], 'is FHIR R4')
  return json
}

const search = async (t: Test, base: string, query: string): Promise<Bundle> => await read(t, `${base}/ImagingStudy?${query}`) as unknown as Bundle
const ids = ({ entry = [] }: Bundle): string[] => entry.filter(({ search }) => search.mode === 'match').map(({ resource }) => resource.id)
const uids = (studies: readonly GeneratedStudy[]): string[] => studies.map(({ studyUid }) => studyUid)

test('a local list shows the centre\'s exams: who, what, when, and where the images are', async t => {
  const { base, site } = await fhir(t)
  const bundle = await search(t, base, '')
  t.same(ids(bundle), uids(SOME))
  t.equal(bundle.total, 12)
  const { resource } = bundle.entry![0]
  t.match(resource, {
    resourceType: 'ImagingStudy',
    status: 'available',
    subject: { display: 'LEFÈVRE Zoé', identifier: { value: patient(SOME[0]), system: PATIENTS } },
    modality: [{ code: 'CT', system: 'http://dicom.nema.org/resources/ontology/DCM' }],
    numberOfSeries: 2,
    numberOfInstances: 3,
    contained: [{ address: site.box.dicomweb }],
    identifier: [{ system: 'urn:dicom:uid', value: `urn:oid:${SOME[0].studyUid}` }, { system: ACCESSIONS, value: accession(SOME[0]), type: { coding: [{ code: 'ACSN' }] } }]
  })
  t.match(resource.started, /^2025-03-10T10:15:00[+-]/)
  t.equal(site.pacs.control.seen.moves + site.pacs.control.seen.gets, 0, 'nothing is fetched for it')
})

test('one exam has its series, with their counts', async t => {
  const { base } = await fhir(t)
  const study = await read(t, `${base}/ImagingStudy/${SOME[0].studyUid}`) as unknown as Study
  t.same(study.series?.map(({ uid, modality, numberOfInstances }) => [uid, modality.code, numberOfInstances]), SOME[0].series.map(({ seriesUid, instances }) => [seriesUid, 'CT', instances.length]))
  for (const id of ['1.2.3', 'not-a-uid', '*']) t.match(await read(t, `${base}/ImagingStudy/${id}`, 404), { issue: [{ code: 'not-found' }] })
})

test('exams are found by patient, identifier, day and modality, as FHIR writes them', async t => {
  const { base } = await fhir(t, [...SOME, ...studiesNamed('mr')])
  const [first, second] = SOME
  const uid = encodeURIComponent(`urn:dicom:uid|urn:oid:${first.studyUid}`)
  for (const query of [
    `_id=${first.studyUid}`, `identifier=${uid}`, `identifier=urn:oid:${first.studyUid}`, `identifier=${encodeURIComponent(`${ACCESSIONS}|${accession(first)}`)}`, `identifier=${encodeURIComponent(accession(first))}`,
    `patient=Patient/${encodeURIComponent(patient(first))}`, `patient=${encodeURIComponent(patient(first))}`, `patient:identifier=${encodeURIComponent(`${PATIENTS}|${patient(first)}`)}`, `subject=Patient/${encodeURIComponent(patient(first))}`,
    'started=2025-03-10', 'started=lt2025-03-11&started=ge2025-03-10', 'started=le2025-03-10', `_id=${first.studyUid}&modality=CT`
  ]) t.same(ids(await search(t, base, query)), [first.studyUid], query)
  t.same(ids(await search(t, base, 'started=ge2025-03-20&started=lt2025-04&modality=CT')), uids(SOME.slice(10)))
  t.same(ids(await search(t, base, 'started=gt2025-03-12&started=lt2025-03-15')), uids(SOME.slice(3, 5)))
  t.same(ids(await search(t, base, `identifier=${encodeURIComponent(`${accession(first)},${accession(second)}`)}`)), uids([first, second]))
  t.same(ids(await search(t, base, `modality=${encodeURIComponent('http://dicom.nema.org/resources/ontology/DCM|MR')}`)), uids(studiesNamed('mr')))
  t.equal(ids(await search(t, base, 'modality=MR,CT')).length, 13)
  for (const nobody of ['patient=nobody', `identifier=${encodeURIComponent('urn:other|1')}`, `patient:identifier=${encodeURIComponent('urn:other|1')}`, 'started=ge2030', 'started=gt2025-03-12&started=lt2025-03-12', `modality=${encodeURIComponent('urn:other|CT')}`, '_id=1.2.3', `_id=${first.studyUid}&patient=nobody`]) {
    const bundle = await search(t, base, nobody)
    t.same([ids(bundle), bundle.total], [[], 0], nobody)
  }
})

test('pages follow one another to the end, and the total is told once it is known', async t => {
  const { base, site } = await fhir(t)
  const seen: string[] = []
  let url: string | undefined = `${base}/ImagingStudy?_count=5&modality=CT`
  for (const expected of [undefined, undefined, 12]) {
    const bundle: Bundle = await read(t, url!) as unknown as Bundle
    t.equal(bundle.total, expected)
    seen.push(...ids(bundle))
    url = bundle.link.find(({ relation }) => relation === 'next')?.url
  }
  t.equal(url, undefined)
  t.same(seen, uids(SOME))
  t.ok(site.pacs.control.seen.cancels > 0, 'the PACS needn\'t go on once a page is full')
  const counted = await search(t, base, '_summary=count')
  t.same([counted.total, counted.entry], [12, undefined])
  t.match(await read(t, `${base}/ImagingStudy?_offset=10000`, 400), { issue: [{ code: 'invalid' }] })
})

test('a search by POST is the same search', async t => {
  const { base } = await fhir(t)
  const bundle = await read(t, `${base}/ImagingStudy/_search`, 200, { method: 'POST', body: new URLSearchParams({ started: '2025-03-10' }) }) as unknown as Bundle
  t.same(ids(bundle), [SOME[0].studyUid])
})

test('what isn\'t understood is passed over and said so, or refused where the caller is strict or a filter would be lost', async t => {
  const { base, site } = await fhir(t)
  const lenient = await search(t, base, '_sort=-started&_count=1')
  t.match(lenient.entry?.at(-1), { search: { mode: 'outcome' }, resource: { resourceType: 'OperationOutcome', issue: [{ severity: 'warning' }] } })
  t.notMatch(lenient.link[0].url, /_sort/)
  await read(t, `${base}/ImagingStudy?_sort=-started`, 400, { headers: { prefer: 'handling=strict' } })
  const before = site.pacs.control.seen.finds
  for (const query of ['patient:missing=true', 'started=ne2025', 'started=yesterday', 'modality:not=CT', 'patient=*', 'identifier=A%5CB', '_count=many', '_count=-1', 'patient=a&patient=b', '_summary=text', `identifier=${'x'.repeat(65)}`]) {
    const outcome = await read(t, `${base}/ImagingStudy?${query}`, 400)
    t.match(outcome, { resourceType: 'OperationOutcome', issue: [{ severity: 'error', code: 'invalid', details: { coding: [{ code: 'QUERY_INVALID' }] } }] })
  }
  t.equal(site.pacs.control.seen.finds, before, 'and the PACS isn\'t asked')
})

test('errors are told in French, or in English to whoever prefers it', async t => {
  const { base } = await fhir(t)
  t.match(await read(t, `${base}/ImagingStudy/1.2.3`, 404), { language: 'fr', issue: [{ details: { text: 'Examen inconnu' } }] })
  t.match(await read(t, `${base}/ImagingStudy/1.2.3`, 404, { headers: { 'accept-language': 'en' } }), { language: 'en', issue: [{ details: { text: 'Unknown study' } }] })
  await read(t, `${base}/Patient`, 404)
  await read(t, `${base}/ImagingStudy`, 501, { method: 'POST', body: new URLSearchParams() })
  await read(t, `${base}/ImagingStudy`, 406, { headers: { accept: 'application/fhir+xml' } })
  await read(t, `${base}/ImagingStudy?_format=xml`, 406)
})

test('a PACS that refuses us is told as such', async t => {
  const { base, site } = await fhir(t)
  site.pacs.control.refuseAssociations()
  t.match(await read(t, `${base}/ImagingStudy`, 502), { issue: [{ severity: 'fatal', code: 'exception', details: { coding: [{ code: 'PACS_REJECTED' }] } }] })
})

test('it says what it can do, and is off unless a setting says otherwise', async t => {
  const { base } = await fhir(t)
  t.match(await read(t, `${base}/metadata`), { resourceType: 'CapabilityStatement', fhirVersion: '4.0.1', rest: [{ mode: 'server', resource: [{ type: 'ImagingStudy' }] }] })
  const off = await openSite(t, SOME)
  t.equal((await fetch(`${new URL(off.box.dicomweb).origin}/fhir/metadata`)).status, 404)
})

test('a PACS that doesn\'t count, or doesn\'t tell modalities, leaves these out, and a search for them says so', async t => {
  const { base, site } = await fhir(t)
  site.pacs.control.hideCounts()
  const bundle = await search(t, base, '')
  t.equal(ids(bundle).length, 12)
  t.equal(bundle.entry![0].resource.numberOfInstances, undefined)
  t.equal(bundle.entry![0].resource.modality, undefined)
  const read = await search(t, base, 'modality=CT')
  t.match(read.entry?.at(-1)?.resource.issue[0].details.text, /does not tell the modalities/)
})
