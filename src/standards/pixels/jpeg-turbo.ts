/**
 * Lossy JPEG of 8 bits (baseline, extended and progressive), by libjpeg-turbo.
 *
 * Source: ITU-T T.81, T.871 (JFIF), Adobe TN 5116 (APP14); DICOM PS3.5 §8.2.1 and §A.4.1.
 *
 * The library guesses from APP0 and APP14 whether three components are YCbCr. We decide ourselves
 * (`colour.ts`) and write our decision in front of the frame, as an APP14 of our own that replaces
 * all its application segments.
 */

import type { JpegHeader } from './codestream.ts'
import { unreadable } from './frame-size.ts'
import type { Decoded } from './samples.ts'
import { copyOf, type Allocate } from './scratch.ts'
import { WasmCodec, withBound, type Bound } from './wasm-codec.ts'

interface Decoder extends Bound {
  getEncodedBuffer (bytes: number): Uint8Array
  decode (): void
  getDecodedBuffer (): Uint8Array
}

const codec = new WasmCodec<{ JPEGDecoder: new () => Decoder }>(
  '@cornerstonejs/codec-libjpeg-turbo-8bit/decodewasmjs', '@cornerstonejs/codec-libjpeg-turbo-8bit/decodewasm'
)

/** SOI and Adobe's APP14, of which the last byte tells the transform. */
const ADOBE = Buffer.from('ffd8ffee000e41646f626500640000000000', 'hex')

/**
 * @param isYcc three components are YCbCr, which come out as RGB
 * @returns grey or three samples side by side
 */
export function decodeJpeg8 (coded: Uint8Array, header: JpegHeader, isYcc: boolean, memory: Allocate): Promise<Decoded> {
  const { rows, columns, components } = header
  const plain = components === 3 ? withColour(coded, isYcc ? 1 : 0) : coded
  return codec.lend(({ JPEGDecoder }) => withBound(new JPEGDecoder(), decoder => {
    decoder.getEncodedBuffer(plain.length).set(plain)
    decoder.decode()
    const bytes = copyOf(decoder.getDecodedBuffer(), memory)
    if (bytes.length !== rows * columns * components) throw unreadable('the codec gave another number of pixels', { bytes: bytes.length })
    return { bytes, bytesPerSample: 1, precision: 8, lossy: true }
  }))
}

/** The frame without its application segments, behind an APP14 of ours. */
function withColour (coded: Uint8Array, transform: 0 | 1): Buffer {
  const adobe = Buffer.from(ADOBE)
  adobe[adobe.length - 1] = transform
  const pieces: Uint8Array[] = [adobe]
  let at = 2
  for (; coded[at + 1] !== 0xda;) { // up to the first scan, which the header reader has seen
    if (coded[at + 1] === 0xff) {
      at++
      continue
    }
    const end = at + 2 + (coded[at + 2]! << 8 | coded[at + 3]!)
    if ((coded[at + 1]! & 0xf0) !== 0xe0) pieces.push(coded.subarray(at, end))
    at = end
  }
  pieces.push(coded.subarray(at))
  return Buffer.concat(pieces)
}
