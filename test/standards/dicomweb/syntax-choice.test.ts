import { test } from 'tap'
import { JPEG_BASELINE, JPEG_EXTENDED, JPEG_LOSSLESS, JPEG_LS_LOSSLESS, EXPLICIT_LE, IMPLICIT_LE, JPEG_2000 } from '#standards/dicom/transfer-syntax.ts'
import { objectAccept, parseAccept } from '#standards/dicomweb/accept.ts'
import { rankSyntaxes } from '#standards/dicomweb/syntax-choice.ts'

const MPEG2 = '1.2.840.10008.1.2.4.100'
const range = (uid: string, q: number): string => `multipart/related; type="application/dicom";transfer-syntax=${uid};q=${q};boundary=**,`
/** The two profiles of the national samples, and the one that likes all the same. */
const profile = (lossless: number, jpegLs: number, j2k: number, lossy: number, native: number): string => [
  range(JPEG_LOSSLESS, lossless), range(JPEG_LS_LOSSLESS, jpegLs), range(JPEG_2000, j2k), range(JPEG_BASELINE, lossy), range(JPEG_EXTENDED, lossy), range(MPEG2, 0.5), range(EXPLICIT_LE, native)
].join('')
const LOSSLESS = profile(0.9, 0.8, 0.6, 0.5, 0.4)
const LOSSY = profile(0.6, 0.5, 0.5, 0.9, 0.4)
const MIN_MAX = profile(1, 1, 0.5, 0.1, 0.5)
const EQUAL = profile(0.5, 0.5, 0.5, 0.5, 0.5)

const grey8 = [JPEG_LS_LOSSLESS, JPEG_LOSSLESS, JPEG_2000, EXPLICIT_LE, IMPLICIT_LE, JPEG_BASELINE, JPEG_EXTENDED]
const grey16 = grey8.filter(uid => uid !== JPEG_BASELINE && uid !== JPEG_EXTENDED)
const best = (accept: string, stored: string, makeable: readonly string[] = grey8): string | undefined =>
  rankSyntaxes(objectAccept(parseAccept(accept), 'application/dicom'), stored, makeable, uid => uid === JPEG_BASELINE || uid === JPEG_EXTENDED)[0]

test('a PACS in JPEG-LS: the lossless profile passes it untouched, the lossy one gets JPEG of 8 bits (row D4)', async t => {
  t.equal(best(LOSSLESS, JPEG_LS_LOSSLESS), JPEG_LS_LOSSLESS)
  t.equal(best(LOSSY, JPEG_LS_LOSSLESS), JPEG_BASELINE)
  t.equal(best(LOSSY, JPEG_LS_LOSSLESS, grey16), JPEG_LOSSLESS, 'and what JPEG cannot carry, the next best')
})

test('uncompressed objects are compressed for those who like that more', async t => {
  t.equal(best(LOSSLESS, EXPLICIT_LE), JPEG_LOSSLESS)
  t.equal(best(LOSSLESS, IMPLICIT_LE), JPEG_LOSSLESS, 'implicit isn\'t among them at all')
  t.equal(best(MIN_MAX, EXPLICIT_LE), JPEG_LS_LOSSLESS, 'of two liked the same, ours first')
})

test('who likes all the same gets what is stored', async t => {
  for (const stored of grey8) if (stored !== IMPLICIT_LE) t.equal(best(EQUAL, stored), stored)
  t.equal(best(EQUAL, MPEG2, []), MPEG2)
})

test('what was stored with loss is not coded again without, and is taken as it is wherever it is acceptable', async t => {
  t.equal(best(LOSSLESS, JPEG_BASELINE), JPEG_BASELINE)
  t.equal(best(MIN_MAX, JPEG_BASELINE), JPEG_BASELINE)
  t.equal(best(range(EXPLICIT_LE, 1), JPEG_BASELINE), EXPLICIT_LE, 'unless it is not')
})

test('nothing is lost for an asterisk, for no syntax at all, or for zero', async t => {
  t.equal(best(range('*', 1), JPEG_LS_LOSSLESS), JPEG_LS_LOSSLESS)
  t.equal(best('multipart/related; type="application/dicom"', JPEG_LS_LOSSLESS), JPEG_LS_LOSSLESS)
  t.equal(best(`${range('*', 1)}${range(JPEG_LS_LOSSLESS, 0)}`, JPEG_LS_LOSSLESS), JPEG_LOSSLESS)
  t.equal(best(`${range('*', 0.2)}${range(JPEG_LS_LOSSLESS, 0)}`, JPEG_LS_LOSSLESS, [JPEG_BASELINE]), undefined)
  t.equal(best(range(JPEG_BASELINE, 0.1), JPEG_LS_LOSSLESS), JPEG_BASELINE, 'named, it was asked for')
})
