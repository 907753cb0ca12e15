/**
 * JPEG-LS, by CharLS.
 *
 * Source: ITU-T T.87, DICOM PS3.5 §8.2.3 and §A.4.3.
 */

import { EOI } from './jpeg-segments.ts'
import { interleave } from './native.ts'
import type { PixelFormat } from './pixel-format.ts'
import type { Decoded } from './samples.ts'
import { copyOf, type Allocate } from './scratch.ts'
import { WasmCodec, withBound, type Bound } from './wasm-codec.ts'
import type { JpegLsHeader } from './codestream.ts'

interface FrameInfo { width: number, height: number, bitsPerSample: number, componentCount: number }

interface Decoder extends Bound {
  getEncodedBuffer (bytes: number): Uint8Array
  decode (): void
  getDecodedBuffer (): Uint8Array
  /** 0 by plane, 1 by line, 2 by sample; CharLS gives the last two side by side. */
  getInterleaveMode (): number
  getNearLossless (): number
}

interface Encoder extends Bound {
  getDecodedBuffer (frame: FrameInfo): Uint8Array
  setNearLossless (near: number): void
  setInterleaveMode (mode: number): void
  encode (): void
  getEncodedBuffer (): Uint8Array
}

const BY_LINE = 1

const codec = new WasmCodec<{ JpegLSDecoder: new () => Decoder, JpegLSEncoder: new () => Encoder }>(
  '@cornerstonejs/codec-charls/wasmjs', '@cornerstonejs/codec-charls/wasm'
)

export function decodeJpegLs (coded: Uint8Array, header: JpegLsHeader, memory: Allocate): Promise<Decoded> {
  const { rows, columns, components, precision } = header
  const bytesPerSample = precision > 8 ? 2 : 1
  return codec.lend(({ JpegLSDecoder }) => withBound(new JpegLSDecoder(), decoder => {
    // A cut frame gets an end: without one, CharLS counts zeros that aren't there for seconds.
    const buffer = decoder.getEncodedBuffer(coded.length + EOI.length)
    buffer.set(coded)
    buffer.set(EOI, coded.length)
    decoder.decode()
    const bytes = copyOf(decoder.getDecodedBuffer(), memory)
    const byPlane = components > 1 && decoder.getInterleaveMode() === 0
    return {
      bytes: byPlane ? interleave(bytes, { rows, columns, samples: components, bitsAllocated: bytesPerSample * 8 }) : bytes,
      bytesPerSample,
      precision,
      lossy: decoder.getNearLossless() > 0
    }
  }))
}

/**
 * @param pixels samples side by side, of one byte up to 8 bits and of two above
 * @param near greatest error of a sample; 0 is lossless
 */
export function encodeJpegLs (pixels: Uint8Array, format: PixelFormat, precision: number, near: number): Promise<Buffer> {
  const { rows, columns, samples } = format
  return codec.lend(({ JpegLSEncoder }) => withBound(new JpegLSEncoder(), encoder => {
    encoder.getDecodedBuffer({ width: columns, height: rows, bitsPerSample: precision, componentCount: samples }).set(pixels)
    encoder.setNearLossless(near)
    encoder.setInterleaveMode(samples > 1 ? BY_LINE : 0)
    encoder.encode()
    return Buffer.from(encoder.getEncodedBuffer())
  }))
}
