import { test } from 'tap'
import { JPEG_BASELINE, JPEG_LS_LOSSLESS, EXPLICIT_LE } from '#standards/dicom/transfer-syntax.ts'
import { generateStudies } from '#sim/studies.ts'
import { ask, codeOf, objectsOf, partsOf, untrue } from '#test/fixtures/answer.ts'
import { openRooms, isQuiet, until } from '#test/fixtures/rooms.ts'
import { smallStudy } from '#test/fixtures/small-studies.ts'
import type { GeneratedStudy } from '#sim/studies.ts'

const frameBytes = 512
const multiFrame = (name: string, frames: number): GeneratedStudy => smallStudy(name, {
  series: [1],
  image: {
    transferSyntaxUid: EXPLICIT_LE,
    sopClassUid: '1.2.840.10008.5.1.4.1.1.7.2',
    attributes: { SamplesPerPixel: 1, PhotometricInterpretation: 'MONOCHROME2', Rows: 16, Columns: 32, BitsAllocated: 8, BitsStored: 8, HighBit: 7, PixelRepresentation: 0, NumberOfFrames: String(frames) },
    pixels: { vr: 'OB', native: Buffer.concat(Array.from({ length: frames }, (_, place) => Buffer.alloc(frameBytes, place + 1))) }
  }
})
const native = multiFrame('native multi-frame', 6)

/** Fragments of odd lengths, so that padding is met. */
const pieces = Array.from({ length: 5 }, (_, place) => Buffer.from([0xFF, 0xD8, ...Array.from({ length: 100 + 2 * place }, () => place + 1), 0xFF, 0xD9]))
const encapsulated = (offsetTable: boolean): GeneratedStudy => smallStudy(`encapsulated ${offsetTable}`, {
  series: [1],
  image: {
    transferSyntaxUid: JPEG_BASELINE,
    sopClassUid: '1.2.840.10008.5.1.4.1.1.3.1',
    attributes: { SamplesPerPixel: 1, PhotometricInterpretation: 'MONOCHROME2', Rows: 16, Columns: 16, BitsAllocated: 8, BitsStored: 8, HighBit: 7, PixelRepresentation: 0, NumberOfFrames: '5' },
    pixels: { frames: pieces, offsetTable }
  }
})
const report = smallStudy('without pixels', { series: [1], image: { transferSyntaxUid: EXPLICIT_LE, sopClassUid: '1.2.840.10008.5.1.4.1.1.88.11', attributes: { CompletionFlag: 'COMPLETE' } } })

const framesUrl = (url: string, { studyUid, series: [{ seriesUid, instances: [{ sopInstanceUid }] }] }: GeneratedStudy, frames: string): string =>
  `${url}/studies/${studyUid}/series/${seriesUid}/instances/${sopInstanceUid}/frames/${frames}`

test('frames come in the order asked, as often as asked', async t => {
  const { url } = await openRooms(t, [native])
  const answer = await ask(framesUrl(url, native, '3,1,3'))
  t.equal(answer.status, 200)
  t.match(answer.headers['content-type'], /^multipart\/related; ?type="application\/octet-stream"/)
  t.equal(answer.headers['content-length'], String(answer.body.length))
  t.same((await partsOf(answer)).map(({ bytes }) => [bytes.length, bytes[0]]), [[frameBytes, 3], [frameBytes, 1], [frameBytes, 3]])
})

test('one frame may come without multipart around it', async t => {
  const { url } = await openRooms(t, [native])
  const answer = await ask(framesUrl(url, native, '2'), { accept: 'application/octet-stream' })
  t.equal(answer.headers['content-type'], `application/octet-stream; transfer-syntax=${EXPLICIT_LE}`)
  t.same(answer.body, Buffer.alloc(frameBytes, 2))
  t.equal((await ask(framesUrl(url, native, '1,2'), { accept: 'application/octet-stream' })).status, 406, 'several may not')
})

