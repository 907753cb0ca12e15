import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { test } from 'tap'
import { ask, begin } from '#test/fixtures/answer.ts'
import { isQuiet, openRooms, until, type Rooms, type Test } from '#test/fixtures/rooms.ts'
import { smallStudy } from '#test/fixtures/small-studies.ts'

const study = smallStudy('crowds', { series: [6, 4], pixelBytes: 1 << 16 })
const STUDY = `/studies/${study.studyUid}`

async function dial (t: Test, { url }: Rooms): Promise<Socket> {
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname)
  t.teardown(() => { socket.destroy() })
  // One that isn't let in is closed at once.
  socket.on('error', () => {})
  await new Promise(resolve => { socket.once('connect', resolve).once('close', resolve) })
  return socket
}

/** Everything that a socket says until it closes. */
async function said (socket: Socket): Promise<string> {
  const chunks: Buffer[] = []
  socket.on('data', chunk => { chunks.push(chunk as Buffer) }).resume()
  if (!socket.closed) await new Promise(resolve => { socket.once('close', resolve) })
  return Buffer.concat(chunks).toString('latin1')
}

const get = (path: string, more = ''): string => `GET ${path} HTTP/1.1\r\nHost: box\r\n${more}\r\n`
const descriptors = (): number => readdirSync('/proc/self/fd').length
const skip = process.platform === 'linux' ? false : 'no /proc here'

test('what isn\'t HTTP, and heads without an end, are told so and closed', async t => {
  const site = await openRooms(t, [study])
  for (const [sent, status] of [
    ['\x16\x03\x01\x02\x00\x01\x00\x01\xFC', 400],
    ['GET /studies HTTP/9.9\r\n\r\n', 400],
    [get('/studies', `X: ${'x'.repeat(40_000)}\r\n`), 431],
    [get(`/studies/${'1'.repeat(40_000)}`), 431]
  ] as const) {
    const socket = await dial(t, site)
    socket.write(sent, 'latin1')
    const text = await said(socket)
    t.match(text, new RegExp(`^HTTP/1.1 ${status} `))
    t.match(text, /content-type: application\/problem\+json/i)
    t.match(JSON.parse(text.slice(text.indexOf('\r\n\r\n') + 4)), { status, code: 'QUERY_INVALID' })
  }
  t.equal((await ask(site.url + STUDY)).status, 200)
})

test('long but honest URLs and headers are read', async t => {
  const site = await openRooms(t, [study])
  t.equal((await ask(`${site.url}/studies?StudyInstanceUID=${Array.from({ length: 100 }, (_, place) => `2.25.${10n ** 30n + BigInt(place)}`).join(',')}`)).status, 200)
  t.equal((await ask(site.url + STUDY, { authorization: `Bearer ${'a'.repeat(8000)}` })).status, 200)
})

test('six hundred callers at once: as many as are let in are served, the others are closed, and nothing is left behind', { skip }, async t => {
  const site = await openRooms(t, [study])
  await ask(site.url + STUDY)
  await until(() => isQuiet(site))
  const before = descriptors()
  const sockets = await Promise.all(Array.from({ length: 600 }, async () => await dial(t, site)))
  const answers = await Promise.all(sockets.map(async socket => {
    socket.write(get(STUDY, 'Connection: close\r\n'))
    return await said(socket)
  }))
  const served = answers.filter(text => text.startsWith('HTTP/1.1 200'))
  t.ok(served.length >= 512, String(served.length))
  t.ok(served.every(text => text.length === served[0].length))
  t.ok(answers.every(text => text === '' || text.startsWith('HTTP/1.1 200')))
  await until(() => isQuiet(site) && descriptors() <= before)
  t.equal((await ask(site.url + STUDY)).status, 200)
})

