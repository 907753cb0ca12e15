import { mkdtempSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inflateRawSync } from 'node:zlib'
import { test, type Test } from 'tap'
import { RequestError } from '#core/errors.ts'
import { PixelPool } from '#box/pixels/pool.ts'
import { decodeDataset } from '#standards/dicom/dataset.ts'
import { HeadReader } from '#standards/dicom/head.ts'
import type { DicomJson } from '#standards/dicom/json.ts'
import { encodePart10Head, readPart10Head } from '#standards/dicom/part10.ts'
import {
  DEFLATED_LE, EXPLICIT_LE, IMPLICIT_LE, JPEG_2000, JPEG_2000_LOSSLESS, JPEG_BASELINE, JPEG_LOSSLESS, JPEG_LS_LOSSLESS, RLE_LOSSLESS, transferSyntax
} from '#standards/dicom/transfer-syntax.ts'
import { objectOf } from '#test/fixtures/answer.ts'
import { dcmtk, skipWithoutDcmtk } from '#test/fixtures/dcmtk.ts'
import { sample, skipWithoutShared } from '#test/fixtures/shared.ts'
import { acceptOf, transcoded } from '#test/fixtures/transcoded.ts'

/** One for each test: workers start within some tens of milliseconds. */
function openPool (t: Test): PixelPool {
  const pool = new PixelPool()
  t.teardown(async () => { await pool.close() })
  return pool
}

/** The head of a file, in the JSON model. */
function headOf (file: Buffer): DicomJson {
  const { transferSyntaxUid, datasetOffset } = readPart10Head(file)
  return decodeDataset(file.subarray(datasetOffset), transferSyntaxUid, { stopAtPixelData: true })
}

/** Native bytes of the pixels, from a file in explicit little endian. */
function pixelsOf (file: Buffer): Buffer {
  const { datasetOffset } = readPart10Head(file)
  const reader = new HeadReader(EXPLICIT_LE)
  reader.push(file.subarray(datasetOffset))
  const at = datasetOffset + reader.pixelOffset!
  return file.subarray(at + 12, at + 12 + file.readUInt32LE(at + 8))
}

/** What a coding may change: bits, colours and planes; with loss, what tells of it. */
const OF_PIXELS = ['00280002', '00280004', '00280006', '00280100', '00280101', '00280102', '00282110']
const OF_LOSS = ['00080008', '00082111', '00089215', '00282112', '00282114']

/** In one of the samples alone. */
const TRAILING_PADDING = 'FFFCFFFC'

function without (json: DicomJson, tags: readonly string[]): DicomJson {
  return Object.fromEntries(Object.entries(json).filter(([tag]) => !tags.includes(tag)))
}

/** Samples whose pixels no one can make sense of, or which aren't whole. */
const BROKEN = new Set(['JPEG2000-embedded-sequence-delimiter.dcm', 'MR_truncated.dcm', 'SC_rgb_jpeg.dcm', 'badVR.dcm', 'meta_missing_tsyntax.dcm', 'nested_priv_SQ.dcm', 'rtplan_truncated.dcm', 'no_meta.dcm'])

test('every sample leaves in every syntax that can carry it: all else of it stays, and lossless ones give the same pixels again', { skip: skipWithoutShared }, async t => {
  const pool = openPool(t)
  const made = new Map<string, number>()
  for (const name of readdirSync(sample('dicom'))) {
    if (BROKEN.has(name)) continue
    const file = readFileSync(sample(`dicom/${name}`))
    const before = headOf(file)
    const native = await transcoded(pool, file, acceptOf(EXPLICIT_LE)) ?? file
    for (const to of [EXPLICIT_LE, DEFLATED_LE, JPEG_LS_LOSSLESS, JPEG_LOSSLESS, JPEG_2000, RLE_LOSSLESS, JPEG_BASELINE]) {
      let out: Buffer | undefined
      try {
        out = await transcoded(pool, file, acceptOf(to))
      } catch (error) {
        if (!(error instanceof RequestError && error.code === 'ACCEPT_UNSUPPORTED' && transferSyntax(to).encapsulated)) throw error
        continue
      }
      if (out === undefined) continue
      made.set(to, (made.get(to) ?? 0) + 1)
      const meta = readPart10Head(out)
      t.equal(meta.transferSyntaxUid, to)
      t.equal(out.length % 2, 0)
      t.strictSame(without(headOf(out), [...OF_PIXELS, ...OF_LOSS]), without(before, [...OF_PIXELS, ...OF_LOSS]), `${name} in ${transferSyntax(to).name}`)
      if (before['00280010'] === undefined || !hasPixels(native)) continue
      if (to === JPEG_BASELINE) {
        t.match(headOf(out), { '00280100': { Value: [8] }, '00282110': { Value: ['01'] }, '00282114': { Value: /\bISO_10918_1$/ }, '00080008': { Value: ['DERIVED'] } })
      } else {
        t.strictSame(without(headOf(out), OF_PIXELS), without(before, OF_PIXELS))
        const again = to === EXPLICIT_LE ? out : await transcoded(pool, out, acceptOf(EXPLICIT_LE)) as Buffer
        if (to !== JPEG_2000 || samples(before) === 1) t.ok(isPrefix(pixelsOf(again), pixelsOf(native)) || hasPlanes(before), `${name}: pixels after ${transferSyntax(to).name}`)
      }
    }
  }
  t.ok([...made.values()].every(count => count > 10), [...made].join(' '))
  t.equal(pool.state.lost, 0)
})

