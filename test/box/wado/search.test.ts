import { test } from 'tap'
import { ask, begin, codeOf, type Answer } from '#test/fixtures/answer.ts'
import { isQuiet, openRooms, until } from '#test/fixtures/rooms.ts'
import { smallStudy } from '#test/fixtures/small-studies.ts'
import type { DicomJson } from '#standards/dicom/json.ts'

const many = Array.from({ length: 40 }, (_, place) => smallStudy(`search ${place}`, { series: place < 3 ? [2, 1] : [1], patientName: place % 2 === 0 ? 'LEFÈVRE^Zoé' : 'NUÑEZ GARCÍA^Océane' }))

const rows = ({ body }: Answer): DicomJson[] => JSON.parse(body.toString()) as DicomJson[]
const texts = (answer: Answer, tag: string): unknown[] => rows(answer).map(row => row[tag]?.Value?.[0])

test('studies are found, names arrive as patients spell them, and each says where it can be had', async t => {
  const { url } = await openRooms(t, many)
  const answer = await ask(`${url}/studies`)
  t.equal(answer.headers['content-type'], 'application/dicom+json')
  t.same(texts(answer, '0020000D'), many.map(({ studyUid }) => studyUid))
  t.match(rows(answer)[1]['00100010'], { Value: [{ Alphabetic: 'NUÑEZ GARCÍA^Océane' }] })
  t.equal(rows(answer)[0]['00081190']?.Value?.[0], `${url}/studies/${many[0].studyUid}`)
  t.equal(rows(await ask(`${url}/studies?PatientName=NU*`)).length, 20)
  t.equal((await ask(`${url}/studies?PatientID=nobody`)).body.toString(), '[]')
})

test('limit and offset stop the PACS early', async t => {
  const site = await openRooms(t, many)
  site.sim.control.delayAnswers(5)
  const answer = await ask(`${site.url}/studies?limit=3&offset=2`)
  t.same(texts(answer, '0020000D'), many.slice(2, 5).map(({ studyUid }) => studyUid))
  await until(() => site.sim.control.seen.cancels === 1)
  await until(() => isQuiet(site))
  t.equal(site.pacs.slots.state.idle, 1, 'and the association is still good')
  t.equal((await ask(`${site.url}/studies?limit=0`)).body.toString(), '[]')
  t.equal(site.sim.control.seen.associations, 1)
})

