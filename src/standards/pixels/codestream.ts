/**
 * What a coded frame says of itself, read before any decoder sees it, so that nothing is allocated
 * for a picture that isn't the one that the data set describes.
 *
 * Source: ITU-T T.81 Annex B (JPEG), T.87 Annex C (JPEG-LS), T.800 Annex A (JPEG 2000), T.814 §A
 * (HTJ2K), T.872 / Adobe TN 5116 (APP14). Reads headers only.
 */

import { unreadable } from './frame-size.ts'

interface Size {
  readonly rows: number
  readonly columns: number
  readonly components: number
  /** Bits of a sample. */
  readonly precision: number
}

export interface JpegHeader extends Size {
  readonly coding: 'jpeg'
  /** Low nibble of the SOF marker: 0 baseline, 1 extended, 2 progressive, 3 lossless, 9… arithmetic. */
  readonly process: number
  /** Component identifiers, in the frame's order. */
  readonly ids: readonly number[]
  /** Horizontal and vertical sampling factor of each component. */
  readonly sampling: readonly (readonly [h: number, v: number])[]
  /** Number of the quantization table of each component. */
  readonly quantization: readonly number[]
  /** A JFIF APP0 is there, which stands for YCbCr. */
  readonly jfif: boolean
  /** Colour transform of Adobe's APP14: 0 none, 1 YCbCr, 2 YCCK. */
  readonly adobe: number | undefined
}

export interface JpegLsHeader extends Size {
  readonly coding: 'jpeg-ls'
}

export interface Jpeg2000Header extends Size {
  readonly coding: 'jpeg-2000'
  readonly highThroughput: boolean
  /** Samples are two's complement. */
  readonly signed: boolean
  /** The wavelet is the one without loss. */
  readonly reversible: boolean
  /** The first three components went through RCT or ICT. */
  readonly colourTransform: boolean
  /** The codestream itself, without the boxes of a JP2 file if there were any. */
  readonly codestream: Uint8Array
}

export type Header = JpegHeader | JpegLsHeader | Jpeg2000Header

/** More components than any picture here has, and few enough for any decoder. */
const COMPONENTS_MAX = 4

/** Tiles cost a decoder kilobytes each; the standard allows 65 535. */
const TILES_MAX = 4096

/** A tile may have 255 parts; one for each resolution and component is usual. */
const TILE_PARTS_MAX = 16 * TILES_MAX

/** Quality layers: the standard allows 65 535, encoders make one or a dozen. */
const LAYERS_MAX = 256

/** Wavelet levels, T.800 §A.6.1. */
const LEVELS_MAX = 32

/** @throws RequestError PIXELS_UNREADABLE */
export function readCodestream (bytes: Uint8Array): Header {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  try {
    if (bytes[0] === 0xff && bytes[1] === 0xd8) return readJpeg(view)
    if (bytes[0] === 0xff && bytes[1] === 0x4f) return readJpeg2000(view, bytes)
    if (bytes.length > 12 && view.getUint32(4) === 0x6a502020) return readJp2(view, bytes)
  } catch (error) {
    if (error instanceof RangeError) throw unreadable('the header of the coded frame is cut', { bytes: bytes.length }, error)
    throw error
  }
  throw unreadable('not a JPEG, JPEG-LS or JPEG 2000 frame', { bytes: bytes.length })
}

/** Markers up to the first scan. SOF55 is JPEG-LS. */
function readJpeg (view: DataView): JpegHeader | JpegLsHeader {
  let jfif = false
  let adobe: number | undefined
  let frame: JpegHeader | JpegLsHeader | undefined
  for (let at = 2; ;) {
    if (view.getUint8(at) !== 0xff) throw unreadable('something else than a JPEG marker', { offset: at })
    const marker = view.getUint8(at + 1)
    if (marker === 0xff) { // fill byte, T.81 §B.1.1.2
      at++
      continue
    }
    if (marker === 0xda) break
    if (marker === 0xd9) throw unreadable('a JPEG frame without a scan')
    const length = view.getUint16(at + 2)
    if (length < 2) throw unreadable('a JPEG segment of impossible length', { offset: at })
    const value = at + 4
    if (marker === 0xe0 && length >= 7 && view.getUint32(value) === 0x4a464946) jfif = true
    else if (marker === 0xee && length >= 14 && view.getUint32(value) === 0x41646f62) adobe = view.getUint8(value + 11)
    else if (isFrameHeader(marker)) {
      if (frame !== undefined) throw unreadable('a JPEG frame with two headers (hierarchical?)')
      frame = frameHeader(view, marker, value, length - 2)
    }
    at += 2 + length
  }
  if (frame === undefined) throw unreadable('a JPEG scan before its frame header')
  return frame.coding === 'jpeg-ls' ? frame : { ...frame, jfif, adobe }
}

function isFrameHeader (marker: number): boolean {
  return (marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc) || marker === 0xf7
}

function frameHeader (view: DataView, marker: number, at: number, length: number): JpegHeader | JpegLsHeader {
  const components = view.getUint8(at + 5)
  if (components < 1 || components > COMPONENTS_MAX || length < 6 + 3 * components) {
    throw unreadable('a JPEG frame of an impossible number of components', { components })
  }
  const size = { precision: view.getUint8(at), rows: view.getUint16(at + 1), columns: view.getUint16(at + 3), components }
  if (size.precision < 2 || size.precision > 16) throw unreadable('a JPEG frame of impossible precision', { precision: size.precision })
  if (marker === 0xf7) return { coding: 'jpeg-ls', ...size }
  const ids: number[] = []
  const sampling: (readonly [number, number])[] = []
  const quantization: number[] = []
  for (let index = 0; index < components; index++) {
    ids.push(view.getUint8(at + 6 + 3 * index))
    const factors = view.getUint8(at + 7 + 3 * index)
    const [h, v] = [factors >> 4, factors & 15]
    if (h < 1 || h > 4 || v < 1 || v > 4) throw unreadable('a JPEG component of impossible sampling', { h, v })
    sampling.push([h, v])
    quantization.push(view.getUint8(at + 8 + 3 * index))
  }
  return { coding: 'jpeg', process: marker & 15, ...size, ids, sampling, quantization, jfif: false, adobe: undefined }
}

