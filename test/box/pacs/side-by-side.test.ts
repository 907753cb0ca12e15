import { test, type Test } from 'tap'
import { ask, begin, hasClosingDelimiter, objectsOf, untrue } from '#test/fixtures/answer.ts'
import { isQuiet, openRooms, until, type Rooms } from '#test/fixtures/rooms.ts'
import { instancesOf, smallStudy } from '#test/fixtures/small-studies.ts'

/** Enough images for its series to be worth a C-MOVE each; the longest isn't the first. */
const large = smallStudy('side by side', { series: [20, 40, 30] })
/** The same of a modality whose series may be of one image. */
const clips = smallStudy('clips', { series: [20, 40, 30], modality: 'US' })

const levels = ({ sim }: Rooms): string[] => sim.control.asked.filter(({ service }) => service === 'move').map(({ level }) => level)

async function assertWhole (t: Test, site: Rooms): Promise<void> {
  const answer = await ask(`${site.url}/studies/${large.studyUid}`)
  t.equal(answer.status, 200)
  const objects = await objectsOf(answer)
  t.same(objects.map(one => one.sopInstanceUid).sort(), instancesOf(large))
  t.same(await untrue(site.sim, objects), [])
  t.ok(hasClosingDelimiter(answer))
  await until(() => isQuiet(site))
}

const movesOf = ({ sim }: Rooms): unknown[] => sim.control.asked.filter(({ service }) => service === 'move').map(({ identifier }) => identifier.SeriesInstanceUID)

test('the series of a large study come side by side, no more at once than the PACS bears, the longest first', async t => {
  const site = await openRooms(t, [clips], { pacs: { associationsMax: 2, seriesKnownSeconds: 10 } })
  const gate = site.sim.control.pauseSubOperations(1)
  const answer = begin(`${site.url}/studies/${clips.studyUid}`)
  await gate.reached
  await until(() => site.sim.control.seen.moves === 2)
  t.same(site.pacs.slots.state.lent, 2)
  gate.release()
  ;(await answer).resume()
  await until(() => isQuiet(site))
  t.same(levels(site), ['SERIES', 'SERIES', 'SERIES'])
  t.same(movesOf(site).slice(0, 2), [clips.series[1].seriesUid, clips.series[2].seriesUid])
})

test('a series that is a stack of slices is asked for before anything is counted, and no series twice', async t => {
  const site = await openRooms(t, [large], { pacs: { associationsMax: 2, seriesKnownSeconds: 10 } })
  const answer = begin(`${site.url}/studies/${large.studyUid}`)
  ;(await answer).resume()
  await until(() => isQuiet(site))
  const asked = site.sim.control.asked.map(({ service, identifier }) => service === 'move' ? 'move' : 'NumberOfSeriesRelatedInstances' in identifier ? 'count' : 'names')
  t.same(asked.slice(0, 1), ['names'])
  t.same(asked.slice(1, 3).sort(), ['count', 'move'])
  t.same(movesOf(site).length, 3)
  t.same(movesOf(site)[0], large.series[0].seriesUid)
  t.same(new Set(movesOf(site)).size, 3)
})

test('a study that comes side by side is whole and byte for byte', async t => {
  const site = await openRooms(t, [large], { pacs: { associationsMax: 4, seriesKnownSeconds: 10 } })
  await assertWhole(t, site)
  t.same(levels(site), ['SERIES', 'SERIES', 'SERIES'])
})

test('a PACS that takes its time to say which series it has is asked for the whole study meanwhile', async t => {
  const site = await openRooms(t, [large], { pacs: { associationsMax: 4, seriesKnownSeconds: 0.02 } })
  site.sim.control.delayAnswers(200)
  const gate = site.sim.control.pauseSubOperations(0)
  const answer = ask(`${site.url}/studies/${large.studyUid}`)
  await gate.reached
  t.same(levels(site), ['STUDY'])
  site.sim.control.reset()
  t.equal((await objectsOf(await answer)).length, 90)
  await until(() => isQuiet(site))
})

test('what one of several moves leaves out is asked for again, by name', async t => {
  const site = await openRooms(t, [large], { pacs: { associationsMax: 3, seriesKnownSeconds: 10 } })
  site.sim.control.cutAfterInstances(5)
  await assertWhole(t, site)
})

test('a small study, and one of a PACS that bears a single association, comes as a whole', async t => {
  const small = smallStudy('a few', { series: [3, 4], modality: 'MG' })
  const site = await openRooms(t, [small], { pacs: { associationsMax: 4, seriesKnownSeconds: 10 } })
  t.equal((await objectsOf(await ask(`${site.url}/studies/${small.studyUid}`))).length, 7)
  t.same(levels(site), ['STUDY'])
  const narrow = await openRooms(t, [large], { pacs: { associationsMax: 1 } })
  await assertWhole(t, narrow)
  t.same(levels(narrow), ['STUDY'])
})
