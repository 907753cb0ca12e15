/**
 * The national samples of WADO-RS requests, replayed as bytes: their headers in their own spelling and
 * order, only the place rewritten to a study that our PACS holds.
 *
 * Once against the face that a box shows to its own network, once against the one turned to other boxes.
 */

import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type Test } from 'tap'
import { openGate, outwardGate, type Gate } from '#box/wado/gate.ts'
import { RequestError } from '#core/errors.ts'
import { decodeDataset } from '#standards/dicom/dataset.ts'
import { HeadReader } from '#standards/dicom/head.ts'
import type { DicomJson } from '#standards/dicom/json.ts'
import { EXPLICIT_LE, JPEG_EXTENDED } from '#standards/dicom/transfer-syntax.ts'
import type { SimulatedPacs } from '#sim/pacs.ts'
import { rawRequest, type RawAnswer } from '#test/fixtures/raw-http.ts'
import { objectOf, partsOf, type ReadObject } from '#test/fixtures/retrieved.ts'
import { openRooms } from '#test/fixtures/rooms.ts'
import { shared, skipWithoutShared } from '#test/fixtures/shared.ts'
import { studiesNamed } from '#test/fixtures/site.ts'

const skip = skipWithoutShared
const FOLDER = join(shared ?? '', 'samples/wado-rs')
/** In the folder, but no WADO-RS request: an answer, and a question after the health of another server. */
const OTHERS = new Set(['Réponse WADO-RS.txt', 'OK_Healthcheck_Request.txt'].map(name => name.normalize()))

/** Samples that weigh JPEG with loss at 0.9 and JPEG-LS, in which our PACS holds its CT, at 0.5. */
const LIKES_LOSS = new Set(['OK_Instances_v1.txt', 'OK_Requete_CISIS_TSLossy.txt', 'OK_SwitchHeaders.txt'])

const INS = { value: '180047510203490', oid: '1.2.250.1.213.1.4.10' }
const [CT] = studiesNamed('ct')
const [SERIES] = CT.series
const [INSTANCE] = SERIES.instances

/** Which instances a request must bring. */
const EXPECTED = {
  study: CT.series.flatMap(({ instances }) => instances.map(({ sopInstanceUid }) => sopInstanceUid)).sort(),
  series: SERIES.instances.map(({ sopInstanceUid }) => sopInstanceUid).sort(),
  instance: [INSTANCE.sopInstanceUid],
  // As application/dicom, which the samples ask for, a frame is the object that holds it.
  frames: [INSTANCE.sopInstanceUid]
} as const

interface SampleRequest { readonly name: string, readonly level: keyof typeof EXPECTED, readonly path: string, readonly headers: readonly string[] }

async function sampleRequests (): Promise<SampleRequest[]> {
  const names = (await readdir(FOLDER)).filter(name => !OTHERS.has(name.normalize())).sort()
  return await Promise.all(names.map(async name => {
    const [first, ...lines] = (await readFile(join(FOLDER, name), 'latin1')).split(/\r?\n/)
    const url = first.split(' ')[1]
    const levels = /\/studies\/[\d.]+(\/series\/[\d.]+)?(\/instances\/[\d.]+)?(\/frames\/\d+)?$/.exec(url)
    if (levels === null) throw new Error(`${name} asks for something else: ${url}`)
    const [, series, instance, frames] = levels
    const level = frames !== undefined ? 'frames' : instance !== undefined ? 'instance' : series !== undefined ? 'series' : 'study'
    const path = `/studies/${CT.studyUid}` +
      (series === undefined ? '' : `/series/${SERIES.seriesUid}`) +
      (instance === undefined ? '' : `/instances/${INSTANCE.sopInstanceUid}`) + (frames ?? '')
    return { name, level, path, headers: lines.filter(line => line !== '') }
  }))
}

interface Face { readonly pacs: SimulatedPacs, readonly url: string }

