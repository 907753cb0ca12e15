/**
 * Pixels of nobody: smooth shapes that look like a body part from afar, with the noise of a real
 * detector, so that codecs meet data of ordinary entropy and images differ from one another.
 */

import { seededNoise } from './seeded.ts'

/** Height in arbitrary units at (x, y), both from -1 to 1; `noise` scales with the dose. */
interface Sample { value: number, noise: number }
type Shape = (x: number, y: number, sample: Sample) => void

/**
 * Draws a shape as unsigned words of `bits` bits, row by row.
 *
 * @param seed another seed, another noise
 */
function draw (columns: number, rows: number, bits: number, seed: number, shape: Shape): Uint16Array {
  const noise = seededNoise(seed)
  const ring = noise.length - 1
  const pixels = new Uint16Array(columns * rows)
  const maximum = 2 ** bits - 1
  const sample: Sample = { value: 0, noise: 0 }
  let at = (seed * 7919) & ring
  for (let row = 0, index = 0; row < rows; row++) {
    at = (at + row * 31) & ring
    const y = 2 * row / rows - 1
    for (let column = 0; column < columns; column++, index++) {
      shape(2 * column / columns - 1, y, sample)
      at = (at + 1) & ring
      const value = Math.round(sample.value + sample.noise * noise[at])
      pixels[index] = value < 0 ? 0 : value > maximum ? maximum : value
    }
  }
  return pixels
}

const disc = (x: number, y: number, centreX: number, centreY: number, width: number, height = width): number =>
  ((x - centreX) / width) ** 2 + ((y - centreY) / height) ** 2

/** An axial CT slice of 512×512, 12 bits, in Hounsfield units + 1024. `level` runs from head (0) to feet (1). */
export function ctSlice (level: number, seed: number): Uint16Array {
  const width = 0.7 + 0.1 * Math.sin(3 * level)
  const height = 0.52 + 0.06 * Math.sin(4 * level + 1)
  const lung = Math.max(0, Math.sin(Math.PI * Math.min(1, 1.7 * level))) * 0.3
  const liver = Math.max(0, Math.sin(Math.PI * Math.max(0, 1.8 * level - 0.8))) * 0.34
  const heart = 12 * Math.sin(9 * level)
  return draw(512, 512, 12, seed, (x, y, sample) => {
    const body = disc(x, y, 0, 0, width, height)
    const inLung = lung > 0.02 && (disc(x, y, -0.33, -0.04, lung, lung * 1.2) < 1 || disc(x, y, 0.33, -0.04, lung, lung * 1.2) < 1)
    if (x * x + y * y > 0.96) return set(sample, 0, 0) // outside the field of view
    if (body > 1) return set(sample, y > 0.66 && y < 0.69 ? 750 : 26, 9) // table, air
    if (disc(x, y, 0, 0.34, 0.1) < 1) return set(sample, 1324 + 300 * Math.cos(40 * level), 19) // spine
    if (inLung) return set(sample, 174 + 60 * Math.sin(40 * x + 30 * level) * Math.sin(37 * y), 19)
    if (liver > 0.02 && disc(x, y, -0.28, -0.08, liver, liver * 0.9) < 1) return set(sample, 1134, 19)
    if (disc(x, y, 0.06, 0.16, 0.05) < 1) return set(sample, 1290, 19) // aorta
    set(sample, body > 0.86 ? 934 : 1069 + heart * Math.cos(17 * y) * Math.sin(14 * x), 19) // fat, then the rest
  })
}

function set (sample: Sample, value: number, noise: number): void {
  sample.value = value
  sample.noise = noise
}

/** An MR slice of a head, 256×256, 12 bits. `contrast` from 0 (T1) to 1 (T2). */
export function mrSlice (level: number, contrast: number, seed: number): Uint16Array {
  const size = 0.55 + 0.25 * Math.sin(Math.PI * level)
  return draw(256, 256, 12, seed, (x, y, sample) => {
    const head = disc(x, y, 0, 0, size, size * 1.2)
    sample.noise = 6
    if (head > 1) sample.value = 8
    else if (head > 0.9) sample.value = 900 - 300 * contrast
    else if (disc(x, y, -0.09, 0, 0.07, 0.2) < 1 || disc(x, y, 0.09, 0, 0.07, 0.2) < 1) sample.value = 140 + 1500 * contrast
    else sample.value = 520 + 160 * Math.sin(22 * x) * Math.cos(19 * y) * (0.6 + contrast) + 80 * level
  })
}

/** A chest or a knee: one large projection, 12 bits. */
export function projection (columns: number, rows: number, seed: number): Uint16Array {
  return draw(columns, rows, 12, seed, (x, y, sample) => {
    const left = Math.exp(-3 * disc(x, y, -0.42, -0.05, 0.36, 0.62))
    const right = Math.exp(-3 * disc(x, y, 0.42, -0.05, 0.36, 0.62))
    const ribs = 120 * Math.cos(26 * y + 5 * x * x)
    const heart = 500 * Math.exp(-2 * disc(x, y, 0.12, 0.2, 0.3, 0.34))
    sample.value = 2500 - 1500 * (left + right) + ribs * (left + right) + heart
    sample.noise = 14
  })
}

/** A breast at the edge of a large detector, 12 bits. @param side -1 left, 1 right */
export function breast (columns: number, rows: number, side: number, tilt: number, seed: number): Uint16Array {
  return draw(columns, rows, 12, seed, (x, y, sample) => {
    const edge = disc(x, y - tilt * x, side, 0, 1.1, 0.75)
    sample.noise = edge > 1 ? 0 : 9
    sample.value = edge > 1 ? 0 : 700 + 1400 * Math.sqrt(1 - edge) + 260 * Math.sin(23 * x + 7 * y) * Math.cos(19 * y - 5 * x)
  })
}

/** A beating heart in an ultrasound sector: one frame, interleaved RGB, 8 bits. `phase` from 0 to 1. */
export function heartFrame (columns: number, rows: number, phase: number, seed: number): Uint8Array {
  const size = 0.3 + 0.06 * Math.sin(2 * Math.PI * phase)
  const grey = draw(columns, rows, 8, seed, (x, y, sample) => {
    const depth = Math.hypot(x, y + 1)
    const inside = depth < 1.85 && Math.abs(x) < 0.75 * (y + 1)
    const wall = Math.abs(Math.sqrt(disc(x, y, 0, 0.1, size, size * 1.4)) - 1)
    sample.value = inside ? 40 + 130 * Math.exp(-30 * wall * wall) - 10 * depth : 0
    sample.noise = inside ? 14 : 0
  })
  const pixels = new Uint8Array(3 * columns * rows)
  for (let index = 0; index < grey.length; index++) {
    const flow = Math.floor(index / columns) > rows * 0.45 && index % columns > columns * 0.45 && index % columns < columns * 0.55
    pixels[3 * index] = flow ? Math.min(255, grey[index] + Math.round(80 * phase)) : grey[index]
    pixels[3 * index + 1] = grey[index]
    pixels[3 * index + 2] = flow ? Math.min(255, grey[index] + Math.round(80 * (1 - phase))) : grey[index]
  }
  return pixels
}
