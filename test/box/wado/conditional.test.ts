/**
 * What a viewer's cache and a download that goes on rely on, as raw HTTP where bytes matter.
 */

import { test } from 'tap'
import { EXPLICIT_LE } from '#standards/dicom/transfer-syntax.ts'
import { ask, codeOf, type Answer } from '#test/fixtures/answer.ts'
import { rawRequest } from '#test/fixtures/raw-http.ts'
import { isQuiet, openRooms, until } from '#test/fixtures/rooms.ts'
import { smallStudy } from '#test/fixtures/small-studies.ts'
import { outwardGate } from '#box/wado/gate.ts'

const study = smallStudy('conditional', { series: [3, 2], pixelBytes: 4096 })
const [{ seriesUid, instances: [{ sopInstanceUid }] }] = study.series
const STUDY = `/studies/${study.studyUid}`
const SERIES = `${STUDY}/series/${seriesUid}`
const INSTANCE = `${SERIES}/instances/${sopInstanceUid}`
const single = { accept: 'application/dicom' }

/** Each kind of answer, with an Accept that chooses it. */
const KINDS: readonly [path: string, accept: string][] = [
  [STUDY, '*/*'], [SERIES, '*/*'], [INSTANCE, '*/*'], [INSTANCE, 'application/dicom'],
  [`${STUDY}/metadata`, 'application/dicom+json'], [`${SERIES}/metadata`, 'multipart/related; type="application/dicom+xml"'],
  [`${INSTANCE}/metadata`, 'application/dicom+json'], [`${INSTANCE}/metadata`, 'application/dicom+xml'],
  [`${INSTANCE}/frames/1`, '*/*'], [`${INSTANCE}/frames/1`, 'application/octet-stream'],
  [`${INSTANCE}/bulkdata/7FE00010`, '*/*'], [`${INSTANCE}/bulkdata/7FE00010`, 'application/octet-stream'],
  [`${INSTANCE}/rendered`, 'image/png']
]

/** Without what differs each time: the boundary, the date. */
function steady ({ headers }: Answer): object {
  const { date: _date, connection: _connection, 'keep-alive': _alive, 'transfer-encoding': _coding, ...rest } = headers
  return { ...rest, 'content-type': rest['content-type']?.replace(/boundary=[^;]*/, '') }
}

test('the second read of anything is answered with 304, and HEAD says what GET says', async t => {
  const site = await openRooms(t, [study])
  await ask(site.url + STUDY)
  await until(() => isQuiet(site))
  const moves = site.sim.control.seen.moves
  for (const [path, accept] of KINDS) {
    const name = `${path.slice(-24)} as ${accept}`
    const first = await ask(site.url + path, { accept })
    t.equal(first.status, 200, name)
    const { etag, 'last-modified': modified } = first.headers
    t.match(etag, /^(W\/)?"[\x21-\x7e]+"$/, name)
    t.match(first.headers, { 'cache-control': 'private, no-cache', vary: /Accept/ }, name)
    const again = await ask(site.url + path, { accept, 'if-none-match': String(etag) })
    t.same([again.status, again.body.length, again.headers.etag], [304, 0, etag], name)
    if (modified !== undefined) t.equal((await ask(site.url + path, { accept, 'if-modified-since': modified })).status, 304, name)
    t.equal((await ask(site.url + path, { accept, 'if-none-match': '"other"' })).status, 200, name)
    t.equal(codeOf(await ask(site.url + path, { accept, 'if-match': '"other"' })), 'PRECONDITION_FAILED', name)
    const head = await ask(site.url + path, { accept }, { method: 'HEAD' })
    t.same([head.status, head.body.length], [200, 0], name)
    t.same(steady(head), steady(first), name)
  }
  t.equal(new Set(await Promise.all(KINDS.filter(([path]) => path.startsWith(INSTANCE)).map(async ([path, accept]) => (await ask(site.url + path, { accept }, { method: 'HEAD' })).headers.etag?.replace('W/', '')))).size, KINDS.filter(([path]) => path.startsWith(INSTANCE)).length, 'no two representations share a tag')
  t.equal(site.sim.control.seen.moves, moves, 'and the PACS has moved nothing more')
})

test('HEAD for what isn\'t here asks the PACS whether it has it, and moves nothing', async t => {
  const site = await openRooms(t, [study])
  for (const path of [STUDY, SERIES, INSTANCE, `${STUDY}/metadata`, `${INSTANCE}/frames/1`, `${INSTANCE}/rendered`, `${INSTANCE}/bulkdata/7FE00010`]) {
    const answer = await ask(site.url + path, {}, { method: 'HEAD' })
    t.same([answer.status, answer.headers['content-length']], [200, undefined], path.slice(-24))
  }
  for (const [path, status] of [['/studies/2.25.404', 404], [`${STUDY}/series/2.25.404`, 404], [`${SERIES}/instances/2.25.404/metadata`, 404], ['/studies/x', 400], ['/studies?limit=x', 400]] as const) {
    t.equal((await ask(site.url + path, {}, { method: 'HEAD' })).status, status, path.slice(-24))
  }
  const asked = site.sim.control.asked.length
  t.equal((await ask(`${site.url}/studies`, {}, { method: 'HEAD' })).status, 200)
  t.equal(site.sim.control.asked.length, asked, 'a search is understood without asking')
  t.equal(site.sim.control.seen.moves, 0)
})

