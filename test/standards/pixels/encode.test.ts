/**
 * What we encode, DCMTK and GDCM decode to the same pixels, or within the bound that the code
 * promises. HTJ2K has no such peer in Debian: dcmjs-codecs, which brings its own OpenJPH, reads ours.
 */

import { test } from 'tap'
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import dcmjsCodecs from 'dcmjs-codecs'
import { transferSyntax } from '#standards/dicom/transfer-syntax.ts'
import { readCodestream } from '#standards/pixels/codestream.ts'
import { decodeFrame } from '#standards/pixels/decode.ts'
import { encodeFrame, type EncodeOptions } from '#standards/pixels/encode.ts'
import type { Frame, PixelFormat } from '#standards/pixels/pixel-format.ts'
import { canDecode, canEncode, encodableSyntaxes } from '#standards/pixels/pixel-syntaxes.ts'
import { codedFrames } from '#test/fixtures/coded-frames.ts'
import { skipWithoutDcmtk } from '#test/fixtures/dcmtk.ts'
import { skipWithoutGdcm } from '#test/fixtures/gdcm.ts'
import { difference, formatOf, picture } from '#test/fixtures/pictures.ts'
import { writePixelFile } from '#test/fixtures/pixel-file.ts'

const FORMS: Readonly<Record<string, Partial<PixelFormat>>> = {
  'grey of 8 bits': {},
  'inverted grey of 8 bits': { photometric: 'MONOCHROME1' },
  'signed grey of 8 bits': { signed: true },
  'grey of 8 bits in 16': { bitsAllocated: 16, bitsStored: 8 },
  'grey of 10 bits': { bitsAllocated: 16, bitsStored: 10 },
  'grey of 12 bits': { bitsAllocated: 16, bitsStored: 12 },
  'signed grey of 12 bits': { bitsAllocated: 16, bitsStored: 12, signed: true },
  'grey of 16 bits': { bitsAllocated: 16 },
  'signed grey of 16 bits': { bitsAllocated: 16, signed: true },
  'grey of 32 bits': { bitsAllocated: 32 },
  palette: { photometric: 'PALETTE COLOR' },
  'palette of 16 bits': { photometric: 'PALETTE COLOR', bitsAllocated: 16 },
  RGB: { samples: 3 },
  'RGB of an even number of columns': { samples: 3, columns: 48 },
  YBR_FULL: { samples: 3, photometric: 'YBR_FULL' },
  'RGB of 16 bits': { samples: 3, bitsAllocated: 16 }
}

/** What reads each transfer syntax: programs that write explicit little endian. */
const PEERS: Readonly<Record<string, readonly ('dcmdjpeg' | 'dcmdjpls' | 'dcmdrle' | 'gdcmconv')[]>> = {
  '1.2.840.10008.1.2.5': ['dcmdrle', 'gdcmconv'],
  '1.2.840.10008.1.2.4.50': ['dcmdjpeg'],
  '1.2.840.10008.1.2.4.51': ['dcmdjpeg'],
  '1.2.840.10008.1.2.4.57': ['dcmdjpeg'],
  '1.2.840.10008.1.2.4.70': ['dcmdjpeg', 'gdcmconv'],
  '1.2.840.10008.1.2.4.80': ['dcmdjpls', 'gdcmconv'],
  '1.2.840.10008.1.2.4.81': ['dcmdjpls'],
  '1.2.840.10008.1.2.4.90': ['gdcmconv'],
  '1.2.840.10008.1.2.4.91': ['gdcmconv']
}

/** What a peer cannot read, for reasons of its own: the other one reads it. */
const PEER_SLIPS: Readonly<Record<string, ReadonlySet<string>>> = {
  // GDCM knows palettes of 8 bits only.
  'gdcmconv: palette of 16 bits': new Set(['1.2.840.10008.1.2.5', '1.2.840.10008.1.2.4.70', '1.2.840.10008.1.2.4.80', '1.2.840.10008.1.2.4.90']),
  // GDCM takes the planes of 16-bit colour for those of 8 bits.
  'gdcmconv: RGB of 16 bits': new Set(['1.2.840.10008.1.2.5']),
  // DCMTK makes YBR_FULL RGB, even what lost nothing; we leave it as it is. GDCM does as we do.
  'dcmdjpeg: YBR_FULL': new Set(['1.2.840.10008.1.2.4.57', '1.2.840.10008.1.2.4.70'])
}

/** Greatest error, as a part of the range: what a lossy code may do to noise and edges at its default. */
const LOSS_MAX: Readonly<Record<string, number>> = {
  '1.2.840.10008.1.2.4.50': 0.2, // where chroma is shared by two pixels that differ
  '1.2.840.10008.1.2.4.51': 0.2,
  '1.2.840.10008.1.2.4.91': 0.16,
  '1.2.840.10008.1.2.4.203': 0.05
}

function allowed (uid: string, { bitsStored, bitsAllocated, signed }: PixelFormat): number {
  if (uid === '1.2.840.10008.1.2.4.81') return 2
  return (LOSS_MAX[uid] ?? 0) * 2 ** (signed ? bitsAllocated : bitsStored)
}

