/**
 * Pictures as files: JPEG, PNG, GIF, each with what a browser needs and nothing of the patient.
 *
 * Source: DICOM PS3.18 §8.7.4 (JPEG is baseline, 8 bits); ITU-T T.81; ICC.1:2022 Annex B (profiles in
 * JPEG, PNG); W3C PNG §11.3; GIF89a.
 * A GIF of many frames is made piece by piece, each on its own: the pieces joined, and
 * {@link GIF_END}, are the file.
 */

import { createRequire } from 'node:module'
import { crc32, deflateSync } from 'node:zlib'
import type { PNG as PngFile } from 'pngjs'
import { RequestError } from '#core/errors.ts'
import { unreadable } from './frame-size.ts'
import { encodeJpegLossy } from './jpeg-dct.ts'
import type { Picture } from './scale.ts'
import { WasmCodec, withBound, type Bound } from './wasm-codec.ts'

export type PictureType = 'image/jpeg' | 'image/png' | 'image/gif'

export interface PictureFile {
  /** Of JPEG: 1 to 100. */
  readonly quality: number
  /** An ICC profile to bear; GIF has no place for one. */
  readonly icc?: Uint8Array
  /** Of GIF: which piece of how it plays. Absent: the whole file, of one picture. */
  readonly piece?: { readonly first: boolean, readonly delayMs: number }
}

/** What comes after the last piece of a GIF. */
export const GIF_END = Buffer.of(0x3b)

/** What a worker needs seldom is loaded when it does. */
const require = createRequire(import.meta.url)

/** Both formats count sides in 16 bits. */
const SIDE_MAX = 65535

/** @throws RequestError PIXELS_TOO_LARGE for a side that the format can't count */
export async function pictureFile (picture: Picture, type: PictureType, file: PictureFile): Promise<Buffer> {
  if (type !== 'image/png' && Math.max(picture.width, picture.height) > SIDE_MAX) {
    throw new RequestError('PIXELS_TOO_LARGE', 'a side longer than the format can have', { facts: { width: picture.width, height: picture.height, sideMax: SIDE_MAX } })
  }
  switch (type) {
    case 'image/jpeg': return await jpeg(picture, file)
    case 'image/png': return png(picture, file)
    case 'image/gif': return gif(picture, file)
  }
}

interface JpegEncoder extends Bound {
  getDecodedBuffer (frame: { width: number, height: number, bitsPerSample: number, componentCount: number, isSigned: boolean }): Uint8Array
  getEncodedBuffer (): Uint8Array
  setProgressive (on: boolean): void
  setQuality (quality: number): void
  /** 0: as many colour samples as brightness samples; 2: a quarter. */
  setSubSampling (kind: number): void
  encode (): void
}

const turbo = new WasmCodec<{ JPEGEncoder: new () => JpegEncoder }>(
  '@cornerstonejs/codec-libjpeg-turbo-8bit/wasmjs', '@cornerstonejs/codec-libjpeg-turbo-8bit/wasm'
)

/**
 * By libjpeg-turbo, four times as fast as our own encoder, which does what that can't: the package
 * writes beyond its buffer where a picture doesn't shrink. That stays within the memory of its module; a
 * result longer than the buffer tells of it, and the module is thrown away with it.
 */
async function jpeg (picture: Picture, { quality, icc }: PictureFile): Promise<Buffer> {
  const shrinks = quality <= TURBO_QUALITY_MAX && picture.pixels.length >= TURBO_BYTES_MIN
  const coded = (shrinks ? await turboJpeg(picture, quality).catch(() => undefined) : undefined) ?? ownJpeg(picture, quality)
  return icc === undefined ? coded : Buffer.concat([coded.subarray(0, 2), ...profileSegments(icc), coded.subarray(2)])
}

/** Above this quality, noise takes more bytes as JPEG than it has pixels. */
const TURBO_QUALITY_MAX = 92
/** The headers of a small picture are larger than it. */
const TURBO_BYTES_MIN = 64 * 64

async function turboJpeg ({ width, height, channels, pixels }: Picture, quality: number): Promise<Buffer> {
  return await turbo.lend(({ JPEGEncoder }) => withBound(new JPEGEncoder(), encoder => {
    encoder.getDecodedBuffer({ width, height, bitsPerSample: 8, componentCount: channels, isSigned: false }).set(pixels)
    encoder.setProgressive(false)
    encoder.setQuality(quality)
    encoder.setSubSampling(channels === 3 && quality < FULL_COLOUR_QUALITY ? 2 : 0)
    encoder.encode()
    const coded = Buffer.from(encoder.getEncodedBuffer())
    if (coded.length > pixels.length) throw unreadable('the encoder wrote beyond its buffer', { bytes: coded.length })
    return coded
  }))
}

