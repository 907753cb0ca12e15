import { test } from 'tap'
import { EXPLICIT_LE } from '#standards/dicom/transfer-syntax.ts'
import { ask, codeOf, objectOf, untrue, type Answer } from '#test/fixtures/answer.ts'
import { openRooms, type Rooms } from '#test/fixtures/rooms.ts'
import { smallStudy } from '#test/fixtures/small-studies.ts'
import type { GeneratedStudy } from '#sim/studies.ts'

const ct = smallStudy('uri', { pixelBytes: 4096 })
const frames = 3
const cine = smallStudy('uri, many frames', {
  series: [1],
  image: {
    transferSyntaxUid: EXPLICIT_LE,
    sopClassUid: '1.2.840.10008.5.1.4.1.1.7.2',
    attributes: { SamplesPerPixel: 1, PhotometricInterpretation: 'MONOCHROME2', Rows: 16, Columns: 32, BitsAllocated: 8, BitsStored: 8, HighBit: 7, PixelRepresentation: 0, NumberOfFrames: String(frames) },
    pixels: { vr: 'OB', native: Buffer.concat(Array.from({ length: frames }, (_, place) => Buffer.alloc(512, 60 * place))) }
  }
})
const PDF = Buffer.from('%PDF-1.4\nof an even length')
const pdf = smallStudy('uri, a document', { series: [1], image: { transferSyntaxUid: EXPLICIT_LE, sopClassUid: '1.2.840.10008.5.1.4.1.1.104.1', attributes: { MIMETypeOfEncapsulatedDocument: 'application/pdf', EncapsulatedDocument: { vr: 'OB', bytes: PDF } } } })

async function wado ({ url }: Rooms, { studyUid, series: [{ seriesUid, instances: [{ sopInstanceUid }] }] }: GeneratedStudy, more = '', headers = {}): Promise<Answer> {
  return await ask(`${url}/wado?requestType=WADO&studyUID=${studyUid}&seriesUID=${seriesUid}&objectUID=${sopInstanceUid}${more}`, headers)
}

/** Width and height that a PNG or GIF says it has. */
const size = (bytes: Buffer): [number, number] => [bytes.readUInt32BE(16), bytes.readUInt32BE(20)]

test('an old viewer reads objects, pictures and documents by query parameters', async t => {
  const site = await openRooms(t, [ct, cine, pdf])
  const object = await wado(site, ct, '&contentType=application/dicom')
  t.equal(object.headers['content-type'], `application/dicom; transfer-syntax=${EXPLICIT_LE}`)
  t.same(await untrue(site.sim, [objectOf(object.body)]), [])
  t.same((await wado(site, ct, '&contentType=application%2Fdicom&transferSyntax=*')).body, object.body)
  t.equal((await wado(site, ct, '&contentType=application/dicom', { range: 'bytes=0-9' })).status, 206)
  t.equal((await wado(site, ct, '&contentType=application/dicom', { 'if-none-match': String(object.headers.etag) })).status, 304)

  const picture = await wado(site, ct)
  t.same([picture.status, picture.headers['content-type'], picture.body.toString('latin1', 0, 2)], [200, 'image/jpeg', '\xff\xd8'])
  const png = await wado(site, ct, '&contentType=image/png')
  const same = await ask(`${site.url}/studies/${ct.studyUid}/series/${ct.series[0].seriesUid}/instances/${ct.series[0].instances[0].sopInstanceUid}/rendered`, { accept: 'image/png' })
  t.ok(png.body.equals(same.body), 'the same as the RESTful service gives')

  t.equal((await wado(site, cine)).headers['content-type'], `application/dicom; transfer-syntax=${EXPLICIT_LE}`, 'many frames come whole when nobody says')
  t.equal((await wado(site, cine, '&frameNumber=2')).headers['content-type'], 'image/jpeg')
  t.same(size((await wado(site, cine, '&frameNumber=2&contentType=image/png')).body), [32, 16])
  t.same(size((await wado(site, cine, '&frameNumber=2&contentType=image/png&region=0,0,0.5,0.5')).body), [16, 8])
  t.same(size((await wado(site, cine, '&frameNumber=2&contentType=image/png&region=0.5,0.5,1,1&columns=32')).body), [32, 16])
  t.equal((await wado(site, cine, '&contentType=image/gif')).headers['content-type'], 'image/gif')
  const document = await wado(site, pdf)
  t.equal(document.headers['content-type'], 'application/pdf')
  t.ok(document.body.equals(PDF))
  t.equal((await wado(site, pdf, '&contentType=image/png,application/dicom')).headers['content-type'], `application/dicom; transfer-syntax=${EXPLICIT_LE}`, 'the first of its list that can be given')
})