test('compressed frames come as they were compressed, under their own name, with and without an offset table', async t => {
  for (const study of [encapsulated(true), encapsulated(false)]) {
    const { url } = await openRooms(t, [study])
    const answer = await ask(framesUrl(url, study, '5,2'), { accept: 'multipart/related; type="image/jpeg"' })
    t.equal(answer.status, 200)
    t.same((await partsOf(answer)).map(({ type }) => type), Array.from({ length: 2 }, () => `image/jpeg; transfer-syntax=${JPEG_BASELINE}`))
    t.same((await partsOf(answer)).map(({ bytes }) => bytes), [pieces[4], pieces[1]])
    t.same((await ask(framesUrl(url, study, '4'), { accept: 'image/jpeg' })).body, pieces[3])
    // These bytes begin and end like JPEG and are none in between.
    for (const accept of ['multipart/related; type="image/jls"', `application/octet-stream; transfer-syntax=${EXPLICIT_LE}`]) {
      const unreadable = await ask(framesUrl(url, study, '4'), { accept })
      t.equal(unreadable.status, 406)
      t.equal(codeOf(unreadable), 'PIXELS_UNREADABLE')
      t.equal(JSON.parse(unreadable.body.toString()).facts.instance, study.series[0].instances[0].sopInstanceUid)
    }
  }
})

test('a JPEG-LS slice of the national performance set comes as one frame', async t => {
  const [ct] = generateStudies({ ctImages: 4 })
  const { url, sim } = await openRooms(t, [ct])
  const answer = await ask(framesUrl(url, ct, '1'), { accept: 'image/jls' })
  t.equal(answer.headers['content-type'], `image/jls; transfer-syntax=${JPEG_LS_LOSSLESS}`)
  t.same(answer.body.subarray(0, 2), Buffer.of(0xFF, 0xD8))
  const dataset = await sim.datasetOf(ct.series[0].instances[0].sopInstanceUid)
  t.ok(dataset?.includes(answer.body))
})

test('a frame beyond the last is unknown, whatever form it is asked in', async t => {
  const { url } = await openRooms(t, [native, encapsulated(true), report])
  for (const accept of ['*/*', 'application/octet-stream', 'multipart/related; type="application/dicom"']) {
    for (const [study, frames] of [[native, '7'], [native, '1,7,2'], [encapsulated(true), '6'], [native, '99999999']] as const) {
      const answer = await ask(framesUrl(url, study, frames), { accept: frames.includes(',') && accept.startsWith('app') ? '*/*' : accept })
      t.equal(answer.status, 404, `${accept} ${frames}`)
      t.equal(codeOf(answer), 'FRAME_UNKNOWN')
    }
  }
  t.equal(codeOf(await ask(framesUrl(url, native, '0'))), 'FRAME_UNKNOWN')
  t.equal(codeOf(await ask(framesUrl(url, native, '1-3'))), 'QUERY_INVALID')
  t.equal(codeOf(await ask(framesUrl(url, report, '1'))), 'FRAME_UNKNOWN')
})

test('who accepts objects alone gets the object that holds the frames, as the national samples ask', async t => {
  const site = await openRooms(t, [native])
  const answer = await ask(framesUrl(site.url, native, '2,4'), { accept: 'multipart/related; type="application/dicom"; transfer-syntax=*' })
  t.equal(answer.status, 200)
  const objects = await objectsOf(answer)
  t.equal(objects.length, 1)
  t.same(await untrue(site.sim, objects), [])
  await until(() => isQuiet(site))
})

test('a list of thousands of frames is read, in one go', async t => {
  const many = multiFrame('many frames', 2000)
  const { url } = await openRooms(t, [many])
  const list = Array.from({ length: 2000 }, (_, place) => 2000 - place).join(',')
  const parts = await partsOf(await ask(framesUrl(url, many, list)))
  t.equal(parts.length, 2000)
  t.equal(parts[0].bytes[0], 2000 % 256)
})
