import { test } from 'tap'
import fc from 'fast-check'
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { deflateRawSync } from 'node:zlib'
import { HeadReader } from '#standards/dicom/head.ts'
import { readPart10Head } from '#standards/dicom/part10.ts'
import {
  DEFLATED_LE, EXPLICIT_BE, EXPLICIT_LE, IMPLICIT_LE, JPEG_LS_LOSSLESS
} from '#standards/dicom/transfer-syntax.ts'
import { ctInstance, element, fragments, sequence, type Writing } from '#test/fixtures/dataset.ts'
import { sample, skipWithoutShared } from '#test/fixtures/shared.ts'

const SYNTAX = { explicit: EXPLICIT_LE, implicit: IMPLICIT_LE, 'big-endian': EXPLICIT_BE } as const
const WRITINGS = Object.keys(SYNTAX) as Writing[]

function read (bytes: Uint8Array, syntax: string, pieces = [bytes.length]): HeadReader {
  const reader = new HeadReader(syntax)
  let at = 0
  for (const size of pieces) {
    reader.push(Buffer.from(bytes.subarray(at, at + size)))
    at += size
  }
  reader.push(bytes.subarray(at))
  return reader
}

function facts (reader: HeadReader): object {
  const { studyUid, seriesUid, sopInstanceUid, sopClassUid, instanceNumber, numberOfFrames } = reader
  const { pixelOffset, done, malformed } = reader
  return { studyUid, seriesUid, sopInstanceUid, sopClassUid, instanceNumber, numberOfFrames, pixelOffset, done, malformed }
}

test('an arriving slice says which study, series and instance it is, and where its pixels begin', async t => {
  for (const writing of WRITINGS) {
    const bytes = ctInstance({ writing, instanceNumber: 7 })
    const pixels = element(0x7fe00010, 'OW', Buffer.alloc(128), writing)
    t.same(facts(read(bytes, SYNTAX[writing])), {
      studyUid: '1.2.3.4.1',
      seriesUid: '1.2.3.4.1.1',
      sopInstanceUid: '1.2.3.4.1.1.1',
      sopClassUid: '1.2.840.10008.5.1.4.1.1.2',
      instanceNumber: 7,
      numberOfFrames: undefined,
      pixelOffset: bytes.length - pixels.length,
      done: true,
      malformed: false
    }, writing)
  }
})

/** A head with everything that makes walking hard before the attributes that matter. */
function thorny (writing: Writing): Buffer {
  const item = Buffer.concat([
    element(0x00080018, 'UI', '9.9.9', writing),
    sequence(0x00081199, [element(0x0020000d, 'UI', '9.9', writing)], writing, 'undefined')
  ])
  const inUnknown = Buffer.concat([
    element(0xfffee000, '', element(0x0020000e, 'UI', '9.8', 'implicit'), 'implicit', 0xffffffff),
    element(0xfffee00d, '', '', 'implicit'),
    element(0xfffee0dd, '', '', 'implicit')
  ])
  return Buffer.concat([
    element(0x00080000, 'UL', Buffer.from('\0\0\x01\0', 'latin1'), writing),
    element(0x00080018, 'UI', '1.2.3', writing),
    sequence(0x00081115, [item, item], writing, 'undefined'),
    sequence(0x00081140, [item], writing),
    writing === 'explicit' ? element(0x00091001, 'UN', inUnknown, writing, 0xffffffff) : Buffer.alloc(0),
    element(0x0020000d, 'UI', '1.2', writing),
    element(0x0020000e, 'UI', '1.2.1', writing),
    element(0x00280008, 'IS', '12', writing),
    element(0x7fe00001, 'OV', Buffer.alloc(8), writing),
    element(0x7fe00010, 'OW', Buffer.alloc(16), writing)
  ])
}

