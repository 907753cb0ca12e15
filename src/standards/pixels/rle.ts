/**
 * RLE: PackBits over byte planes, one segment for each byte of each sample, high byte first.
 *
 * Source: DICOM PS3.5 Annex G, §8.2.2.
 */

import { unreadable } from './frame-size.ts'
import type { PixelFormat } from './pixel-format.ts'
import { allocate } from './samples.ts'

const HEADER_BYTES = 64
const SEGMENTS_MAX = 15
/** Longest run or literal of one PackBits packet. */
const RUN_MAX = 128

/**
 * @returns samples side by side, little endian
 * @throws RequestError PIXELS_UNREADABLE: another number of segments than the format has bytes, or a
 *   segment that ends before its plane is full
 */
export function decodeRle (coded: Uint8Array, format: PixelFormat): Buffer {
  const { plane, width, segments } = layout(format)
  if (coded.length < HEADER_BYTES) throw unreadable('the RLE header is cut', { bytes: coded.length })
  const header = new DataView(coded.buffer, coded.byteOffset, HEADER_BYTES)
  const told = header.getUint32(0, true)
  if (told !== segments) throw unreadable('another number of RLE segments than the format needs', { segments: told, segmentsNeeded: segments })
  const out = allocate(plane * segments)
  for (let segment = 0; segment < segments; segment++) {
    const start = header.getUint32(4 + 4 * segment, true)
    const next = segment + 1 < segments ? header.getUint32(8 + 4 * segment, true) : coded.length
    if (start < HEADER_BYTES || next < start || next > coded.length) throw unreadable('an RLE segment beside the frame', { segment, offset: start })
    unpack(coded, start, next, out, offsetOf(segment, width), segments)
  }
  return out
}

/** One segment, spread over every `stride`-th byte of `out` from `at` on. */
function unpack (coded: Uint8Array, start: number, end: number, out: Uint8Array, at: number, stride: number): void {
  let to = at
  for (let from = start; to < out.length;) {
    if (from >= end) throw unreadable('an RLE segment is too short', { offset: start })
    const control = coded[from++]!
    if (control < 128) {
      const stop = from + control + 1
      if (stop > end) throw unreadable('an RLE segment is cut', { offset: start })
      for (; from < stop && to < out.length; to += stride) out[to] = coded[from++]!
      from = stop
    } else if (control > 128) {
      if (from >= end) throw unreadable('an RLE segment is cut', { offset: start })
      const value = coded[from++]!
      for (let left = 257 - control; left > 0 && to < out.length; left--, to += stride) out[to] = value
    }
  }
}

/** @param pixels samples side by side, little endian, as {@link decodeRle} gives them */
export function encodeRle (pixels: Uint8Array, format: PixelFormat): Buffer {
  const { plane, width, segments } = layout(format)
  // Each row may end in a packet of its own (§G.3.1), and 128 literals take 129 bytes.
  const rowBytes = Math.max(1, Math.floor(plane / format.rows))
  const out = allocate(HEADER_BYTES + segments * (plane + Math.ceil(plane / rowBytes) * (1 + Math.ceil(rowBytes / RUN_MAX)) + 2))
  out.writeUInt32LE(segments, 0)
  const row = new Uint8Array(rowBytes)
  let to = HEADER_BYTES
  for (let segment = 0; segment < segments; segment++) {
    out.writeUInt32LE(to, 4 + 4 * segment)
    let from = offsetOf(segment, width)
    for (let done = 0; done < plane; done += rowBytes) {
      const length = Math.min(rowBytes, plane - done)
      for (let index = 0; index < length; index++, from += segments) row[index] = pixels[from]!
      to = packRow(row, length, out, to)
    }
    if (to % 2 === 1) out[to++] = 0
  }
  return out.subarray(0, to)
}

/** A run pays from three bytes on; two in the middle of literals would cost as much as they save. */
function packRow (row: Uint8Array, length: number, out: Uint8Array, at: number): number {
  let to = at
  for (let from = 0; from < length;) {
    let run = 1
    while (run < RUN_MAX && from + run < length && row[from + run] === row[from]) run++
    if (run > 1) {
      out[to++] = 257 - run
      out[to++] = row[from]!
      from += run
      continue
    }
    let end = from + 1
    while (end < length && end - from < RUN_MAX && !(row[end] === row[end + 1] && row[end] === row[end + 2] && end + 2 < length)) end++
    out[to++] = end - from - 1
    out.set(row.subarray(from, end), to)
    to += end - from
    from = end
  }
  return to
}

function layout ({ rows, columns, samples, bitsAllocated }: PixelFormat): { plane: number, width: number, segments: number } {
  // Single bits stay packed, in one segment.
  if (bitsAllocated === 1) return { plane: Math.ceil(rows * columns * samples / 8), width: 1, segments: 1 }
  const width = bitsAllocated / 8
  const segments = width * samples
  if (segments > SEGMENTS_MAX) throw unreadable('more bytes in a pixel than RLE has segments', { segments })
  return { plane: rows * columns, width, segments }
}

/** Where the bytes of a segment go in a pixel: segments begin with the high byte (§G.2), pixels with the low one. */
function offsetOf (segment: number, width: number): number {
  const sample = Math.floor(segment / width)
  return sample * width + (width - 1 - segment % width)
}
