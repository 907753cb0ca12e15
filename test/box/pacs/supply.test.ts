import { test } from 'tap'
import { REJECTIONS } from '#sim/pacs-control.ts'
import { ask, begin, codeOf, hasClosingDelimiter, objectsOf, untrue } from '#test/fixtures/answer.ts'
import { isQuiet, openRooms, until, type Rooms } from '#test/fixtures/rooms.ts'
import { openRelay } from '#test/fixtures/relay.ts'
import { instancesOf, smallStudy } from '#test/fixtures/small-studies.ts'

/** Comes as a whole: nothing says that its series are stacks of slices. */
const study = smallStudy('faults', { series: [5, 7, 3], modality: 'US' })
const [, second] = study.series
const TODAY = new Date().toISOString().slice(0, 10).replaceAll('-', '')

const studyUrl = ({ url }: Rooms, { studyUid } = study): string => `${url}/studies/${studyUid}`
const seriesUrl = (site: Rooms, { seriesUid } = second): string => `${studyUrl(site)}/series/${seriesUid}`
const instanceUrl = (site: Rooms, place = 0): string => `${seriesUrl(site)}/instances/${second.instances[place].sopInstanceUid}`

/** C-MOVEs as they were asked: level, and how many instances were named. */
const moves = ({ sim }: Rooms): [string, number | undefined][] => sim.control.asked.filter(({ service }) => service !== 'find').map(({ level, identifier }) => {
  const named = identifier.SOPInstanceUID
  return [level, named === undefined ? undefined : [named].flat().length]
})

test('a study comes whole and byte for byte, asked of the PACS once, and from the packs ever after', async t => {
  const site = await openRooms(t, [study])
  const answer = await ask(studyUrl(site))
  t.equal(answer.status, 200)
  const objects = await objectsOf(answer)
  t.same(objects.map(one => one.sopInstanceUid).sort(), instancesOf(study))
  t.same(await untrue(site.sim, objects), [])
  t.ok(hasClosingDelimiter(answer))
  t.equal(site.sim.control.seen.moves, 1)
  await until(() => isQuiet(site))
  const again = await ask(studyUrl(site))
  t.equal(again.headers['content-length'], String(again.body.length))
  t.same((await objectsOf(again)).map(one => one.sopInstanceUid).sort(), instancesOf(study))
  t.equal(site.sim.control.seen.moves, 1)
})

test('study, series, instance and frame asked at the same time cost the PACS one move', async t => {
  const site = await openRooms(t, [study])
  const gate = site.sim.control.pauseSubOperations(0)
  const whole = ask(studyUrl(site))
  await gate.reached
  const others = [seriesUrl(site), instanceUrl(site), `${instanceUrl(site, 3)}/frames/1`].map(async url => await ask(url, url.includes('frames') ? { accept: 'application/octet-stream' } : {}))
  await until(() => site.pacs.supply.active[0]?.readers === 4)
  gate.release()
  const [series, instance, frame] = await Promise.all(others)
  t.same((await objectsOf(await whole)).length, 15)
  t.same((await objectsOf(series)).map(one => one.sopInstanceUid).sort(), second.instances.map(one => one.sopInstanceUid).sort())
  t.same((await objectsOf(instance)).map(one => one.sopInstanceUid), [second.instances[0].sopInstanceUid])
  t.equal(frame.status, 200)
  t.same(frame.body, Buffer.alloc(1024, 4))
  t.equal(site.sim.control.seen.moves, 1)
  await until(() => isQuiet(site))
})

test('a series on its way isn\'t moved again for whoever wants the whole study', async t => {
  const site = await openRooms(t, [study])
  const gate = site.sim.control.pauseSubOperations(2)
  const series = ask(seriesUrl(site))
  await gate.reached
  const whole = ask(studyUrl(site))
  await until(() => site.pacs.supply.active[0]?.readers === 2)
  gate.release()
  t.equal((await objectsOf(await series)).length, 7)
  const answer = await whole
  t.equal((await objectsOf(answer)).length, 15)
  t.ok(hasClosingDelimiter(answer))
  t.same(moves(site).map(([level]) => level), ['SERIES', 'SERIES', 'SERIES'])
  await until(() => isQuiet(site))
})

