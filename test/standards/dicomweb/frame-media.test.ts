import { test } from 'tap'
import { choose, parseAccept } from '#standards/dicomweb/accept.ts'
import { frameMediaTypes, frameOffers } from '#standards/dicomweb/frame-media.ts'

const JPEG_LS = '1.2.840.10008.1.2.4.80'
const EXPLICIT_LE = '1.2.840.10008.1.2.1'

const JPEG_BASELINE = '1.2.840.10008.1.2.4.50'
const RLE = '1.2.840.10008.1.2.5'

const offers = (stored: string, single = true, makeable: readonly string[] = []) =>
  frameOffers({ stored, makeable, loses: uid => uid === JPEG_BASELINE, single })
const best = (accept: string | undefined, stored: string, single = true, makeable?: readonly string[]) => choose(parseAccept(accept), offers(stored, single, makeable))
const octets = 'application/octet-stream'

test('a frame stored as JPEG-LS leaves as image/jls, or as an octet stream that says what it is', async t => {
  t.match(best('*/*', JPEG_LS), { type: 'multipart/related', inner: 'image/jls', transferSyntax: JPEG_LS, asStored: true })
  t.match(best('multipart/related; type="image/jls"', JPEG_LS), { type: 'multipart/related', inner: 'image/jls', transferSyntax: JPEG_LS })
  t.equal(best('multipart/related; type=image/*', JPEG_LS)?.inner, 'image/jls')
  t.match(best('multipart/related; type=application/octet-stream; transfer-syntax=*', JPEG_LS), { type: 'multipart/related', inner: octets, transferSyntax: JPEG_LS, asStored: true })
  t.match(best(`image/jls; transfer-syntax=${JPEG_LS}`, JPEG_LS), { type: 'image/jls', transferSyntax: JPEG_LS })
})

test('a frame that is not compressed leaves as an octet stream in explicit little endian', async t => {
  for (const stored of ['1.2.840.10008.1.2', EXPLICIT_LE, '1.2.840.10008.1.2.1.98']) {
    t.match(best(`multipart/related; type="application/octet-stream"; transfer-syntax=${EXPLICIT_LE}`, stored), { type: 'multipart/related', inner: octets, transferSyntax: EXPLICIT_LE, asStored: true })
    t.match(best(octets, stored), { type: octets, transferSyntax: EXPLICIT_LE, asStored: true })
  }
})

test('octets without a transfer syntax are uncompressed ones, as PS3.18 has it; those who can read any get them as stored', async t => {
  t.match(best(octets, JPEG_LS, true, [EXPLICIT_LE]), { type: octets, transferSyntax: EXPLICIT_LE, asStored: false })
  t.match(best('multipart/related; type="application/octet-stream"', JPEG_LS, true, [EXPLICIT_LE]), { inner: octets, transferSyntax: EXPLICIT_LE, asStored: false })
  t.match(best(`${octets}; transfer-syntax=*`, JPEG_LS, true, [EXPLICIT_LE]), { type: octets, transferSyntax: JPEG_LS, asStored: true })
  t.match(best(octets, '1.2.840.10008.1.2.4.110'), { type: octets, asStored: true }, 'what cannot be decoded here has no other way')
})

test('a frame is made into what was asked by name; without a name, into what the media type means by default', async t => {
  const makeable = [RLE, JPEG_BASELINE, '1.2.840.10008.1.2.4.51', '1.2.840.10008.1.2.4.70', '1.2.840.10008.1.2.4.90', '1.2.840.10008.1.2.4.91', EXPLICIT_LE]
  t.match(best('image/jpeg', JPEG_LS, true, makeable), { transferSyntax: '1.2.840.10008.1.2.4.70', asStored: false })
  t.match(best('image/jp2', JPEG_LS, true, makeable), { transferSyntax: '1.2.840.10008.1.2.4.90' })
  t.match(best('image/dicom-rle', JPEG_LS, true, makeable), { transferSyntax: RLE })
  t.match(best(`image/jpeg; transfer-syntax=${JPEG_BASELINE}`, JPEG_LS, true, makeable), { transferSyntax: JPEG_BASELINE })
  t.match(best('image/jpeg; transfer-syntax=*', JPEG_LS, true, [JPEG_BASELINE]), undefined, 'nothing is lost for an asterisk')
  t.match(best('image/jpeg', JPEG_BASELINE, true, makeable), { transferSyntax: JPEG_BASELINE, asStored: true })
  t.match(best('image/jls;q=0.5, image/jpeg', JPEG_LS, true, makeable), { type: 'image/jpeg' }, 'weights decide')
  t.match(best('image/*', JPEG_LS, true, makeable), { type: 'image/jls', asStored: true }, 'and where they are equal, what is stored')
})

test('several frames never leave as a single part', async t => {
  t.equal(best('image/jls', JPEG_LS, false), undefined)
  t.equal(best('image/jls, multipart/related; type="image/jls";q=0.1', JPEG_LS, false)?.type, 'multipart/related')
})

test('a frame in a syntax that the caller cannot read does not leave', async t => {
  t.equal(best(`multipart/related; type="application/octet-stream"; transfer-syntax=${EXPLICIT_LE}`, JPEG_LS), undefined)
  t.equal(best('multipart/related; type="image/jpeg"', JPEG_LS), undefined)
  t.equal(best('multipart/related; type="application/dicom"', JPEG_LS), undefined, 'the instance is another matter')
})

test('frames in big endian or deflated objects leave in little endian, never as they lie', async t => {
  for (const stored of ['1.2.840.10008.1.2.2', '1.2.840.10008.1.2.1.99']) {
    t.same(offers(stored), [])
    t.same(offers(stored, false, [EXPLICIT_LE]), [{ type: 'multipart/related', inner: octets, transferSyntax: EXPLICIT_LE, asStored: false }])
  }
})

test('the table is the one of PS3.18, Table 8.7.3-5', async t => {
  t.equal(frameMediaTypes.get(RLE), 'image/dicom-rle')
  t.equal(frameMediaTypes.get('1.2.840.10008.1.2.4.57'), 'image/jpeg')
  t.equal(frameMediaTypes.get('1.2.840.10008.1.2.4.203'), 'image/jphc')
  t.equal(frameMediaTypes.get('1.2.3'), undefined)
  t.same(offers('1.2.3').map(({ type, inner }) => inner ?? type), [octets, octets], 'a private syntax is an octet stream')
})
