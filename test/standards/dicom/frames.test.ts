import { test } from 'tap'
import fc from 'fast-check'
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { DrimboxError } from '#core/errors.ts'
import { decodeDataset } from '#standards/dicom/dataset.ts'
import { mapFrames, type FrameMap } from '#standards/dicom/frames.ts'
import { HeadReader } from '#standards/dicom/head.ts'
import type { DicomJson } from '#standards/dicom/json.ts'
import { readPart10Head } from '#standards/dicom/part10.ts'
import { DEFLATED_LE, EXPLICIT_BE, EXPLICIT_LE, IMPLICIT_LE, JPEG_BASELINE, JPEG_LS_LOSSLESS, RLE_LOSSLESS } from '#standards/dicom/transfer-syntax.ts'
import { element, fragments, u16, u32, type Writing } from '#test/fixtures/dataset.ts'
import { sample, skipWithoutShared } from '#test/fixtures/shared.ts'

interface Picture { readonly rows: number, readonly columns: number, readonly bits: number, readonly samples?: number, readonly frames?: number, readonly photometric?: string }

function headOf (picture: Picture, writing: Writing = 'explicit'): Buffer {
  const us = (tag: number, value: number): Buffer => element(tag, 'US', u16(value, writing === 'big-endian'), writing)
  return Buffer.concat([
    us(0x00280002, picture.samples ?? 1),
    element(0x00280004, 'CS', picture.photometric ?? 'MONOCHROME2', writing),
    ...(picture.frames === undefined ? [] : [element(0x00280008, 'IS', String(picture.frames), writing)]),
    us(0x00280010, picture.rows),
    us(0x00280011, picture.columns),
    us(0x00280100, picture.bits)
  ])
}

/** Maps an object that lies in memory; counts how much of it is read. */
async function map (dataset: Buffer, transferSyntaxUid: string, pixelOffset: number, seen = { bytes: 0 }, head?: DicomJson): Promise<FrameMap> {
  return await mapFrames(async (offset, length) => {
    const bytes = dataset.subarray(offset, offset + length)
    seen.bytes += bytes.length
    return bytes
  }, {
    transferSyntaxUid,
    datasetBytes: dataset.length,
    pixelOffset,
    head: head ?? decodeDataset(dataset.subarray(0, pixelOffset), transferSyntaxUid)
  })
}

function bytesOf (dataset: Buffer, frames: FrameMap, frame: number): string {
  return Buffer.concat(frames.ranges(frame).map(({ offset, length }) => dataset.subarray(offset, offset + length))).toString('latin1')
}

async function framesOf (picture: Picture, pixels: Buffer, syntax: string, writing: Writing = 'explicit'): Promise<string[]> {
  const head = headOf(picture, writing)
  const dataset = Buffer.concat([head, pixels])
  const frames = await map(dataset, syntax, head.length)
  return Array.from({ length: frames.count }, (_, index) => bytesOf(dataset, frames, index + 1))
}

test('frames of uncompressed pixels are counted out by rows, columns and bits', async t => {
  for (const [writing, syntax] of [['explicit', EXPLICIT_LE], ['implicit', IMPLICIT_LE], ['big-endian', EXPLICIT_BE]] as const) {
    const ow = (text: string): Buffer => element(0x7fe00010, 'OW', text, writing)
    const frames = (picture: Picture, text: string): Promise<string[]> => framesOf(picture, ow(text), syntax, writing)
    t.same(await frames({ rows: 1, columns: 2, bits: 8 }, 'ab'), ['ab'])
    t.same(await frames({ rows: 1, columns: 2, bits: 16, frames: 2 }, 'aabbccdd'), ['aabb', 'ccdd'])
    t.same(await frames({ rows: 1, columns: 1, bits: 32, frames: 2 }, 'aaaabbbb'), ['aaaa', 'bbbb'])
    t.same(await frames({ rows: 1, columns: 1, bits: 8, samples: 3, frames: 3 }, 'rgbRGBxyz'), ['rgb', 'RGB', 'xyz'], 'odd, then padded')
    t.same(await frames({ rows: 1, columns: 2, bits: 8, samples: 3, photometric: 'YBR_FULL_422', frames: 2 }, 'yycbYYCB'), ['yycb', 'YYCB'])
    t.same(await frames({ rows: 4, columns: 4, bits: 1, frames: 2 }, 'abcd'), ['ab', 'cd'])
    t.same(await frames({ rows: 3, columns: 3, bits: 1 }, 'ab'), ['ab'])
    t.same(await framesOf({ rows: 1, columns: 1, bits: 32 }, element(0x7fe00008, 'OF', 'aaaa', writing), syntax, writing), ['aaaa'])
  }
})

