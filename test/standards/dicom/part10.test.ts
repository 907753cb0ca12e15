import { test } from 'tap'
import fc from 'fast-check'
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { RequestError } from '#core/errors.ts'
import {
  IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME, encodePart10Head, readPart10Head
} from '#standards/dicom/part10.ts'
import { EXPLICIT_BE, EXPLICIT_LE, IMPLICIT_LE } from '#standards/dicom/transfer-syntax.ts'
import { CT_IMAGE_STORAGE, ctInstance, element } from '#test/fixtures/dataset.ts'
import { dcmtk, skipWithoutDcmtk } from '#test/fixtures/dcmtk.ts'
import { sample, skipWithoutShared } from '#test/fixtures/shared.ts'

const meta = {
  sopClassUid: CT_IMAGE_STORAGE,
  sopInstanceUid: '1.2.3.4.1.1.1',
  transferSyntaxUid: EXPLICIT_LE
}

test('a file head is 128 zeros, DICM and group 0002 in explicit little endian', async t => {
  const expected = Buffer.concat([
    Buffer.alloc(128),
    Buffer.from('DICM'),
    Buffer.from('02 00 00 00 55 4C 04 00 BE 00 00 00'.replaceAll(' ', ''), 'hex'), // (0002,0000) UL 190
    Buffer.from('02 00 01 00 4F 42 00 00 02 00 00 00 00 01'.replaceAll(' ', ''), 'hex'), // (0002,0001) OB
    element(0x00020002, 'UI', CT_IMAGE_STORAGE),
    element(0x00020003, 'UI', '1.2.3.4.1.1.1'),
    element(0x00020010, 'UI', EXPLICIT_LE),
    element(0x00020012, 'UI', IMPLEMENTATION_CLASS_UID),
    element(0x00020013, 'SH', IMPLEMENTATION_VERSION_NAME),
    element(0x00020016, 'AE', 'PACS_NORD')
  ])
  expected.writeUInt32LE(expected.length - 144, 140)
  t.same(encodePart10Head({ ...meta, sourceTitle: 'PACS_NORD' }), expected)
  t.ok(IMPLEMENTATION_VERSION_NAME.length <= 16 && IMPLEMENTATION_CLASS_UID.length <= 64)
})

test('what is written is read again', async () => {
  const uid = fc.stringMatching(/^1(\.[1-9][0-9]{0,7}){1,6}$/)
  fc.assert(fc.property(uid, uid, uid, fc.option(fc.stringMatching(/^[A-Z]{1,16}$/), { nil: undefined }),
    (sopClassUid, sopInstanceUid, transferSyntaxUid, sourceTitle) => {
      const head = encodePart10Head({ sopClassUid, sopInstanceUid, transferSyntaxUid, sourceTitle })
      assert.deepEqual(readPart10Head(Buffer.concat([head, ctInstance()])),
        { sopClassUid, sopInstanceUid, transferSyntaxUid, datasetOffset: head.length })
    }))
})

test('files without preamble, or with nothing but a data set, are read for what they are', async t => {
  const head = encodePart10Head(meta)
  t.match(readPart10Head(Buffer.concat([head.subarray(128), ctInstance()])), { ...meta, datasetOffset: head.length - 128 })
  t.match(readPart10Head(Buffer.concat([head.subarray(132), ctInstance()])), { ...meta, datasetOffset: head.length - 132 })
  for (const [writing, transferSyntaxUid] of [
    ['explicit', EXPLICIT_LE], ['implicit', IMPLICIT_LE], ['big-endian', EXPLICIT_BE]
  ] as const) {
    t.match(readPart10Head(ctInstance({ writing })), { ...meta, transferSyntaxUid, datasetOffset: 0 })
  }
})

test('other files are refused with the place where it shows', async t => {
  for (const bytes of [Buffer.alloc(0), Buffer.alloc(400), Buffer.from('%PDF-1.7 and so on'), encodePart10Head(meta).subarray(0, 200)]) {
    t.throws(() => readPart10Head(bytes), { code: 'DATA_MALFORMED', facts: { offset: Number } })
  }
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), bytes => {
    try {
      readPart10Head(bytes)
    } catch (error) {
      assert.ok(error instanceof RequestError)
    }
  }))
})

test('DCMTK finds nothing to say about a file of ours', { skip: skipWithoutDcmtk }, async t => {
  const path = `${t.testdir({})}/ct.dcm`
  writeFileSync(path, Buffer.concat([encodePart10Head(meta), ctInstance()]))
  const dump = dcmtk('dcmdump', '--print-all', path)
  t.match(dump, IMPLEMENTATION_VERSION_NAME)
  t.match(dump, 'Used TransferSyntax: Little Endian Explicit')
})

test('heads of real archives are read, the incomplete ones too', { skip: skipWithoutShared }, async t => {
  for (const [name, expected] of [
    ['CT_small.dcm', { transferSyntaxUid: EXPLICIT_LE, datasetOffset: 336 }],
    ['no_meta_group_length.dcm', { transferSyntaxUid: IMPLICIT_LE }],
    ['ExplVR_BigEndNoMeta.dcm', { transferSyntaxUid: EXPLICIT_BE }],
    ['ExplVR_LitEndNoMeta.dcm', { transferSyntaxUid: EXPLICIT_LE }],
    ['meta_missing_tsyntax.dcm', { transferSyntaxUid: IMPLICIT_LE }]
  ] as const) {
    t.match(readPart10Head(readFileSync(sample(`dicom/${name}`))), expected, name)
  }
  // A stray blank precedes the first element of this one: a guess would be a lie.
  t.throws(() => readPart10Head(readFileSync(sample('dicom/no_meta.dcm'))), { code: 'DATA_MALFORMED' })
})
