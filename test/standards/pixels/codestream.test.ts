/** Hostile frames: refused by their header, before anything is allocated; never a hang or a foreign error. */

import { test } from 'tap'
import { readCodestream } from '#standards/pixels/codestream.ts'
import { decodeFrame } from '#standards/pixels/decode.ts'
import { encodeFrame } from '#standards/pixels/encode.ts'
import type { PixelFormat } from '#standards/pixels/pixel-format.ts'
import { SAMPLES_MAX } from '#standards/pixels/frame-size.ts'
import { formatOf, picture } from '#test/fixtures/pictures.ts'

const SYNTAXES = {
  baseline: '1.2.840.10008.1.2.4.50',
  extended: '1.2.840.10008.1.2.4.51',
  lossless: '1.2.840.10008.1.2.4.70',
  'JPEG-LS': '1.2.840.10008.1.2.4.80',
  'JPEG 2000': '1.2.840.10008.1.2.4.90',
  HTJ2K: '1.2.840.10008.1.2.4.201'
} as const

/** Where the rows stand in a header: after SOF (T.81 §B.2.2) or SIZ (T.800 §A.5.1). */
function sizeAt (coded: Buffer): { rows: number, columns: number, components: number, width: 2 | 4 } {
  const siz = coded.indexOf(Buffer.from('ff51', 'hex'))
  if (coded[1] === 0x4f) return { columns: siz + 6, rows: siz + 10, components: siz + 39, width: 4 }
  for (let at = 2; ; at += 2 + coded.readUInt16BE(at + 2)) {
    if ((coded[at + 1]! & 0xf0) === 0xc0 && coded[at + 1] !== 0xc4) return { rows: at + 5, columns: at + 7, components: at + 9, width: 2 }
    if (coded[at + 1] === 0xf7) return { rows: at + 5, columns: at + 7, components: at + 9, width: 2 }
  }
}

test('a frame of another size than the data set says is refused, whatever it claims', async t => {
  for (const [name, uid] of Object.entries(SYNTAXES)) {
    const frame = name === 'extended' ? picture({ bitsAllocated: 16, bitsStored: 12 }) : picture()
    const { pixels, format } = await encodeFrame(frame, uid)
    t.match(readCodestream(pixels), { rows: 61, columns: 47, components: 1, precision: frame.format.bitsStored }, name)
    const { rows, columns, components, width } = sizeAt(pixels)
    for (const [at, bytes] of [[rows, width], [columns, width], [components, width === 4 ? 2 : 1]] as const) {
      const huge = Buffer.from(pixels)
      huge.fill(0xff, at + (width === 4 ? bytes - 2 : 0), at + bytes)
      await t.rejects(decodeFrame(huge, uid, format), { code: 'PIXELS_UNREADABLE' }, `${name}: ${at}`)
    }
    await t.rejects(decodeFrame(pixels, uid, { ...format, rows: 60 }), { code: 'PIXELS_UNREADABLE', facts: { rows: 61, rowsSaid: 60 } })
    await t.rejects(decodeFrame(pixels, uid, { ...format, samples: 3, photometric: 'RGB' }), { code: 'PIXELS_UNREADABLE', facts: { samples: 1 } })
  }
})

test('a frame that the data set too calls 65 535 by 65 535 is too large, before its bytes are looked at', async t => {
  const before = process.memoryUsage().arrayBuffers
  for (const uid of [...Object.values(SYNTAXES), '1.2.840.10008.1.2.1', '1.2.840.10008.1.2.5', '1.2.840.10008.1.2.8.1']) {
    await t.rejects(decodeFrame(Buffer.alloc(100), uid, formatOf({ rows: 65535, columns: 65535 })), {
      code: 'PIXELS_TOO_LARGE', facts: { samplesMax: SAMPLES_MAX }
    }, uid)
  }
  t.ok(process.memoryUsage().arrayBuffers - before < 10_000_000)
})

test('a few bytes that promise a large picture cost no memory', async t => {
  const before = process.memoryUsage().arrayBuffers
  for (const uid of [SYNTAXES.lossless, SYNTAXES.extended]) {
    const frame = uid === SYNTAXES.extended ? picture({ bitsAllocated: 16, bitsStored: 12 }) : picture()
    const { pixels, format } = await encodeFrame(frame, uid)
    const large = Buffer.from(pixels)
    const { rows, columns } = sizeAt(large)
    large.writeUInt16BE(10000, rows)
    large.writeUInt16BE(10000, columns)
    await t.rejects(decodeFrame(large, uid, { ...format, rows: 10000, columns: 10000 }), { code: 'PIXELS_UNREADABLE', message: /too short/ })
  }
  t.ok(process.memoryUsage().arrayBuffers - before < 10_000_000)
  await t.rejects(decodeFrame(Buffer.alloc(1000), '1.2.840.10008.1.2.5', formatOf({ rows: 10000, columns: 10000 })), { code: 'PIXELS_UNREADABLE' })
})