test('two patients at once never mix', async t => {
  const other = smallStudy('another patient', { series: [6], patientName: 'NUÑEZ^Océane' })
  const site = await openRooms(t, [study, other])
  const [one, two] = await Promise.all([ask(studyUrl(site)), ask(studyUrl(site, other))])
  t.same((await objectsOf(one)).map(object => object.sopInstanceUid).sort(), instancesOf(study))
  t.same((await objectsOf(two)).map(object => object.sopInstanceUid).sort(), instancesOf(other))
})

test('a PACS that refuses us is told with its own reason, and asked again for the next reader', async t => {
  const site = await openRooms(t, [study])
  site.sim.control.refuseCallingTitle('DRIMBOX')
  const refused = await ask(studyUrl(site))
  t.equal(refused.status, 502)
  t.match(JSON.parse(refused.body.toString()), { code: 'PACS_REJECTED', facts: { why: 'calling-AE-title-not-recognized' } })
  site.sim.control.reset()
  t.equal((await ask(studyUrl(site))).status, 200)
})

test('a PACS whose own title is set wrong here says so', async t => {
  const site = await openRooms(t, [study], { pacs: { calledTitle: 'WRONG' } })
  t.match(JSON.parse((await ask(studyUrl(site))).body.toString()), { code: 'PACS_REJECTED', facts: { why: 'called-AE-title-not-recognized' } })
})

test('a PACS too busy for a second association still delivers', async t => {
  const site = await openRooms(t, [study])
  const gate = site.sim.control.pauseSubOperations(1)
  const answer = ask(studyUrl(site))
  await gate.reached
  site.sim.control.refuseAssociations(REJECTIONS.localLimit, 1)
  gate.release()
  t.equal((await objectsOf(await answer)).length, 15)
})

test('a PACS that is down is told at once, left alone after some failures, and found again when it is up', async t => {
  const site = await openRooms(t, [study], { pacs: { failuresMax: 4, restSeconds: 1, associationsMax: 1 } })
  site.sim.control.refuseAssociations()
  for (let failure = 0; failure < 2; failure++) t.equal(codeOf(await ask(studyUrl(site))), 'PACS_REJECTED')
  const resting = await ask(studyUrl(site))
  t.equal(resting.status, 503)
  t.equal(codeOf(resting), 'PACS_RESTING')
  t.equal(resting.headers['retry-after'], '1')
  site.sim.control.reset()
  await until(() => site.pacs.slots.state.breaker === 'half-open')
  t.equal((await ask(studyUrl(site))).status, 200)
  t.equal(site.pacs.slots.state.breaker, 'closed')
})

test('nobody listening where the PACS should be is PACS_UNREACHABLE', async t => {
  const site = await openRooms(t, [], { pacs: { port: 1 } })
  const answer = await ask(studyUrl(site))
  t.equal(answer.status, 503)
  t.match(JSON.parse(answer.body.toString()), { code: 'PACS_UNREACHABLE', facts: { reason: 'ECONNREFUSED' } })
})

test('a PACS that takes a request and never answers is given up after responseSeconds', async t => {
  for (const method of ['move', 'get'] as const) {
    const site = await openRooms(t, [study], { pacs: { responseSeconds: 1, method } })
    site.sim.control.neverAnswer('find')
    site.sim.control.neverAnswer('move')
    site.sim.control.neverAnswer('get')
    const answer = await ask(studyUrl(site))
    t.equal(answer.status, 504)
    t.equal(codeOf(answer), 'PACS_TIMEOUT')
    site.sim.control.reset()
    site.sim.control.neverAnswer('association')
    t.equal(codeOf(await ask(instanceUrl(site))), 'PACS_TIMEOUT')
    site.sim.control.reset()
    t.equal((await objectsOf(await ask(studyUrl(site)))).length, 15)
    await until(() => isQuiet(site))
  }
})

test('a PACS that goes silent in the middle leaves a cut body, and the rest for the next reader', async t => {
  const site = await openRooms(t, [study], { pacs: { responseSeconds: 1, retriesMax: 0 } })
  const gate = site.sim.control.pauseSubOperations(6)
  const answer = await ask(studyUrl(site))
  t.equal(answer.status, 200)
  t.notOk(answer.whole)
  t.notOk(hasClosingDelimiter(answer))
  gate.release()
  site.sim.control.reset()
  t.equal((await objectsOf(await ask(studyUrl(site)))).length, 15)
  await until(() => isQuiet(site))
})