/** Some writers leave bytes behind the last frame, which no code carries. */
function isPrefix (start: Buffer, whole: Buffer): boolean {
  return start.length > 0 && whole.subarray(0, start.length).equals(start)
}

function hasPixels (file: Buffer): boolean {
  const { datasetOffset, transferSyntaxUid } = readPart10Head(file)
  const reader = new HeadReader(transferSyntaxUid)
  reader.push(file.subarray(datasetOffset))
  return reader.pixelOffset !== undefined
}

function samples (head: DicomJson): unknown {
  return head['00280002']?.Value?.[0]
}

/** Those stay planes in native form, and come side by side out of a code. */
function hasPlanes (head: DicomJson): boolean {
  return head['00280006']?.Value?.[0] === 1 || String(head['00280004']?.Value?.[0]).includes('422')
}

test('DCMTK reads what leaves, and finds in it what it finds in the original', { skip: skipWithoutShared || skipWithoutDcmtk }, async t => {
  const pool = openPool(t)
  const folder = mkdtempSync(join(tmpdir(), 'drimbox-transcode-'))
  t.teardown(async () => { await rm(folder, { recursive: true }) })
  const said = (path: string): unknown => JSON.parse(dcmtk('dcm2json', path) || 'null')
  const cases = [
    ['MR_small.dcm', JPEG_LS_LOSSLESS, 'dcmdjpls'], ['MR_small.dcm', JPEG_LOSSLESS, 'dcmdjpeg'], ['MR_small.dcm', RLE_LOSSLESS, 'dcmdrle'],
    ['CT_small.dcm', JPEG_LS_LOSSLESS, 'dcmdjpls'], ['CT_small.dcm', RLE_LOSSLESS, 'dcmdrle'],
    ['MR_small_bigendian.dcm', JPEG_LS_LOSSLESS, 'dcmdjpls'], ['MR_small_jpeg_ls_lossless.dcm', EXPLICIT_LE, undefined],
    ['MR_small_RLE.dcm', EXPLICIT_LE, undefined], ['MR_small_jp2klossless.dcm', EXPLICIT_LE, undefined]
  ] as const
  const [mr, ct] = ['MR_small.dcm', 'CT_small.dcm'].map(name => said(sample(`dicom/${name}`)))
  t.ok(mr)
  for (const [name, to, decoder] of cases) {
    const out = await transcoded(pool, sample(`dicom/${name}`), acceptOf(to)) as Buffer
    const path = join(folder, 'made.dcm')
    const native = decoder === undefined ? path : join(folder, 'native.dcm')
    writeFileSync(path, out)
    t.match(dcmtk('dcmftest', path), /^yes/)
    if (decoder !== undefined) dcmtk(decoder, path, native)
    const expected = name.startsWith('CT') ? ct : mr
    t.strictSame(without(said(native) as DicomJson, [...OF_PIXELS, TRAILING_PADDING]), without(expected as DicomJson, [...OF_PIXELS, TRAILING_PADDING]), `${name} as ${transferSyntax(to).name}`)
  }
})

test('what loses something says so, in steps', async t => {
  const pool = openPool(t)
  const file = encapsulatedGrey({ '00082111': 'an older step', '00282112': '4', '00282114': 'ISO_15444_1' })
  const out = headOf(await transcoded(pool, file, acceptOf(JPEG_BASELINE)) as Buffer)
  t.strictSame(out['00082111']?.Value, [`JPEG Baseline (Process 1), lossy, ratio ${Number(out['00282112']?.Value?.[1]).toFixed(2)}; before: an older step`])
  t.equal(out['00282112']?.Value?.[0], 4)
  t.strictSame(out['00282114']?.Value, ['ISO_15444_1', 'ISO_10918_1'])
  t.match(out, { '00280004': { Value: ['MONOCHROME2'] }, '00089215': { Value: [{ '00080100': { Value: ['113040'] } }] }, '00080018': { Value: ['1.2.3.4'] } })
})