test('a frame that is cut anywhere is refused: a coarser picture would look whole', async t => {
  for (const [name, uid] of Object.entries({ ...SYNTAXES, RLE: '1.2.840.10008.1.2.5' })) {
    const frame = name === 'extended' ? picture({ bitsAllocated: 16, bitsStored: 12 }) : picture()
    const { pixels, format } = await encodeFrame(frame, uid)
    for (const part of [0, 1, 2, 3, 10, 20, 40, pixels.length >> 2, pixels.length >> 1, pixels.length - 10]) {
      const start = performance.now()
      await t.rejects(decodeFrame(pixels.subarray(0, part), uid, format), { code: 'PIXELS_UNREADABLE' }, `${name} cut to ${part} of ${pixels.length}`)
      t.ok(performance.now() - start < 2000, 'at once: CharLS once counted zeros for ten seconds')
    }
  }
})

test('after a codec has given up, the next frame is decoded as if nothing had been', async t => {
  for (const uid of Object.values(SYNTAXES)) {
    const frame = uid === SYNTAXES.extended ? picture({ bitsAllocated: 16, bitsStored: 12 }) : picture()
    const { pixels, format } = await encodeFrame(frame, uid)
    const broken = Buffer.from(pixels)
    broken.fill(0x55, pixels.length >> 1)
    const first = await decodeFrame(pixels, uid, format)
    await Promise.allSettled([decodeFrame(broken, uid, format), decodeFrame(broken.subarray(0, 60), uid, format)])
    t.same((await decodeFrame(pixels, uid, format)).pixels, first.pixels)
    const together = await Promise.all(Array.from({ length: 5 }, () => decodeFrame(pixels, uid, format)))
    t.ok(together.every(({ pixels }) => pixels.equals(first.pixels)))
    t.equal(new Set(together.map(({ pixels }) => pixels.buffer)).size, 5, 'each in a buffer of its own')
  }
})

test('bytes that are no frame', async t => {
  const forms: readonly Partial<PixelFormat>[] = [{}, { samples: 3 }, { bitsAllocated: 16 }]
  for (const form of forms) {
    for (const text of ['', 'ff', 'ffd8', 'ffd8ff', 'ffd8ffd9', 'ffd8ffffffffff', 'ff4f', 'ff4fff51', 'ff4fff510029', '00'.repeat(100), 'ff'.repeat(100), '0000000c6a5020200d0a870a00000000']) {
      for (const uid of Object.values(SYNTAXES)) await t.rejects(decodeFrame(Buffer.from(text, 'hex'), uid, formatOf(form)), { code: 'PIXELS_UNREADABLE' })
    }
  }
})

test('a JP2 file around the codestream is unwrapped', async t => {
  const frame = picture()
  const { pixels, format } = await encodeFrame(frame, SYNTAXES['JPEG 2000'])
  const box = (type: string, content: Buffer): Buffer => {
    const head = Buffer.alloc(8)
    head.writeUInt32BE(8 + content.length)
    head.write(type, 4, 'latin1')
    return Buffer.concat([head, content])
  }
  const jp2 = Buffer.concat([box('jP  ', Buffer.from('0d0a870a', 'hex')), box('ftyp', Buffer.from('jp2 \0\0\0\0jp2 ')), box('jp2c', pixels)])
  t.same((await decodeFrame(jp2, SYNTAXES['JPEG 2000'], format)).pixels, frame.pixels)
})

test('tiles, layers and components without end are refused', async t => {
  const { pixels, format } = await encodeFrame(picture({ rows: 512, columns: 512 }), SYNTAXES['JPEG 2000'])
  const siz = pixels.indexOf(Buffer.from('ff51', 'hex'))
  const cod = pixels.indexOf(Buffer.from('ff52', 'hex'))
  const change = (at: number, hex: string): Buffer => {
    const bytes = Buffer.from(pixels)
    bytes.write(hex, at, 'hex')
    return bytes
  }
  await t.rejects(decodeFrame(change(siz + 22, '0000000100000001'), SYNTAXES['JPEG 2000'], format), { message: /tiles/ })
  await t.rejects(decodeFrame(change(siz + 22, '0000000000000001'), SYNTAXES['JPEG 2000'], format), { message: /without pixels/ })
  await t.rejects(decodeFrame(change(siz + 38, '4000'), SYNTAXES['JPEG 2000'], format), { message: /components/ })
  await t.rejects(decodeFrame(change(siz + 41, '02'), SYNTAXES['JPEG 2000'], format), { message: /different sizes/ })
  await t.rejects(decodeFrame(change(cod + 6, 'ffff'), SYNTAXES['JPEG 2000'], format), { message: /layers/ })
  await t.rejects(decodeFrame(change(cod + 9, '40'), SYNTAXES['JPEG 2000'], format), { message: /levels/ })
})
