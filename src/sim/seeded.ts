/**
 * What the simulated hospital makes up: the same from the same seed, on every machine.
 */

import { createHash } from 'node:crypto'

/** A UID under 2.25 (PS3.5 §B.2), from a hash of what it names. */
export function seededUid (...names: readonly (string | number)[]): string {
  const digest = createHash('sha256').update(names.join('/')).digest('hex')
  return `2.25.${BigInt(`0x${digest.slice(0, 32)}`)}`
}

/** Numbers in [0, 1): a small generator (mulberry32), good enough for noise in a picture. */
function seededRandom (seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x100000000
  }
}

const NOISE_LENGTH = 1 << 16

/** A table of normally distributed noise of deviation 1, {@link NOISE_LENGTH} long, to be read in a ring. */
export function seededNoise (seed: number): Float32Array {
  const random = seededRandom(seed)
  const noise = new Float32Array(NOISE_LENGTH)
  for (let index = 0; index < NOISE_LENGTH; index++) {
    noise[index] = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
  }
  return noise
}
