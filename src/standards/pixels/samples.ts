/**
 * Samples as the data set wants them: of its width, without anything in the bits that hold no pixel.
 *
 * Source: DICOM PS3.5 §8.1.1: a sample lies in bits High Bit down to High Bit - Bits Stored + 1;
 * what is above or below belongs to nobody (formerly: to overlays, PS3.3 §C.9.2 retired) and is no
 * part of its value.
 */

import { endianness } from 'node:os'
import type { PixelFormat } from './pixel-format.ts'

/** Typed arrays are in the order of the machine, DICOM native pixels are not: see {@link words}. */
const IS_LITTLE = endianness() === 'LE'

/** What a decoder gave: samples side by side, little endian. */
export interface Decoded {
  /** The decoder's no more: may be written to. */
  readonly bytes: Uint8Array
  /** 1, 2 or 4. */
  readonly bytesPerSample: 1 | 2 | 4
  /** Bits of a sample in the codestream. */
  readonly precision: number
  /** The codestream knows a sign, so that samples are numbers already and not bits of a number. */
  readonly signed?: boolean
  /** Values may have gone beyond their range: they are brought back to it, where bits would turn over. */
  readonly lossy?: boolean
}

/**
 * Brings decoded samples to the width of `format`, or wider where the codestream has more bits than
 * Bits Allocated: in place where they have that width already.
 *
 * The value is the lower bits, as many as both the codestream and Bits Stored have; their sign is
 * what Pixel Representation says, whatever the codestream says of it (as GDCM and pydicom do with
 * JPEG 2000 frames that were coded unsigned by mistake).
 */
export function fitSamples ({ bytes, bytesPerSample, precision, signed = false, lossy = false }: Decoded, format: PixelFormat): { bytes: Buffer, bitsAllocated: number, bitsStored: number } {
  const bitsAllocated = precision <= format.bitsAllocated ? format.bitsAllocated : precision <= 16 ? 16 : 32
  // A data set that promises 8 bits around a codestream of 12 is wrong in both numbers.
  const bitsStored = bitsAllocated === format.bitsAllocated ? format.bitsStored : precision
  const width = bitsAllocated / 8 as 1 | 2 | 4
  const count = bytes.length / bytesPerSample
  const out = width === bytesPerSample ? Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length) : allocate(count * width)
  if (width !== bytesPerSample) widen(bytes, bytesPerSample, out, width, signed)
  if (lossy && (format.signed || !signed)) {
    // Two's complement that was coded as if it had no sign gets it back first.
    if (!signed) clean(out, width, precision, precision, format.signed)
    clamp(out, width, Math.min(precision, bitsStored), precision, format.signed)
  } else {
    clean(out, width, Math.min(precision, bitsStored), precision, format.signed)
  }
  return { bytes: out, bitsAllocated, bitsStored }
}

/**
 * Clears what lies above the value, or repeats its sign there; moves it down where High Bit isn't
 * Bits Stored - 1. Works in place on native little endian samples.
 *
 * @returns the format that the samples have now
 */
export function cleanSamples (bytes: Uint8Array, format: PixelFormat): PixelFormat {
  const { bitsAllocated, bitsStored, highBit, signed } = format
  if (bitsAllocated === 1) return format
  const width = bitsAllocated / 8 as 1 | 2 | 4
  const shift = highBit + 1 - bitsStored
  if (shift > 0) {
    const samples = words(bytes, width, false)
    for (let index = 0; index < samples.length; index++) samples[index] = samples[index]! >>> shift
    finish(bytes, samples)
  }
  clean(bytes, width, bitsStored, bitsAllocated, signed)
  return shift > 0 ? { ...format, highBit: bitsStored - 1 } : format
}

/**
 * @param bits of the value
 * @param present bits that may be set
 */
function clean (bytes: Uint8Array, width: 1 | 2 | 4, bits: number, present: number, signed: boolean): void {
  const all = width * 8
  // JPEG-LS and unsigned JPEG 2000 of 12 bits give nothing above them: the common case costs nothing.
  if (bits === all || (!signed && bits >= present)) return
  const samples = words(bytes, width, signed)
  if (signed) {
    const shift = 32 - bits
    for (let index = 0; index < samples.length; index++) samples[index] = samples[index]! << shift >> shift
  } else {
    const mask = 2 ** bits - 1
    for (let index = 0; index < samples.length; index++) samples[index] = samples[index]! & mask
  }
  finish(bytes, samples)
}

/** Brings values into the range of so many bits. @param present bits that may be set in an unsigned one */
function clamp (bytes: Uint8Array, width: 1 | 2 | 4, bits: number, present: number, signed: boolean): void {
  if (bits === width * 8 || (!signed && bits >= present)) return
  const samples = words(bytes, width, signed)
  const least = signed ? -(2 ** (bits - 1)) : 0
  const most = least + 2 ** bits - 1
  for (let index = 0; index < samples.length; index++) {
    const value = samples[index]!
    if (value < least) samples[index] = least
    else if (value > most) samples[index] = most
  }
  finish(bytes, samples)
}

function widen (from: Uint8Array, fromWidth: 1 | 2 | 4, to: Uint8Array, toWidth: 1 | 2 | 4, signed: boolean): void {
  const source = words(from, fromWidth, signed)
  const target = words(to, toWidth, false)
  target.set(source)
  finish(to, target)
}

/** A buffer that begins at a multiple of 4, which typed arrays need; never out of Node's shared pool. */
export function allocate (bytes: number): Buffer {
  return Buffer.from(new ArrayBuffer(bytes))
}

export type Words = Uint8Array | Uint16Array | Uint32Array | Int8Array | Int16Array | Int32Array

/** Samples as numbers: a view where the machine allows it, else a copy for {@link finish} to write back. */
export function words (bytes: Uint8Array, width: 1 | 2 | 4, signed: boolean): Words {
  const count = Math.floor(bytes.length / width)
  const isView = IS_LITTLE && bytes.byteOffset % width === 0
  const base = isView ? bytes : allocate(count * width)
  if (!isView) {
    base.set(bytes.subarray(0, count * width))
    if (!IS_LITTLE) swap(base, width)
  }
  const { buffer, byteOffset } = base
  if (width === 1) return signed ? new Int8Array(buffer, byteOffset, count) : new Uint8Array(buffer, byteOffset, count)
  if (width === 2) return signed ? new Int16Array(buffer, byteOffset, count) : new Uint16Array(buffer, byteOffset, count)
  return signed ? new Int32Array(buffer, byteOffset, count) : new Uint32Array(buffer, byteOffset, count)
}

/** Writes words back where {@link words} had to copy. */
export function finish (bytes: Uint8Array, samples: Words): void {
  if (samples.buffer === bytes.buffer) return
  const copy = Buffer.from(samples.buffer, samples.byteOffset, samples.byteLength)
  if (!IS_LITTLE) swap(copy, samples.BYTES_PER_ELEMENT)
  bytes.set(copy)
}

function swap (bytes: Uint8Array, width: number): void {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  if (width === 2) buffer.swap16()
  if (width === 4) buffer.swap32()
}