/** A whole JP2 file where a codestream belongs (PS3.5 §A.4.4 forbids the boxes; some writers keep them). */
function readJp2 (view: DataView, bytes: Uint8Array): Jpeg2000Header {
  for (let at = 0; at + 8 <= bytes.length;) {
    const long = view.getUint32(at) === 1
    const length = long ? Number(view.getBigUint64(at + 8)) : view.getUint32(at)
    const head = long ? 16 : 8
    if (view.getUint32(at + 4) === 0x6a703263) { // jp2c
      const codestream = bytes.subarray(at + head, length === 0 ? bytes.length : at + length)
      return readJpeg2000(new DataView(codestream.buffer, codestream.byteOffset, codestream.length), codestream)
    }
    if (length < head) break
    at += length
  }
  throw unreadable('a JP2 file without a codestream')
}

/** The main header: SIZ, CAP and COD. */
function readJpeg2000 (view: DataView, codestream: Uint8Array): Jpeg2000Header {
  if (view.getUint16(0) !== 0xff4f || view.getUint16(2) !== 0xff51) throw unreadable('a JPEG 2000 frame without a size')
  const size = sizes(view, 6)
  let highThroughput = false
  let colourTransform: boolean | undefined
  let reversible = false
  for (let at = 4 + view.getUint16(4); ;) {
    const marker = view.getUint16(at)
    if (marker === 0xff90) { // SOT: the first tile
      assertWhole(view, at)
      break
    }
    if (marker < 0xff30) throw unreadable('something else than a JPEG 2000 marker', { offset: at })
    const length = view.getUint16(at + 2)
    if (length < 2) throw unreadable('a JPEG 2000 segment of impossible length', { offset: at })
    if (marker === 0xff50) highThroughput = true // CAP
    if (marker === 0xff52) { // COD
      const layers = view.getUint16(at + 6)
      const levels = view.getUint8(at + 9)
      if (layers < 1 || layers > LAYERS_MAX || levels > LEVELS_MAX) throw unreadable('a JPEG 2000 frame of too many layers or levels', { layers, levels })
      colourTransform = view.getUint8(at + 8) === 1
      reversible = view.getUint8(at + 13) === 1
      if ((view.getUint8(at + 12) & 0x40) !== 0) highThroughput = true // T.814 §A.4: HT code-blocks
    }
    at += 2 + length
  }
  if (colourTransform === undefined) throw unreadable('a JPEG 2000 frame without coding style')
  return { coding: 'jpeg-2000', ...size, highThroughput, reversible, colourTransform, codestream }
}

/**
 * Walks over the tile-parts (T.800 §A.4.2): what is cut would otherwise be decoded to a coarser
 * picture, or to one with a hole, which looks whole to whoever reads it.
 */
function assertWhole (view: DataView, first: number): void {
  let parts = 0
  for (let at = first; at + 2 <= view.byteLength && view.getUint16(at) === 0xff90;) {
    if (at + 12 > view.byteLength) throw unreadable('the JPEG 2000 data are cut', { bytes: view.byteLength })
    const length = view.getUint32(at + 6)
    if (length === 0) return // the last one, to the end
    if (length < 14) throw unreadable('a JPEG 2000 tile-part of impossible length', { offset: at })
    if (at + length > view.byteLength) throw unreadable('the JPEG 2000 data are cut', { bytes: view.byteLength, bytesNeeded: at + length })
    if (++parts > TILE_PARTS_MAX) throw unreadable('a JPEG 2000 frame of too many tile-parts')
    at += length
  }
}

/** T.800 §A.5.1; `at` is that of Rsiz. */
function sizes (view: DataView, at: number): Size & { signed: boolean } {
  const [width, height, x, y, tileWidth, tileHeight, tileX, tileY] =
    [2, 6, 10, 14, 18, 22, 26, 30].map(offset => view.getUint32(at + offset)) as [number, number, number, number, number, number, number, number]
  const components = view.getUint16(at + 34)
  if (components < 1 || components > COMPONENTS_MAX) throw unreadable('a JPEG 2000 frame of an impossible number of components', { components })
  if (width <= x || height <= y || tileWidth === 0 || tileHeight === 0) throw unreadable('a JPEG 2000 frame without pixels')
  if (x > 0 || y > 0) throw unreadable('a JPEG 2000 picture that begins inside of its grid', { x, y })
  if (tileX > x || tileY > y) throw unreadable('JPEG 2000 tiles beside the picture')
  const tiles = Math.ceil((width - tileX) / tileWidth) * Math.ceil((height - tileY) / tileHeight)
  if (tiles > TILES_MAX) throw unreadable('a JPEG 2000 frame of too many tiles', { tiles })
  const depth = view.getUint8(at + 36)
  for (let index = 0; index < components; index++) {
    const component = at + 36 + 3 * index
    if (view.getUint8(component + 1) !== 1 || view.getUint8(component + 2) !== 1) throw unreadable('JPEG 2000 components of different sizes')
    if (view.getUint8(component) !== depth) throw unreadable('JPEG 2000 components of different depths')
  }
  const precision = (depth & 0x7f) + 1
  if (precision > 38) throw unreadable('a JPEG 2000 frame of impossible precision', { precision })
  return { rows: height - y, columns: width - x, components, precision, signed: depth > 0x7f }
}