test('one object that takes longer than responseSeconds to come is waited for as long as bytes of it come', async t => {
  const slow = smallStudy('one slow object', { series: [1], pixelBytes: 3 << 20 })
  const relay = await openRelay(t, () => site.pacs.port)
  const site: Rooms = await openRooms(t, [slow], { pacs: { responseSeconds: 1, retriesMax: 0 }, destinations: () => ({ host: '127.0.0.1', port: relay.port }) })
  // Some fifty pieces, one after the other.
  relay.delay(40)
  const from = performance.now()
  const answer = await ask(studyUrl(site, slow))
  t.ok(performance.now() - from > 1500, 'it took longer than one response may')
  t.equal(answer.status, 200)
  t.equal((await objectsOf(answer)).length, 1)
  t.equal(site.sim.control.seen.moves, 1)
  await until(() => isQuiet(site))
  // And no longer than that.
  await site.pacs.supply.purge(slow.studyUid)
  await relay.heal()
  relay.silence(1 << 20, 'forth')
  t.equal(codeOf(await ask(studyUrl(site, slow))), 'PACS_TIMEOUT')
})

test('a connection that breaks between two instances is taken up again for the missing ones alone', async t => {
  const site = await openRooms(t, [study])
  site.sim.control.cutAfterInstances(6)
  const answer = await ask(studyUrl(site))
  t.ok(hasClosingDelimiter(answer))
  const objects = await objectsOf(answer)
  t.same(objects.map(one => one.sopInstanceUid).sort(), instancesOf(study), 'each once')
  t.same(moves(site), [['STUDY', undefined], ['IMAGE', 6], ['SERIES', undefined]])
})

test('a connection that breaks is not asked for everything again when it had been kept open', async t => {
  const site = await openRooms(t, [study, smallStudy('warm-up')])
  await ask(studyUrl(site, smallStudy('warm-up')))
  site.sim.control.reset()
  site.sim.control.cutAfterInstances(6)
  t.equal((await objectsOf(await ask(studyUrl(site)))).length, 15)
  t.same(moves(site), [['STUDY', undefined], ['IMAGE', 6], ['SERIES', undefined]])
})

test('a connection that breaks in the middle of an instance leaves nothing of that instance', async t => {
  const big = smallStudy('cut in bytes', { series: [6], pixelBytes: 320_000 })
  const site = await openRooms(t, [big])
  for (const bytes of [400_000, 1_000_000, 1_900_000]) {
    site.sim.control.cutAfterBytes(bytes)
    const answer = await ask(studyUrl(site, big))
    if (answer.status !== 200) {
      t.equal(codeOf(answer), 'PACS_ABORTED')
      continue
    }
    t.same(await untrue(site.sim, await objectsOf(answer)), [])
    await until(() => isQuiet(site))
    await site.cache.purge(big.studyUid)
  }
})

test('sub-operations that fail in the middle are asked for again by name', async t => {
  const site = await openRooms(t, [study])
  site.sim.control.failSubOperations(3)
  const gate = site.sim.control.pauseSubOperations(10)
  const answer = ask(studyUrl(site))
  await gate.reached
  site.sim.control.reset()
  t.equal((await objectsOf(await answer)).length, 15)
  t.same(moves(site), [['IMAGE', 3]], 'since the reset')
})

test('a final status of failure, with some sent, is made good by asking for the rest', async t => {
  const site = await openRooms(t, [study])
  site.sim.control.endRetrievesWith(0xC001, 8)
  const gate = site.sim.control.pauseSubOperations(4)
  const answer = ask(studyUrl(site))
  await gate.reached
  gate.release()
  await until(() => site.sim.control.seen.moves > 1)
  site.sim.control.reset()
  t.equal((await objectsOf(await answer)).length, 15)
})

test('a PACS that refuses to move is told with its status', async t => {
  const site = await openRooms(t, [study], { destinations: () => undefined })
  const answer = await ask(studyUrl(site))
  t.equal(answer.status, 502)
  t.match(JSON.parse(answer.body.toString()), { code: 'PACS_STATUS', facts: { status: '0xA801' } })
})

