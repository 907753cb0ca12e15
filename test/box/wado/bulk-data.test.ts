import { readFile } from 'node:fs/promises'
import { test } from 'tap'
import { decodeDataset } from '#standards/dicom/dataset.ts'
import type { DicomJson } from '#standards/dicom/json.ts'
import { locateValue, parseValuePath, type Located } from '#standards/dicom/locate.ts'
import { readPart10Head } from '#standards/dicom/part10.ts'
import { EXPLICIT_LE, JPEG_BASELINE, transferSyntax } from '#standards/dicom/transfer-syntax.ts'
import type { Stored } from '#box/cache/stored.ts'
import type { ObjectSet } from '#box/pacs/object-set.ts'
import { valueSource } from '#box/wado/value-source.ts'
import { ask, codeOf, partsOf } from '#test/fixtures/answer.ts'
import { isQuiet, openRooms, until, type Rooms } from '#test/fixtures/rooms.ts'
import { send, sendable } from '#test/fixtures/send.ts'
import { sample, skipWithoutShared } from '#test/fixtures/shared.ts'
import { smallStudy } from '#test/fixtures/small-studies.ts'
import type { GeneratedStudy } from '#sim/studies.ts'

const PDF = Buffer.from('%PDF-1.4\nsome document of an odd length')
const pathOf = ({ studyUid, series: [{ seriesUid, instances: [{ sopInstanceUid }] }] }: GeneratedStudy): string =>
  `/studies/${studyUid}/series/${seriesUid}/instances/${sopInstanceUid}`

const pdf = smallStudy('a document', {
  series: [1],
  image: {
    transferSyntaxUid: EXPLICIT_LE,
    sopClassUid: '1.2.840.10008.5.1.4.1.1.104.1',
    attributes: { MIMETypeOfEncapsulatedDocument: 'application/pdf', EncapsulatedDocumentLength: PDF.length, EncapsulatedDocument: { vr: 'OB', bytes: Buffer.concat([PDF, Buffer.of(0)]) } }
  }
})
const page = smallStudy('a hostile page', {
  series: [1],
  image: {
    transferSyntaxUid: EXPLICIT_LE,
    sopClassUid: '1.2.840.10008.5.1.4.1.1.104.2',
    attributes: { MIMETypeOfEncapsulatedDocument: 'text/html', EncapsulatedDocument: { vr: 'OB', bytes: Buffer.from('<script>alert(1)</script> ') } }
  }
})
const frames = Array.from({ length: 3 }, (_, place) => Buffer.from([0xFF, 0xD8, 0xFF, ...Array.from({ length: 96 + 2 * place }, () => place + 1), 0xD9]))
const coded = smallStudy('coded', {
  series: [2],
  image: {
    transferSyntaxUid: JPEG_BASELINE,
    sopClassUid: '1.2.840.10008.5.1.4.1.1.3.1',
    attributes: { SamplesPerPixel: 1, PhotometricInterpretation: 'MONOCHROME2', Rows: 16, Columns: 16, BitsAllocated: 8, BitsStored: 8, HighBit: 7, PixelRepresentation: 0, NumberOfFrames: '3' },
    pixels: { frames, offsetTable: true }
  }
})
const video = smallStudy('a film', {
  series: [1],
  image: {
    transferSyntaxUid: '1.2.840.10008.1.2.4.102',
    sopClassUid: '1.2.840.10008.5.1.4.1.1.77.1.1.1',
    attributes: { SamplesPerPixel: 3, PhotometricInterpretation: 'YBR_PARTIAL_420', Rows: 16, Columns: 16, BitsAllocated: 8, BitsStored: 8, HighBit: 7, PixelRepresentation: 0, NumberOfFrames: '90' },
    pixels: { frames: [Buffer.from(Array.from({ length: 5000 }, (_, place) => place % 251))], offsetTable: false }
  }
})
const film = Buffer.from(Array.from({ length: 5000 }, (_, place) => place % 251))
const plain = smallStudy('plain', { series: [2, 1], pixelBytes: 4096 })

interface Element { vr: string, Value?: unknown[], BulkDataURI?: string }

/** Every reference that metadata give, nested ones too. */
function references (json: Record<string, Element>): string[] {
  return Object.values(json).flatMap(({ vr, Value, BulkDataURI }) => [
    ...BulkDataURI === undefined ? [] : [BulkDataURI],
    ...vr === 'SQ' ? (Value ?? []).flatMap(item => references(item as Record<string, Element>)) : []
  ])
}

