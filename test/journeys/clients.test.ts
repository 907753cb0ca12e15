/**
 * Clients that no one here wrote, at the demo as it is started on a desk: a viewer's client library,
 * curl, and Orthanc reading from us over DICOMweb.
 */

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type Test } from 'tap'
import { api } from 'dicomweb-client'
import type { DicomJson } from '#standards/dicom/json.ts'
import type { Pixels } from '#sim/dataset-writer.ts'
import { openHospital, type Endpoints } from '#sim/hospital.ts'
import { objectBytes } from '#sim/object-bytes.ts'
import { generateStudies, type GeneratedStudy, type StudyName } from '#sim/studies.ts'
import { temporaryFolder } from '#test/fixtures/box.ts'
import { skipWithoutDicomWebPlugin, startOrthanc } from '#test/fixtures/orthanc.ts'
import { run, skipWithout } from '#test/fixtures/peer.ts'
import { ANY_OBJECT, objectOf, partsOf, type ReadObject } from '#test/fixtures/retrieved.ts'
import { instancesOf } from '#test/fixtures/site.ts'
import { FetchedXmlHttpRequest } from '#test/fixtures/xml-http-request.ts'

/** What of it is used here: its own types are generated, and ask for options that it doesn't need. */
interface ViewerClient {
  searchForStudies (options: { queryParams: Record<string, string> }): Promise<DicomJson[]>
  searchForSeries (options: StudyOptions): Promise<DicomJson[]>
  searchForInstances (options: StudyOptions): Promise<DicomJson[]>
  retrieveStudyMetadata (options: StudyOptions): Promise<DicomJson[]>
  retrieveStudy (options: StudyOptions): Promise<ArrayBuffer[]>
  retrieveInstance (options: InstanceOptions): Promise<ArrayBuffer>
  retrieveInstanceFrames (options: InstanceOptions & { frameNumbers: number[], mediaTypes?: { mediaType: string, transferSyntaxUID: string }[] }): Promise<ArrayBuffer[]>
}

interface StudyOptions { readonly studyInstanceUID: string }
interface InstanceOptions extends StudyOptions { readonly seriesInstanceUID: string, readonly sopInstanceUID: string }

async function demo (t: Test): Promise<Endpoints> {
  const left = new AbortController()
  const hospital = await openHospital({ httpPort: 0, dimsePort: 0, aeTitle: 'DRIMBOX', folder: await temporaryFolder(t), signal: left.signal, say: () => {} })
  t.teardown(async () => { await hospital.close() })
  return hospital.endpoints
}

/** As the demo generates it. */
function generated (name: StudyName): GeneratedStudy {
  return generateStudies().find(study => study.name === name) as GeneratedStudy
}

async function assertBytes (t: Test, study: GeneratedStudy, objects: readonly ReadObject[]): Promise<void> {
  t.same(objects.map(({ sopInstanceUid }) => sopInstanceUid).sort(), instancesOf(study.series))
  const held = new Map(study.series.flatMap(series => series.instances.map(instance => [instance.sopInstanceUid, { series, instance }] as const)))
  let wrong = 0
  for (const { sopInstanceUid, dataset } of objects) {
    const { series, instance } = held.get(sopInstanceUid) ?? {}
    if (series === undefined || instance === undefined || !(await objectBytes(study, series, instance)).equals(dataset)) wrong++
  }
  t.equal(wrong, 0, 'byte for byte')
}