test('a PACS that learns our address later needs no restart of ours', async t => {
  let known = false
  const site = await openRooms(t, [study], { destinations: (_, port) => known ? { host: '127.0.0.1', port } : undefined })
  for (let turn = 0; turn < 6; turn++) t.equal(codeOf(await ask(studyUrl(site))), 'PACS_STATUS')
  known = true
  t.equal((await ask(studyUrl(site))).status, 200)
})

test('one that sends less than it has is asked for the missing alone, by name', async t => {
  const site = await openRooms(t, [study])
  site.sim.control.sendLess(2)
  const gate = site.sim.control.pauseSubOperations(0)
  const answer = ask(seriesUrl(site))
  await gate.reached
  site.sim.control.sendLess(0)
  gate.release()
  t.equal((await objectsOf(await answer)).length, 7)
  const named = site.sim.control.asked.filter(one => one.service === 'move' && one.level === 'IMAGE').flatMap(one => one.identifier.SOPInstanceUID as string[])
  t.same(named.sort(), second.instances.slice(5).map(one => one.sopInstanceUid).sort())
})

test('one that keeps some back is never served as whole: the first reader is cut, later ones are told how many', async t => {
  const site = await openRooms(t, [study])
  site.sim.control.sendLess(1)
  const first = await ask(seriesUrl(site))
  t.equal(first.status, 200)
  t.notOk(first.whole)
  t.notOk(hasClosingDelimiter(first))
  await until(() => isQuiet(site))
  const later = await ask(seriesUrl(site))
  t.equal(later.status, 206)
  t.equal(later.headers.warning, '299 drimbox "6 of 7 (PACS_INCOMPLETE)"')
  t.ok(hasClosingDelimiter(later))
  t.equal((await objectsOf(later)).length, 6)
  const described = await ask(`${seriesUrl(site)}/metadata`)
  t.equal(described.status, 206)
  t.equal((JSON.parse(described.body.toString()) as unknown[]).length, 6)
  site.sim.control.reset()
  await until(() => isQuiet(site))
  const mended = await ask(seriesUrl(site))
  t.equal(mended.status, 200)
  t.equal((await objectsOf(mended)).length, 7)
  t.same(moves(site), [['IMAGE', 1]])
})

test('one that counts a study and sends nothing of it is told so, not called unknown', async t => {
  const site = await openRooms(t, [study], { pacs: { retriesMax: 0 } })
  site.sim.control.sendLess(100)
  for (const url of [studyUrl(site), seriesUrl(site), instanceUrl(site)]) {
    const answer = await ask(url)
    t.equal(answer.status, 502)
    t.equal(codeOf(answer), 'PACS_INCOMPLETE')
  }
})

test('retriesMax says how often the missing are asked for again', async t => {
  for (const retriesMax of [0, 1, 3]) {
    const site = await openRooms(t, [study], { pacs: { retriesMax, seriesAtOnce: 1 } })
    const gate = site.sim.control.pauseSubOperations(0)
    site.sim.control.sendLess(1)
    const reading = ask(studyUrl(site))
    await gate.reached
    gate.release()
    await reading
    await until(() => isQuiet(site))
    t.ok(site.sim.control.seen.moves <= 1 + retriesMax, `${retriesMax}: ${site.sim.control.seen.moves}`)
    t.ok(site.sim.control.seen.moves > Math.min(retriesMax, 1))
  }
})

test('what comes twice is given once', async t => {
  const site = await openRooms(t, [study])
  site.sim.control.sendTwice(15)
  t.same((await objectsOf(await ask(studyUrl(site)))).map(one => one.sopInstanceUid).sort(), instancesOf(study))
})

test('an object of another study is refused and never served', async t => {
  const other = smallStudy('foreign')
  const site = await openRooms(t, [study, other])
  site.sim.control.sendForeignInstance()
  t.same((await objectsOf(await ask(studyUrl(site)))).map(one => one.sopInstanceUid).sort(), instancesOf(study))
  t.same(site.cache.seriesOf(other.studyUid), [])
  const refused = site.logged.map(line => JSON.parse(line) as Record<string, unknown>).filter(({ code }) => code === 'STORE_REFUSED')
  t.match(refused, [{ reason: 'not-asked-for', studyUid: other.studyUid }])
})

