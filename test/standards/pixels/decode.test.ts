/**
 * Every sample with pixels, as we decode it, beside DCMTK and GDCM: the same bytes. Where one of them
 * gives something else, the table below says why, and the other one must agree with us.
 */

import { test } from 'tap'
import { execFile } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { EXPLICIT_LE, transferSyntax } from '#standards/dicom/transfer-syntax.ts'
import { readCodestream } from '#standards/pixels/codestream.ts'
import { decodeFrame } from '#standards/pixels/decode.ts'
import type { Frame, PixelFormat } from '#standards/pixels/pixel-format.ts'
import { codedFrames, type CodedFrames } from '#test/fixtures/coded-frames.ts'
import { skipWithoutDcmtk } from '#test/fixtures/dcmtk.ts'
import { skipWithoutGdcm } from '#test/fixtures/gdcm.ts'
import { difference, formatOf, picture, samplesOf } from '#test/fixtures/pictures.ts'
import { writePixelFile } from '#test/fixtures/pixel-file.ts'
import { sample, skipWithoutShared } from '#test/fixtures/shared.ts'

const run = promisify(execFile)

/** What a peer makes of a sample that we don't, and why. */
const PEER_SLIPS: Readonly<Record<string, string>> = {
  'gdcm J2K_pixelrep_mismatch.dcm': 'leaves the three upper bits of signed samples of 13 bits empty; the 13 bits are the same',
  'gdcm SC_rgb_rle_16bit.dcm': 'takes the planes of 16-bit colour for those of 8 bits',
  'gdcm SC_rgb_rle_32bit.dcm': 'takes the planes of 32-bit colour for those of 8 bits',
  'gdcm SC_rgb_rle_16bit_2frame.dcm': 'refuses several frames of this SOP class',
  'gdcm SC_rgb_rle_32bit_2frame.dcm': 'refuses several frames of this SOP class',
  'gdcm SC_ybr_full_422_uncompressed.dcm': 'refuses to write it',
  'dcmtk SC_ybr_full_422_uncompressed.dcm': 'leaves native 4:2:2 as it is, we repeat the chroma',
  ...Object.fromEntries([
    'SC_rgb_dcmtk_+eb+cy+n1.dcm', 'SC_rgb_dcmtk_+eb+cy+n2.dcm', 'SC_rgb_dcmtk_+eb+cy+np.dcm', 'SC_rgb_dcmtk_+eb+cy+s2.dcm',
    'SC_rgb_dcmtk_+eb+cy+s4.dcm', 'SC_rgb_jpeg_dcmtk.dcm', 'SC_rgb_jpeg_lossy_gdcm.dcm', 'SC_rgb_small_odd_jpeg.dcm', 'examples_ybr_color.dcm'
  ].map(name => [`gdcm ${name}`, 'leaves YCbCr as it is and calls it YBR_FULL; we make it RGB, as DCMTK does']))
}

/** Neither peer gives the same bytes: tests of their own, below. */
const TESTED_ALONE: ReadonlySet<string> = new Set(['J2K_pixelrep_mismatch.dcm', 'SC_ybr_full_422_uncompressed.dcm'])

/** Samples whose pixels can't be had, and what is said of them. */
const UNREADABLE: Readonly<Record<string, string>> = {
  // The size of the codestream was overwritten with a sequence delimiter; no peer reads it either.
  'JPEG2000-embedded-sequence-delimiter.dcm': 'PIXELS_UNREADABLE',
  'MR_truncated.dcm': 'DATA_MALFORMED',
  'SC_rgb_jpeg.dcm': 'DATA_MALFORMED' // fragments under the name of a native transfer syntax
}

/** Files that have no pixels, or no head. */
const WITHOUT_PIXELS = /^(ExplVR_\w+NoMeta|UN_sequence|chr(Jap|Korean|SQ)\w+|empty_charset_LEI|meta_missing_tsyntax|nested_priv_SQ|no_meta|no_meta_group_length|priv_SQ|reportsi\w*|rt(plan|struct)\w*|test-SR|waveform_ecg)\.dcm$/

