/**
 * JPEG 2000 by OpenJPEG, High-Throughput JPEG 2000 by OpenJPH.
 *
 * Source: ITU-T T.800 and T.814, DICOM PS3.5 §8.2.4 and §A.4.4, §8.2.14 and §A.4.9 (HTJ2K).
 */

import type { Jpeg2000Header } from './codestream.ts'
import { unreadable } from './frame-size.ts'
import type { PixelFormat } from './pixel-format.ts'
import type { Decoded } from './samples.ts'
import { copyOf, type Allocate } from './scratch.ts'
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

/** @throws RequestError PIXELS_UNREADABLE, also for colour of more than 8 bits, which the codecs here get wrong */
export async function decodeJpeg2000 (header: Jpeg2000Header, memory: Allocate): Promise<Decoded> {
  const { codestream, components, columns, rows, precision, reversible, colourTransform } = header
  if (precision > PRECISION_MAX) throw unreadable('JPEG 2000 samples of more bits than are decoded here', { precision })
  if (components > 1 && precision > 8) throw unreadable('JPEG 2000 colour of more than 8 bits', { precision })
  const bytesPerSample = precision > 8 ? 2 : 1
  const decode = (decoder: Decoder, stream: Uint8Array): Buffer => {
    decoder.getEncodedBuffer(stream.length).set(stream)
    decoder.decode()
    const bytes = copyOf(decoder.getDecodedBuffer(), memory)
    if (bytes.length !== rows * columns * components * bytesPerSample) throw unreadable('the codec gave another number of pixels', { bytes: bytes.length })
    return bytes
  }
  const decoded = { bytesPerSample, precision, signed: header.signed, lossy: !reversible } as const
  if (header.highThroughput) {
    const bytes = await openJph.lend(({ HTJ2KDecoder }) => withBound(new HTJ2KDecoder(), decoder => decode(decoder, codestream)))
    return { ...decoded, bytes: components > 1 && !colourTransform ? inOrder(bytes, rows, components) : bytes }
  }
  // OpenJPEG's package cuts negative bytes off at 0: they are decoded without their sign, which is a constant.
  const isSignedBytes = header.signed && bytesPerSample === 1
  const bytes = await openJpeg.lend(({ J2KDecoder }) => withBound(new J2KDecoder(), decoder => decode(decoder, isSignedBytes ? withoutSign(codestream) : codestream)))
  if (!isSignedBytes) return { ...decoded, bytes }
  const half = 1 << precision - 1
  return { ...decoded, bytes: bytes.map(value => value - half) }
}

/** The same codestream with all components unsigned: the level shift (T.800 §G.1) adds half of the range. */
function withoutSign (codestream: Uint8Array): Buffer {
  const copy = Buffer.from(codestream)
  const components = copy.readUInt16BE(SIZ_COMPONENTS)
  for (let index = 0; index < components; index++) copy[SIZ_COMPONENTS + 2 + 3 * index]! &= 0x7f
  return copy
}

/** Csiz, from the start of a codestream (T.800 §A.5.1). */
const SIZ_COMPONENTS = 40

/**
 * Where components aren't mixed, OpenJPH gives all lines of the first one, then all of the next; its
 * package takes them for lines that take turns. Puts each where it belongs.
 */
function inOrder (bytes: Buffer, rows: number, components: number): Buffer {
  const out = Buffer.alloc(bytes.length)
  const stride = bytes.length / rows
  for (let line = 0; line < rows * components; line++) {
    let from = Math.floor(line / components) * stride + line % components
    let to = line % rows * stride + Math.floor(line / rows)
    for (const end = to - to % stride + stride; to < end; from += components, to += components) out[to] = bytes[from]!
  }
  return out
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
