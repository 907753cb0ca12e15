/** Whatever the pixels and the size: a code without loss gives them back. */

import { test } from 'tap'
import fc from 'fast-check'
import { transferSyntax } from '#standards/dicom/transfer-syntax.ts'
import { decodeFrame } from '#standards/pixels/decode.ts'
import { encodeFrame } from '#standards/pixels/encode.ts'
import type { PixelFormat } from '#standards/pixels/pixel-format.ts'
import { canEncode, encodableSyntaxes } from '#standards/pixels/pixel-syntaxes.ts'
import { cleanSamples } from '#standards/pixels/samples.ts'
import { formatOf } from '#test/fixtures/pictures.ts'

const format: fc.Arbitrary<PixelFormat> = fc.record({
  rows: fc.integer({ min: 1, max: 40 }),
  columns: fc.integer({ min: 1, max: 40 }),
  samples: fc.constantFrom(1, 1, 3),
  bits: fc.constantFrom([8, 8], [8, 6], [16, 7], [16, 10], [16, 12], [16, 16], [32, 32], [32, 20]),
  signed: fc.boolean()
}).map(({ bits: [bitsAllocated, bitsStored], ...form }) => formatOf({ ...form, bitsAllocated, bitsStored }))

/** Runs, steps and noise: what predictors, run lengths and escapes are made for. */
const content = fc.array(fc.tuple(fc.nat({ max: 0xffff }), fc.integer({ min: 1, max: 200 }), fc.constantFrom(0, 0, 1, 97)), { minLength: 1, maxLength: 20 })

function fill (format: PixelFormat, pieces: readonly (readonly [value: number, length: number, step: number])[]): Buffer {
  const width = format.bitsAllocated / 8
  const pixels = Buffer.alloc(format.rows * format.columns * format.samples * width)
  for (let at = 0, piece = 0; at < pixels.length; piece++) {
    const [value, length, step] = pieces[piece % pieces.length]!
    for (let index = 0; index < length && at < pixels.length; index++, at += width) {
      pixels.writeUIntLE((value + index * step) * 65537 % 2 ** format.bitsAllocated, at, width)
    }
  }
  cleanSamples(pixels, format)
  return pixels
}

test('lossless is lossless', async t => {
  await fc.assert(fc.asyncProperty(format, content, async (format, pieces) => {
    const pixels = fill(format, pieces)
    for (const uid of encodableSyntaxes().filter(uid => canEncode(format, uid) && !transferSyntax(uid).lossy)) {
      const coded = await encodeFrame({ format, pixels }, uid)
      const decoded = await decodeFrame(coded.pixels, uid, coded.format)
      if (!decoded.pixels.equals(pixels)) throw new Error(`${uid}: other pixels`)
      if (decoded.format.bitsStored !== format.bitsStored || decoded.format.photometric !== format.photometric) throw new Error(`${uid}: another format`)
    }
  }), { numRuns: 80 })
  t.pass('80 pictures')
})
