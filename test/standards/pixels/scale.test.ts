import fc from 'fast-check'
import { test } from 'tap'
import { sizeOf } from '#standards/pixels/picture.ts'
import { scaled, type Picture, type Scaling } from '#standards/pixels/scale.ts'

const grey = (width: number, height: number, value: (x: number, y: number) => number): Picture => ({
  width, height, channels: 1, pixels: Uint8Array.from({ length: width * height }, (_, at) => value(at % width, Math.floor(at / width)))
})
const whole = ({ width, height }: Picture, to: { width: number, height: number }, more: Partial<Scaling> = {}): Scaling =>
  ({ region: { x: 0, y: 0, width, height }, ...to, mirrored: false, flipped: false, ...more })

test('at its own size a picture is itself, mirrored it is the other way round', async t => {
  const picture = grey(5, 3, (x, y) => 10 * x + y)
  t.same(scaled(picture, whole(picture, picture)).pixels, picture.pixels)
  t.same([...scaled(picture, whole(picture, picture, { mirrored: true })).pixels.subarray(0, 5)], [40, 30, 20, 10, 0])
  t.same([...scaled(picture, whole(picture, picture, { flipped: true })).pixels.subarray(0, 5)], [2, 12, 22, 32, 42])
})

test('what shrinks is the mean of its area', async t => {
  const picture = grey(4, 4, (x, y) => 16 * y + 4 * x)
  t.same([...scaled(picture, whole(picture, { width: 2, height: 2 })).pixels], [10, 18, 42, 50])
  t.same([...scaled(picture, whole(picture, { width: 1, height: 1 })).pixels], [30])
  t.same([...scaled(picture, { region: { x: 2, y: 2, width: 2, height: 2 }, width: 1, height: 1, mirrored: false, flipped: false }).pixels], [50])
  const thirds = grey(3, 1, x => [0, 90, 180][x])
  t.same([...scaled(thirds, whole(thirds, { width: 2, height: 1 })).pixels], [30, 150], 'a pixel that lies in two is shared')
})

test('what grows is drawn between its pixels, and never beyond them', async t => {
  const picture = grey(2, 1, x => 100 * x)
  t.same([...scaled(picture, whole(picture, { width: 4, height: 1 })).pixels], [0, 25, 75, 100])
})

test('scaling keeps colours apart, brightness within bounds, and a plain picture plain', async t => {
  fc.assert(fc.property(
    fc.record({ width: fc.integer({ min: 1, max: 40 }), height: fc.integer({ min: 1, max: 40 }), toWidth: fc.integer({ min: 1, max: 60 }), toHeight: fc.integer({ min: 1, max: 60 }), mirrored: fc.boolean(), flipped: fc.boolean(), from: fc.double({ min: 0, max: 0.9, noNaN: true }), part: fc.double({ min: 0.05, max: 1, noNaN: true }) }),
    fc.uint8Array({ minLength: 3, maxLength: 3 }),
    ({ width, height, toWidth, toHeight, mirrored, flipped, from, part }, colour) => {
      const picture: Picture = { width, height, channels: 3, pixels: Uint8Array.from({ length: 3 * width * height }, (_, at) => colour[at % 3]) }
      const region = { x: from * width, y: from * height, width: part * (1 - from) * width, height: part * (1 - from) * height }
      const { pixels, ...size } = scaled(picture, { region, width: toWidth, height: toHeight, mirrored, flipped })
      return size.width === toWidth && pixels.length === 3 * toWidth * toHeight && pixels.every((value, at) => value === colour[at % 3])
    }
  ))
  const noise = grey(37, 23, (x, y) => (x * 7 + y * 13) % 200 + 20)
  const { pixels } = scaled(noise, whole(noise, { width: 11, height: 50 }))
  t.ok(pixels.every(value => value >= 20 && value <= 220))
})

test('a picture fits its viewport as large as it can, its pixels square', async t => {
  t.same(sizeOf({ width: 512, height: 256 }, 1, { width: 100, height: 100 }), { width: 100, height: 50 })
  t.same(sizeOf({ width: 100, height: 100 }, 2), { width: 100, height: 200 })
  t.same(sizeOf({ width: 100, height: 100 }, 0.5), { width: 200, height: 100 })
  t.same(sizeOf({ width: 100, height: 100 }, 2, { width: 100, height: 100 }), { width: 50, height: 100 })
  t.same(sizeOf({ width: 100, height: 100 }, 1.0001), { width: 100, height: 100 })
  t.same(sizeOf({ width: 5000, height: 1 }, 1, { width: 10, height: 10 }), { width: 10, height: 1 }, 'never nothing')
  t.ok(sizeOf({ width: 60000, height: 60000 }, 50).height <= 16384)
})
