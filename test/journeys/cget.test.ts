/**
 * A PACS that forbids C-MOVE gives the same by C-GET: one that we simulate, and two that no one here wrote.
 */

import { test, type Test } from 'tap'
import type { NodeAddress } from '#sim/node-address.ts'
import { objectBytes } from '#sim/object-bytes.ts'
import type { GeneratedStudy } from '#sim/studies.ts'
import { startBox, type TestBox } from '#test/fixtures/box.ts'
import { startDcmqrscp } from '#test/fixtures/dcmqrscp.ts'
import { skipWithoutDicomWebPlugin, startOrthanc } from '#test/fixtures/orthanc.ts'
import { skipWithout } from '#test/fixtures/peer.ts'
import { readObjects } from '#test/fixtures/retrieved.ts'
import { sendStudies } from '#test/fixtures/send.ts'
import { instancesOf, openSite, studiesNamed } from '#test/fixtures/site.ts'

/** Compressed in two ways, uncompressed, and without pixels: each must come as it is held. */
const STUDIES = studiesNamed('ct', 'mr', 'sr', 'us')

async function assertSame (t: Test, box: TestBox, study: GeneratedStudy): Promise<void> {
  const held = new Map(await Promise.all(study.series.flatMap(series => series.instances.map(async instance =>
    [instance.sopInstanceUid, { syntax: instance.transferSyntaxUid, dataset: await objectBytes(study, series, instance) }] as const))))
  const objects = await readObjects(`${box.dicomweb}/studies/${study.studyUid}`)
  t.same(objects.map(({ sopInstanceUid }) => sopInstanceUid).sort(), instancesOf(study.series), study.modality)
  const wrong = objects.filter(({ sopInstanceUid, transferSyntaxUid, dataset }) => {
    const as = held.get(sopInstanceUid)
    return as?.syntax !== transferSyntaxUid || !as.dataset.equals(dataset)
  })
  t.same(wrong.map(({ sopInstanceUid }) => sopInstanceUid), [], 'byte for byte, in the syntax in which it is held')
}

async function byGet (t: Test, pacs: NodeAddress): Promise<TestBox> {
  // No destination: a C-MOVE could not even arrive.
  return await startBox(t, pacs, { pacs: { method: 'get' } })
}

test('a PACS without C-MOVE is read by C-GET, on two associations at most', async t => {
  const { pacs, box } = await openSite(t, STUDIES, { pacs: { method: 'get' } })
  pacs.control.withoutService('move')
  for (const study of STUDIES) await assertSame(t, box, study)
  t.equal(pacs.control.seen.moves, 0)
  t.ok(pacs.control.seen.gets > 0)
  t.ok(pacs.control.seen.associationsMax <= 2)
})

test('Orthanc is read by C-GET', { skip: skipWithout('Orthanc') || skipWithoutDicomWebPlugin }, async t => {
  const orthanc = await startOrthanc(t, [])
  await sendStudies(STUDIES, orthanc)
  const box = await byGet(t, orthanc)
  for (const study of STUDIES) await assertSame(t, box, study)
})

test('dcmqrscp, which names no SOP classes, is read by C-GET: images and reports', { skip: skipWithout('dcmqrscp') }, async t => {
  const pacs = await startDcmqrscp(t, [])
  const studies = STUDIES.filter(({ name }) => name === 'mr' || name === 'sr')
  await sendStudies(studies, pacs)
  const box = await byGet(t, pacs)
  for (const study of studies) await assertSame(t, box, study)
})
