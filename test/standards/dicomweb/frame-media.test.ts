import { test } from 'tap'
import { choose, parseAccept } from '#standards/dicomweb/accept.ts'
import { frameMediaTypes, frameOffers } from '#standards/dicomweb/frame-media.ts'

const JPEG_LS = '1.2.840.10008.1.2.4.80'
const EXPLICIT_LE = '1.2.840.10008.1.2.1'

const best = (accept: string | undefined, stored: string, single = true) => choose(parseAccept(accept), frameOffers(stored, single))

test('a frame stored as JPEG-LS leaves as image/jls, or as an octet stream that says what it is', async t => {
  t.same(best('*/*', JPEG_LS), { type: 'multipart/related', inner: 'image/jls', transferSyntax: JPEG_LS })
  t.same(best('multipart/related; type="image/jls"', JPEG_LS), { type: 'multipart/related', inner: 'image/jls', transferSyntax: JPEG_LS })
  t.same(best('multipart/related; type=image/*', JPEG_LS)?.inner, 'image/jls')
  t.same(best('multipart/related; type=application/octet-stream; transfer-syntax=*', JPEG_LS), { type: 'multipart/related', inner: 'application/octet-stream', transferSyntax: JPEG_LS })
  t.same(best(`image/jls; transfer-syntax=${JPEG_LS}`, JPEG_LS), { type: 'image/jls', transferSyntax: JPEG_LS })
})

test('a frame that is not compressed leaves as an octet stream in explicit little endian', async t => {
  for (const stored of ['1.2.840.10008.1.2', EXPLICIT_LE, '1.2.840.10008.1.2.1.98']) {
    t.same(best(`multipart/related; type="application/octet-stream"; transfer-syntax=${EXPLICIT_LE}`, stored), { type: 'multipart/related', inner: 'application/octet-stream', transferSyntax: EXPLICIT_LE })
    t.same(best('application/octet-stream', stored), { type: 'application/octet-stream', transferSyntax: EXPLICIT_LE })
  }
})

test('several frames never leave as a single part', async t => {
  t.equal(best('image/jls', JPEG_LS, false), undefined)
  t.equal(best('image/jls, multipart/related; type="image/jls";q=0.1', JPEG_LS, false)?.type, 'multipart/related')
})

test('a frame in a syntax that the caller cannot read does not leave', async t => {
  t.equal(best(`multipart/related; type="application/octet-stream"; transfer-syntax=${EXPLICIT_LE}`, JPEG_LS), undefined)
  t.equal(best('multipart/related; type="image/jpeg"', JPEG_LS), undefined)
})

test('who accepts nothing but application/dicom, as the national samples do, gets the instance that holds the frame', async t => {
  const national = ['70', '80'].map(last => `multipart/related; type="application/dicom";transfer-syntax=1.2.840.10008.1.2.4.${last};q=0.5;boundary=**,`).join('')
  t.same(best(national, JPEG_LS), { type: 'multipart/related', inner: 'application/dicom', transferSyntax: JPEG_LS })
  t.equal(best(national, '1.2.840.10008.1.2.4.90'), undefined)
})

test('frames in big endian or deflated objects are not cut out', async t => {
  for (const stored of ['1.2.840.10008.1.2.2', '1.2.840.10008.1.2.1.99']) t.same(frameOffers(stored, true).map(({ inner }) => inner), ['application/dicom'])
})

test('the table is the one of PS3.18, Table 8.7.3-5', async t => {
  t.equal(frameMediaTypes.get('1.2.840.10008.1.2.5'), 'image/dicom-rle')
  t.equal(frameMediaTypes.get('1.2.840.10008.1.2.4.57'), 'image/jpeg')
  t.equal(frameMediaTypes.get('1.2.840.10008.1.2.4.203'), 'image/jphc')
  t.equal(frameMediaTypes.get('1.2.3'), undefined)
  t.same(frameOffers('1.2.3', true).map(({ type, inner }) => inner ?? type), ['application/octet-stream', 'application/octet-stream', 'application/dicom'], 'a private syntax is an octet stream')
})