test('a viewer\'s client finds a patient, reads the study\'s description, objects and frames', async t => {
  const { dicomweb } = await demo(t)
  Object.assign(globalThis, { XMLHttpRequest: FetchedXmlHttpRequest })
  t.teardown(() => { Reflect.deleteProperty(globalThis, 'XMLHttpRequest') })
  const client = new api.DICOMwebClient({ url: dicomweb, singlepart: false }) as unknown as ViewerClient
  const mr = generated('mr')

  const found = await client.searchForStudies({ queryParams: { PatientName: 'MARTIN-BÉRANGER*' } })
  t.same(found.map(study => study['0020000D'].Value), [[mr.studyUid]])
  t.same(found[0]['00100010'].Value, [{ Alphabetic: 'MARTIN-BÉRANGER^Gaëtan' }])
  const series = await client.searchForSeries({ studyInstanceUID: mr.studyUid })
  t.same(series.map(one => one['0020000E'].Value?.[0]).sort(), mr.series.map(({ seriesUid }) => seriesUid).sort())
  const instances = await client.searchForInstances({ studyInstanceUID: mr.studyUid })
  t.same(instances.map(one => one['00080018'].Value?.[0]).sort(), instancesOf(mr.series))

  const metadata = await client.retrieveStudyMetadata({ studyInstanceUID: mr.studyUid })
  t.same(metadata.map(one => one['00080018'].Value?.[0]).sort(), instancesOf(mr.series))
  const files = await client.retrieveStudy({ studyInstanceUID: mr.studyUid })
  await assertBytes(t, mr, files.map(file => objectOf(Buffer.from(file))))

  const [{ seriesUid, instances: [first] }] = mr.series
  const instance = { studyInstanceUID: mr.studyUid, seriesInstanceUID: seriesUid, sopInstanceUID: first.sopInstanceUid }
  const [frame] = await client.retrieveInstanceFrames({ ...instance, frameNumbers: [1] })
  const pixels = await first.pixels?.()
  t.ok(pixels !== undefined && 'native' in pixels && Buffer.from(frame).equals(Buffer.from(pixels.native)), 'pixels')
  const file = await client.retrieveInstance(instance)
  t.equal(objectOf(Buffer.from(file)).sopInstanceUid, first.sopInstanceUid)

  const us = generated('us')
  const [{ seriesUid: loop, instances: [heart] }] = us.series
  const { frames } = await heart.pixels?.() as Exclude<Pixels, { native: unknown }>
  const jpegs = await client.retrieveInstanceFrames({
    studyInstanceUID: us.studyUid,
    seriesInstanceUID: loop,
    sopInstanceUID: heart.sopInstanceUid,
    frameNumbers: [30, 2],
    mediaTypes: [{ mediaType: 'image/jpeg', transferSyntaxUID: heart.transferSyntaxUid }]
  })
  for (const [place, number] of [30, 2].entries()) {
    const frame = Buffer.from(frames[number - 1])
    t.ok(Buffer.from(jpegs[place]).subarray(0, frame.length).equals(frame), `frame ${number} of a beating heart`)
  }
})

test('what the demo prints can be pasted: curl searches, describes and reads', { skip: skipWithout('curl') }, async t => {
  const { dicomweb } = await demo(t)
  const report = generated('sr')
  const study = `${dicomweb}/studies/${report.studyUid}`
  const curl = async (...args: readonly string[]): Promise<Buffer> => {
    const { code, stdout, stderr } = await run('curl', ['-sS', '--fail', ...args])
    t.equal(code, 0, stderr.toString())
    return stdout
  }
  const found = JSON.parse((await curl(`${dicomweb}/studies?PatientName=LEF%C3%88VRE*`)).toString()) as DicomJson[]
  t.ok(found.some(one => one['0020000D'].Value?.[0] === report.studyUid))
  const [description] = JSON.parse((await curl('--compressed', `${study}/metadata`)).toString()) as DicomJson[]
  t.equal(description['00081030'].Value?.[0], report.attributes.StudyDescription)
  const folder = await temporaryFolder(t)
  await curl('-D', join(folder, 'head'), '-o', join(folder, 'body'), '-H', `Accept: ${ANY_OBJECT}`, study)
  const contentType = /^content-type: (.*?)\r$/im.exec(await readFile(join(folder, 'head'), 'latin1'))?.[1] ?? ''
  const body = await readFile(join(folder, 'body'))
  await assertBytes(t, report, (await partsOf((async function * () { yield body })(), contentType)).map(({ bytes }) => objectOf(bytes)))
})

test('Orthanc fetches a study from the box over DICOMweb', { skip: skipWithout('Orthanc') || skipWithoutDicomWebPlugin }, async t => {
  const { dicomweb } = await demo(t)
  const orthanc = await startOrthanc(t, [], { webServers: { box: dicomweb } })
  const mr = generated('mr')
  const answer = await fetch(`${orthanc.dicomweb}/servers/box/retrieve`, { method: 'POST', body: JSON.stringify({ Resources: [{ Study: mr.studyUid }], Synchronous: true }) })
  t.equal(answer.status, 200, await answer.text())
  const ids = await (await fetch(`${orthanc.http}/instances`)).json() as string[]
  const objects = await Promise.all(ids.map(async id => objectOf(Buffer.from(await (await fetch(`${orthanc.http}/instances/${id}/file`)).arrayBuffer()))))
  await assertBytes(t, mr, objects)
})
