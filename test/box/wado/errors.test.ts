import { gunzipSync } from 'node:zlib'
import { test } from 'tap'
import { ask, begin, codeOf } from '#test/fixtures/answer.ts'
import { isQuiet, openRooms, until } from '#test/fixtures/rooms.ts'
import { smallStudy } from '#test/fixtures/small-studies.ts'

const study = smallStudy('errors', { series: [2], patientName: 'SECRET^Person' })
const [{ seriesUid, instances: [{ sopInstanceUid }] }] = study.series
const STUDY = `/studies/${study.studyUid}`
const SERIES = `${STUDY}/series/${seriesUid}`
const INSTANCE = `${SERIES}/instances/${sopInstanceUid}`

test('each mistake of a caller has its status, its code and nothing of a patient', async t => {
  const site = await openRooms(t, [study])
  const cases: [string, Record<string, string>, number, string][] = [
    ['/studies/1.2.x', {}, 400, 'UID_INVALID'],
    [`/studies/${'1.'.repeat(40)}1`, {}, 400, 'UID_INVALID'],
    [`/studies/${'9'.repeat(2000)}`, {}, 400, 'UID_INVALID'],
    [`${STUDY}/series/..%2f..%2fetc`, {}, 400, 'UID_INVALID'],
    [`${SERIES}/instances/-1/frames/1`, {}, 400, 'UID_INVALID'],
    ['/studies/1.2.x/series', {}, 400, 'UID_INVALID'],
    [`${INSTANCE}/frames/one`, {}, 400, 'QUERY_INVALID'],
    [`${INSTANCE}/frames/0`, {}, 404, 'FRAME_UNKNOWN'],
    [`${INSTANCE}/frames/2`, {}, 404, 'FRAME_UNKNOWN'],
    [STUDY, { accept: 'nonsense' }, 400, 'ACCEPT_INVALID'],
    [STUDY, { accept: 'image/png' }, 406, 'ACCEPT_UNSUPPORTED'],
    [STUDY, { accept: 'application/dicom' }, 406, 'ACCEPT_UNSUPPORTED'],
    [SERIES, { accept: 'multipart/related; type="application/dicom"; transfer-syntax=1.2.840.10008.1.2.4.50' }, 406, 'ACCEPT_UNSUPPORTED'],
    [`${INSTANCE}/frames/1`, { accept: 'image/jpx' }, 406, 'ACCEPT_UNSUPPORTED'],
    [`${STUDY}/metadata`, { accept: 'application/dicom+xml' }, 406, 'ACCEPT_UNSUPPORTED'],
    ['/studies', { accept: 'text/html' }, 406, 'ACCEPT_UNSUPPORTED'],
    ['/studies?limit=many', {}, 400, 'QUERY_INVALID'],
    ['/studies?%E0%A4%A', {}, 400, 'QUERY_INVALID'],
    ['/studies/%E0%A4%A', {}, 400, 'QUERY_INVALID'],
    ['/studies/2.25.404', {}, 404, 'STUDY_UNKNOWN'],
    [`${STUDY}/series/2.25.404`, {}, 404, 'SERIES_UNKNOWN'],
    [`${SERIES}/instances/2.25.404`, {}, 404, 'INSTANCE_UNKNOWN'],
    ['/studies/', { accept: 'text/html' }, 406, 'ACCEPT_UNSUPPORTED'],
    ['/patients/SECRET', {}, 404, 'ROUTE_UNKNOWN'],
    [`${STUDY}/instances/${sopInstanceUid}`, {}, 404, 'ROUTE_UNKNOWN']
  ]
  for (const [path, headers, status, code] of cases) {
    const answer = await ask(site.url + path, headers)
    t.equal(answer.status, status, `${path.slice(0, 60)} ${JSON.stringify(headers)}`)
    t.equal(codeOf(answer), code, path.slice(0, 60))
    t.notMatch(answer.body.toString(), /SECRET/)
  }
  await until(() => isQuiet(site))
  t.notMatch(site.logged.join(), /SECRET/)
})

test('a method that HTTP has and we have not is named, and the PACS is left alone', async t => {
  const site = await openRooms(t, [])
  const answer = await ask(`${site.url}/studies`, {}, { method: 'PROPFIND' })
  t.equal(answer.status, 501)
  t.equal(codeOf(answer), 'NOT_OFFERED')
  t.equal(site.sim.control.seen.associations, 0)
})