test('a study that the PACS doesn\'t have is unknown, as are its series and instances', async t => {
  const site = await openRooms(t, [study])
  const unknown = `${site.url}/studies/2.25.404`
  t.equal(codeOf(await ask(unknown)), 'STUDY_UNKNOWN')
  t.equal(codeOf(await ask(`${unknown}/series/2.25.405`)), 'SERIES_UNKNOWN')
  t.equal(codeOf(await ask(`${unknown}/series/2.25.405/instances/2.25.406`)), 'SERIES_UNKNOWN')
  t.equal(codeOf(await ask(`${seriesUrl(site)}/instances/2.25.406`)), 'INSTANCE_UNKNOWN')
  t.equal(codeOf(await ask(`${seriesUrl(site)}/instances/2.25.406/metadata`)), 'INSTANCE_UNKNOWN')
  await until(() => isQuiet(site))
  t.same(site.cache.list().map(({ seriesUid }) => seriesUid), [second.seriesUid], 'and what is unknown takes no room')
})

test('what is unknown is so while the study is on its way, too', async t => {
  const site = await openRooms(t, [study])
  const gate = site.sim.control.pauseSubOperations(2)
  const reading = ask(studyUrl(site))
  await gate.reached
  const others = [`${studyUrl(site)}/series/2.25.405`, `${seriesUrl(site)}/instances/2.25.406`].map(async url => await ask(url))
  await until(() => site.pacs.supply.active[0]?.readers === 3)
  gate.release()
  t.same((await Promise.all(others)).map(codeOf), ['SERIES_UNKNOWN', 'INSTANCE_UNKNOWN'])
  t.equal((await objectsOf(await reading)).length, 15)
})

test('what the centre takes out of its PACS is gone here at the next count', async t => {
  const site = await openRooms(t, [study], { freshness: { oldSecondsMax: 0 } })
  t.equal((await objectsOf(await ask(studyUrl(site)))).length, 15)
  await until(() => isQuiet(site))
  site.sim.control.forget(second.seriesUid)
  const less = await ask(studyUrl(site))
  t.ok(hasClosingDelimiter(less))
  t.equal((await objectsOf(less)).length, 8)
  t.equal(codeOf(await ask(seriesUrl(site))), 'SERIES_UNKNOWN')
  await until(() => isQuiet(site))
  site.sim.control.forget(study.studyUid)
  const gone = await ask(studyUrl(site))
  t.equal(gone.status, 404)
  t.equal(codeOf(gone), 'STUDY_UNKNOWN')
  await until(() => isQuiet(site))
  t.same(site.cache.seriesOf(study.studyUid), [])
})

test('a PACS that doesn\'t count is asked for names instead', async t => {
  const site = await openRooms(t, [study])
  site.sim.control.hideCounts()
  const answer = await ask(studyUrl(site))
  t.ok(hasClosingDelimiter(answer))
  t.equal((await objectsOf(answer)).length, 15)
  t.equal(site.sim.control.asked.filter(one => one.service === 'find' && one.level === 'IMAGE').length, 3)
})

test('a PACS without C-MOVE is read by C-GET, each object in the syntax in which it is held', async t => {
  const site = await openRooms(t, [study], { pacs: { method: 'get' } })
  site.sim.control.withoutService('move')
  const objects = await objectsOf(await ask(studyUrl(site)))
  t.same(await untrue(site.sim, objects), [])
  t.equal(objects.length, 15)
  t.same(moves(site), [['SERIES', undefined], ['SERIES', undefined], ['SERIES', undefined]])
  t.ok(site.sim.control.seen.associationsMax <= 2, 'never more associations than the PACS bears')
  await until(() => isQuiet(site))
})

test('a PACS without the service that is set here says which is missing', async t => {
  for (const method of ['move', 'get'] as const) {
    const site = await openRooms(t, [study], { pacs: { method } })
    site.sim.control.withoutService(method)
    t.equal(codeOf(await ask(studyUrl(site))), 'PACS_CONTEXT', method)
  }
})