const DECODERS = { jpeg: 'dcmdjpeg', ls: 'dcmdjpls', rle: 'dcmdrle', native: 'dcmconv' } as const

test('every sample decodes to the pixels that DCMTK and GDCM find', { skip: skipWithoutShared || skipWithoutDcmtk || skipWithoutGdcm, timeout: 200_000 }, async t => {
  const folder = t.testdir()
  const names = readdirSync(sample('dicom')).filter(name => name.endsWith('.dcm') && !WITHOUT_PIXELS.test(name))
  t.ok(names.length > 60)
  for (const name of names) {
    const path = sample(`dicom/${name}`)
    if (UNREADABLE[name] !== undefined) {
      await t.rejects(decodeAll(path), { code: UNREADABLE[name] }, name)
      continue
    }
    const coded = await codedFrames(path)
    const ours = await Promise.all(coded.frames.map(frame => decodeFrame(frame, coded.syntax, coded.format)))
    t.equal(ours[0]!.pixels.length * ours.length, rawBytes(coded.format) * ours.length, `${name}: as many bytes as pixels`)
    const theirs = await Promise.all([
      decodedBy('dcmtk', name, dcmtkCommand(coded.syntax), path, join(folder, `${name}.dcmtk`)),
      decodedBy('gdcm', name, ['gdcmconv', '--raw'], path, join(folder, `${name}.gdcm`))
    ])
    let agreed = 0
    for (const peer of theirs) {
      if (peer === undefined) continue
      agreed++
      t.ok(same(ours, peer), `${name}: the same pixels`)
    }
    t.ok(agreed > 0 || TESTED_ALONE.has(name), `${name}: a peer agrees`)
  }
})

async function decodeAll (path: string): Promise<Frame[]> {
  const { frames, syntax, format } = await codedFrames(path)
  return Promise.all(frames.map(frame => decodeFrame(frame, syntax, format)))
}

function rawBytes ({ rows, columns, samples, bitsAllocated }: PixelFormat): number {
  return rows * columns * samples * bitsAllocated / 8
}

/** JPEG 2000 is no part of Debian's DCMTK. */
function dcmtkCommand (uid: string): readonly string[] | undefined {
  if (/\.4\.(50|51|53|55|57|70)$/.test(uid)) return [DECODERS.jpeg]
  if (/\.4\.8[01]$/.test(uid)) return [DECODERS.ls]
  if (uid.endsWith('.5')) return [DECODERS.rle]
  return transferSyntax(uid).encapsulated ? undefined : [DECODERS.native, '+te']
}

/** Undefined where a peer isn't asked. */
async function decodedBy (peer: 'dcmtk' | 'gdcm', name: string, command: readonly string[] | undefined, from: string, to: string): Promise<CodedFrames | undefined> {
  if (command === undefined || PEER_SLIPS[`${peer} ${name}`] !== undefined) return undefined
  await run(command[0]!, [...command.slice(1), from, to])
  const decoded = await codedFrames(to)
  // GDCM leaves what needs no decoding in implicit or big endian.
  return decoded.syntax === EXPLICIT_LE ? decoded : undefined
}

/** Byte for byte, planes put side by side where a peer writes planes. */
function same (ours: readonly Frame[], { frames, format }: CodedFrames): boolean {
  return ours.length === frames.length && ours.every(({ pixels }, index) => {
    const theirs = frames[index]!
    if (!format.planar) return pixels.equals(theirs)
    const width = format.bitsAllocated / 8
    const plane = theirs.length / format.samples
    for (let at = 0; at < theirs.length; at++) {
      const [sample, offset] = [Math.floor(at / plane), at % plane]
      if (theirs[at] !== pixels[Math.floor(offset / width) * width * format.samples + sample * width + offset % width]) return false
    }
    return pixels.length === theirs.length
  })
}

