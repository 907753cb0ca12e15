/**
 * A hospital's studies in a PACS that no one here wrote, DCMTK's dcmqrscp, found and read over
 * DICOMweb: answers compared with those of DCMTK's own findscu, bytes with those that were stored.
 */

import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type Test } from 'tap'
import type { DicomJson } from '#standards/dicom/json.ts'
import type { Pixels } from '#sim/dataset-writer.ts'
import type { NodeAddress } from '#sim/node-address.ts'
import { objectBytes } from '#sim/object-bytes.ts'
import type { GeneratedStudy } from '#sim/studies.ts'
import { boxAddress, startBox, temporaryFolder, type TestBox } from '#test/fixtures/box.ts'
import { startDcmqrscp, type Held } from '#test/fixtures/dcmqrscp.ts'
import { run, skipWithout } from '#test/fixtures/peer.ts'
import { readJson, readObjects, readParts } from '#test/fixtures/retrieved.ts'
import { sendStudies } from '#test/fixtures/send.ts'
import { instancesOf, studiesNamed } from '#test/fixtures/site.ts'

const skip = skipWithout('dcmqrscp', 'findscu', 'dcmconv', 'dcm2json')

async function site (t: Test, studies: readonly GeneratedStudy[], { held, method = 'move' }: { held?: Held, method?: 'move' | 'get' } = {}): Promise<{ pacs: NodeAddress, box: TestBox }> {
  const address = await boxAddress()
  const pacs = await startDcmqrscp(t, [address], held)
  await sendStudies(studies, pacs)
  return { pacs, box: await startBox(t, pacs, { dimsePort: address.port, pacs: { method } }) }
}

/** What findscu is answered, as DCMTK itself writes DICOM JSON. */
async function findscu (t: Test, pacs: NodeAddress, level: string, keys: readonly string[]): Promise<DicomJson[]> {
  const folder = await temporaryFolder(t)
  await run('findscu', ['-S', '-X', '-od', folder, '-aec', pacs.aeTitle, '-k', `QueryRetrieveLevel=${level}`, ...keys.flatMap(key => ['-k', key]), pacs.host, String(pacs.port)])
  const answers: DicomJson[] = []
  for (const file of (await readdir(folder)).sort()) {
    const path = join(folder, file)
    await run('dcmconv', ['+U8', path, path])
    answers.push(JSON.parse((await run('dcm2json', [path])).stdout.toString()) as DicomJson)
  }
  return answers
}

/** Attributes that both are asked for: those of PS3.18 Tables 10.6.3-3 to -5 that dcmqrscp knows, and the study's description. */
const KEYS = {
  STUDY: ['0020000D', '00080020', '00080030', '00080050', '00081030', '00100010', '00100020', '00100030', '00100040', '00200010'],
  SERIES: ['0020000E', '00080060', '00200011', '0008103E'],
  IMAGE: ['00080018', '00080016', '00200013']
} as const

test('QIDO finds on every level what DCMTK\'s own client finds, names in their accents', { skip }, async t => {
  const studies = studiesNamed('ct', 'mr', 'sr', 'today')
  const { pacs, box } = await site(t, studies, { held: 'jls-lossless' })
  const compare = async (level: keyof typeof KEYS, path: string, above: readonly string[]): Promise<void> => {
    const found = await readJson(`${box.dicomweb}${path}`)
    const expected = await findscu(t, pacs, level, [...above, ...KEYS[level].map(tag => `${tag.slice(0, 4)},${tag.slice(4)}`)])
    t.same(table(found, level), table(expected, level), `${level} level: ${expected.length} answers`)
  }
  await compare('STUDY', '/studies?includefield=StudyDescription', [])
  for (const { studyUid, series } of studies) {
    await compare('SERIES', `/studies/${studyUid}/series`, [`StudyInstanceUID=${studyUid}`])
    const [{ seriesUid }] = series
    await compare('IMAGE', `/studies/${studyUid}/series/${seriesUid}/instances`, [`StudyInstanceUID=${studyUid}`, `SeriesInstanceUID=${seriesUid}`])
  }
  const names = (await readJson(`${box.dicomweb}/studies?PatientName=${encodeURIComponent('LEFÈVRE')}*`)).map(study => study['00100010'].Value)
  t.same(names, [[{ Alphabetic: 'LEFÈVRE^Zoé' }], [{ Alphabetic: 'LEFÈVRE^Zoé' }]])
})

