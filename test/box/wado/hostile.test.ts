import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { test } from 'tap'
import { EXPLICIT_LE } from '#standards/dicom/transfer-syntax.ts'
import { ask, codeOf } from '#test/fixtures/answer.ts'
import { openRooms, until } from '#test/fixtures/rooms.ts'
import { smallStudy } from '#test/fixtures/small-studies.ts'

const study = smallStudy('hostile', {
  series: [4],
  image: {
    transferSyntaxUid: EXPLICIT_LE,
    sopClassUid: '1.2.840.10008.5.1.4.1.1.7',
    attributes: { SamplesPerPixel: 1, PhotometricInterpretation: 'MONOCHROME2', Rows: 256, Columns: 256, BitsAllocated: 16, BitsStored: 12, HighBit: 11, PixelRepresentation: 0 },
    pixels: { vr: 'OW', native: Buffer.alloc(2 * 256 * 256, 7) }
  }
})
const [{ seriesUid, instances }] = study.series
const series = `/studies/${study.studyUid}/series/${seriesUid}`
const instance = `${series}/instances/${instances[0].sopInstanceUid}`

/** What the whole test process may grow by while a storm passes, and keep afterwards, in bytes: threads included. */
const GROWTH_MAX = 256 << 20

test('absurd parameters of a picture are refused by their name, and cost no thread', async t => {
  const site = await openRooms(t, [study])
  for (const query of [
    'viewport=99999999,99999999', 'viewport=0,0', 'viewport=-1,5', 'viewport=1e9,1e9', 'viewport=NaN,NaN', `viewport=${'9'.repeat(4000)},1`,
    'viewport=10,10,0,0,0,0', 'viewport=10,10,1e308,1e308,1e308,1e308',
    'window=0,0,linear', 'window=1e400,1,linear', 'window=1,1,cosine', 'window=1', `window=${'1,'.repeat(2000)}`,
    'quality=0', 'quality=101', 'quality=high', 'quality=1&quality=2'
  ]) {
    const answer = await ask(`${site.url}${instance}/rendered?${query}`, { accept: 'image/png' })
    t.equal(answer.status, 400, query.slice(0, 60))
    t.equal(codeOf(answer), 'QUERY_INVALID')
  }
  t.equal(site.pixels.state.done, 0)
  t.equal(site.sim.control.seen.moves, 0, 'nor the PACS an operation')
  t.equal((await ask(`${site.url}${instance}/rendered`, { accept: 'image/png' })).status, 200)
})

test('a storm of a thousand pictures, each another one, is answered or told to come back, and passes', async t => {
  const site = await openRooms(t, [study], { pixels: { callersMax: 32 } })
  t.equal((await ask(`${site.url}${series}/thumbnail`, { accept: 'image/png' })).status, 200)
  const before = process.memoryUsage.rss()
  const counts = new Map<number, number>()
  let calm = 0
  const caller = async (number: number): Promise<void> => {
    for (let round = 0; round < 5; round++) {
      const { sopInstanceUid } = instances[number % instances.length]
      const answer = await ask(`${site.url}${series}/instances/${sopInstanceUid}/rendered?window=${number},${round + 2},linear`, { accept: 'image/png' })
      counts.set(answer.status, (counts.get(answer.status) ?? 0) + 1)
      if (answer.status !== 503) continue
      if (codeOf(answer) !== 'BUSY' || !(Number(answer.headers['retry-after']) > 0)) counts.set(-1, 1)
    }
  }
  const storm = Promise.all(Array.from({ length: 200 }, async (_, number) => { await caller(number) }))
  // Meanwhile somebody reads an object as it is stored, which needs no thread.
  while (counts.size === 0 || calm < 3) {
    const answer = await ask(`${site.url}${instance}`)
    t.equal(answer.status, 200)
    calm++
  }
  await storm
  t.same([...counts.keys()].filter(status => status !== 200 && status !== 503), [], 'nothing else was answered')
  t.ok((counts.get(200) ?? 0) > 0 && (counts.get(503) ?? 0) > 0, JSON.stringify([...counts]))
  t.ok(process.memoryUsage.rss() - before < GROWTH_MAX)
  await until(() => site.pixels.state.lanes === 0 && site.pixels.state.bytes === 0)
  t.equal(site.pixels.state.lost, 0)
  t.equal((await ask(`${site.url}${instance}/rendered?window=1,1000,linear`, { accept: 'image/png' })).status, 200)
})

test('callers who store a byte at a time take the places for storing, and nobody else\'s', async t => {
  const site = await openRooms(t, [study], { stow: { requestsMax: 2 } })
  const slow: Socket[] = []
  t.teardown(() => { for (const socket of slow) socket.destroy() })
  const { hostname, port } = new URL(site.url)
  for (let count = 0; count < 20; count++) {
    const socket = connect(Number(port), hostname)
    await once(socket, 'connect')
    socket.on('error', () => {}).resume()
    socket.write('POST /studies HTTP/1.1\r\nHost: box\r\nContent-Type: multipart/related; type="application/dicom"; boundary=b\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n-\r\n')
    slow.push(socket)
  }
  const store = async (): Promise<Response> => await fetch(`${site.url}/studies`, { method: 'POST', headers: { 'content-type': 'multipart/related; type="application/dicom"; boundary=b' }, body: '--b--' })
  let refused = await store()
  while (refused.status !== 503) refused = await store()
  for (let count = 0; count < 5; count++) {
    refused = await store()
    t.equal((await refused.json() as { code: string }).code, 'BUSY')
    t.ok(Number(refused.headers.get('retry-after')) > 0)
    t.equal((await ask(`${site.url}${instance}`)).status, 200, 'reading goes on')
  }
  t.equal(site.sim.control.seen.stores, 0, 'the PACS hears nothing of them')
})