/** A box with this gate before its DICOMweb. */
async function face (t: Test, gate: Gate): Promise<Face> {
  const { sim, url } = await openRooms(t, [CT], { gate })
  return { pacs: sim, url }
}

/** HTTP/1.1 wants a Host, which some samples leave to the client that will send them. */
async function replay ({ url }: Face, path: string, headers: readonly string[]): Promise<RawAnswer> {
  const host = headers.some(line => /^host:/i.test(line)) ? [] : [`Host: ${new URL(url).host}`]
  return await rawRequest(url, [`GET ${path} HTTP/1.1`, ...host, ...headers, '', ''].join('\r\n'))
}

/** One part each for several objects, or the object itself. */
async function objectsIn ({ headers, body }: RawAnswer): Promise<ReadObject[]> {
  const contentType = headers.get('content-type') ?? ''
  if (!contentType.startsWith('multipart/related')) return [objectOf(body)]
  return (await partsOf((async function * () { yield body })(), contentType)).map(({ bytes }) => objectOf(bytes))
}

test('every national sample request is answered on the centre\'s own network, with the objects as the PACS holds them, or coded with loss where loss is liked more', { skip }, async t => {
  const open = await face(t, openGate)
  for (const { name, level, path, headers } of await sampleRequests()) {
    const answer = await replay(open, path, headers)
    t.equal(answer.status, 200, name)
    const objects = await objectsIn(answer)
    t.same(objects.map(({ sopInstanceUid }) => sopInstanceUid).sort(), EXPECTED[level])
    for (const object of objects) {
      const held = await open.pacs.datasetOf(object.sopInstanceUid) as Buffer
      if (LIKES_LOSS.has(name) && isImage(held)) assertLossy(t, object, held)
      else t.ok(object.dataset.equals(held))
    }
  }
  t.ok(open.pacs.control.seen.moves <= CT.series.length, 'nothing is moved twice')
  const [{ path, headers }] = await sampleRequests()
  t.equal((await replay(open, `${open.url}${path}`, headers)).status, 200, 'and as they are written, with the whole URL (RFC 9112 §3.2.2)')
})

test('another box gets every sample request answered, with the patient\'s INS once in each object, and no pixel changed but where loss is liked more', { skip }, async t => {
  const tokens: string[] = []
  const manifests: string[] = []
  const outward = await face(t, outwardGate({
    assertActive: async token => { tokens.push(token) },
    published: async manifest => {
      manifests.push(manifest)
      return INS
    }
  }))
  for (const { name, level, path, headers } of await sampleRequests()) {
    const answer = await replay(outward, path, headers)
    t.equal(answer.status, 200, name)
    t.equal(tokens.at(-1), valueOf(headers, 'authorization')?.replace('Bearer ', ''))
    t.equal(manifests.at(-1), valueOf(headers, 'kos-sopinstanceuid'))
    const objects = await objectsIn(answer)
    t.same(objects.map(({ sopInstanceUid }) => sopInstanceUid).sort(), EXPECTED[level])
    for (const object of objects) {
      const held = await outward.pacs.datasetOf(object.sopInstanceUid) as Buffer
      const isLossy = LIKES_LOSS.has(name) && isImage(held)
      if (isLossy) t.equal(object.transferSyntaxUid, JPEG_EXTENDED)
      assertIns(t, object, held, isLossy)
    }
  }
})

function valueOf (headers: readonly string[], name: string): string | undefined {
  return headers.find(line => line.toLowerCase().startsWith(`${name}:`))?.slice(name.length + 1).trim()
}

const OTHER_PATIENT_IDS = '00101002'

function isImage (held: Buffer): boolean {
  const head = new HeadReader(EXPLICIT_LE)
  head.push(held)
  return head.pixelOffset !== undefined
}

/** What a coding with loss must say of itself, and may say of the pixels. */
const OF_LOSS = ['00080008', '00082111', '00089215', '00282110', '00282112', '00282114']

