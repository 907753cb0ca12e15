import { test } from 'tap'
import { EXPLICIT_LE } from '#standards/dicom/transfer-syntax.ts'
import { generateStudies, type GeneratedStudy } from '#sim/studies.ts'
import { ask, codeOf, partsOf } from '#test/fixtures/answer.ts'
import { openRooms } from '#test/fixtures/rooms.ts'
import { smallStudy } from '#test/fixtures/small-studies.ts'

const instanceUrl = (url: string, { studyUid, series: [{ seriesUid, instances: [{ sopInstanceUid }] }] }: GeneratedStudy): string =>
  `${url}/studies/${studyUid}/series/${seriesUid}/instances/${sopInstanceUid}/rendered`

test('a report is a page without script, a text, or XML, as the caller likes', async t => {
  const report = generateStudies().find(({ name }) => name === 'sr') as GeneratedStudy
  const { url } = await openRooms(t, [report])
  const page = await ask(instanceUrl(url, report), { accept: 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8' })
  t.equal(page.headers['content-type'], 'text/html; charset=utf-8')
  t.match(page.headers['content-security-policy'], /default-src 'none'/)
  t.equal(page.headers['x-content-type-options'], 'nosniff')
  t.match(page.body.toString(), /<h2>Conclusion<\/h2><p>Stabilité\./)
  t.match((await ask(instanceUrl(url, report), { accept: 'text/plain' })).body.toString(), 'Conclusion : Stabilité.')
  t.match((await ask(instanceUrl(url, report), { accept: 'text/xml' })).body.toString(), '<NativeDicomModel')
  t.equal(codeOf(await ask(instanceUrl(url, report), { accept: 'image/jpeg' })), 'ACCEPT_UNSUPPORTED')
  t.equal(codeOf(await ask(instanceUrl(url, report).replace('/rendered', '/thumbnail'))), 'RENDER_UNSUPPORTED')
  t.equal((await ask(instanceUrl(url, report), { 'if-none-match': page.headers.etag as string, accept: 'text/html' })).status, 304)
})

test('a PDF comes byte for byte as it was put in, whole or in ranges', async t => {
  const pdf = Buffer.from(`%PDF-1.4\n${'é'.repeat(3000)}\n%%EOF`)
  const odd = pdf.length % 2 === 1 ? pdf : Buffer.concat([pdf, Buffer.from('\n')])
  const study = smallStudy('a letter', {
    series: [1],
    image: {
      transferSyntaxUid: EXPLICIT_LE,
      sopClassUid: '1.2.840.10008.5.1.4.1.1.104.1',
      attributes: { MIMETypeOfEncapsulatedDocument: 'application/pdf', EncapsulatedDocumentLength: odd.length, EncapsulatedDocument: { vr: 'OB', bytes: odd } }
    }
  })
  const { url } = await openRooms(t, [study])
  const whole = await ask(instanceUrl(url, study))
  t.equal(whole.headers['content-type'], 'application/pdf')
  t.ok(whole.body.equals(odd), 'without the byte that pads it')
  const part = await ask(instanceUrl(url, study), { range: 'bytes=5-9' })
  t.equal(part.status, 206)
  t.ok(part.body.equals(odd.subarray(5, 10)))
  const [inMultipart] = await partsOf(await ask(instanceUrl(url, study), { accept: 'multipart/related; type="application/pdf"' }))
  t.ok(inMultipart.bytes.equals(odd))
})

test('a video is what its bytes say, given as it is stored, in the ranges that a player wants', async t => {
  for (const [start, type] of [['000000186674797069736f6d', 'video/mp4'], ['474000100000b00d0001c100', 'video/mp2t'], ['000001b3160120135fffffe0', 'video/mpeg']] as const) {
    const stream = Buffer.concat([Buffer.from(start, 'hex'), Buffer.alloc(5000, 7)])
    const study = smallStudy(`film ${type}`, {
      series: [1],
      image: {
        transferSyntaxUid: type === 'video/mpeg' ? '1.2.840.10008.1.2.4.100' : '1.2.840.10008.1.2.4.102',
        sopClassUid: '1.2.840.10008.5.1.4.1.1.77.1.1.1',
        attributes: { SamplesPerPixel: 3, PhotometricInterpretation: 'YBR_PARTIAL_420', Rows: 16, Columns: 16, BitsAllocated: 8, BitsStored: 8, HighBit: 7, PixelRepresentation: 0, NumberOfFrames: '50' },
        pixels: { frames: [stream.subarray(0, 2000), stream.subarray(2000)], offsetTable: false }
      }
    })
    const { url } = await openRooms(t, [study])
    const film = await ask(instanceUrl(url, study))
    t.equal(film.headers['content-type'], type)
    t.ok(film.body.equals(stream), 'the fragments joined')
    const part = await ask(instanceUrl(url, study), { range: 'bytes=1990-2009' })
    t.equal(part.headers['content-range'], `bytes 1990-2009/${stream.length}`)
    t.ok(part.body.equals(stream.subarray(1990, 2010)))
    t.equal(codeOf(await ask(instanceUrl(url, study), { accept: 'image/jpeg' })), 'ACCEPT_UNSUPPORTED')
    t.equal(codeOf(await ask(instanceUrl(url, study).replace('/rendered', '/frames/1/rendered'))), 'RENDER_UNSUPPORTED')
  }
})