test('a young study that grows is asked for what is new, and for nothing else', async t => {
  const young = smallStudy('young', { series: [3, 4], date: TODAY })
  const late = young.series[1].instances[3].sopInstanceUid
  const site = await openRooms(t, [young], { freshness: { youngSecondsMax: 0 } })
  site.sim.control.forget(late)
  t.equal((await objectsOf(await ask(studyUrl(site, young)))).length, 6)
  await until(() => isQuiet(site))
  site.sim.control.reset()
  const grown = await ask(studyUrl(site, young))
  t.ok(hasClosingDelimiter(grown))
  t.equal((await objectsOf(grown)).length, 7)
  t.same(moves(site), [['IMAGE', 1]])
  await until(() => isQuiet(site))
  site.sim.control.reset()
  t.equal((await objectsOf(await ask(studyUrl(site, young)))).length, 7)
  t.equal(site.sim.control.seen.finds, 1, 'counted')
  t.equal(site.sim.control.seen.moves, 0)
})

test('an old study is not even counted', async t => {
  const site = await openRooms(t, [study])
  await ask(studyUrl(site))
  await until(() => isQuiet(site))
  site.sim.control.reset()
  for (const url of [studyUrl(site), seriesUrl(site), instanceUrl(site), `${studyUrl(site)}/metadata`]) t.equal((await ask(url)).status, 200)
  t.equal(site.sim.control.asked.length, 0)
})

test('what is held is served while the PACS is down, whole and at once', async t => {
  const site = await openRooms(t, [study], { freshness: { oldSecondsMax: 0 } })
  await ask(studyUrl(site))
  await until(() => isQuiet(site))
  site.sim.control.refuseAssociations()
  site.sim.control.neverAnswer('find')
  await site.pacs.slots.close()
  for (const url of [studyUrl(site), seriesUrl(site)]) {
    const answer = await ask(url)
    t.equal(answer.status, 200)
    t.ok(answer.whole)
    t.ok(hasClosingDelimiter(answer))
  }
})

test('a reader who leaves ends the retrieve; who comes meanwhile goes on with it', async t => {
  const site = await openRooms(t, [study])
  const gate = site.sim.control.pauseSubOperations(4)
  const leaving = await begin(studyUrl(site))
  await gate.reached
  leaving.destroy()
  await until(() => site.sim.control.seen.cancels === 1)
  gate.release()
  await until(() => isQuiet(site))
  t.equal((await objectsOf(await ask(studyUrl(site)))).length, 15)

  await until(() => isQuiet(site))
  await site.cache.purge(study.studyUid)
  const again = site.sim.control.pauseSubOperations(4)
  const first = await begin(studyUrl(site))
  await again.reached
  const other = await begin(seriesUrl(site, study.series[0]))
  first.destroy()
  await until(() => site.pacs.supply.active[0]?.readers === 1)
  again.release()
  t.equal((await objectsOf(await ask(other))).length, 5)
  t.equal(site.sim.control.seen.cancels, 1)
  await until(() => isQuiet(site))
})

test('who comes while a retrieve is being cancelled waits for its end and gets everything', async t => {
  const site = await openRooms(t, [study])
  const gate = site.sim.control.pauseSubOperations(4)
  const leaving = await begin(studyUrl(site))
  await gate.reached
  leaving.destroy()
  await until(() => site.sim.control.seen.cancels === 1)
  const next = ask(studyUrl(site))
  gate.release()
  t.equal((await objectsOf(await next)).length, 15)
})

test('a slow reader never holds the PACS, nor what others read', async t => {
  const big = smallStudy('slow', { series: [60], pixelBytes: 1 << 19 })
  const site = await openRooms(t, [big])
  const slow = await begin(studyUrl(site, big))
  slow.pause()
  t.equal((await objectsOf(await ask(studyUrl(site, big)))).length, 60)
  await until(() => site.pacs.supply.active.length === 0)
  t.equal(site.pacs.slots.state.lent, 0, 'the PACS is done while the slow one has hardly begun')
  slow.resume()
  const answer = await ask(slow)
  t.same(await untrue(site.sim, await objectsOf(answer)), [])
  t.ok(hasClosingDelimiter(answer))
  await until(() => isQuiet(site))
})

test('a slow reader keeps what it reads from being evicted, and nothing longer', async t => {
  const big = smallStudy('slow and evicted', { series: [40], pixelBytes: 1 << 18 })
  const site = await openRooms(t, [big], { cache: { bytesMax: 1 << 20 } })
  const slow = await begin(studyUrl(site, big))
  slow.pause()
  await until(() => site.pacs.supply.active[0]?.arrived === 40 || site.pacs.supply.active.length === 0)
  await until(() => site.pacs.supply.active.length === 0)
  await site.cache.makeRoom()
  slow.resume()
  t.equal((await objectsOf(await ask(slow))).length, 40)
  await until(() => isQuiet(site))
  await site.cache.makeRoom()
  t.same(site.cache.list(), [])
})