/** 12 bits with loss: JPEG Extended, which the samples like as much as JPEG Baseline of 8. */
function assertLossy (t: Test, { transferSyntaxUid, dataset }: ReadObject, held: Buffer): void {
  t.equal(transferSyntaxUid, JPEG_EXTENDED)
  const head = decodeDataset(dataset, transferSyntaxUid, { stopAtPixelData: true })
  t.match(head, { '00282110': { Value: ['01'] }, '00282114': { Value: ['ISO_10918_1'] } })
  const before = decodeDataset(held, EXPLICIT_LE, { stopAtPixelData: true })
  t.same(withoutAttributes(head, OF_LOSS), withoutAttributes(before, OF_LOSS))
}

function withoutAttributes (json: DicomJson, tags: readonly string[]): DicomJson {
  return Object.fromEntries(Object.entries(json).filter(([tag]) => !tags.includes(tag)))
}

/** Nothing is added but the one item, nothing lost. */
function assertIns (t: Test, { transferSyntaxUid, dataset }: ReadObject, held: Buffer, isLossy: boolean): void {
  const read = (bytes: Buffer): DicomJson => {
    const json = decodeDataset(bytes, transferSyntaxUid, { stopAtPixelData: isLossy })
    return isLossy ? withoutAttributes(json, OF_LOSS) : json
  }
  const { [OTHER_PATIENT_IDS]: ids, ...rest } = read(dataset)
  const { [OTHER_PATIENT_IDS]: before, ...expected } = read(held)
  const items = (ids.Value ?? []) as DicomJson[]
  t.equal(items.length, (before?.Value?.length ?? 0) + 1)
  t.equal(items.filter(item => item['00100020'].Value?.[0] === INS.value).length, 1)
  t.same(rest, expected)
  if (!isLossy) t.ok(pixelsOf(dataset, transferSyntaxUid).equals(pixelsOf(held, transferSyntaxUid)))
}

function pixelsOf (dataset: Buffer, transferSyntaxUid: string): Buffer {
  const head = new HeadReader(transferSyntaxUid)
  head.push(dataset)
  return dataset.subarray(head.pixelOffset)
}

test('without token, manifest or publication another box gets nothing, and the PACS is never asked', { skip }, async t => {
  const outward = await face(t, outwardGate({
    assertActive: async token => { if (token === 'withdrawn') throw new RequestError('TOKEN_REFUSED', 'not active') },
    published: async () => { throw new RequestError('MANIFEST_UNKNOWN', 'not published') }
  }))
  const assertProblem = async (path: string, headers: readonly string[], status: number, code: string): Promise<void> => {
    const answer = await replay(outward, path, headers)
    t.equal(answer.status, status, code)
    t.equal((JSON.parse(answer.body.toString()) as { code: string }).code, code)
  }
  for (const { path, headers } of await sampleRequests()) {
    const without = (name: string): readonly string[] => headers.filter(line => !line.toLowerCase().startsWith(`${name}:`))
    await assertProblem(path, without('authorization'), 401, 'TOKEN_REFUSED')
    await assertProblem(path, [...without('authorization'), 'Authorization: Bearer withdrawn'], 401, 'TOKEN_REFUSED')
    await assertProblem(path, without('kos-sopinstanceuid'), 400, 'HEADER_MISSING')
    await assertProblem(path, headers, 404, 'MANIFEST_UNKNOWN')
    await assertProblem(`/studies/${CT.studyUid}/metadata`, [...without('accept'), 'Accept: application/dicom+json'], 404, 'MANIFEST_UNKNOWN')
  }
  await assertProblem('/studies?PatientName=LEF*', ['Accept: application/dicom+json'], 501, 'NOT_OFFERED')
  t.same([outward.pacs.control.seen.associations, outward.pacs.control.asked.length], [0, 0])
})
