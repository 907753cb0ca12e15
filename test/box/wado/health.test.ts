import { readFile } from 'node:fs/promises'
import { test } from 'tap'
import { PeerError } from '#core/errors.ts'
import { Health, type HealthReport } from '#box/wado/health.ts'
import { outwardGate } from '#box/wado/gate.ts'
import { ask, type Answer } from '#test/fixtures/answer.ts'
import { freePort } from '#test/fixtures/peer.ts'
import { rawRequest } from '#test/fixtures/raw-http.ts'
import { openRooms } from '#test/fixtures/rooms.ts'
import { sample, skipWithoutShared } from '#test/fixtures/shared.ts'
import { smallStudy } from '#test/fixtures/small-studies.ts'

const study = smallStudy('health', { patientName: 'SECRET^Person' })
const report = ({ body }: { body: Buffer }): HealthReport => JSON.parse(body.toString()) as HealthReport
const refuse = async (): Promise<never> => { throw new Error('nobody is asked for a token') }

test('the national monitor\'s request is answered with JSON, without a token, on the face turned to other boxes as well', { skip: skipWithoutShared }, async t => {
  const lines = (await readFile(sample('wado-rs/OK_Healthcheck_Request.txt'), 'utf8')).split(/\r?\n/).filter(line => line !== '' && !/^(GET|Host|Connection)/.test(line))
  for (const gate of [undefined, outwardGate({ assertActive: refuse, published: refuse })]) {
    const site = await openRooms(t, [study], { gate })
    const answer = await rawRequest(site.url, ['GET / HTTP/1.1', 'Host: 46.105.63.141:10375', 'Connection: Keep-Alive', ...lines, '', ''].join('\r\n'))
    t.equal(answer.status, 200)
    t.equal(answer.headers.get('content-type'), 'application/json')
    t.match(report(answer), { status: 'up', dependencies: { pacs: { status: 'up' }, disk: { status: 'up' }, index: { status: 'up' } } })
  }
})

test('when the PACS was asked last is told in the calendar\'s time', async t => {
  const site = await openRooms(t, [study])
  const before = Date.now()
  const { dependencies } = report(await ask(`${site.url}/`))
  const asked = Date.parse(dependencies.pacs.lastAskedAt ?? '')
  t.ok(asked >= before - 1000 && asked <= Date.now(), dependencies.pacs.lastAskedAt ?? 'never')
})

test('a PACS that is down is seen, and names nobody', async t => {
  const site = await openRooms(t, [study], { pacs: { port: await freePort() } })
  const answer = await ask(`${site.url}/`)
  t.equal(answer.status, 503)
  t.match(report(answer), { status: 'down', dependencies: { pacs: { status: 'down', code: 'PACS_UNREACHABLE' }, disk: { status: 'up' } } })
  t.notMatch(answer.body.toString(), /SECRET|127\.0\.0\.1|DRIMBOX|2\.25/)
})

test('however many ask, the PACS and the disk are looked at once; what was known too long ago is asked anew', async t => {
  let now = 1_000_000
  const seen = { checks: 0, echoes: 0 }
  let last: { reached: boolean, at: number, code?: string } | undefined
  const health = new Health({
    now: () => now,
    slots: {
      get last () { return last },
      echo: async () => {
        seen.echoes++
        last = { reached: true, at: now }
      }
    },
    cache: { check: async () => { seen.checks++; return { disk: 'up', index: 'up' } } }
  })
  await Promise.all(Array.from({ length: 1000 }, async () => { t.equal((await health.report()).status, 'up') }))
  t.same(seen, { checks: 1, echoes: 1 })
  now += 6000
  await health.report()
  t.same(seen, { checks: 2, echoes: 1 }, 'the PACS was met a moment ago')
  now += 120_000
  await health.report()
  t.same(seen, { checks: 3, echoes: 2 })
})

test('each dependency counts as it should', async t => {
  const condition = async (disk: 'up' | 'full' | 'down', index: 'up' | 'down', last?: { reached: boolean, at: number }): Promise<string> => (await new Health({
    slots: { last, echo: async () => { throw new PeerError('PACS_RESTING', 'not at this hour') } },
    cache: { check: async () => ({ disk, index }) }
  }).report()).status
  const reached = { reached: true, at: Date.now() }
  t.equal(await condition('up', 'up', reached), 'up')
  t.equal(await condition('full', 'up', reached), 'degraded', 'what is held is served still')
  t.equal(await condition('down', 'up', reached), 'down')
  t.equal(await condition('up', 'down', reached), 'degraded')
  t.equal(await condition('up', 'up', { reached: false, at: Date.now() }), 'down')
  t.equal(await condition('up', 'up'), 'degraded', 'nobody may ask the PACS now')
})

test('figures for Prometheus say how often the cache helped, by route and never by patient', async t => {
  const site = await openRooms(t, [study])
  const figures = async (): Promise<Answer> => await ask('http://box/metrics', {}, { socketPath: site.admin })
  await ask(`${site.url}/studies/${study.studyUid}`)
  await ask(`${site.url}/studies/${study.studyUid}`)
  await ask(`${site.url}/studies/${study.studyUid}`)
  await ask(`${site.url}/nowhere/SECRET`)
  const answer = await figures()
  t.match(answer.headers['content-type'], /^text\/plain; version=0\.0\.4/)
  const text = answer.body.toString()
  const value = (name: string): number => Number(new RegExp(`^${name.replace(/[{}"/:]/g, '\\$&')} (.*)$`, 'm').exec(text)?.[1])
  t.equal(value('drimbox_cache_hits_total'), 2)
  t.equal(value('drimbox_cache_misses_total'), 1)
  t.equal(value('drimbox_dicomweb_request_seconds_count{route="/studies/:study",method="GET",code="200"}'), 3)
  t.equal(value('drimbox_dicomweb_request_seconds_count{route="none",method="GET",code="404"}'), 1)
  t.ok(value('drimbox_dicomweb_sent_bytes_total{route="/studies/:study"}') > 3 * 4 * 1024)
  t.ok(value('drimbox_dimse_received_bytes_total') > 4 * 1024)
  t.ok(value('process_resident_memory_bytes') > 1e6)
  t.notMatch(text, /SECRET|2\.25|127\.0\.0\.1/)
  t.match((await figures()).body.toString(), /^drimbox_cache_hits_total 2$/m, 'reading changes nothing')
  t.equal((await ask(`${site.url}/metrics`)).status, 404, 'and callers don\'t see them')
})