test('titles are in French, and in English for those who prefer it', async t => {
  const { url } = await openRooms(t, [])
  t.match(JSON.parse((await ask(`${url}/x`)).body.toString()), { title: 'Ressource inconnue', type: 'urn:drimbox:problem:ROUTE_UNKNOWN' })
  t.match(JSON.parse((await ask(`${url}/x`, { 'accept-language': 'en' })).body.toString()), { title: 'Unknown resource' })
})

test('a cut answer is logged with its code, and without the patient', async t => {
  const site = await openRooms(t, [study], { pacs: { retriesMax: 0 } })
  site.sim.control.sendLess(1)
  const answer = await ask(site.url + STUDY)
  t.notOk(answer.whole)
  t.ok(site.logged.some(line => line.includes('PACS_INCOMPLETE')))
  t.notMatch(site.logged.join(), /SECRET/)
})

test('metadata of what is on its way leave as it comes, and never look whole when some is missing', async t => {
  const site = await openRooms(t, [study])
  const url = `${site.url}${STUDY}/metadata`
  const gate = site.sim.control.pauseSubOperations(1)
  const answer = await begin(url, { 'accept-encoding': 'gzip' })
  t.equal(answer.statusCode, 200, 'told before the second object came')
  await gate.reached
  gate.release()
  const pieces: Buffer[] = []
  for await (const piece of answer) pieces.push(piece)
  t.equal((JSON.parse(gunzipSync(Buffer.concat(pieces)).toString()) as unknown[]).length, 2)
  await until(() => isQuiet(site))
  await site.pacs.supply.purge(study.studyUid)
  site.sim.control.reset()
  site.sim.control.sendLess(1)
  const short = await ask(url)
  t.equal(short.status, 200)
  t.notOk(short.whole)
  t.throws(() => JSON.parse(short.body.toString()))
  await until(() => isQuiet(site))
  const again = await ask(url)
  t.equal(again.status, 206, 'and whoever comes next learns it beforehand')
  await until(() => isQuiet(site))
})

test('metadata comes compressed or not, as the caller can read it', async t => {
  const site = await openRooms(t, [study])
  const first = await ask(`${site.url}${STUDY}/metadata`)
  t.equal(first.headers['content-length'], undefined, 'nobody knows yet how much will come')
  await until(() => isQuiet(site))
  const plain = await ask(`${site.url}${STUDY}/metadata`)
  t.equal(plain.headers['content-length'], String(plain.body.length))
  t.same(JSON.parse(first.body.toString()), JSON.parse(plain.body.toString()))
  const rows = JSON.parse(plain.body.toString()) as unknown[]
  t.equal(rows.length, 2)
  const compressed = await ask(`${site.url}${STUDY}/metadata`, { 'accept-encoding': 'gzip' })
  t.equal(compressed.headers['content-encoding'], 'gzip')
  const { gunzipSync } = await import('node:zlib')
  t.same(JSON.parse(gunzipSync(compressed.body).toString()), rows)
  t.equal((await ask(`${site.url}${STUDY}/metadata`, { 'accept-encoding': 'gzip;q=0, identity' })).headers['content-encoding'], undefined)
  t.equal((JSON.parse((await ask(`${site.url}${INSTANCE}/metadata`)).body.toString()) as unknown[]).length, 1)
})

test('a document of many megabytes, which has no pixels, is described by its attributes', async t => {
  const pdf = smallStudy('encapsulated', { series: [1], image: { transferSyntaxUid: '1.2.840.10008.1.2.1', sopClassUid: '1.2.840.10008.5.1.4.1.1.104.1', attributes: { MIMETypeOfEncapsulatedDocument: 'application/pdf', EncapsulatedDocument: { vr: 'OB', bytes: Buffer.alloc(12 << 20, 7) } } } })
  const { url } = await openRooms(t, [pdf])
  const [row] = JSON.parse((await ask(`${url}/studies/${pdf.studyUid}/metadata`)).body.toString()) as Record<string, { Value?: unknown[], BulkDataURI?: string }>[]
  t.same(row['00420012'].Value, ['application/pdf'])
  t.match(row['00420011'].BulkDataURI, /00420011$/)
})