/** The values that matter, in an order of their own: a PACS may answer in any. */
function table (answers: readonly DicomJson[], level: keyof typeof KEYS): string[] {
  return answers.map(answer => JSON.stringify(KEYS[level].map(tag => [tag, answer[tag]?.vr, answer[tag]?.Value ?? []]))).sort()
}

for (const [held, names] of [['jls-lossless', ['ct']], ['uncompr', ['mr', 'sr', 'today']]] as const) {
  test(`a study is read whole, by series, by instance and by frame, with every byte that was stored: ${held}`, { skip }, async t => {
    const studies = studiesNamed(...names)
    const { box } = await site(t, studies, { held })
    for (const study of studies) await readEveryWay(t, box, study)
  })
}

async function readEveryWay (t: Test, box: TestBox, study: GeneratedStudy): Promise<void> {
  const url = `${box.dicomweb}/studies/${study.studyUid}`
  const stored = new Map(await Promise.all(study.series.flatMap(series => series.instances.map(async instance =>
    [instance.sopInstanceUid, { syntax: instance.transferSyntaxUid, dataset: await objectBytes(study, series, instance) }] as const))))
  const assertStored = async (path: string, uids: readonly string[]): Promise<void> => {
    const objects = await readObjects(`${url}${path}`)
    t.same(objects.map(({ sopInstanceUid }) => sopInstanceUid).sort(), uids)
    const wrong = objects.filter(({ sopInstanceUid, transferSyntaxUid, dataset }) => {
      const as = stored.get(sopInstanceUid)
      return as === undefined || as.syntax !== transferSyntaxUid || !as.dataset.equals(dataset)
    })
    t.same(wrong, [], `bytes below ${study.modality}${path.replace(/[\d.]{20,}/g, '…')}`)
  }
  // An instance first: it must not wait for the study, nor spoil what is asked for afterwards.
  const { seriesUid, instances: [, second = study.series[0].instances[0]] } = study.series[0]
  const instance = `/series/${seriesUid}/instances/${second.sopInstanceUid}`
  await assertStored(instance, [second.sopInstanceUid])
  await assertStored(`/series/${seriesUid}`, instancesOf([study.series[0]]))
  await assertStored('', instancesOf(study.series))
  const again = await fetch(url, { headers: { accept: 'multipart/related; type="application/dicom"; transfer-syntax=*' } })
  t.ok(Number(again.headers.get('content-length')) > 0, 'complete, though the PACS does not count: the second answer knows its length')
  await readParts(again)

  const metadata = await readJson(`${url}/metadata`)
  t.same(metadata.map(json => json['00080018'].Value?.[0]).sort(), instancesOf(study.series))
  t.ok(metadata.every(json => (json['00100010'].Value as [{ Alphabetic: string }])[0].Alphabetic === study.patientName), study.patientName)
  const pixels = await second.pixels?.()
  if (pixels === undefined) return
  const [frame] = await readParts(await fetch(`${url}${instance}/frames/1`, { headers: { accept: 'multipart/related; type="application/octet-stream"; transfer-syntax=*' } }))
  t.ok(frame.bytes.equals(Buffer.from('native' in pixels ? pixels.native : even(pixels.frames[0]))), `a frame of ${study.modality}`)
}

test('frames of a beating heart come in the order in which they are asked for', { skip }, async t => {
  const [study] = studiesNamed('us')
  const { box } = await site(t, [study], { held: 'jpeg8', method: 'get' })
  const [{ seriesUid, instances: [{ sopInstanceUid, pixels }] }] = study.series
  const { frames } = await pixels?.() as Exclude<Pixels, { native: unknown }>
  const url = `${box.dicomweb}/studies/${study.studyUid}/series/${seriesUid}/instances/${sopInstanceUid}/frames`
  const parts = await readParts(await fetch(`${url}/30,1,7`, { headers: { accept: 'multipart/related; type="image/jpeg"; transfer-syntax=*' } }))
  t.same(parts.map(({ bytes }) => bytes), [30, 1, 7].map(number => even(frames[number - 1])))
  t.equal((await fetch(`${url}/31`, { headers: { accept: 'multipart/related; type="image/jpeg"; transfer-syntax=*' } })).status, 404)
})

/** Fragments have an even length (PS3.5 §A.4). */
function even (frame: Uint8Array): Buffer {
  return frame.length % 2 === 0 ? Buffer.from(frame) : Buffer.concat([frame, Buffer.of(0)])
}