function asDecoded ({ format }: Frame, uid: string): PixelFormat {
  const isTransformed = format.photometric.startsWith('YBR') && /\.(50|51)$/.test(uid)
  return isTransformed ? { ...format, photometric: 'RGB' } : format
}

for (const [name, form] of Object.entries(FORMS)) {
  test(`${name}: what we encode, we decode`, async t => {
    const frame = picture(form)
    for (const uid of encodableSyntaxes().filter(uid => canEncode(frame.format, uid))) {
      const what = `${transferSyntax(uid).name} (${uid})`
      const coded = await encodeFrame(frame, uid)
      const decoded = await decodeFrame(coded.pixels, uid, coded.format)
      t.ok(canDecode(uid))
      if (frame.format.photometric !== 'YBR_FULL' || !/\.(50|51)$/.test(uid)) {
        const { max } = difference(frame, decoded)
        t.ok(max <= allowed(uid, frame.format), `${what}: off by ${max}`)
      }
      t.same(decoded.format, { ...asDecoded(frame, uid), bitsAllocated: coded.format.bitsAllocated, bitsStored: coded.format.bitsStored, highBit: coded.format.highBit }, `${what}: format`)
      t.not(decoded.pixels.buffer, coded.pixels.buffer, 'a copy')
    }
  })

  test(`${name}: what we encode, DCMTK and GDCM decode`, { skip: skipWithoutDcmtk || skipWithoutGdcm, timeout: 60_000 }, async t => {
    const frame = picture(form)
    const folder = t.testdir()
    for (const uid of Object.keys(PEERS).filter(uid => canEncode(frame.format, uid))) {
      const coded = await encodeFrame(frame, uid)
      const file = writePixelFile(join(folder, `${uid}.dcm`), uid, coded.format, [coded.pixels])
      const ours = await decodeFrame(coded.pixels, uid, coded.format)
      await Promise.all(PEERS[uid]!.map(async peer => {
        if (PEER_SLIPS[`${peer}: ${name}`]?.has(uid) === true) return
        const theirs = await decodedBy(peer, file, join(folder, `${uid}.${peer}.dcm`))
        const bits = ({ pixels, format }: Frame): Frame => ({ pixels, format: { ...format, signed: false } })
        t.equal(difference(bits(theirs), bits(ours)).max, 0, `${peer}, ${transferSyntax(uid).name}`)
      }))
    }
  })
}

const run = promisify(execFile)

/** The frame as a peer decodes it, samples side by side. */
async function decodedBy (peer: string, from: string, to: string): Promise<Frame> {
  await run(peer, [...(peer === 'gdcmconv' ? ['--raw'] : []), from, to])
  const { frames: [frame], syntax, format } = await codedFrames(to)
  return decodeFrame(frame!, syntax, format)
}

test('near-lossless stays within NEAR', async t => {
  for (const form of [{}, { bitsAllocated: 16 as const, bitsStored: 12 }, { samples: 3 }]) {
    for (const near of [1, 3, 7]) {
      const frame = picture(form)
      const coded = await encodeFrame(frame, '1.2.840.10008.1.2.4.81', { near })
      const { max } = difference(frame, await decodeFrame(coded.pixels, '1.2.840.10008.1.2.4.81', coded.format))
      t.ok(max <= near && max > 0, `${max} of ${near}`)
    }
  }
})

test('quality, ratio and step make frames smaller', async t => {
  const ct = picture({ rows: 256, columns: 256, bitsAllocated: 16, bitsStored: 12 })
  const grey = picture({ rows: 256, columns: 256 })
  const sizes = async (frame: Frame, uid: string, options: readonly EncodeOptions[]): Promise<void> => {
    const lengths: number[] = []
    for (const option of options) lengths.push((await encodeFrame(frame, uid, option)).pixels.length)
    t.same(lengths, lengths.toSorted((a, b) => b - a), `${uid}: ${lengths.join(' > ')}`)
    t.ok(lengths.at(-1)! < lengths[0]! / 2)
  }
  await sizes(grey, '1.2.840.10008.1.2.4.50', [{ quality: 98 }, { quality: 90 }, { quality: 40 }])
  await sizes(ct, '1.2.840.10008.1.2.4.51', [{ quality: 98 }, { quality: 90 }, { quality: 40 }])
  await sizes(ct, '1.2.840.10008.1.2.4.91', [{ ratio: 4 }, { ratio: 8 }, { ratio: 20 }])
  await sizes(ct, '1.2.840.10008.1.2.4.203', [{ step: 1 }, { step: 16 }, { step: 64 }])
  const small = await encodeFrame(ct, '1.2.840.10008.1.2.4.91', { ratio: 10 })
  t.ok(small.pixels.length <= 256 * 256 * 12 / 8 / 10, 'the ratio is kept')
})