test('a download goes on where it broke off, byte for byte', async t => {
  const site = await openRooms(t, [study])
  const whole = await ask(site.url + INSTANCE, single)
  await until(() => isQuiet(site))
  const bytes = whole.body.length
  t.equal(whole.headers['accept-ranges'], 'bytes')
  for (const [range, from, end] of [['bytes=0-0', 0, 1], ['bytes=100-', 100, bytes], ['bytes=-10', bytes - 10, bytes], [`bytes=1-${'9'.repeat(30)}`, 1, bytes]] as const) {
    const part = await ask(site.url + INSTANCE, { ...single, range })
    t.same([part.status, part.headers['content-range'], part.headers['content-length']], [206, `bytes ${from}-${end - 1}/${bytes}`, String(end - from)], range)
    t.ok(part.body.equals(whole.body.subarray(from, end)), range)
  }
  const beyond = await ask(site.url + INSTANCE, { ...single, range: `bytes=${bytes}-` })
  t.same([beyond.status, beyond.headers['content-range'], codeOf(beyond)], [416, `bytes */${bytes}`, 'RANGE_UNSATISFIABLE'])
  const etag = String(whole.headers.etag)
  t.equal((await ask(site.url + INSTANCE, { ...single, range: 'bytes=0-9', 'if-range': etag })).status, 206)
  t.equal((await ask(site.url + INSTANCE, { ...single, range: 'bytes=0-9', 'if-range': '"changed"' })).status, 200)
  t.equal((await ask(site.url + INSTANCE, { ...single, range: 'bytes=0-9', 'if-none-match': etag })).status, 304, 'a precondition goes first')
  t.equal((await ask(site.url + INSTANCE, { ...single, range: 'bytes=0-9,20-29' })).status, 200)
  t.equal((await ask(site.url + INSTANCE, { range: 'bytes=0-9' })).status, 200, 'multipart has no ranges: its boundary differs each time')
})

test('what isn\'t sensible in ranges and headers changes nothing', async t => {
  const site = await openRooms(t, [study])
  await ask(site.url + INSTANCE, single)
  const send = async (lines: readonly string[]): Promise<number> => (await rawRequest(site.url, [`GET ${INSTANCE} HTTP/1.1`, 'Host: box', 'Accept: application/dicom', ...lines, 'Connection: close', '', ''].join('\r\n'))).status
  t.equal(await send([`Range: bytes=${Array.from({ length: 2000 }, (_, place) => `${place}-${place}`).join()}`]), 200)
  t.equal(await send(['Range: bytes=--1', 'If-Modified-Since: now', 'If-None-Match: "']), 200)
  t.equal(await send([`If-None-Match: ${'"x", '.repeat(3000)}"y"`]), 200)
  t.equal(await send(Array.from({ length: 500 }, (_, place) => `X-${place}: ${place}`)), 200)
  t.equal(await send(Array.from({ length: 20_000 }, (_, place) => `X-${place}: ${place}`)).catch(() => 431), 431)
})

test('an object that bears another identity has another tag, and none tells the identity', async t => {
  const patients = new Map([['1.2.3', { value: '160109912345678', oid: '1.2.250.1.213.1.4.10' }], ['1.2.4', { value: '260109912345679', oid: '1.2.250.1.213.1.4.10' }]])
  const site = await openRooms(t, [study], { gate: outwardGate({ assertActive: async () => {}, published: async manifest => patients.get(manifest)! }) })
  const read = async (manifest: string, more = {}): Promise<Answer> => await ask(site.url + INSTANCE, { ...single, authorization: 'Bearer abc', 'kos-sopinstanceuid': manifest, ...more })
  const [first, second] = [await read('1.2.3'), await read('1.2.4')]
  t.not(first.headers.etag, second.headers.etag)
  t.notMatch(String(first.headers.etag), /1601099/)
  t.equal((await read('1.2.3', { 'if-none-match': String(first.headers.etag) })).status, 304)
  t.equal((await read('1.2.4', { 'if-none-match': String(first.headers.etag) })).status, 200)
  const part = await read('1.2.3', { range: 'bytes=300-5000' })
  t.ok(part.body.equals(first.body.subarray(300, 5001)), 'across the head that was rewritten')
  t.equal(first.headers['content-type'], `application/dicom; transfer-syntax=${EXPLICIT_LE}`)
})
