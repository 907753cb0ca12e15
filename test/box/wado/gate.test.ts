import { test } from 'tap'
import { RequestError } from '#core/errors.ts'
import { openGate, outwardGate } from '#box/wado/gate.ts'
import { decodeDataset } from '#standards/dicom/dataset.ts'
import type { DicomJson } from '#standards/dicom/json.ts'
import { ask, codeOf, objectOf, objectsOf, type ReadObject } from '#test/fixtures/answer.ts'
import { openRooms, until, isQuiet, type Rooms } from '#test/fixtures/rooms.ts'
import { smallStudy } from '#test/fixtures/small-studies.ts'

const study = smallStudy('published', { series: [3, 2] })
const [series] = study.series
const MANIFEST = '1.2.250.1.999.7'
const INS = { value: '279035121518989', oid: '1.2.250.1.213.1.4.10' }
const ACCEPT = 'multipart/related; type="application/dicom"; transfer-syntax=*'
const HEADERS = { authorization: 'Bearer active', accept: ACCEPT, 'KOS-SOPInstanceUID': MANIFEST }

const gate = outwardGate({
  async assertActive (token) {
    if (token !== 'active') throw new RequestError('TOKEN_REFUSED', 'the token is not active')
  },
  async published (manifest, target) {
    if (manifest !== MANIFEST || target.study !== study.studyUid || target.series !== series.seriesUid) throw new RequestError('MANIFEST_UNKNOWN', 'no manifest covers this')
    return INS
  }
})

const seriesUrl = ({ url }: Rooms): string => `${url}/studies/${study.studyUid}/series/${series.seriesUid}`

/** Values of the INS items of an object. */
function insOf ({ dataset, transferSyntaxUid }: ReadObject): unknown[] {
  const head = decodeDataset(dataset, transferSyntaxUid, { stopAtPixelData: true })
  return ((head['00101002']?.Value ?? []) as DicomJson[]).flatMap(item => item['00100020']?.Value ?? [])
}

test('whoever comes without what the national rules ask for is turned away, and the PACS is never asked', async t => {
  const site = await openRooms(t, [study], { gate })
  const without = (name: keyof typeof HEADERS): Record<string, string> => Object.fromEntries(Object.entries(HEADERS).filter(([key]) => key !== name))
  const cases: [Record<string, string>, number, string][] = [
    [without('authorization'), 401, 'TOKEN_REFUSED'],
    [{ ...HEADERS, authorization: 'Basic YTpi' }, 401, 'TOKEN_REFUSED'],
    [{ ...HEADERS, authorization: 'Bearer stale' }, 401, 'TOKEN_REFUSED'],
    [without('KOS-SOPInstanceUID'), 400, 'HEADER_MISSING'],
    [without('accept'), 400, 'HEADER_MISSING'],
    [{ ...HEADERS, 'KOS-SOPInstanceUID': 'not a uid' }, 400, 'UID_INVALID'],
    [{ ...HEADERS, 'KOS-SOPInstanceUID': '1.2.3' }, 404, 'MANIFEST_UNKNOWN']
  ]
  const instance = `${seriesUrl(site)}/instances/${series.instances[0].sopInstanceUid}`
  for (const url of [seriesUrl(site), `${seriesUrl(site)}/metadata`, instance, `${instance}/frames/1`, `${instance}/metadata`]) {
    for (const [headers, status, code] of cases) {
      const answer = await ask(url, headers)
      t.equal(answer.status, status, `${code} ${url.slice(-20)}`)
      t.equal(codeOf(answer), code)
      if (status === 401) t.equal(answer.headers['www-authenticate'], 'Bearer')
    }
  }
  t.equal(codeOf(await ask(`${site.url}/studies/${study.studyUid}`, HEADERS)), 'MANIFEST_UNKNOWN', 'the whole study is covered by none')
  t.equal(codeOf(await ask(`${site.url}/studies/${study.studyUid}/series/${study.series[1].seriesUid}`, HEADERS)), 'MANIFEST_UNKNOWN')
  t.equal(site.sim.control.seen.associations, 0)
})

test('other boxes cannot search the PACS', async t => {
  const site = await openRooms(t, [study], { gate })
  for (const path of ['/studies', '/series', '/instances', `/studies/${study.studyUid}/series`, `/studies/${study.studyUid}/instances`]) {
    const answer = await ask(site.url + path, HEADERS)
    t.equal(answer.status, 501)
    t.equal(codeOf(answer), 'NOT_OFFERED')
  }
  t.equal(site.sim.control.seen.associations, 0)
})

test('every object that leaves bears the INS, whether it streams through, comes from the pack or comes alone', async t => {
  const site = await openRooms(t, [study], { gate })
  const cold = await objectsOf(await ask(seriesUrl(site), HEADERS))
  await until(() => isQuiet(site))
  const warm = await objectsOf(await ask(seriesUrl(site), HEADERS))
  const one = `${seriesUrl(site)}/instances/${series.instances[1].sopInstanceUid}`
  const alone = await ask(one, { ...HEADERS, accept: 'application/dicom; transfer-syntax=*' })
  t.equal(alone.headers['content-length'], String(alone.body.length))
  const frame = await objectsOf(await ask(`${one}/frames/1`, HEADERS))
  for (const object of [...cold, ...warm, objectOf(alone.body), ...frame]) t.same(insOf(object), [INS.value])
  t.equal(cold.length, 3)
  t.equal(warm.length, 3)
  for (const { sopInstanceUid, dataset } of cold) {
    const original = await site.sim.datasetOf(sopInstanceUid) as Buffer
    t.ok(dataset.subarray(-1024).equals(original.subarray(-1024)), 'the pixels are as they were')
  }
})

test('the pack itself never bears the INS', async t => {
  const site = await openRooms(t, [study], { gate })
  await ask(seriesUrl(site), HEADERS)
  await until(() => isQuiet(site))
  const pack = site.cache.pack(study.studyUid, series.seriesUid)
  for (const stored of pack.instances.values()) {
    const bytes = Buffer.alloc(stored.length)
    await pack.read(stored.segment, stored.offset, bytes)
    t.same(insOf(objectOf(bytes)), [])
  }
})

test('large objects bear the INS as well, and their pixels pass through untouched', async t => {
  const large = smallStudy('large and published', { series: [1], pixelBytes: 6 << 20 })
  const site = await openRooms(t, [large], { gate: { ...openGate, admit: async () => ({ ins: INS }) } })
  const [{ seriesUid }] = large.series
  for (let turn = 0; turn < 2; turn++) {
    const answer = await ask(`${site.url}/studies/${large.studyUid}/series/${seriesUid}`, HEADERS)
    t.equal(answer.status, 200, answer.body.subarray(0, 1000).toString('latin1'))
    const [object] = await objectsOf(await ask(`${site.url}/studies/${large.studyUid}/series/${seriesUid}`, HEADERS))
    t.same(insOf(object), [INS.value])
    t.ok(object.dataset.subarray(-(6 << 20)).equals(Buffer.alloc(6 << 20, 1)))
  }
})