/** A small object, native, with these texts besides. */
function encapsulatedGrey (texts: Record<string, string>): Buffer {
  const element = (tag: string, vr: string, value: Buffer): Buffer => {
    const isLong = vr === 'OB' || vr === 'OW'
    const head = Buffer.alloc(isLong ? 12 : 8)
    head.writeUInt16LE(parseInt(tag.slice(0, 4), 16), 0)
    head.writeUInt16LE(parseInt(tag.slice(4), 16), 2)
    head.write(vr, 4)
    if (isLong) head.writeUInt32LE(value.length, 8)
    else head.writeUInt16LE(value.length, 6)
    return Buffer.concat([head, value])
  }
  const text = (value: string): Buffer => Buffer.from(value.length % 2 === 0 ? value : `${value} `)
  const short = (value: number): Buffer => Buffer.of(value & 0xff, value >> 8)
  const VRS: Record<string, string> = { '00080008': 'CS', '00080018': 'UI', '00082111': 'ST', '00280004': 'CS', '00282112': 'DS', '00282114': 'CS' }
  const numbers = { '00280002': 1, '00280010': 64, '00280011': 64, '00280100': 8, '00280101': 8, '00280102': 7, '00280103': 0 }
  const all: Record<string, Buffer> = {}
  for (const [tag, value] of Object.entries({ '00080008': 'ORIGINAL\\PRIMARY', '00080018': '1.2.3.4', '00280004': 'MONOCHROME2', ...texts })) {
    all[tag] = element(tag, VRS[tag], tag === '00080018' ? Buffer.from(`${value}\0`) : text(value))
  }
  for (const [tag, value] of Object.entries(numbers)) all[tag] = element(tag, 'US', short(value))
  all['7FE00010'] = element('7FE00010', 'OB', Buffer.from(Array.from({ length: 64 * 64 }, (_, place) => place % 64 * 3)))
  const dataset = Buffer.concat(Object.keys(all).sort().map(tag => all[tag]))
  return Buffer.concat([encodePart10Head({ sopClassUid: '1.2.840.10008.5.1.4.1.1.7', sopInstanceUid: '1.2.3.4', transferSyntaxUid: EXPLICIT_LE }), dataset])
}

const INS = { value: '180047510203490', oid: '1.2.250.1.213.1.4.10' }

test('the INS goes into what is transcoded, and into deflated objects that stay deflated', { skip: skipWithoutShared }, async t => {
  const pool = openPool(t)
  for (const [name, to] of [['MR_small_jpeg_ls_lossless.dcm', EXPLICIT_LE], ['MR_small.dcm', JPEG_2000_LOSSLESS], ['MR_small_bigendian.dcm', IMPLICIT_LE], ['image_dfl.dcm', DEFLATED_LE], ['rtplan.dcm', EXPLICIT_LE]] as const) {
    const out = await transcoded(pool, sample(`dicom/${name}`), acceptOf(to), INS) as Buffer
    const head = headOf(out)
    t.match(head['00101002']?.Value?.at(-1), { '00100020': { Value: [INS.value] } }, name)
    t.strictSame(without(head, ['00101002']), without(headOf(readFileSync(sample(`dicom/${name}`))), ['00101002']))
  }
})

test('a deflated image is inflated for those who ask, and deflated again for those who can', { skip: skipWithoutShared }, async t => {
  const pool = openPool(t)
  const file = readFileSync(sample('dicom/image_dfl.dcm'))
  t.equal(await transcoded(pool, file, acceptOf(DEFLATED_LE)), undefined, 'as it is stored, where that will do')
  const plain = await transcoded(pool, file, acceptOf(EXPLICIT_LE)) as Buffer
  t.ok(objectOf(plain).dataset.equals(inflateRawSync(objectOf(file).dataset)))
  const again = objectOf(await transcoded(pool, plain, acceptOf(DEFLATED_LE)) as Buffer)
  t.ok(inflateRawSync(again.dataset).equals(objectOf(plain).dataset))
  t.ok(pixelsOf(await transcoded(pool, await transcoded(pool, file, acceptOf(JPEG_LS_LOSSLESS)) as Buffer, acceptOf(EXPLICIT_LE)) as Buffer).equals(pixelsOf(plain)))
})

test('an object without pixels leaves uncompressed if it may, else under the name of a coding that has nothing to do', { skip: skipWithoutShared }, async t => {
  const pool = openPool(t)
  const at = sample('dicom/test-SR.dcm')
  t.equal(await transcoded(pool, at, acceptOf(JPEG_BASELINE, [EXPLICIT_LE, 0.1])), undefined)
  const named = objectOf(await transcoded(pool, at, acceptOf(JPEG_LS_LOSSLESS)) as Buffer)
  t.equal(named.transferSyntaxUid, JPEG_LS_LOSSLESS)
  t.ok(named.dataset.equals(objectOf(readFileSync(at)).dataset))
})

test('what cannot be decoded is refused by name, or leaves as it is stored where that is acceptable at all', { skip: skipWithoutShared }, async t => {
  const pool = openPool(t)
  for (const name of ['JPEG2000-embedded-sequence-delimiter.dcm', 'SC_rgb_jpeg.dcm']) {
    const at = sample(`dicom/${name}`)
    const { sopInstanceUid, transferSyntaxUid } = readPart10Head(readFileSync(at))
    await t.rejects(transcoded(pool, at, acceptOf(EXPLICIT_LE)), { code: 'PIXELS_UNREADABLE', facts: { instance: sopInstanceUid } })
    t.equal(await transcoded(pool, at, acceptOf([JPEG_BASELINE, 0.9], [transferSyntaxUid, 0.2])), undefined)
  }
  await t.rejects(transcoded(pool, sample('dicom/CT_small.dcm'), acceptOf(JPEG_BASELINE)), { code: 'ACCEPT_UNSUPPORTED' }, '16 bits have no place in 8')
  t.equal(pool.state.lost, 0)
})
