/**
 * Huffman tables of JPEG: made ready for reading, or made to measure for writing.
 *
 * Source: ITU-T T.81 Annex C (codes from lengths), §K.2 (lengths from frequencies), §B.2.4.2 (DHT).
 */

import { unreadable } from './frame-size.ts'

export interface HuffmanDecoder {
  /** By the next 9 bits: length << 8 | symbol; 0 where the code is longer. */
  readonly fast: Uint16Array
  /** By length: the greatest code, or -1. */
  readonly maxCode: Int32Array
  /** By length: what to add to a code to find its symbol. */
  readonly offset: Int32Array
  readonly symbols: Uint8Array
}

export interface HuffmanEncoder {
  /** By length, 1 to 16: how many codes. */
  readonly counts: Uint8Array
  readonly symbols: Uint8Array
  /** By symbol. */
  readonly code: Uint16Array
  /** By symbol: bits of the code, 0 for a symbol that doesn't occur. */
  readonly size: Uint8Array
}

const FAST_BITS = 9

/**
 * @param counts by length from 1 to 16, at indices 1 to 16
 * @throws RequestError PIXELS_UNREADABLE for lengths that make no code
 */
export function huffmanDecoder (counts: Uint8Array, symbols: Uint8Array): HuffmanDecoder {
  const fast = new Uint16Array(1 << FAST_BITS)
  const maxCode = new Int32Array(17).fill(-1)
  const offset = new Int32Array(17)
  let code = 0
  let index = 0
  for (let length = 1; length <= 16; length++) {
    const count = counts[length]!
    offset[length] = index - code
    for (let left = count; left > 0; left--, code++, index++) {
      if (length > FAST_BITS) continue
      const first = code << FAST_BITS - length
      fast.fill(length << 8 | symbols[index]!, first, first + (1 << FAST_BITS - length))
    }
    if (count > 0) maxCode[length] = code - 1
    if (code > 1 << length) throw unreadable('a Huffman table with more codes than there are')
    code <<= 1
  }
  return { fast, maxCode, offset, symbols }
}

/** @param frequencies by symbol, as many as there are symbols (up to 256) */
export function huffmanEncoder (frequencies: Uint32Array): HuffmanEncoder {
  const counts = codeLengths(frequencies)
  const bySize = [...frequencies.keys()].filter(symbol => frequencies[symbol]! > 0)
    .sort((a, b) => frequencies[b]! - frequencies[a]! || a - b)
  const symbols = Uint8Array.from(bySize)
  const code = new Uint16Array(256)
  const size = new Uint8Array(256)
  let next = 0
  let index = 0
  for (let length = 1; length <= 16; length++, next <<= 1) {
    for (let left = counts[length]!; left > 0; left--) {
      const symbol = symbols[index++]!
      code[symbol] = next++
      size[symbol] = length
    }
  }
  return { counts, symbols, code, size }
}

/** How many codes of each length are best, none longer than 16 and none all ones (§K.2). */
function codeLengths (frequencies: Uint32Array): Uint8Array {
  // One more symbol, the rarest of all, takes the code of all ones and is then dropped.
  const weights = [...frequencies].filter(frequency => frequency > 0).sort((a, b) => a - b)
  const depths = leafDepths([0, ...weights])
  // Figure K.3: two of the longest become one shorter, and one leaf above them splits.
  for (let length = depths.length - 1; length > 16; length--) {
    while (depths[length]! > 0) {
      let above = length - 2
      while (depths[above] === 0) above--
      depths[length]! -= 2
      depths[length - 1]!++
      depths[above + 1]! += 2
      depths[above]!--
    }
  }
  let longest = 16
  while (depths[longest] === 0) longest--
  depths[longest]!--
  return Uint8Array.from({ length: 17 }, (_, length) => depths[length]!)
}

/**
 * How many leaves lie at which depth of the best tree. Two queues: leaves in order of weight, and
 * nodes, which come about in order of weight by themselves.
 *
 * @param weights ascending
 */
function leafDepths (weights: readonly number[]): Uint16Array {
  const nodes = weights.length - 1
  const weight = new Float64Array(nodes)
  const parentOfLeaf = new Int32Array(weights.length)
  const parentOfNode = new Int32Array(nodes).fill(-1)
  let leaf = 0
  let node = 0
  for (let made = 0; made < nodes; made++) {
    for (let side = 0; side < 2; side++) {
      if (leaf < weights.length && (node >= made || weights[leaf]! <= weight[node]!)) {
        weight[made]! += weights[leaf]!
        parentOfLeaf[leaf++] = made
      } else {
        weight[made]! += weight[node]!
        parentOfNode[node++] = made
      }
    }
  }
  const depthOfNode = new Int32Array(nodes)
  for (let made = nodes - 2; made >= 0; made--) depthOfNode[made] = depthOfNode[parentOfNode[made]!]! + 1
  const depths = new Uint16Array(Math.max(33, weights.length + 1))
  for (const parent of parentOfLeaf) depths[depthOfNode[parent]! + 1]!++
  return depths
}
