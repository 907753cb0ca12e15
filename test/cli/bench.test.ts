import { test, type Test } from 'tap'
import { benchVerb } from '#cli/bench.ts'
import { startPacs, type SimulatedPacs } from '#sim/pacs.ts'
import { generateStudies, type GeneratedStudy } from '#sim/studies.ts'
import { BOX_TITLE, startBox } from '#test/fixtures/box.ts'
import { startOrthanc, skipWithoutDicomWebPlugin } from '#test/fixtures/orthanc.ts'
import { freePort, run, skipWithout } from '#test/fixtures/peer.ts'
import { studyOnDisk } from '#test/fixtures/studies.ts'
import { say } from '#test/fixtures/terminal.ts'

const STUDIES = generateStudies({ today: new Date(2026, 1, 3), ctImages: 60 })
const CT = STUDIES.find(({ name }) => name === 'ct') as GeneratedStudy
const BYTES_MIN = 1e6

async function site (t: Test): Promise<{ pacs: SimulatedPacs, to: string[] }> {
  const port = await freePort()
  const pacs = await startPacs({ studies: STUDIES, destinations: new Map([['DRIMBOX', { host: '127.0.0.1', port }]]) })
  t.teardown(async () => { await pacs.close() })
  return { pacs, to: [`--pacs=${pacs.aeTitle}@127.0.0.1:${pacs.port}`, `--port=${port}`] }
}

interface Answer {
  readonly plan: { readonly study: string, readonly instances: number, readonly associations: number[] }
  readonly pacs: { readonly associations: number, readonly instances: number, readonly bytes: number, readonly firstImageMilliseconds: number, readonly milliseconds: number, readonly megabitsPerSecond: number, readonly isCut: boolean, readonly statuses: string[] }[]
  readonly national: Record<string, unknown>
}

async function measure (args: readonly string[]): Promise<Answer & { code: number }> {
  const { code, out } = await say(benchVerb, ['pacs', '--json', ...args])
  return { code, ...JSON.parse(out) as Answer }
}

for (const method of ['move', 'get']) {
  test(`a PACS is measured by C-${method.toUpperCase()}: one study, first over one association, then over two`, async t => {
    const { pacs, to } = await site(t)
    const { code, plan, pacs: [one, two], national } = await measure([CT.studyUid, `--method=${method}`, ...to])
    t.equal(code, 0)
    t.same(plan.associations, [1, 2])
    t.match(one, { associations: 1, instances: 60, isCut: false, statuses: [] })
    t.match(two, { associations: 2, instances: 60 })
    t.ok(one!.bytes > BYTES_MIN && one!.bytes === two!.bytes, 'the same bytes each time')
    t.ok(one!.firstImageMilliseconds > 0 && one!.firstImageMilliseconds < one!.milliseconds, 'the first image comes before the last')
    t.ok(Math.abs(one!.megabitsPerSecond - one!.bytes * 8 / 1e3 / one!.milliseconds) < one!.megabitsPerSecond / 50, 'and throughput is bytes over time')
    t.match(national, { pacsBytes: one!.bytes, consumerDisplayLatencyMilliseconds: null })
    const retrieves = pacs.control.asked.filter(({ service }) => service === method)
    t.same(retrieves.map(({ level }) => level), ['STUDY', 'SERIES', 'SERIES', 'SERIES', 'SERIES'], 'whole at first, then its series side by side')
  })
}

test('nobody names a study: the smallest is taken that still tells something, and no patient\'s name is asked for', async t => {
  const { pacs, to } = await site(t)
  const { code, out } = await say(benchVerb, ['pacs', '--associations=1', ...to])
  t.equal(code, 0)
  t.match(out, /Examen [\d.]+ : \d série\(s\), 60 image\(s\) ; le plus petit qui convienne/)
  t.match(out, 'PACS (DB.SO.102), première image')
  t.match(out, 'à venir')
  t.notMatch(out, 'LEF')
  for (const { identifier } of pacs.control.asked) t.notOk('PatientName' in identifier)
  t.match((await say(benchVerb, ['pacs', '--associations=1', ...to], 'en')).out, 'PACS (DB.SO.102), first image')
})