test('a job that failed is not failed for those who come while another goes on', async t => {
  const site = await openRooms(t, [study], { pacs: { associationsMax: 4, retriesMax: 0 } })
  const gate = site.sim.control.pauseSubOperations(2)
  const going = ask(seriesUrl(site))
  await gate.reached
  site.sim.control.endRetrievesWith(0xC001)
  t.equal(codeOf(await ask(seriesUrl(site, study.series[0]))), 'PACS_STATUS')
  site.sim.control.endRetrievesWith(0xC001, Infinity)
  const next = ask(seriesUrl(site, study.series[0]))
  await until(() => site.sim.control.seen.moves === 3)
  gate.release()
  t.equal((await objectsOf(await next)).length, 5)
  t.equal((await objectsOf(await going)).length, 7)
  await until(() => isQuiet(site))
})

test('a study that is withdrawn in the middle of its retrieve is gone, on its way or not', async t => {
  const site = await openRooms(t, [study])
  const gate = site.sim.control.pauseSubOperations(4)
  const reading = begin(studyUrl(site)).then(ask)
  await gate.reached
  const purged = site.pacs.supply.purge(study.studyUid)
  gate.release()
  await purged
  const answer = await reading
  t.notOk(hasClosingDelimiter(answer))
  t.same(site.cache.seriesOf(study.studyUid), [])
  await until(() => isQuiet(site))
  t.equal((await objectsOf(await ask(studyUrl(site)))).length, 15)
})

test('who waits for a study that is forgotten meanwhile is given what the PACS has then', async t => {
  const site = await openRooms(t, [study])
  const gate = site.sim.control.pauseSubOperations(0)
  const reading = ask(studyUrl(site))
  await gate.reached
  const purged = site.pacs.supply.purge(study.studyUid)
  gate.release()
  await purged
  const answer = await reading
  t.equal(answer.status, 200)
  t.equal((await objectsOf(answer)).length, 15)
  t.ok(hasClosingDelimiter(answer))
  await until(() => isQuiet(site))
})

test('a study that is forgotten between being found and being read is asked of the PACS again, or unknown', async t => {
  const site = await openRooms(t, [study])
  const { supply } = site.pacs
  const stays = new AbortController().signal
  // Series are forgotten one after the other: the first at once.
  const [{ seriesUid, instances: [{ sopInstanceUid }] }] = study.series
  const target = { study: study.studyUid, series: seriesUid, instance: sopInstanceUid }
  await ask(studyUrl(site))
  await until(() => isQuiet(site))
  const pack = site.cache.pack(target.study, target.series)
  await until(() => !pack.inUse)
  await pack.close()
  t.notOk(pack.isOpen(pack.list[0].segment))
  const opening = supply.open(target, stays)
  await supply.purge(study.studyUid)
  const set = await opening
  const [stored] = await set.next() ?? []
  t.equal(stored?.sopInstanceUid, target.instance)
  t.equal(await set.read(stored!, 0, Buffer.alloc(stored!.length)), stored!.length)
  set.close()
  t.equal(site.sim.control.seen.moves, 2, 'the PACS was asked again')

  await until(() => isQuiet(site))
  const answers = Promise.all([studyUrl(site), instanceUrl(site), `${instanceUrl(site)}/frames/1`].map(async url => await ask(url, url.includes('frames') ? { accept: 'application/octet-stream' } : {})))
  await supply.purge(study.studyUid)
  t.same((await answers).map(({ status }) => status), [200, 200, 200])

  // Read whole once more, then gone from the PACS as well.
  t.equal((await ask(studyUrl(site))).status, 200)
  await until(() => isQuiet(site))
  site.sim.control.forget(study.studyUid)
  const last = site.cache.pack(target.study, target.series)
  await until(() => !last.inUse)
  await last.close()
  const lost = t.rejects(supply.open(target, stays), { code: 'SERIES_UNKNOWN' })
  await supply.purge(study.studyUid)
  await lost
  const answer = await ask(studyUrl(site))
  t.same([answer.status, codeOf(answer)], [404, 'STUDY_UNKNOWN'])
  await until(() => isQuiet(site))
})