test('UIDs inside sequences are not taken for those of the object', async t => {
  for (const writing of WRITINGS) {
    const reader = read(thorny(writing), SYNTAX[writing])
    t.match(facts(reader), { studyUid: '1.2', seriesUid: '1.2.1', sopInstanceUid: '1.2.3', numberOfFrames: 12, done: true })
    t.equal(thorny(writing).readUInt16LE(reader.pixelOffset), writing === 'big-endian' ? 0xe07f : 0x7fe0, writing)
  }
})

test('however the network cuts an object into pieces, the same is read', async t => {
  for (const writing of WRITINGS) {
    const bytes = thorny(writing)
    const whole = facts(read(bytes, SYNTAX[writing]))
    t.same(facts(read(bytes, SYNTAX[writing], Array(bytes.length).fill(1))), whole, `${writing}, byte by byte`)
    fc.assert(fc.property(fc.array(fc.nat(60)), pieces => {
      assert.deepEqual(facts(read(bytes, SYNTAX[writing], pieces)), whole)
    }), { numRuns: 50 })
  }
})

test('a deflated object tells who it is from its first bytes', async t => {
  const deflated = deflateRawSync(Buffer.concat([thorny('explicit'), Buffer.alloc(300_000)]))
  const { pixelOffset, ...others } = read(deflated, DEFLATED_LE, [100, 500])
  t.equal(pixelOffset, undefined)
  t.match(others, { studyUid: '1.2', seriesUid: '1.2.1', done: true, malformed: false })
})

test('a deflated object that blows up is given up, not held', async t => {
  const bomb = deflateRawSync(Buffer.alloc(64 * 1024 * 1024))
  t.match(facts(read(bomb, DEFLATED_LE)), { done: true, studyUid: undefined })
})

test('what cannot be a data set is told as malformed, and never throws', async t => {
  t.match(facts(read(element(0xfffee00d, ''), EXPLICIT_LE)), { done: true, malformed: true })
  t.match(facts(read(element(0xfffee000, '', 'ab'), EXPLICIT_LE)), { done: true, malformed: true })
  const open = element(0x00081199, 'SQ', '', 'explicit', 0xffffffff)
  const item = element(0xfffee000, '', '', 'explicit', 0xffffffff)
  const bottomless = Buffer.concat(Array.from({ length: 500 }, () => Buffer.concat([open, item])))
  t.match(facts(read(bottomless, EXPLICIT_LE)), { done: true, malformed: true })
  fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), fc.array(fc.nat(40)), (bytes, pieces) => {
    for (const syntax of [EXPLICIT_LE, IMPLICIT_LE, EXPLICIT_BE, DEFLATED_LE]) read(bytes, syntax, pieces)
  }))
})

test('an announced length of 4 GB costs nothing but patience', async t => {
  const reader = read(element(0x00091001, 'OB', 'abcd', 'explicit', 0xfffffffe), EXPLICIT_LE)
  t.match(facts(reader), { done: false, malformed: false })
})

test('encapsulated pixel data are found as native ones are', async t => {
  const head = element(0x0020000d, 'UI', '1.2')
  const reader = read(Buffer.concat([head, fragments([Buffer.alloc(4)])]), JPEG_LS_LOSSLESS)
  t.equal(reader.pixelOffset, head.length)
})

test('objects of real machines are known by their heads', { skip: skipWithoutShared }, async t => {
  for (const name of ['CT_small.dcm', 'MR_small_implicit.dcm', 'MR_small_bigendian.dcm', 'image_dfl.dcm', 'JPEG2000.dcm']) {
    const bytes = readFileSync(sample(`dicom/${name}`))
    const meta = readPart10Head(bytes)
    const dataset = bytes.subarray(meta.datasetOffset)
    const reader = read(dataset, meta.transferSyntaxUid)
    t.equal(reader.sopInstanceUid, meta.sopInstanceUid, name)
    t.ok(reader.done && reader.studyUid !== undefined && reader.seriesUid !== undefined, name)
    t.same(facts(read(dataset, meta.transferSyntaxUid, Array(200).fill(13))), facts(reader), name)
  }
})