test('what will be done is told, and a dry run does none of it', async t => {
  const { pacs, to } = await site(t)
  const { code, out } = await say(benchVerb, ['pacs', CT.studyUid, '--dry-run', ...to])
  t.equal(code, 0)
  t.match(out, '2 fois par C-MOVE (1, 2 association(s)), 120 s au plus')
  t.equal(pacs.control.seen.moves, 0)
})

test('a PACS at work is protected: not more images, time or associations than said', async t => {
  const { pacs, to } = await site(t)
  await t.rejects(say(benchVerb, ['pacs', CT.studyUid, '--instances=59', ...to]), { code: 'BUSY' })
  t.same((await measure([CT.studyUid, '--associations=16', '--dry-run', ...to])).plan.associations, [1, 2], 'the settings bound the associations')
  pacs.control.pauseSubOperations(3)
  const { code, pacs: [cut, ...more] } = await measure([CT.studyUid, '--seconds=1', ...to])
  t.equal(code, 1)
  t.match(cut, { instances: 3, isCut: true })
  t.equal(more.length, 0, 'and it is not asked again')
  pacs.control.reset()
})

test('images that don\'t come are counted, and the status is told', async t => {
  const { pacs, to } = await site(t)
  pacs.control.failSubOperations(2)
  const { code, out, err } = await say(benchVerb, ['pacs', CT.studyUid, ...to])
  t.equal(code, 1)
  t.match(out, '58 sur 60')
  t.match(err, /2 image\(s\) annoncée\(s\) ne sont pas venues/)
  t.match(err, /statut final 0xB000/)
})

test('a study that isn\'t there, a subject that isn\'t one', async t => {
  const { to } = await site(t)
  await t.rejects(say(benchVerb, ['pacs', '1.2.3', ...to]), { code: 'STUDY_UNKNOWN' })
  await t.rejects(say(benchVerb, ['ris', ...to]), { message: /pacs/ })
  t.equal((await measure(['--instances=1', '--dry-run', ...to])).plan.instances, 1, 'and where every study is smaller than one would like, the largest of them')
})

test('with a box, the source\'s own measures come by name', async t => {
  let port = 0
  const pacs = await startPacs({ studies: STUDIES, destinations: title => title === BOX_TITLE ? { host: '127.0.0.1', port } : undefined })
  t.teardown(async () => { await pacs.close() })
  const box = await startBox(t, pacs)
  port = box.dimsePort
  const { code, national } = await measure([CT.studyUid, '--method=get', '--associations=1', `--pacs=${pacs.aeTitle}@127.0.0.1:${pacs.port}`, `--box=${box.dicomweb}`])
  t.equal(code, 0)
  for (const name of ['wadoRsLatencyMilliseconds', 'wadoRsMegabitsPerSecond', 'sourceDisplayLatencyMilliseconds', 'sourceDisplayMegabitsPerSecond']) t.ok(Number(national[name]) > 0, name)
  await t.rejects(say(benchVerb, ['pacs', CT.studyUid, '--method=get', '--associations=1', `--pacs=${pacs.aeTitle}@127.0.0.1:${pacs.port}`, `--box=${box.dicomweb}/nowhere`]), { code: 'PACS_STATUS' })
})

test('Orthanc is measured by C-MOVE', { skip: skipWithout('Orthanc', 'storescu') || skipWithoutDicomWebPlugin }, async t => {
  const port = await freePort()
  const orthanc = await startOrthanc(t, [{ aeTitle: 'DRIMBOX', host: '127.0.0.1', port }])
  const { study, files } = await studyOnDisk(t, 'mr')
  const { code: stored, stderr } = await run('storescu', ['-aec', orthanc.aeTitle, '127.0.0.1', String(orthanc.port), ...files])
  t.equal(stored, 0, stderr.toString())
  const { code, pacs: [one] } = await measure([study.studyUid, `--pacs=${orthanc.aeTitle}@127.0.0.1:${orthanc.port}`, `--port=${port}`])
  t.equal(code, 0)
  t.match(one, { instances: 60, statuses: [] })
})