test('signed samples of 13 bits that were coded as if they had no sign', { skip: skipWithoutShared || skipWithoutGdcm }, async t => {
  const path = sample('dicom/J2K_pixelrep_mismatch.dcm')
  const to = join(t.testdir(), 'raw.dcm')
  await run('gdcmconv', ['--raw', path, to])
  const { frames: [theirs] } = await codedFrames(to)
  const [ours] = await decodeAll(path)
  let differing = 0
  for (let at = 0; at < theirs!.length; at += 2) {
    const value = ours!.pixels.readInt16LE(at)
    if (value < -4096 || value > 4095 || (value & 0x1fff) !== theirs!.readUInt16LE(at)) differing++
  }
  t.equal(differing, 0)
})

test('uncompressed 4:2:2 has its chroma repeated', { skip: skipWithoutShared }, async t => {
  const { frames: [frame] } = await codedFrames(sample('dicom/SC_ybr_full_422_uncompressed.dcm'))
  const [ours] = await decodeAll(sample('dicom/SC_ybr_full_422_uncompressed.dcm'))
  t.match(ours!.format, { photometric: 'YBR_FULL', planar: false, samples: 3 })
  const [y1, y2, cb, cr] = frame!.subarray(4 * 777)
  t.same([...ours!.pixels.subarray(6 * 777, 6 * 777 + 6)], [y1, cb, cr, y2, cb, cr])
})

/** Options of DCMTK's encoders: what archives hold beside what we write ourselves. */
const CODED_BY_DCMTK: readonly (readonly [program: string, options: readonly string[], form: Partial<PixelFormat>])[] = [
  ...[1, 2, 3, 4, 5, 6, 7].map(predictor => ['dcmcjpeg', ['+el', '+sv', String(predictor)], { bitsAllocated: 16, bitsStored: 12 }] as const),
  ['dcmcjpeg', ['+el', '+sv', '4'], { samples: 3 }],
  ['dcmcjpeg', ['+el', '+sv', '7'], { bitsAllocated: 16, signed: true }],
  ['dcmcjpeg', ['+e1'], { bitsAllocated: 16 }],
  ['dcmcjpeg', ['+e1'], { photometric: 'PALETTE COLOR' }],
  ['dcmcjpeg', ['+ee'], { bitsAllocated: 16, bitsStored: 12 }],
  ['dcmcjpeg', ['+ee', '+q', '50'], { bitsAllocated: 16, bitsStored: 12 }],
  ['dcmcjpeg', ['+ee'], {}],
  ['dcmcjpeg', ['+eb', '-ho', '+q', '60'], {}],
  ['dcmcjpeg', ['+eb'], { samples: 3 }],
  ['dcmcjpeg', ['+eb', '+s4'], { samples: 3 }],
  ['dcmcjpeg', ['+eb', '+n1'], { samples: 3 }],
  ['dcmcjpeg', ['+eb', '+cr'], { samples: 3 }],
  ['dcmcjpeg', ['+ep'], { samples: 3 }],
  ['dcmcjpeg', ['+es'], {}],
  ['dcmcjpls', ['+il'], { samples: 3 }],
  ['dcmcjpls', ['+is'], { samples: 3 }],
  ['dcmcjpls', ['+in'], { samples: 3 }],
  ['dcmcjpls', ['+in'], { samples: 3, bitsAllocated: 16 }],
  ['dcmcjpls', ['+en', '+md', '3'], { bitsAllocated: 16, bitsStored: 12 }],
  ['dcmcjpls', ['+t1', '5', '+t2', '9', '+t3', '30', '+rs', '32', '+pc'], {}],
  ['dcmcjpls', [], { bitsAllocated: 16, bitsStored: 12, signed: true }],
  ['dcmcrle', [], { bitsAllocated: 16, signed: true }],
  ['dcmcrle', [], { samples: 3, planar: true }],
  ['dcmconv', ['+tb'], { bitsAllocated: 16, bitsStored: 12 }],
  ['dcmconv', ['+tb'], { samples: 3, bitsAllocated: 16 }],
  ['dcmconv', ['+td'], { bitsAllocated: 16 }],
  ['gdcmconv', ['--j2k'], { bitsAllocated: 16, signed: true }],
  ['gdcmconv', ['--j2k'], { samples: 3 }],
  ['gdcmconv', ['--j2k'], { signed: true }],
  ['gdcmconv', ['--j2k', '--lossy', '--irreversible', '-r', '20'], { bitsAllocated: 16, bitsStored: 12 }],
  ['gdcmconv', ['--jpegls'], { samples: 3 }],
  ['gdcmconv', ['--jpeg'], { samples: 3 }]
]

