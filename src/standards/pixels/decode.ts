/**
 * One frame, from any transfer syntax to native pixels.
 *
 * Source: DICOM PS3.5 §8, Annexes A and G; PS3.3 §C.7.6.3.
 * Pure functions for a worker thread: one frame in, one frame out, nothing kept but the compiled
 * codecs. Leaves to others: where the frame lies, inflating a whole data set, when to give up.
 */

import { constants, inflateRawSync } from 'node:zlib'
import { RequestError } from '#core/errors.ts'
import { transferSyntax } from '#standards/dicom/transfer-syntax.ts'
import { readCodestream, type Header, type JpegHeader } from './codestream.ts'
import { isYcc } from './colour.ts'
import { assertFits, nativeBytes, unreadable } from './frame-size.ts'
import { decodeJpeg12 } from './jpeg-12.ts'
import { decodeJpeg2000 } from './jpeg-2000.ts'
import { decodeJpegLossless } from './jpeg-lossless.ts'
import { decodeJpegLs } from './jpeg-ls.ts'
import { decodeJpeg8 } from './jpeg-turbo.ts'
import { decodeNative } from './native.ts'
import type { Frame, PixelFormat } from './pixel-format.ts'
import { CODING } from './pixel-syntaxes.ts'
import { decodeRle } from './rle.ts'
import { allocate, cleanSamples, fitSamples, type Decoded } from './samples.ts'
import type { Allocate } from './scratch.ts'

/**
 * Decodes one frame.
 *
 * What comes out is described by its own format: samples side by side, colour as RGB where the codec
 * had transformed it (lossy JPEG of YCbCr, JPEG 2000 with RCT or ICT) and as stored where nothing was
 * transformed (YBR_FULL in RLE or JPEG-LS, PALETTE COLOR), unused bits cleared. The pixels are a
 * copy of their own, or lie in memory that `memory` gave.
 *
 * @param coded the bytes of the frame, its fragments joined; bytes after its end do no harm
 * @param transferSyntaxUid of the object; of a deflated data set, the frame is taken as inflated
 * @param memory fresh unless said otherwise
 * @throws RequestError PIXELS_UNREADABLE, PIXELS_TOO_LARGE; ACCEPT_UNSUPPORTED for a transfer syntax
 *   that isn't decoded here (video, JPIP, JPEG XL)
 */
export async function decodeFrame (coded: Uint8Array, transferSyntaxUid: string, { words, ...format }: PixelFormat, memory: Allocate = allocate): Promise<Frame> {
  const coding = CODING.get(transferSyntaxUid)
  if (coding === undefined) throw undecodable(transferSyntaxUid)
  assertFits(format)
  switch (coding) {
    case 'little':
    case 'big':
      return decodeNative(coded, coding, format, words)
    case 'deflated-frame':
      return decodeNative(inflate(coded, nativeBytes(format)), 'little', format)
    case 'rle': {
      const pixels = decodeRle(coded, format)
      return { pixels, format: { ...cleanSamples(pixels, format), planar: false } }
    }
    default:
      return decodeCodestream(coded, format, memory)
  }
}

/** The codestream tells what it is: writers have been seen to put one kind under the name of another. */
async function decodeCodestream (coded: Uint8Array, format: PixelFormat, memory: Allocate): Promise<Frame> {
  const header = readCodestream(coded)
  assertSame(header, format)
  if (format.bitsAllocated === 1) throw unreadable('single bits in a codestream of samples')
  const { decoded, photometric } = await decodeSamples(coded, header, format, memory)
  const { bytes, bitsAllocated, bitsStored } = fitSamples(decoded, format)
  return {
    pixels: bytes,
    format: { ...format, bitsAllocated, bitsStored, highBit: bitsStored - 1, planar: false, photometric }
  }
}

async function decodeSamples (coded: Uint8Array, header: Header, format: PixelFormat, memory: Allocate): Promise<{ decoded: Decoded, photometric: string }> {
  switch (header.coding) {
    case 'jpeg-ls':
      return { decoded: await decodeJpegLs(coded, header, memory), photometric: format.photometric }
    case 'jpeg-2000': {
      // RCT and ICT are undone by the decoder; without them, "YBR_RCT" is a slip for RGB.
      const isRgb = header.components === 3 && (header.colourTransform || format.photometric === 'YBR_RCT' || format.photometric === 'YBR_ICT')
      return { decoded: await decodeJpeg2000(header, memory), photometric: isRgb ? 'RGB' : format.photometric }
    }
    case 'jpeg':
      return decodeJpeg(coded, header, format, memory)
  }
}

const BASELINE = 0
const EXTENDED = 1
const PROGRESSIVE = 2
const LOSSLESS = 3

async function decodeJpeg (coded: Uint8Array, header: JpegHeader, format: PixelFormat, memory: Allocate): Promise<{ decoded: Decoded, photometric: string }> {
  const { process, precision } = header
  if (process === LOSSLESS) return { decoded: decodeJpegLossless(coded, header), photometric: format.photometric }
  if (process === EXTENDED && precision === 12) return { decoded: decodeJpeg12(coded, header), photometric: format.photometric }
  if (precision === 8 && (process === BASELINE || process === EXTENDED || process === PROGRESSIVE)) {
    return {
      decoded: await decodeJpeg8(coded, header, isYcc(header, format), memory),
      photometric: header.components === 3 ? 'RGB' : format.photometric
    }
  }
  throw unreadable('a JPEG process that is not decoded here', { process, precision })
}

/** @throws RequestError PIXELS_UNREADABLE when the frame isn't the one that the data set describes */
function assertSame ({ rows, columns, components }: Header, format: PixelFormat): void {
  if (rows !== format.rows || columns !== format.columns || components !== format.samples) {
    throw unreadable('the coded frame has another size than the data set says', {
      rows, columns, samples: components, rowsSaid: format.rows, columnsSaid: format.columns, samplesSaid: format.samples
    })
  }
}

function inflate (coded: Uint8Array, length: number): Buffer {
  try {
    // One byte more than needed: padding is allowed, a bomb isn't.
    return inflateRawSync(coded, { finishFlush: constants.Z_SYNC_FLUSH, maxOutputLength: length + 1 })
  } catch (cause) {
    throw unreadable('a frame that cannot be inflated to its size', { bytes: coded.length, bytesNeeded: length }, cause)
  }
}

function undecodable (transferSyntaxUid: string): RequestError {
  return new RequestError('ACCEPT_UNSUPPORTED', 'frames of this transfer syntax are not decoded here', {
    facts: { transferSyntaxUid, name: transferSyntax(transferSyntaxUid).name }
  })
}
