import { test } from 'tap'
import { isUid } from '#core/uid.ts'
import { STORAGE_CLASSES } from '#standards/dicom/sop-class.ts'
import {
  DEFLATED_LE, EXPLICIT_BE, EXPLICIT_LE, IMPLICIT_LE, JPEG_2000, JPEG_2000_LOSSLESS, JPEG_BASELINE, JPEG_EXTENDED,
  JPEG_LOSSLESS, JPEG_LS_LOSSLESS, JPEG_LS_LOSSY, RLE_LOSSLESS, TRANSFER_SYNTAXES, transferSyntax
} from '#standards/dicom/transfer-syntax.ts'

test('every transfer syntax and storage class has a UID of its own', async t => {
  for (const [uid, name] of [...STORAGE_CLASSES, ...[...TRANSFER_SYNTAXES].map(([uid, { name }]) => [uid, name] as const)]) {
    t.ok(isUid(uid) && name.length > 0, uid)
  }
  t.equal(TRANSFER_SYNTAXES.size, 59)
  t.equal(STORAGE_CLASSES.size, 188)
  t.equal(STORAGE_CLASSES.get('1.2.840.10008.5.1.4.1.1.1.2.1'), 'Digital Mammography X-Ray Image Storage - For Processing')
  t.equal(STORAGE_CLASSES.get('1.2.840.10008.5.1.4.1.1.88.59'), 'Key Object Selection Document Storage')
})

test('each syntax tells how its bytes are read and whether the picture may have lost something', async t => {
  t.match(transferSyntax(IMPLICIT_LE), { explicitVr: false, bigEndian: false, encapsulated: false, deflated: false, lossy: false })
  t.match(transferSyntax(EXPLICIT_LE), { explicitVr: true, bigEndian: false, encapsulated: false, deflated: false, lossy: false })
  t.match(transferSyntax(EXPLICIT_BE), { explicitVr: true, bigEndian: true, encapsulated: false })
  t.match(transferSyntax(DEFLATED_LE), { explicitVr: true, encapsulated: false, deflated: true })
  for (const uid of [JPEG_LOSSLESS, JPEG_LS_LOSSLESS, JPEG_2000_LOSSLESS, RLE_LOSSLESS]) {
    t.match(transferSyntax(uid), { explicitVr: true, encapsulated: true, lossy: false }, uid)
  }
  for (const uid of [JPEG_BASELINE, JPEG_EXTENDED, JPEG_LS_LOSSY, JPEG_2000]) {
    t.match(transferSyntax(uid), { explicitVr: true, encapsulated: true, lossy: true }, uid)
  }
})

test('a syntax of next year is read as explicit little endian in fragments', async t => {
  t.match(transferSyntax('1.2.840.10008.1.2.4.999'), { explicitVr: true, bigEndian: false, encapsulated: true, deflated: false })
})
