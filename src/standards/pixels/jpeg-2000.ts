/**
 * JPEG 2000 by OpenJPEG, High-Throughput JPEG 2000 by OpenJPH.
 *
 * Source: ITU-T T.800 and T.814, DICOM PS3.5 §8.2.4 and §A.4.4, §8.2.14 and §A.4.9 (HTJ2K).
 */

import type { Jpeg2000Header } from './codestream.ts'
import { unreadable } from './frame-size.ts'
import type { PixelFormat } from './pixel-format.ts'
import type { Decoded } from './samples.ts'
import { WasmCodec, withBound, type Bound } from './wasm-codec.ts'

interface FrameInfo { width: number, height: number, bitsPerSample: number, componentCount: number, isSigned: boolean }

interface Decoder extends Bound {
  getEncodedBuffer (bytes: number): Uint8Array
  decode (): void
  getDecodedBuffer (): Uint8Array
  getFrameInfo (): FrameInfo
}

interface Encoder extends Bound {
  getDecodedBuffer (frame: FrameInfo & { isUsingColorTransform: boolean }): Uint8Array
  setDecompositions (levels: number): void
  setProgressionOrder (order: number): void
  encode (): void
  getEncodedBuffer (): Uint8Array
}

interface OpenJpegEncoder extends Encoder {
  setQuality (lossless: boolean, layers: number): void
  setCompressionRatio (layer: number, ratio: number): void
}

interface OpenJphEncoder extends Encoder {
  /** Lossy: the step as a part of the range of a sample. */
  setQuality (lossless: boolean, quantizationStep: number): void
  setTLMMarker (written: boolean): void
  setTilePartDivisionsAtResolutions (divided: boolean): void
}

const openJpeg = new WasmCodec<{ J2KDecoder: new () => Decoder, J2KEncoder: new () => OpenJpegEncoder }>(
  '@cornerstonejs/codec-openjpeg/wasmjs', '@cornerstonejs/codec-openjpeg/wasm'
)
const openJph = new WasmCodec<{ HTJ2KDecoder: new () => Decoder, HTJ2KEncoder: new () => OpenJphEncoder }>(
  '@cornerstonejs/codec-openjph/wasmjs', '@cornerstonejs/codec-openjph/wasm'
)

/** Progression orders, T.800 §A.6.1. */
const LRCP = 0
const RPCL = 2

/** OpenJPEG and OpenJPH give words of 16 bits at most here. */
const PRECISION_MAX = 16

export async function decodeJpeg2000 (header: Jpeg2000Header): Promise<Decoded> {
  const { codestream, components, columns, rows, precision, signed, reversible } = header
  if (precision > PRECISION_MAX) throw unreadable('JPEG 2000 samples of more bits than are decoded here', { precision })
  const bytesPerSample = precision > 8 ? 2 : 1
  const decode = (decoder: Decoder): Decoded => {
    decoder.getEncodedBuffer(codestream.length).set(codestream)
    decoder.decode()
    const bytes = Buffer.from(decoder.getDecodedBuffer())
    if (bytes.length !== rows * columns * components * bytesPerSample) throw unreadable('the codec gave another number of pixels', { bytes: bytes.length })
    return { bytes, bytesPerSample, precision, signed, lossy: !reversible }
  }
  return header.highThroughput
    ? openJph.lend(({ HTJ2KDecoder }) => withBound(new HTJ2KDecoder(), decode))
    : openJpeg.lend(({ J2KDecoder }) => withBound(new J2KDecoder(), decode))
}

/**
 * @param pixels samples side by side, of one byte up to 8 bits and of two above; three of them are
 *   taken as RGB and go through RCT (lossless) or ICT
 * @param ratio of the bits stored to those of a lossy frame; undefined is lossless
 */
export function encodeJpeg2000 (pixels: Uint8Array, format: PixelFormat, ratio: number | undefined): Promise<Buffer> {
  return openJpeg.lend(({ J2KEncoder }) => withBound(new J2KEncoder(), encoder => {
    encoder.getDecodedBuffer(frameInfo(format)).set(pixels)
    encoder.setQuality(ratio === undefined, 1)
    encoder.setCompressionRatio(0, ratio ?? 0)
    encoder.setProgressionOrder(LRCP)
    encoder.setDecompositions(levels(format))
    encoder.encode()
    return Buffer.from(encoder.getEncodedBuffer())
  }))
}

/**
 * @param rpcl by resolution, with the tile-part lengths that the transfer syntax of that name wants
 * @param step of quantization, in steps of a sample's value; undefined is lossless
 */
export function encodeHtJpeg2000 (pixels: Uint8Array, format: PixelFormat, rpcl: boolean, step: number | undefined): Promise<Buffer> {
  return openJph.lend(({ HTJ2KEncoder }) => withBound(new HTJ2KEncoder(), encoder => {
    encoder.getDecodedBuffer(frameInfo(format)).set(pixels)
    encoder.setQuality(step === undefined, (step ?? 0) / 2 ** format.bitsStored)
    encoder.setProgressionOrder(rpcl ? RPCL : LRCP)
    if (rpcl) {
      encoder.setTLMMarker(true)
      encoder.setTilePartDivisionsAtResolutions(true)
    }
    // Without a level, OpenJPH gets pixels wrong (seen in 2.4.11: the last one of 8 by 8).
    encoder.setDecompositions(Math.max(1, levels(format)))
    encoder.encode()
    return Buffer.from(encoder.getEncodedBuffer())
  }))
}

function frameInfo ({ rows, columns, samples, bitsStored, signed }: PixelFormat): FrameInfo & { isUsingColorTransform: boolean } {
  return {
    width: columns, height: rows, bitsPerSample: bitsStored, componentCount: samples, isSigned: signed, isUsingColorTransform: samples === 3
  }
}

/** Five, fewer for a picture so small that its lowest resolution would vanish; RPCL wants that one at 64 pixels or less. */
function levels ({ rows, columns }: PixelFormat): number {
  const most = Math.floor(Math.log2(Math.min(rows, columns)))
  const wanted = Math.max(5, Math.ceil(Math.log2(Math.max(rows, columns) / 64)))
  return Math.min(wanted, most)
}