test('frames that begin in the middle of a byte are said to be beyond us', async t => {
  await t.rejects(framesOf({ rows: 3, columns: 3, bits: 1, frames: 2 }, element(0x7fe00010, 'OB', 'abc'), EXPLICIT_LE), { code: 'NOT_OFFERED' })
})

const jpeg = (text: string): Buffer => Buffer.from(`\xff\xd8\xff${text}`, 'latin1')
const more = (text: string): Buffer => Buffer.from(text)

test('compressed frames are found one by one, whichever table the sender wrote or forgot', async t => {
  const picture = { rows: 1, columns: 1, bits: 8, frames: 3 }
  const whole = [jpeg('a'), jpeg('bbb'), jpeg('ccccc')]
  const expected = whole.map(piece => piece.toString('latin1'))
  t.same(await framesOf(picture, fragments(whole), JPEG_BASELINE), expected, 'empty basic offset table')
  t.same(await framesOf(picture, fragments(whole, [0, 12, 26]), JPEG_BASELINE), expected, 'basic offset table')
  t.same(await framesOf(picture, fragments(whole).subarray(0, -8), JPEG_BASELINE), expected, 'no delimiter at the end')
  t.same(await framesOf({ ...picture, frames: 1 }, fragments([jpeg('a'), more('bb')]), JPEG_BASELINE), ['\xff\xd8\xffabb'], 'one frame in pieces')

  const pieces = [jpeg('a'), more('bb'), jpeg('c'), jpeg('d'), more('ee'), more('ff')]
  const joined = ['\xff\xd8\xffabb', '\xff\xd8\xffc', '\xff\xd8\xffdeeff']
  t.same(await framesOf(picture, fragments(pieces), JPEG_BASELINE), joined, 'several fragments per frame, told by their first bytes')
  t.same(await framesOf(picture, fragments(pieces, [0, 22, 34]), JPEG_BASELINE), joined, 'and by the table')
  t.same(await framesOf(picture, fragments(pieces, [0, 23, 34]), JPEG_BASELINE), joined, 'a table that points beside is not believed')

  const rle = [more('aa'), more('bb'), more('cc'), more('dd')]
  t.same(await framesOf({ ...picture, frames: 2 }, fragments(rle, [0, 20]), RLE_LOSSLESS), ['aabb', 'ccdd'])
  await t.rejects(framesOf({ ...picture, frames: 2 }, fragments(rle), RLE_LOSSLESS), { code: 'DATA_MALFORMED' })
})

test('an extended offset table is enough: the fragments are not walked', async t => {
  const head = headOf({ rows: 1, columns: 1, bits: 8, frames: 2 })
  const u64 = (values: number[]): Buffer => Buffer.from(new BigUint64Array(values.map(BigInt)).buffer)
  const big = [Buffer.alloc(100_000, 'a'), Buffer.alloc(100_001, 'b')]
  const dataset = Buffer.concat([
    head,
    element(0x7fe00001, 'OV', u64([0, 100_008])),
    element(0x7fe00002, 'OV', u64([100_000, 100_001])),
    fragments([big[0]!, Buffer.concat([big[1]!, Buffer.alloc(1)])])
  ])
  const seen = { bytes: 0 }
  const frames = await map(dataset, JPEG_LS_LOSSLESS, head.length, seen)
  t.equal(bytesOf(dataset, frames, 1), big[0]!.toString())
  t.equal(bytesOf(dataset, frames, 2), big[1]!.toString(), 'without the padding byte')
  t.ok(seen.bytes < 20_000)
})

test('a frame that the object does not have is unknown', async t => {
  const head = headOf({ rows: 1, columns: 2, bits: 8 })
  const frames = await map(Buffer.concat([head, element(0x7fe00010, 'OB', 'ab')]), EXPLICIT_LE, head.length)
  for (const frame of [0, 2, -1, 1.5, NaN]) t.throws(() => frames.ranges(frame), { code: 'FRAME_UNKNOWN' })
})

