import { readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type Test } from 'tap'
import { echoVerb } from '#cli/echo.ts'
import { findVerb } from '#cli/find.ts'
import { getVerb } from '#cli/get.ts'
import { readPart10Head } from '#standards/dicom/part10.ts'
import { startPacs, type SimulatedPacs } from '#sim/pacs.ts'
import { generateStudies, type GeneratedStudy } from '#sim/studies.ts'
import { freePort, temporaryFolder } from '#test/fixtures/peer.ts'
import { say } from '#test/fixtures/terminal.ts'

const STUDIES = generateStudies({ today: new Date(2026, 1, 3), ctImages: 6 })
const [CT, SR] = ['ct', 'sr'].map(name => STUDIES.find(study => study.name === name)) as [GeneratedStudy, GeneratedStudy]

async function site (t: Test): Promise<{ pacs: SimulatedPacs, to: string[] }> {
  const port = await freePort()
  const pacs = await startPacs({ studies: STUDIES, destinations: new Map([['DRIMBOX', { host: '127.0.0.1', port }]]) })
  t.teardown(async () => { await pacs.close() })
  return { pacs, to: [`--pacs=${pacs.aeTitle}@127.0.0.1:${pacs.port}`, `--port=${port}`] }
}

async function filed (folder: string): Promise<string[]> {
  return (await readdir(folder)).sort()
}

function names (study: GeneratedStudy): string[] {
  return study.series.flatMap(({ instances }) => instances.map(({ sopInstanceUid }) => `${sopInstanceUid}.dcm`)).sort()
}

test('a PACS that is there says who it is', async t => {
  const { pacs, to } = await site(t)
  const { code, out } = await say(echoVerb, to)
  t.equal(code, 0)
  t.match(out, `${pacs.aeTitle}@127.0.0.1:${pacs.port} répond`)
  t.match(JSON.parse((await say(echoVerb, [...to, '--json'])).out), { calledTitle: pacs.aeTitle, port: pacs.port })
})

test('a patient is found by the beginning of her name, and read with her accents', async t => {
  const { to } = await site(t)
  const { code, out, err } = await say(findVerb, ['PatientName=LEF*', ...to])
  t.equal(code, 0)
  t.match(out, 'LEFÈVRE Zoé')
  t.match(out, '12/03/2025')
  t.equal(err, '2 réponses.')
  t.match((await say(findVerb, ['--level=image', `StudyInstanceUID=${CT.studyUid}`, `SeriesInstanceUID=${CT.series[0]!.seriesUid}`, 'InstanceNumber=1', 'Rows=512', ...to])).err, /réponse/)
  const matches = JSON.parse((await say(findVerb, ['PatientName=LEFÈVRE^Zoé', 'StudyDate=20250101-20250312', '--json', ...to])).out)
  t.match(matches, [{ '00100010': { vr: 'PN', Value: [{ Alphabetic: 'LEFÈVRE^Zoé' }] }, '0020000D': { Value: [CT.studyUid] } }])
  t.equal(matches.length, 1)
})

test('a list that is longer than wanted is cut, and says so', async t => {
  const { to } = await site(t)
  const { out, err } = await say(findVerb, ['--limit=2', '--lang=en', ...to], 'en')
  t.equal(out.split('\n').length, 4)
  t.match(err, 'there are more')
})

test('series and images are asked for below what holds them', async t => {
  const { to } = await site(t)
  const series = CT.series[0]
  t.match((await say(findVerb, ['--level=series', `StudyInstanceUID=${CT.studyUid}`, ...to])).out, series!.seriesUid)
  t.match((await say(findVerb, ['--level=image', `StudyInstanceUID=${CT.studyUid}`, `0020000E=${series!.seriesUid}`, ...to])).err, `${series!.instances.length} réponse`)
  await t.rejects(say(findVerb, ['--level=series', ...to]), { message: /StudyInstanceUID=/ })
  await t.rejects(say(findVerb, ['PatientsName=X', ...to]), { message: /PatientsName/ })
})

for (const method of ['move', 'get']) {
  test(`a study is brought by C-${method.toUpperCase()} as files, each whole and counted`, async t => {
    const { to } = await site(t)
    const folder = join(temporaryFolder(t), 'ct')
    const { code, out } = await say(getVerb, [CT.studyUid, `--method=${method}`, `--into=${folder}`, ...to])
    t.equal(code, 0)
    t.match(out, '6 objet(s) sur 6')
    t.same(await filed(folder), names(CT))
    const [first] = CT.series[0]!.instances
    t.match(readPart10Head(await readFile(join(folder, `${first!.sopInstanceUid}.dcm`))), { sopInstanceUid: first!.sopInstanceUid, sopClassUid: first!.sopClassUid, transferSyntaxUid: first!.transferSyntaxUid })
  })
}

test('a PACS that sends less than it announced is not believed: what is missing is counted', async t => {
  const { pacs, to } = await site(t)
  pacs.control.sendLess(1)
  const folder = join(temporaryFolder(t), 'ct')
  await t.rejects(say(getVerb, [CT.studyUid, `--into=${folder}`, ...to]), { code: 'PACS_INCOMPLETE', message: /5 of 6/ })
  t.equal((await filed(folder)).length, 5, 'and no file is left half-written')
})

test('a study that the PACS doesn\'t have makes no folder', async t => {
  const { to } = await site(t)
  const folder = join(temporaryFolder(t), 'none')
  await t.rejects(say(getVerb, ['1.2.3', `--into=${folder}`, ...to]), { code: 'STUDY_UNKNOWN' })
  await t.rejects(say(getVerb, [SR.studyUid, '../../etc', ...to]), { code: 'UID_INVALID' })
  await t.rejects(filed(folder), { code: 'ENOENT' })
})