test('windows and sizes reach the picture', async t => {
  const site = await openRooms(t, [cine])
  const plain = await wado(site, cine, '&frameNumber=2&contentType=image/png')
  const windowed = await wado(site, cine, '&frameNumber=2&contentType=image/png&windowCenter=60&windowWidth=2')
  t.equal(windowed.status, 200)
  t.notOk(windowed.body.equals(plain.body))
  t.same(size((await wado(site, cine, '&frameNumber=1&contentType=image/png&rows=8&columns=16')).body), [16, 8])
})

test('what can\'t be honoured is refused by name, and nobody gets a picture that only looks right', async t => {
  const site = await openRooms(t, [ct])
  for (const [more, status, code] of [
    ['&anonymize=yes', 501, 'NOT_OFFERED'],
    ['&presentationUID=1.2.3', 501, 'NOT_OFFERED'],
    ['&annotation=patient', 501, 'NOT_OFFERED'],
    ['&windowCenter=40', 400, 'QUERY_INVALID'],
    ['&region=0,0,2,2', 400, 'QUERY_INVALID'],
    ['&region=0.5,0.5,0.5,0.5', 400, 'QUERY_INVALID'],
    ['&rows=0', 400, 'QUERY_INVALID'],
    ['&frameNumber=0', 404, 'FRAME_UNKNOWN'],
    ['&frameNumber=2', 404, 'FRAME_UNKNOWN'],
    ['&contentType=application/dicom&frameNumber=1', 400, 'QUERY_INVALID'],
    ['&contentType=application/dicom&windowCenter=1&windowWidth=2', 400, 'QUERY_INVALID'],
    ['&contentType=image/png&transferSyntax=1.2.840.10008.1.2.1', 400, 'QUERY_INVALID'],
    ['&contentType=application/dicom&transferSyntax=x', 400, 'QUERY_INVALID'],
    ['&contentType=video/mp4', 406, 'ACCEPT_UNSUPPORTED'],
    ['&contentType=%0d%0aX:%20y', 400, 'QUERY_INVALID'],
    ['&charset=ISO-8859-1', 406, 'ACCEPT_UNSUPPORTED'],
    ['&studyUID=1.2.3', 400, 'QUERY_INVALID'],
    ['&imageQuality=0', 400, 'QUERY_INVALID']
  ] as const) {
    const answer = await wado(site, ct, more)
    t.same([answer.status, codeOf(answer)], [status, code], more)
  }
  t.equal((await wado(site, ct, '&charset=utf-8,ISO-8859-1;q=0.5')).status, 200)
  for (const query of ['', '?requestType=WADO', '?requestType=wado&studyUID=1.2&seriesUID=1.3&objectUID=1.4', '?requestType=WADO&studyUID=1.2&seriesUID=1.3&objectUID=..%2f..']) t.equal((await ask(`${site.url}/wado${query}`)).status, 400, query)
  t.match(codeOf(await ask(`${site.url}/wado?requestType=WADO&studyUID=1.2&seriesUID=1.3&objectUID=1.4`)), /_UNKNOWN$/)
})