test('the first row leaves before the PACS has found the last', async t => {
  const site = await openRooms(t, many)
  site.sim.control.delayAnswers(20)
  const answer = await begin(`${site.url}/studies`)
  const chunk = await new Promise<Buffer>(resolve => {
    answer.once('data', some => {
      answer.pause()
      resolve(some)
    })
  })
  const gate = site.sim.control.pauseAnswers()
  await gate.reached
  t.match(chunk.toString(), /^\[\{/)
  t.equal(site.pacs.slots.state.lent, 1, 'the PACS is still at it')
  site.sim.control.reset()
  const rest = await ask(answer)
  t.equal((JSON.parse(chunk.toString() + rest.body.toString()) as unknown[]).length, 40)
})

test('a search whose reader leaves is cancelled', async t => {
  const site = await openRooms(t, many)
  const gate = site.sim.control.pauseAnswers()
  site.sim.control.delayAnswers(1)
  const leaving = begin(`${site.url}/studies`)
  await gate.reached
  gate.release()
  const answer = await leaving
  answer.destroy()
  await until(() => isQuiet(site))
  t.equal(rows(await ask(`${site.url}/studies`)).length, 40)
})

test('series and instances are found below their study, and at the root by going down', async t => {
  const { url, sim } = await openRooms(t, many)
  const [{ studyUid, series: [first] }] = many
  t.equal(rows(await ask(`${url}/studies/${studyUid}/series`)).length, 2)
  t.equal(rows(await ask(`${url}/studies/${studyUid}/series/${first.seriesUid}/instances`)).length, 2)
  t.equal(rows(await ask(`${url}/studies/${studyUid}/instances`)).length, 3)
  const series = await ask(`${url}/series?PatientName=LEF*`)
  t.equal(rows(series).length, 22)
  t.same(rows(series)[0]['00100010']?.Value, [{ Alphabetic: 'LEFÈVRE^Zoé' }], 'with what is known of the levels above')
  const instances = await ask(`${url}/instances?StudyInstanceUID=${studyUid}&InstanceNumber=2`)
  t.same(texts(instances, '00080018'), [first.instances[1].sopInstanceUid])
  t.match(texts(instances, '00081190'), [`${url}/studies/${studyUid}/series/${first.seriesUid}/instances/${first.instances[1].sopInstanceUid}`])
  t.ok(sim.control.asked.every(({ level, identifier }) => level === 'STUDY' || typeof identifier.StudyInstanceUID === 'string'), 'C-FIND below no study is never asked')
})

test('a search that goes down needs one association, however little the PACS bears', async t => {
  const site = await openRooms(t, many, { pacs: { associationsMax: 1 } })
  const answers = await Promise.all([1, 2, 3].map(async () => await ask(`${site.url}/instances?PatientName=LEF*&limit=5`)))
  t.same(answers.map(answer => rows(answer).length), [5, 5, 5])
  t.equal(site.sim.control.seen.associationsMax, 1)
})

test('a search that would ask the PACS a thousand questions is refused, and says why', async t => {
  const crowd = Array.from({ length: 1001 }, (_, place) => smallStudy(`crowd ${place}`, { series: [1] }))
  const { url } = await openRooms(t, crowd)
  const answer = await ask(`${url}/series`)
  t.equal(answer.status, 400)
  t.match(JSON.parse(answer.body.toString()), { code: 'QUERY_INVALID', facts: { fanOutMax: 1000 } })
  const all = await ask(`${url}/studies`)
  t.equal(rows(all).length, 1001)
})

test('what the PACS can\'t do is told in a warning, not passed over', async t => {
  const { url } = await openRooms(t, many)
  const answer = await ask(`${url}/studies?fuzzymatching=true&limit=1`)
  t.equal(answer.status, 200)
  t.match(answer.headers.warning, /^299 http:.*: "The fuzzymatching parameter is not supported/)
})

test('a question that cannot be asked is refused with the key at fault, without the value', async t => {
  const { url, sim } = await openRooms(t, many)
  for (const query of ['StudyDate=yesterday', 'Colour=red', 'limit=-1', 'PatientName=A&PatientName=B', 'fuzzymatching=maybe', 'StudyInstanceUID=1.2.DUPONT']) {
    const answer = await ask(`${url}/studies?${query}`)
    t.equal(answer.status, 400, query)
    t.equal(codeOf(answer), 'QUERY_INVALID')
    t.notMatch(answer.body.toString(), /DUPONT|yesterday/)
  }
  t.equal((await ask(`${url}/studies`, { accept: 'application/dicom+xml' })).status, 406)
  t.equal(sim.control.seen.associations, 0)
})

test('a PACS that fails in the middle of its answers leaves JSON that nobody can take for whole', async t => {
  const site = await openRooms(t, many, { pacs: { responseSeconds: 1 } })
  site.sim.control.delayAnswers(20)
  const answer = await begin(`${site.url}/studies`)
  answer.once('data', () => { site.sim.control.pauseAnswers() })
  const read = await ask(answer)
  t.notOk(read.whole)
  t.throws(() => JSON.parse(read.body.toString()))
  site.sim.control.reset()
  await until(() => isQuiet(site))
})

test('a reader who stops reading a long answer is waited for, and memory stays where it is', async t => {
  const crowd = Array.from({ length: 1500 }, (_, place) => smallStudy(`long ${place}`, { series: [1] }))
  const site = await openRooms(t, crowd)
  const answer = await begin(`${site.url}/studies`)
  answer.pause()
  await until(() => site.pacs.slots.state.lent === 0 || site.sim.control.seen.finds === 1)
  t.equal(rows(await ask(answer)).length, 1500)
  await until(() => isQuiet(site))
})