/** DCMTK doesn't read its own planes of 16-bit colour. */
const OWN_DECODER_GIVES_UP = 'dcmcjpls +in {"samples":3,"bitsAllocated":16}'

test('what DCMTK and GDCM encode, in all their ways', { skip: skipWithoutDcmtk || skipWithoutGdcm, timeout: 200_000 }, async t => {
  const folder = t.testdir()
  const decoders: Readonly<Record<string, readonly string[]>> = {
    dcmcjpeg: ['dcmdjpeg'], dcmcjpls: ['dcmdjpls'], dcmcrle: ['dcmdrle'], dcmconv: ['dcmconv', '+te'], gdcmconv: ['gdcmconv', '--raw']
  }
  for (const [number, [program, options, form]] of CODED_BY_DCMTK.entries()) {
    const what = `${program} ${options.join(' ')} ${JSON.stringify(form)}`
    const frame = picture(form)
    const pixels = form.planar === true ? planes(frame) : frame.pixels
    const plain = writePixelFile(join(folder, `${number}.plain`), EXPLICIT_LE, frame.format, [pixels])
    const file = join(folder, `${number}.coded`)
    await run(program, [...options, plain, file])
    const ours = await decodeAll(file)
    if (what !== OWN_DECODER_GIVES_UP) {
      const [decoder, ...decoderOptions] = decoders[program]!
      await run(decoder!, [...decoderOptions, file, join(folder, `${number}.decoded`)])
      const theirs = await codedFrames(join(folder, `${number}.decoded`))
      // GDCM codes 12 bits as 16 and leaves what a loss has lifted beyond 12; we bring it back to the greatest value.
      if (options.includes('--irreversible')) t.same(samplesOf(ours[0]!), samplesOf({ format: ours[0]!.format, pixels: theirs.frames[0]! }).map(value => Math.min(value, 4095)), `${what}: as its own decoder says`)
      else t.ok(same(ours, theirs), `${what}: as its own decoder says`)
    }
    if (/\+e[lbesp]|\+en|lossy/.test(options.join(' '))) continue
    t.equal(difference(frame, ours[0]!).max, 0, `${what}: as it was`)
  }
})

function planes ({ format, pixels }: Frame): Buffer {
  const width = format.bitsAllocated / 8
  const out = Buffer.alloc(pixels.length)
  const plane = pixels.length / format.samples
  for (let at = 0; at < pixels.length; at++) {
    const sample = Math.floor(at / width) % format.samples
    out[sample * plane + Math.floor(at / (width * format.samples)) * width + at % width] = pixels[at]!
  }
  return out
}

test('bits outside of a sample are no part of it', async t => {
  const bytes = Buffer.from('34f2 ffff 0180'.replaceAll(' ', ''), 'hex')
  const decode = async (form: Partial<PixelFormat>): Promise<string> =>
    (await decodeFrame(bytes, EXPLICIT_LE, formatOf({ rows: 1, columns: 3, bitsAllocated: 16, ...form }))).pixels.toString('hex')
  t.equal(await decode({ bitsStored: 12 }), '3402ff0f0100', 'overlays above are cleared')
  t.equal(await decode({ bitsStored: 12, signed: true }), '3402ffff0100', 'the sign is repeated')
  t.equal(await decode({ bitsStored: 10, signed: true }), '34feffff0100')
  t.equal(await decode({ bitsStored: 12, highBit: 15 }), '230fff0f0008', 'High Bit 15: the four bits below are nobody\'s')
  t.equal(await decode({ bitsStored: 12, highBit: 15, signed: true }), '23ffffff00f8')
  const moved = await decodeFrame(bytes, EXPLICIT_LE, formatOf({ rows: 1, columns: 3, bitsAllocated: 16, bitsStored: 12, highBit: 15 }))
  t.equal(moved.format.highBit, 11)
  const words = await decodeFrame(Buffer.from('00123456 89abcdef'.replace(' ', ''), 'hex'), '1.2.840.10008.1.2.2', formatOf({ rows: 1, columns: 2, bitsAllocated: 32 }))
  t.equal(words.pixels.toString('hex'), '12005634ab89efcd', '32 bits in two words of big endian, the lower one first (PS3.5 §8.1.1)')
})