test('objects without frames of their own are told apart from broken ones', async t => {
  const picture = { rows: 1, columns: 1, bits: 8, frames: 2 }
  const pixels = fragments([jpeg('a'), jpeg('b')])
  await t.rejects(framesOf(picture, pixels, '1.2.840.10008.1.2.4.102'), { code: 'NOT_OFFERED' }, 'video')
  await t.rejects(map(Buffer.alloc(10), DEFLATED_LE, 0, undefined, {}), { code: 'NOT_OFFERED' }, 'deflated')
  await t.rejects(framesOf({ ...picture, rows: 9 }, element(0x7fe00010, 'OB', 'ab', 'explicit', 18), EXPLICIT_LE), { code: 'DATA_MALFORMED' }, 'cut')
  await t.rejects(framesOf(picture, pixels.subarray(0, 30), JPEG_BASELINE), { code: 'DATA_MALFORMED' }, 'cut in a fragment')
  await t.rejects(framesOf({ ...picture, rows: 0 }, element(0x7fe00010, 'OB', 'ab'), EXPLICIT_LE), { code: 'DATA_MALFORMED' })
  await t.rejects(framesOf({ ...picture, frames: 99999999 }, element(0x7fe00010, 'OB', 'ab'), EXPLICIT_LE), { code: 'DATA_MALFORMED' })
  await t.rejects(framesOf({ ...picture, frames: 99999999 }, pixels, JPEG_BASELINE), { code: 'DATA_MALFORMED' })
  const lying = Buffer.concat([element(0x7fe00010, 'OB', '', 'explicit', 0xffffffff), element(0xfffee000, '', u32(0), 'explicit', 0xfffffff0)])
  await t.rejects(framesOf(picture, lying, JPEG_BASELINE), { code: 'DATA_MALFORMED' })
})

test('whatever bytes stand for pixels, ranges stay inside of the object or an error says why', async () => {
  await fc.assert(fc.asyncProperty(fc.uint8Array({ maxLength: 120 }), fc.nat(4), fc.boolean(), async (noise, frames, isEncapsulated) => {
    const head = headOf({ rows: 2, columns: 2, bits: 8, frames })
    const start = isEncapsulated ? fragments([jpeg('a'), jpeg('b')], [0, 12]).subarray(0, -8) : element(0x7fe00010, 'OB', noise)
    const dataset = Buffer.concat([head, start, noise])
    try {
      const map_ = await map(dataset, isEncapsulated ? JPEG_BASELINE : EXPLICIT_LE, head.length)
      for (let frame = 1; frame <= map_.count; frame++) {
        for (const { offset, length } of map_.ranges(frame)) assert.ok(offset >= head.length && offset + length <= dataset.length)
      }
    } catch (error) {
      assert.ok(error instanceof DrimboxError, String(error))
    }
  }))
})

test('frames of real objects begin as their coding does', { skip: skipWithoutShared }, async t => {
  const SOI = 'ffd8'
  for (const [name, count, start] of [
    ['SC_rgb_rle_2frame.dcm', 2, '03000000'], ['SC_rgb_rle_32bit_2frame.dcm', 2, '0c000000'], ['rtdose_rle.dcm', 15, '04000000'],
    ['examples_ybr_color.dcm', 30, SOI], ['JPEG2000.dcm', 1, 'ff4fff51'], ['JPEG2000-embedded-sequence-delimiter.dcm', 1, 'ff4fff51'],
    ['MR_small_jpeg_ls_lossless.dcm', 1, SOI], ['JPEG-lossy.dcm', 1, SOI], ['rtdose.dcm', 15, ''], ['rtdose_expb.dcm', 15, ''],
    ['liver_1frame.dcm', 1, ''], ['SC_ybr_full_422_uncompressed.dcm', 1, ''], ['SC_rgb_small_odd.dcm', 1, ''], ['CT_small.dcm', 1, '']
  ] as const) {
    const file = readFileSync(sample(`dicom/${name}`))
    const meta = readPart10Head(file)
    const dataset = file.subarray(meta.datasetOffset)
    const reader = new HeadReader(meta.transferSyntaxUid)
    reader.push(dataset)
    const frames = await map(dataset, meta.transferSyntaxUid, reader.pixelOffset!)
    t.equal(frames.count, count, name)
    for (let frame = 1; frame <= count; frame++) {
      const bytes = bytesOf(dataset, frames, frame)
      t.ok(bytes.length > 0 && Buffer.from(bytes.slice(0, 4), 'latin1').toString('hex').startsWith(start), `${name}, frame ${frame}`)
    }
  }
})