test('pipelined requests are answered in their order, each whole', async t => {
  const site = await openRooms(t, [study])
  const socket = await dial(t, site)
  const paths = [`${STUDY}/metadata`, '/nowhere', STUDY, '/studies?limit=1', STUDY]
  socket.write(paths.map((path, place) => get(path, place === paths.length - 1 ? 'Connection: close\r\n' : '')).join(''))
  const statuses = (await said(socket)).match(/HTTP\/1\.1 \d+/g)
  t.same(statuses, ['HTTP/1.1 200', 'HTTP/1.1 404', 'HTTP/1.1 200', 'HTTP/1.1 200', 'HTTP/1.1 200'])
  await until(() => isQuiet(site))
})

test('callers who hang up at any moment leave nothing behind: no slot, no pack, no descriptor', { skip }, async t => {
  const site = await openRooms(t, [study])
  await ask(site.url + STUDY)
  await until(() => isQuiet(site))
  await site.cache.purge(study.studyUid)
  const before = descriptors()
  for (let turn = 0; turn < 60; turn++) {
    if (turn % 3 === 0) site.sim.control.delaySubOperations(turn % 2 === 0 ? 1 : 0)
    const socket = await dial(t, site)
    const pipelined = turn % 4 === 0
    socket.write(get(turn % 5 === 0 ? `${STUDY}/metadata` : turn % 7 === 0 ? '/studies' : STUDY) + (pipelined ? get(STUDY) + get('/studies') : ''))
    if (turn % 6 > 0) await until(() => socket.bytesRead > 0 || site.pacs.supply.active.length > 0)
    socket.destroy()
    if (turn % 10 === 9) {
      await until(() => isQuiet(site))
      await site.cache.purge(study.studyUid)
    }
  }
  site.sim.control.delaySubOperations(0)
  await until(() => isQuiet(site))
  await site.pacs.slots.close()
  await until(() => descriptors() <= before + 2)
  t.pass()
})

test('a caller who waits for the PACS and leaves before the answer is forgotten, pipelined or not', async t => {
  const site = await openRooms(t, [study])
  const gate = site.sim.control.pauseAnswers()
  const socket = await dial(t, site)
  socket.write(get('/studies') + get(STUDY) + get(`${STUDY}/metadata`))
  await gate.reached
  await until(() => site.pacs.supply.active[0]?.readers === 2)
  socket.destroy()
  await until(() => (site.pacs.supply.active[0]?.readers ?? 0) === 0)
  gate.release()
  await until(() => isQuiet(site))
  t.pass()
})

test('hundreds of readers who have stopped reading take little memory', async t => {
  const large = smallStudy('stalled', { series: [4], pixelBytes: 3 << 20 })
  const site = await openRooms(t, [large])
  await ask(`${site.url}/studies/${large.studyUid}`)
  await until(() => isQuiet(site))
  const before = process.memoryUsage()
  const sockets = await Promise.all(Array.from({ length: 300 }, async () => {
    const socket = await dial(t, site)
    socket.pause()
    socket.write(get(`/studies/${large.studyUid}`))
    return socket
  }))
  await until(() => sockets.every(socket => socket.bytesRead > 0 || socket.readableLength > 0) || site.cache.pack(large.studyUid, large.series[0].seriesUid).inUse)
  await Promise.all(sockets.map(async socket => { if (socket.bytesRead === 0) await once(socket, 'readable') }))
  const after = process.memoryUsage()
  t.ok(after.arrayBuffers - before.arrayBuffers < 120e6, `${Math.round((after.arrayBuffers - before.arrayBuffers) / 1e6)} MB`)
  for (const socket of sockets) socket.destroy()
  await until(() => isQuiet(site))
})

test('a box that closes lets an answer under way end', async t => {
  const site = await openRooms(t, [study])
  const gate = site.sim.control.pauseSubOperations(3)
  const answer = await begin(site.url + STUDY)
  await gate.reached
  const closed = site.http.close()
  gate.release()
  const read = await ask(answer)
  t.ok(read.whole)
  t.equal(read.status, 200)
  await closed
  await t.rejects(ask(site.url + STUDY), { code: 'ECONNREFUSED' })
})