test('GE\'s own syntax, deflated frames and native frames in fragments', async t => {
  const frame = picture({ bitsAllocated: 16, bitsStored: 12 })
  const swapped = Buffer.from(frame.pixels).swap16()
  t.same((await decodeFrame(swapped, '1.2.840.113619.5.2', frame.format)).pixels, frame.pixels)
  t.same((await decodeFrame(Buffer.concat([frame.pixels, Buffer.alloc(1)]), '1.2.840.10008.1.2.1.98', frame.format)).pixels, frame.pixels)
  const { deflateRawSync } = await import('node:zlib')
  t.same((await decodeFrame(deflateRawSync(frame.pixels), '1.2.840.10008.1.2.8.1', frame.format)).pixels, frame.pixels)
  await t.rejects(decodeFrame(deflateRawSync(Buffer.alloc(50_000_000)), '1.2.840.10008.1.2.8.1', frame.format), { code: 'PIXELS_UNREADABLE' })
  const bits = formatOf({ rows: 3, columns: 5, bitsAllocated: 1 })
  t.same((await decodeFrame(Buffer.from('a55a', 'hex'), '1.2.840.10008.1.2.1', bits)).pixels, Buffer.from('a55a', 'hex'), 'single bits stay packed')
  t.same((await decodeFrame(Buffer.from('a55a', 'hex'), '1.2.840.10008.1.2.2', { ...bits, words: true })).pixels, Buffer.from('5aa5', 'hex'))
})

test('HTJ2K of three components that were not mixed', async t => {
  // Our encoder always mixes RGB, so the frame is made with the library's own: its lines go in one
  // component after the other, which its package doesn't know, hence the order in which they are given.
  const frame = picture({ samples: 3 }, 0)
  const { rows, columns } = frame.format
  const create = createRequire(import.meta.url)('@cornerstonejs/codec-openjph/wasmjs') as (hooks: object) => Promise<{ HTJ2KEncoder: new () => Encoder }>
  const { HTJ2KEncoder } = await create({ print () {}, printErr () {} })
  const encoder = new HTJ2KEncoder()
  const lines = encoder.getDecodedBuffer({ width: columns, height: rows, bitsPerSample: 8, componentCount: 3, isSigned: false, isUsingColorTransform: false })
  for (let line = 0; line < 3 * rows; line++) {
    for (let x = 0; x < columns; x++) {
      lines[(Math.floor(line / 3) * columns + x) * 3 + line % 3] = frame.pixels[(line % rows * columns + x) * 3 + Math.floor(line / rows)]!
    }
  }
  encoder.setQuality(true, 0)
  encoder.encode()
  const coded = Buffer.from(encoder.getEncodedBuffer())
  t.match(readCodestream(coded), { colourTransform: false, components: 3 })
  t.ok(coded.length < frame.pixels.length / 3, 'smooth planes, not lines of all three in turns')
  const decoded = await decodeFrame(coded, '1.2.840.10008.1.2.4.201', { ...frame.format, photometric: 'YBR_FULL' })
  t.same(decoded.pixels, frame.pixels)
  t.equal(decoded.format.photometric, 'YBR_FULL')
})

interface Encoder {
  getDecodedBuffer (frame: object): Uint8Array
  setQuality (lossless: boolean, step: number): void
  encode (): void
  getEncodedBuffer (): Uint8Array
}

test('what is not decoded here says so', async t => {
  for (const uid of ['1.2.840.10008.1.2.4.102', '1.2.840.10008.1.2.4.100', '1.2.840.10008.1.2.4.94', '1.2.840.10008.1.2.4.110', '1.2.3']) {
    await t.rejects(decodeFrame(Buffer.alloc(100), uid, formatOf()), { code: 'ACCEPT_UNSUPPORTED', facts: { transferSyntaxUid: uid } })
  }
})
