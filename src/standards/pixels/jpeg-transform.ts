/**
 * The discrete cosine transform of 8 by 8 blocks, in whole numbers: the algorithm of Loeffler,
 * Ligtenberg and Moschytz (ICASSP 1989) with 11 multiplications, scaled as libjpeg's accurate
 * integer transform is, so that what we decode is what DCMTK and GDCM decode, bit by bit.
 *
 * Source: ITU-T T.81 §A.3.3.
 */

const CONST_BITS = 13
const F0298 = 2446 // 0.298631336 and so on, times 2^13
const F0390 = 3196
const F0541 = 4433
const F0765 = 6270
const F0899 = 7373
const F1175 = 9633
const F1501 = 12299
const F1847 = 15137
const F1961 = 16069
const F2053 = 16819
const F2562 = 20995
const F3072 = 25172

/** Natural order of the coefficients that come in zigzag order. */
export const ZIGZAG = Uint8Array.of(
  0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7, 14, 21, 28,
  35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63
)

/** Bits of fraction kept between the passes: as many as 32 bits allow. */
export function passBits (precision: number): number {
  return precision > 8 ? 1 : 2
}

/**
 * Samples to coefficients, in place, multiplied by 8.
 *
 * @param block 64 samples around zero, row by row
 */
export function forward (block: Int32Array, precision: number): void {
  const bits = passBits(precision)
  for (let row = 0; row < 64; row += 8) forward1(block, row, 1, -bits, CONST_BITS - bits)
  for (let column = 0; column < 8; column++) forward1(block, column, 8, bits, CONST_BITS + bits)
}

/**
 * @param whole bits to take off (or to add, when negative) where nothing is multiplied
 * @param scaled bits to take off where something is
 */
function forward1 (block: Int32Array, at: number, step: number, whole: number, scaled: number): void {
  const d0 = block[at]!
  const d1 = block[at + step]!
  const d2 = block[at + 2 * step]!
  const d3 = block[at + 3 * step]!
  const d4 = block[at + 4 * step]!
  const d5 = block[at + 5 * step]!
  const d6 = block[at + 6 * step]!
  const d7 = block[at + 7 * step]!
  const round = 1 << scaled - 1

  const even0 = d0 + d7 + (d3 + d4)
  const even3 = d0 + d7 - (d3 + d4)
  const even1 = d1 + d6 + (d2 + d5)
  const even2 = d1 + d6 - (d2 + d5)
  if (whole < 0) {
    block[at] = even0 + even1 << -whole
    block[at + 4 * step] = even0 - even1 << -whole
  } else {
    block[at] = even0 + even1 + (1 << whole - 1) >> whole
    block[at + 4 * step] = even0 - even1 + (1 << whole - 1) >> whole
  }
  const even = Math.imul(even2 + even3, F0541)
  block[at + 2 * step] = even + Math.imul(even3, F0765) + round >> scaled
  block[at + 6 * step] = even - Math.imul(even2, F1847) + round >> scaled

  const o4 = d3 - d4
  const o5 = d2 - d5
  const o6 = d1 - d6
  const o7 = d0 - d7
  const z5 = Math.imul(o4 + o6 + o5 + o7, F1175)
  const z1 = -Math.imul(o4 + o7, F0899)
  const z2 = -Math.imul(o5 + o6, F2562)
  const z3 = z5 - Math.imul(o4 + o6, F1961)
  const z4 = z5 - Math.imul(o5 + o7, F0390)
  block[at + 7 * step] = Math.imul(o4, F0298) + z1 + z3 + round >> scaled
  block[at + 5 * step] = Math.imul(o5, F2053) + z2 + z4 + round >> scaled
  block[at + 3 * step] = Math.imul(o6, F3072) + z2 + z3 + round >> scaled
  block[at + step] = Math.imul(o7, F1501) + z1 + z4 + round >> scaled
}

/**
 * Coefficients to samples around zero, in place; the caller moves them to the middle and clamps.
 *
 * @param block 64 dequantized coefficients in natural order
 */
export function inverse (block: Int32Array, precision: number): void {
  const bits = passBits(precision)
  for (let column = 0; column < 8; column++) inverse1(block, column, 8, CONST_BITS - bits)
  for (let row = 0; row < 64; row += 8) inverse1(block, row, 1, CONST_BITS + bits + 3)
}

function inverse1 (block: Int32Array, at: number, step: number, scaled: number): void {
  const c0 = block[at]!
  const c1 = block[at + step]!
  const c2 = block[at + 2 * step]!
  const c3 = block[at + 3 * step]!
  const c4 = block[at + 4 * step]!
  const c5 = block[at + 5 * step]!
  const c6 = block[at + 6 * step]!
  const c7 = block[at + 7 * step]!
  const round = 1 << scaled - 1

  const even = Math.imul(c2 + c6, F0541)
  const even2 = even - Math.imul(c6, F1847)
  const even3 = even + Math.imul(c2, F0765)
  const sum = c0 + c4 << CONST_BITS
  const difference = c0 - c4 << CONST_BITS
  const e0 = sum + even3 + round
  const e3 = sum - even3 + round
  const e1 = difference + even2 + round
  const e2 = difference - even2 + round

  const z5 = Math.imul(c7 + c3 + c5 + c1, F1175)
  const z1 = -Math.imul(c7 + c1, F0899)
  const z2 = -Math.imul(c5 + c3, F2562)
  const z3 = z5 - Math.imul(c7 + c3, F1961)
  const z4 = z5 - Math.imul(c5 + c1, F0390)
  const o0 = Math.imul(c7, F0298) + z1 + z3
  const o1 = Math.imul(c5, F2053) + z2 + z4
  const o2 = Math.imul(c3, F3072) + z2 + z3
  const o3 = Math.imul(c1, F1501) + z1 + z4

  block[at] = e0 + o3 >> scaled
  block[at + 7 * step] = e0 - o3 >> scaled
  block[at + step] = e1 + o2 >> scaled
  block[at + 6 * step] = e1 - o2 >> scaled
  block[at + 2 * step] = e2 + o1 >> scaled
  block[at + 5 * step] = e2 - o1 >> scaled
  block[at + 3 * step] = e3 + o0 >> scaled
  block[at + 4 * step] = e3 - o0 >> scaled
}
