import { statSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { test } from 'tap'
import { ask, codeOf, type Answer } from '#test/fixtures/answer.ts'
import { isQuiet, openRooms, until, type Rooms } from '#test/fixtures/rooms.ts'
import { smallStudy } from '#test/fixtures/small-studies.ts'

// An ultrasound: no series of it is moved ahead of the others, so what the gate holds is counted exactly.
const study = smallStudy('admin', { series: [3, 2], modality: 'US' })
const other = smallStudy('admin, another', { series: [1] })

const admin = async ({ admin: socketPath }: Rooms, path: string, method = 'GET'): Promise<Answer> => await ask(`http://box${path}`, {}, { socketPath, method })
const json = ({ body }: Answer): unknown => JSON.parse(body.toString())

test('the status says what is lent, what is on its way and what is held', async t => {
  const site = await openRooms(t, [study, other])
  t.match(json(await admin(site, '/status')), { pacs: { lent: 0, idle: 0, waiting: 0, breaker: 'closed' }, retrieves: [], cache: { series: 0, bytes: 0 }, reads: { held: 0, retrieved: 0 } })
  const gate = site.sim.control.pauseSubOperations(2)
  const reading = ask(`${site.url}/studies/${study.studyUid}`)
  await gate.reached
  t.match(json(await admin(site, '/status')), { pacs: { lent: 1 }, retrieves: [{ studyUid: study.studyUid, readers: 1, arrived: 2 }] })
  gate.release()
  await reading
  await until(() => isQuiet(site))
  const status = json(await admin(site, '/status')) as { cache: { series: number, bytes: number }, residentBytes: number }
  t.match(status, { retrieves: [], cache: { series: 2 }, reads: { held: 0, retrieved: 1 } })
  t.ok(status.cache.bytes > 5 * 1024)
  t.ok(status.residentBytes > 1e6)
})

test('the cache is listed, the last used first, and a study can be forgotten', async t => {
  const site = await openRooms(t, [study, other])
  await ask(`${site.url}/studies/${study.studyUid}`)
  await ask(`${site.url}/studies/${other.studyUid}`)
  await until(() => isQuiet(site))
  const list = json(await admin(site, '/cache')) as { studyUid: string, complete: boolean, instances: number }[]
  t.same(list.map(({ instances }) => instances).sort(), [1, 2, 3])
  t.ok(list.every(({ complete }) => complete))
  t.equal((await admin(site, `/cache/${study.studyUid}`, 'DELETE')).status, 200)
  t.same((json(await admin(site, '/cache')) as { studyUid: string }[]).map(({ studyUid }) => studyUid), [other.studyUid])
  t.equal((await admin(site, `/cache/${study.studyUid}`, 'DELETE')).status, 200, 'twice does no harm')
  t.equal((await ask(`${site.url}/studies/${study.studyUid}`)).status, 200, 'and the PACS still has it')
})

test('mistakes on the admin socket are told as problems too', async t => {
  const site = await openRooms(t, [])
  t.equal(codeOf(await admin(site, '/cache/..%2f..', 'DELETE')), 'UID_INVALID')
  t.equal(codeOf(await admin(site, '/nowhere')), 'ROUTE_UNKNOWN')
  t.equal((await admin(site, '/status', 'POST')).status, 405)
})

test('only the machine\'s own people open the socket', async t => {
  const site = await openRooms(t, [])
  t.equal(statSync(site.admin).mode & 0o777, 0o660)
})

test('before a restart nothing new is taken, and what is under way ends', async t => {
  const site = await openRooms(t, [study])
  const gate = site.sim.control.pauseSubOperations(2)
  const reading = ask(`${site.url}/studies/${study.studyUid}`)
  await gate.reached
  t.same(json(await admin(site, '/drain')), { isDraining: false, active: 1 })
  t.same(json(await admin(site, '/drain', 'POST')), { isDraining: true, active: 1 })
  const refused = await ask(`${site.url}/studies`)
  t.equal(refused.status, 503)
  t.equal(codeOf(refused), 'CLOSING')
  t.ok(Number(refused.headers['retry-after']) > 0)
  t.equal(refused.headers.connection, 'close')
  t.same(json(await admin(site, '/drain')), { isDraining: true, active: 1 }, 'one that is refused does not count')
  gate.release()
  t.equal((await reading).status, 200, 'the one under way has its answer')
  while ((json(await admin(site, '/drain')) as { active: number }).active > 0) await delay(5)
  t.same(json(await admin(site, '/drain', 'DELETE')), { isDraining: false, active: 0 })
  t.equal((await ask(`${site.url}/studies`)).status, 200)
})