async function metadata ({ url }: Rooms, path: string): Promise<Record<string, Element>[]> {
  return JSON.parse((await ask(`${url}${path}/metadata`)).body.toString()) as Record<string, Element>[]
}

test('what metadata give by reference can be had there, alone or in multipart, whole or in ranges', async t => {
  const site = await openRooms(t, [plain])
  const [row] = await metadata(site, pathOf(plain))
  const [uri] = references(row)
  t.equal(uri, `${pathOf(plain)}/bulkdata/7FE00010`)
  const whole = await ask(site.url + uri, { accept: 'application/octet-stream' })
  t.equal(whole.status, 200)
  t.equal(whole.headers['content-type'], `application/octet-stream; transfer-syntax=${EXPLICIT_LE}`)
  t.same(whole.body, Buffer.alloc(4096, 1))
  const multipart = await ask(site.url + uri)
  t.match(multipart.headers['content-type'], /^multipart\/related; type="application\/octet-stream"/)
  t.same((await partsOf(multipart)).map(({ bytes }) => bytes), [whole.body])
  const some = await ask(site.url + uri, { accept: 'application/octet-stream', range: 'bytes=4000-4099' })
  t.same([some.status, some.headers['content-range'], some.body.length], [206, 'bytes 4000-4095/4096', 96])
  t.equal((await ask(site.url + uri, { accept: 'application/octet-stream', range: 'bytes=4096-' })).status, 416)
  t.equal((await ask(site.url + uri, { accept: 'application/octet-stream', 'if-none-match': String(whole.headers.etag) })).status, 304)
  t.equal((await ask(site.url + uri, { accept: 'image/jpeg' })).status, 406)
  t.same((await ask(`${site.url}${pathOf(plain)}/pixeldata`, { accept: 'application/octet-stream' })).body, whole.body)
})

test('a document leaves under its own name, without its padding; a page that could act doesn\'t', async t => {
  const site = await openRooms(t, [pdf, page])
  const answer = await ask(`${site.url}${pathOf(pdf)}/bulkdata/00420011`)
  t.equal(answer.headers['content-type'], 'application/pdf')
  t.same(answer.body, PDF)
  t.same((await ask(`${site.url}${pathOf(pdf)}/bulkdata/00420011`, { accept: 'application/pdf', range: 'bytes=-6' })).body, PDF.subarray(-6))
  t.equal((await ask(`${site.url}${pathOf(page)}/bulkdata/00420011`, { accept: 'text/html' })).status, 406)
  t.match((await ask(`${site.url}${pathOf(page)}/bulkdata/00420011`, { accept: '*/*' })).headers['content-type'], /octet-stream/)
})

test('compressed pixels come frame by frame, a film as one that a player can seek in', async t => {
  const site = await openRooms(t, [coded, video])
  for (const last of ['bulkdata/7FE00010', 'pixeldata']) {
    const answer = await ask(`${site.url}${pathOf(coded)}/${last}`)
    t.match(answer.headers['content-type'], /^multipart\/related; type="image\/jpeg"/)
    t.same((await partsOf(answer)).map(({ bytes }) => bytes), frames)
    const seen = await ask(`${site.url}${pathOf(video)}/${last}`, { accept: '*/*', range: 'bytes=1000-' })
    t.same([seen.status, seen.headers['content-type'], seen.headers['accept-ranges']], [206, 'video/mp4; transfer-syntax=1.2.840.10008.1.2.4.102', 'bytes'])
    t.same(seen.body, film.subarray(1000))
    t.same((await ask(`${site.url}${pathOf(video)}/${last}`, { accept: 'video/mp4' })).body, film)
    t.equal((await ask(`${site.url}${pathOf(video)}/${last}`, { accept: 'video/mpeg' })).status, 406)
  }
})

test('all of a study, a series, an instance comes in one answer, each value saying where it is from', async t => {
  const site = await openRooms(t, [plain, coded, pdf])
  const study = await ask(`${site.url}/studies/${plain.studyUid}/bulkdata`)
  t.ok(study.whole)
  // Series come side by side, and leave as they come.
  const sorted = (all: Buffer[]): Buffer[] => all.toSorted((a, b) => a.compare(b))
  t.same(sorted((await partsOf(study)).map(({ bytes }) => bytes)), sorted(plain.series.flatMap(({ instances }) => instances.map((_, place) => Buffer.alloc(4096, place + 1)))))
  t.match(study.body.toString('latin1'), new RegExp(`Content-Location: ${pathOf(plain)}/bulkdata/7FE00010\r\n`))
  const pixels = await ask(`${site.url}/studies/${coded.studyUid}/series/${coded.series[0].seriesUid}/pixeldata`)
  t.same((await partsOf(pixels)).map(({ bytes }) => bytes), [...frames, ...frames])
  t.match(pixels.body.toString('latin1'), new RegExp(`Content-Location: ${pathOf(coded)}/frames/3\r\n`))
  t.equal(codeOf(await ask(`${site.url}/studies/${pdf.studyUid}/pixeldata`)), 'BULKDATA_UNKNOWN')
  t.equal(codeOf(await ask(`${site.url}${pathOf(pdf)}/pixeldata`)), 'BULKDATA_UNKNOWN')
  t.equal((await ask(`${site.url}/studies/${plain.studyUid}/bulkdata`, { accept: 'image/png' })).status, 406)
  await until(() => isQuiet(site))
})