test('what doesn\'t shrink, and pictures of a few pixels, are encoded all the same', async t => {
  const forms: readonly Partial<PixelFormat>[] = [{}, { bitsAllocated: 16 }, { samples: 3 }, { bitsAllocated: 16, signed: true }, { samples: 3, bitsAllocated: 16 }]
  for (const form of forms) {
    for (const [rows, columns] of [[1, 1], [1, 9], [7, 1], [2, 3], [8, 8], [64, 64]] as const) {
      const frame = picture({ ...form, rows, columns }, 2)
      for (const uid of encodableSyntaxes().filter(uid => canEncode(frame.format, uid) && !transferSyntax(uid).lossy)) {
        const coded = await encodeFrame(frame, uid)
        t.same(difference(frame, await decodeFrame(coded.pixels, uid, coded.format)).max, 0, `${rows} x ${columns}, ${JSON.stringify(form)}, ${uid}`)
      }
      for (const uid of ['1.2.840.10008.1.2.4.50', '1.2.840.10008.1.2.4.91'].filter(uid => canEncode(frame.format, uid))) {
        const coded = await encodeFrame(frame, uid)
        t.equal((await decodeFrame(coded.pixels, uid, coded.format)).pixels.length, frame.pixels.length, uid)
      }
    }
  }
})

test('what a code cannot carry is refused, and told beforehand', async t => {
  const refused: readonly (readonly [string, Partial<PixelFormat>])[] = [
    ['1.2.840.10008.1.2.4.50', { bitsAllocated: 16 }],
    ['1.2.840.10008.1.2.4.50', { bitsAllocated: 16, bitsStored: 12, signed: true }],
    ['1.2.840.10008.1.2.4.50', { photometric: 'PALETTE COLOR' }],
    ['1.2.840.10008.1.2.4.50', { bitsAllocated: 1 }],
    ['1.2.840.10008.1.2.4.51', { bitsAllocated: 16 }],
    ['1.2.840.10008.1.2.4.51', { samples: 3, bitsAllocated: 16, bitsStored: 12 }],
    ['1.2.840.10008.1.2.4.70', { bitsAllocated: 1 }],
    ['1.2.840.10008.1.2.4.70', { bitsAllocated: 32 }],
    ['1.2.840.10008.1.2.4.80', { bitsAllocated: 1 }],
    ['1.2.840.10008.1.2.4.90', { samples: 3, bitsAllocated: 16 }],
    ['1.2.840.10008.1.2.5', { bitsAllocated: 1 }],
    ['1.2.840.10008.1.2.2', {}],
    ['1.2.840.10008.1.2.4.102', {}],
    ['1.2.3', {}]
  ]
  for (const [uid, form] of refused) {
    const format = formatOf(form)
    t.notOk(canEncode(format, uid))
    const pixels = Buffer.alloc(61 * 47 * 12)
    await t.rejects(encodeFrame({ format, pixels }, uid), { code: 'ACCEPT_UNSUPPORTED', facts: { transferSyntaxUid: uid } }, `${uid} ${JSON.stringify(form)}`)
  }
  await t.rejects(encodeFrame({ format: formatOf(), pixels: Buffer.alloc(10) }, '1.2.840.10008.1.2.5'), { code: 'PIXELS_UNREADABLE' })
  await t.rejects(encodeFrame({ format: formatOf({ rows: 60000, columns: 60000 }), pixels: Buffer.alloc(10) }, '1.2.840.10008.1.2.5'), { code: 'PIXELS_TOO_LARGE' })
})

test('HTJ2K as the standard wants it, and read by another', async t => {
  await dcmjsCodecs.NativeCodecs.initializeAsync()
  const forms: readonly Partial<PixelFormat>[] = [{}, { bitsAllocated: 16, bitsStored: 12 }, { bitsAllocated: 16, signed: true }, { samples: 3 }]
  for (const form of forms) {
    const frame = picture(form)
    for (const uid of ['1.2.840.10008.1.2.4.201', '1.2.840.10008.1.2.4.202']) {
      const { pixels, format } = await encodeFrame(frame, uid)
      t.match(readCodestream(pixels), { highThroughput: true, signed: format.signed, precision: format.bitsStored, colourTransform: format.samples === 3 })
      t.equal(format.photometric, format.samples === 3 ? 'YBR_RCT' : 'MONOCHROME2')
      const cod = pixels.indexOf(Buffer.from('ff52', 'hex'))
      // PS3.5 §A.4.9: progression RPCL, and tile-part lengths in TLM.
      if (uid.endsWith('202')) t.same([pixels[cod + 5], pixels.includes(Buffer.from('ff55', 'hex'))], [2, true])
      const context = new dcmjsCodecs.Context({
        width: format.columns,
        height: format.rows,
        bitsAllocated: format.bitsAllocated,
        bitsStored: format.bitsStored,
        samplesPerPixel: format.samples,
        pixelRepresentation: format.signed ? 1 : 0,
        planarConfiguration: 0,
        photometricInterpretation: format.photometric,
        encodedBuffer: pixels
      })
      const theirs = Buffer.from(dcmjsCodecs.NativeCodecs.decodeHtJpeg2000(context, {}).getDecodedBuffer()!)
      t.same(difference(frame, { format: frame.format, pixels: theirs }).max, 0, `${uid} ${JSON.stringify(form)}`)
    }
  }
})