function ownJpeg ({ width, height, channels, pixels }: Picture, quality: number): Buffer {
  const photometric = channels === 1 ? 'MONOCHROME2' : 'RGB'
  return encodeJpegLossy(pixels, { rows: height, columns: width, samples: channels, bitsAllocated: 8, bitsStored: 8, highBit: 7, signed: false, planar: false, photometric }, 8, quality)
}

/** From here on a picture keeps all of its colour samples: thin coloured lines of ultrasound. */
const FULL_COLOUR_QUALITY = 85

/** APP2 segments behind the start of the image: a profile may need several. */
function profileSegments (icc: Uint8Array): Buffer[] {
  const room = 0xffff - 2 - PROFILE_NAME.length - 2
  const count = Math.ceil(icc.length / room)
  return Array.from({ length: count }, (_, place) => {
    const part = icc.subarray(place * room, (place + 1) * room)
    const head = Buffer.of(0xff, 0xe2, 0, 0)
    head.writeUInt16BE(2 + PROFILE_NAME.length + 2 + part.length, 2)
    return Buffer.concat([head, PROFILE_NAME, Buffer.of(place + 1, count), part])
  })
}

const PROFILE_NAME = Buffer.from('ICC_PROFILE\0', 'latin1')

function png ({ width, height, channels, pixels }: Picture, { icc }: PictureFile): Buffer {
  const { PNG } = require('pngjs') as { PNG: typeof PngFile }
  const colorType = channels === 1 ? GREY : TRUE_COLOUR
  const file = PNG.sync.write({ width, height, data: Buffer.from(pixels.buffer, pixels.byteOffset, pixels.length) } as PngFile, {
    colorType, inputColorType: colorType, bitDepth: 8, inputHasAlpha: false, filterType: PAETH, deflateLevel: 3, deflateStrategy: 1
  })
  // The profile stands between the header and the first data.
  return icc === undefined ? file : Buffer.concat([file.subarray(0, PNG_HEAD_BYTES), profileChunk(icc), file.subarray(PNG_HEAD_BYTES)])
}

const GREY = 0
const TRUE_COLOUR = 2
const PAETH = 4
/** Signature and IHDR. */
const PNG_HEAD_BYTES = 33

function profileChunk (icc: Uint8Array): Buffer {
  const body = Buffer.concat([Buffer.from('iCCPICC profile\0\0', 'latin1'), deflateSync(icc)])
  const chunk = Buffer.alloc(body.length + 8)
  chunk.writeUInt32BE(body.length - 4)
  body.copy(chunk, 4)
  chunk.writeUInt32BE(crc32(body), body.length + 4)
  return chunk
}

interface GifEncoder {
  writeHeader (): void
  writeFrame (index: Uint8Array, width: number, height: number, options: object): void
  finish (): void
  bytesView (): Uint8Array
}
interface Gifenc {
  GIFEncoder (options: object): GifEncoder
  quantize (rgba: Uint8Array, colours: number, options?: object): number[][]
  applyPalette (rgba: Uint8Array, palette: number[][]): Uint8Array
}

const GREYS = Array.from({ length: 256 }, (_, grey) => [grey, grey, grey])

function gif (picture: Picture, { piece }: PictureFile): Buffer {
  const { GIFEncoder } = require('gifenc') as Gifenc
  const encoder = GIFEncoder({ auto: false, initialCapacity: picture.pixels.length })
  const first = piece?.first ?? true
  if (first) encoder.writeHeader()
  const { index, palette } = indexed(picture)
  encoder.writeFrame(index, picture.width, picture.height, {
    first, palette, ...piece === undefined ? { repeat: -1 } : { delay: piece.delayMs, repeat: 0 }
  })
  if (piece === undefined) encoder.finish()
  return Buffer.from(encoder.bytesView())
}

function indexed ({ channels, pixels }: Picture): { index: Uint8Array, palette: number[][] } {
  if (channels === 1) return { index: pixels, palette: GREYS }
  const { quantize, applyPalette } = require('gifenc') as Gifenc
  const rgba = new Uint8Array(pixels.length / 3 * 4).fill(255)
  for (let from = 0, to = 0; from < pixels.length; from += 3, to += 4) {
    rgba[to] = pixels[from]
    rgba[to + 1] = pixels[from + 1]
    rgba[to + 2] = pixels[from + 2]
  }
  const palette = quantize(rgba, 256)
  return { index: applyPalette(rgba, palette), palette }
}
