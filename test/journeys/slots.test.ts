/**
 * Many readers and one PACS: never more asked of it than it bears, nothing asked twice, nothing mixed.
 */

import { test } from 'tap'
import { generateStudies, type GeneratedStudy } from '#sim/studies.ts'
import { ANY_OBJECT, readJson, readObjects, type ReadObject } from '#test/fixtures/retrieved.ts'
import { instancesOf, openSite, studiesNamed, TODAY } from '#test/fixtures/site.ts'

/** Small studies, each of another visit: as many as a busy hour brings. */
function reports (count: number): GeneratedStudy[] {
  return Array.from({ length: count }, (_, index) => generateStudies({ seed: index + 1, today: TODAY, ctImages: 4 }))
    .flatMap(studies => studies.filter(({ name }) => name === 'sr'))
}

const uids = (objects: readonly ReadObject[]): string[] => objects.map(({ sopInstanceUid }) => sopInstanceUid).sort()

/** What the PACS must see sooner or later; the test's own time limit ends the waiting. */
async function until (holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise(resolve => { setImmediate(resolve) })
}

test('twenty requests at once never use more than the two associations that the PACS bears', async t => {
  const studies = reports(20)
  const { pacs, box } = await openSite(t, studies)
  const answers = await Promise.all(studies.map(async ({ studyUid }) => await readObjects(`${box.dicomweb}/studies/${studyUid}`)))
  for (const [place, study] of studies.entries()) t.same(uids(answers[place]), instancesOf(study.series))
  t.equal(pacs.control.seen.moves, 20)
  t.equal(pacs.control.seen.associationsMax, 2)
})

test('five series of five patients arriving at the same moment never mix', async t => {
  const studies = studiesNamed('ct', 'mr', 'us', 'sr', 'today')
  const { pacs, box } = await openSite(t, studies, { pacs: { associationsMax: 10 } })
  const gate = pacs.control.pauseSubOperations()
  const reading = studies.map(async ({ studyUid, series: [first] }) => await readObjects(`${box.dicomweb}/studies/${studyUid}/series/${first.seriesUid}`))
  // All five are under way before the first image leaves the PACS.
  await until(() => pacs.control.seen.moves === 5)
  gate.release()
  const answers = await Promise.all(reading)
  for (const [place, { patientName, series: [first] }] of studies.entries()) {
    t.same(uids(answers[place]), instancesOf([first]), patientName)
    for (const { sopInstanceUid, dataset } of answers[place]) {
      t.ok(dataset.equals(await pacs.datasetOf(sopInstanceUid) as Buffer), `bytes of ${sopInstanceUid}`)
    }
  }
})

test('ten viewers that open the same CT cost the PACS one C-MOVE for each series, and the eleventh none at all', async t => {
  const [study] = studiesNamed('ct')
  const { pacs, box } = await openSite(t, [study])
  const gate = pacs.control.pauseSubOperations()
  const url = `${box.dicomweb}/studies/${study.studyUid}`
  const reading = Array.from({ length: 10 }, async () => await readObjects(url))
  await gate.reached
  gate.release()
  for (const objects of await Promise.all(reading)) t.same(uids(objects), instancesOf(study.series))
  t.equal(pacs.control.seen.moves, study.series.length)

  t.same(uids(await readObjects(url)), instancesOf(study.series))
  const [{ seriesUid, instances }] = study.series
  t.equal((await readObjects(`${url}/series/${seriesUid}`)).length, instances.length)
  t.equal((await readJson(`${url}/metadata`)).length, 40)
  t.equal(pacs.control.seen.moves, study.series.length, 'nor do a series of it, or its metadata')
})

test('when the last reader has left the PACS is told to stop, and its association serves the next one', async t => {
  const [left, next] = studiesNamed('ct', 'mr')
  const { pacs, box } = await openSite(t, [left, next], { pacs: { associationsMax: 1 }, freshness: { unreadSecondsMax: 0 } })
  const gate = pacs.control.pauseSubOperations(2)
  const readers = [new AbortController(), new AbortController()]
  const answers = await Promise.all(readers.map(async ({ signal }) =>
    await fetch(`${box.dicomweb}/studies/${left.studyUid}`, { headers: { accept: ANY_OBJECT }, signal })))
  await gate.reached
  readers[0].abort()
  t.equal(answers[1].status, 200)
  t.equal(pacs.control.seen.cancels, 0, 'one reader is still there')
  readers[1].abort()
  await until(() => pacs.control.seen.cancels === 1)
  gate.release()

  t.same(uids(await readObjects(`${box.dicomweb}/studies/${next.studyUid}`)), instancesOf(next.series))
  t.equal(pacs.control.seen.associationsMax, 1)
})

test('what was left half read is asked for again, and only what is missing comes', async t => {
  const [study] = studiesNamed('mr')
  // One association: both series come in one C-MOVE.
  const { pacs, box } = await openSite(t, [study], { pacs: { associationsMax: 1 }, freshness: { unreadSecondsMax: 0 } })
  const gate = pacs.control.pauseSubOperations(25)
  const reader = new AbortController()
  const half = await fetch(`${box.dicomweb}/studies/${study.studyUid}`, { headers: { accept: ANY_OBJECT }, signal: reader.signal })
  await gate.reached
  t.equal(half.status, 200)
  reader.abort()
  await until(() => pacs.control.seen.cancels === 1)
  pacs.control.reset()
  t.same(uids(await readObjects(`${box.dicomweb}/studies/${study.studyUid}`)), instancesOf(study.series))
  const again = pacs.control.asked.filter(({ service }) => service === 'move')
  t.equal(again.length, 2, 'the rest of one series, and one whole series')
  t.same(again.map(({ level }) => level).sort(), ['IMAGE', 'SERIES'])
})