test('paths that lead nowhere are unknown, and lead nowhere else', async t => {
  const site = await openRooms(t, [plain])
  for (const path of ['7FE00011', '7fe00010', '00081140/0/00091002', '00100010/0/00100020', '..%2f..%2f..%2fetc%2fpasswd', '../../../index.sqlite', '7FE00010/', '7FE00010/-1/00080005', '', `${'00081140/0/'.repeat(200)}7FE00010`, '%00', '000000000']) {
    const answer = await ask(`${site.url}${pathOf(plain)}/bulkdata/${path}`)
    t.ok([400, 404].includes(answer.status) || path === '' || path.startsWith('..') || path === '7FE00010/', `${path.slice(0, 40)}: ${answer.status}`)
    t.notMatch(answer.body.toString('latin1'), /root:|SQLite/)
  }
})

/** What a whole decoding of the same object finds under a path, in the form that bulk data have. */
function valueAt (dataset: DicomJson, path: string): Buffer {
  const steps = path.split('/')
  let json = dataset
  for (let at = 0; at + 2 < steps.length; at += 2) json = json[steps[at]].Value?.[Number(steps[at + 1])] as DicomJson
  const { InlineBinary, Value = [] } = json[steps.at(-1) as string]
  return InlineBinary === undefined ? Buffer.from(Value.join('\\')) : Buffer.from(InlineBinary, 'base64')
}

test('every value that samples give by reference is the value: nested, big endian, of any alphabet', { skip: skipWithoutShared }, async t => {
  const site = await openRooms(t, [])
  let compared = 0
  for (const name of ['MR_small_bigendian', 'examples_overlay', 'examples_ybr_color', 'waveform_ecg', 'rtdose_expb', 'examples_palette', 'SC_rgb_small_odd_big_endian']) {
    const file = await readFile(sample(`dicom/${name}.dcm`))
    const object = sendable(file)
    t.equal(await send(object, { host: '127.0.0.1', port: site.sim.port, aeTitle: site.sim.aeTitle }), '0000', name)
    const dataset = decodeDataset(object.dataset, object.transferSyntaxUid)
    const [row] = await metadata(site, `/studies/${object.studyUid}/series/${object.seriesUid}/instances/${object.sopInstanceUid}`)
    for (const uri of references(row)) {
      const path = uri.slice(uri.indexOf('/bulkdata/') + 10)
      // Those come frame by frame.
      if (path === '7FE00010' && transferSyntax(object.transferSyntaxUid).encapsulated) continue
      const answer = await ask(site.url + uri, { accept: 'application/octet-stream' })
      const expected = valueAt(dataset, path)
      t.ok(answer.body.equals(expected), `${name} ${path}`)
      const cut = await ask(site.url + uri, { accept: 'application/octet-stream', range: 'bytes=3-802' })
      t.ok(cut.body.equals(expected.subarray(3, 803)), `${name} ${path}, cut inside of words`)
      compared++
    }
  }
  t.ok(compared >= 9, `${compared} values`)
})

test('a deflated object gives its values as any other does', { skip: skipWithoutShared }, async t => {
  const file = await readFile(sample('dicom/image_dfl.dcm'))
  const head = readPart10Head(file)
  const set = { read: async (_: unknown, offset: number, target: Uint8Array) => file.copy(target, 0, offset, offset + target.length) } as unknown as ObjectSet
  const source = await valueSource(set, { ...head, length: file.length, pixelOffset: 0 } as Stored)
  const value = await locateValue(source.read, source.datasetBytes, head.transferSyntaxUid, parseValuePath('7FE00010'))
  t.ok(value)
  const [piece] = await source.pieces(value as Located)
  t.ok(valueAt(decodeDataset(file.subarray(head.datasetOffset), head.transferSyntaxUid), '7FE00010').equals(piece as Buffer))
})
