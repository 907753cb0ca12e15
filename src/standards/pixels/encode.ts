/**
 * One native frame, into any transfer syntax that this program writes.
 *
 * Source: DICOM PS3.5 §8.2 (which pixels which code may carry), Annexes A and G.
 * Pure functions for a worker thread. Leaves to others: fragments, offset tables, the attributes
 * that tell of a lossy compression (PS3.3 §C.7.6.1.1.5), a new SOP Instance UID.
 */

import { deflateRawSync } from 'node:zlib'
import { RequestError } from '#core/errors.ts'
import {
  JPEG_2000, JPEG_2000_LOSSLESS, JPEG_BASELINE, JPEG_EXTENDED, JPEG_LOSSLESS, JPEG_LS_LOSSLESS, JPEG_LS_LOSSY, RLE_LOSSLESS, transferSyntax
} from '#standards/dicom/transfer-syntax.ts'
import { assertFits, nativeBytes, unreadable } from './frame-size.ts'
import { encodeHtJpeg2000, encodeJpeg2000 } from './jpeg-2000.ts'
import { encodeJpegLossy } from './jpeg-dct.ts'
import { encodeJpegLossless } from './jpeg-lossless.ts'
import { encodeJpegLs } from './jpeg-ls.ts'
import type { Frame, PixelFormat } from './pixel-format.ts'
import { DEFLATED_IMAGE_FRAME, HTJ2K, HTJ2K_LOSSLESS, HTJ2K_LOSSLESS_RPCL, JPEG_LOSSLESS_ANY, canEncode } from './pixel-syntaxes.ts'
import { encodeRle } from './rle.ts'
import { words } from './samples.ts'

export interface EncodeOptions {
  /** JPEG: 1 to 100, as libjpeg scales its tables. */
  readonly quality?: number
  /** JPEG-LS near-lossless: greatest error of a sample, in steps of its value, from 1. */
  readonly near?: number
  /** JPEG 2000 lossy: how many times smaller than the bits stored. */
  readonly ratio?: number
  /** HTJ2K lossy: step of quantization, in steps of a sample's value. */
  readonly step?: number
}

/**
 * Defaults of lossy codes. They keep a frame fit for reading in most comparisons of the literature
 * (the ESR's position paper of 2011 gives ratios of 5 to 15 for JPEG and JPEG 2000, by modality), and
 * are no judgement on a given picture.
 */
export const ENCODE_DEFAULTS = { quality: 90, near: 2, ratio: 8, step: 4 } as const satisfies Required<EncodeOptions>

/**
 * Encodes one frame.
 *
 * @param frame as decodeFrame gives it: samples side by side, unused bits cleared
 * @returns the coded bytes, not padded, and the format that the data set must declare of them
 * @throws RequestError ACCEPT_UNSUPPORTED where this transfer syntax has no such pixels: see
 *   {@link canEncode}; PIXELS_UNREADABLE where there are fewer bytes than the format says, or the
 *   codec gives up; PIXELS_TOO_LARGE
 */
export async function encodeFrame (frame: Frame, transferSyntaxUid: string, options: EncodeOptions = {}): Promise<Frame> {
  const { format } = frame
  if (!canEncode(format, transferSyntaxUid)) throw unsupported(format, transferSyntaxUid)
  assertFits(format)
  const pixels = frame.pixels.subarray(0, nativeBytes(format))
  if (pixels.length < nativeBytes(format)) throw unreadable('fewer bytes than the frame needs', { bytes: pixels.length, bytesNeeded: nativeBytes(format) })
  switch (transferSyntaxUid) {
    case DEFLATED_IMAGE_FRAME:
      return { pixels: deflateRawSync(pixels), format }
    case RLE_LOSSLESS:
      return { pixels: encodeRle(pixels, format), format }
    case JPEG_BASELINE:
    case JPEG_EXTENDED:
      return encodeLossy(narrow(pixels, format), format, options.quality ?? ENCODE_DEFAULTS.quality)
    case JPEG_LOSSLESS:
    case JPEG_LOSSLESS_ANY:
      return { pixels: encodeJpegLossless(pixels, format, precisionOf(format)), format }
    case JPEG_LS_LOSSLESS:
      return { pixels: await encodeJpegLs(pixels, format, precisionOf(format), 0), format }
    case JPEG_LS_LOSSY:
      return encodeNear(pixels, format, Math.max(1, Math.round(options.near ?? ENCODE_DEFAULTS.near)))
    case JPEG_2000_LOSSLESS:
      return { pixels: await encodeJpeg2000(narrow(pixels, format), format, undefined), format: transformed(format, 'YBR_RCT') }
    case JPEG_2000:
      return { pixels: await encodeJpeg2000(narrow(pixels, format), format, options.ratio ?? ENCODE_DEFAULTS.ratio), format: transformed(format, 'YBR_ICT') }
    case HTJ2K_LOSSLESS:
    case HTJ2K_LOSSLESS_RPCL:
      return { pixels: await encodeHtJpeg2000(narrow(pixels, format), format, transferSyntaxUid === HTJ2K_LOSSLESS_RPCL, undefined), format: transformed(format, 'YBR_RCT') }
    case HTJ2K:
      return { pixels: await encodeHtJpeg2000(narrow(pixels, format), format, false, options.step ?? ENCODE_DEFAULTS.step), format: transformed(format, 'YBR_ICT') }
    default:
      return { pixels: Buffer.from(pixels), format }
  }
}

/** Lossy JPEG and JPEG 2000 take samples of up to 8 bits as bytes, whatever Bits Allocated says. */
function narrow (native: Buffer, { bitsAllocated, bitsStored }: PixelFormat): Buffer {
  return bitsAllocated === 16 && bitsStored <= 8 ? Buffer.from(Uint8Array.from(words(native, 2, false))) : native
}

/** Of 8 bits as YBR_FULL_422, else of 12, which are then the Bits Stored: what is lossy may go beyond fewer. */
function encodeLossy (pixels: Buffer, format: PixelFormat, quality: number): Frame {
  const precision = format.bitsStored === 8 ? 8 : 12
  return {
    pixels: encodeJpegLossy(pixels, format, precision, Math.min(100, Math.max(1, Math.round(quality)))),
    format: {
      ...format,
      bitsAllocated: precision === 8 ? 8 : 16,
      bitsStored: precision,
      highBit: precision - 1,
      photometric: format.samples === 3 ? 'YBR_FULL_422' : format.photometric
    }
  }
}

/** Values may go up to all that the code can hold, which are then the Bits Stored. */
async function encodeNear (pixels: Buffer, format: PixelFormat, near: number): Promise<Frame> {
  const precision = precisionOf(format)
  return { pixels: await encodeJpegLs(pixels, format, precision, near), format: { ...format, bitsStored: precision, highBit: precision - 1 } }
}

/**
 * Bits of a sample in a code that knows no sign: signed ones go as all their allocated bits, since
 * readers (DCMTK, viewers in a browser) take what comes out as two's complement of that width. Two
 * bytes hold more than 8 bits, or DCMTK and GDCM refuse the frame.
 */
function precisionOf ({ bitsAllocated, bitsStored, signed }: PixelFormat): number {
  return signed ? bitsAllocated : Math.max(bitsAllocated === 16 ? 9 : 2, bitsStored)
}

function transformed (format: PixelFormat, photometric: string): PixelFormat {
  return format.photometric === 'RGB' ? { ...format, photometric } : format
}

function unsupported ({ bitsAllocated, bitsStored, samples, signed, photometric }: PixelFormat, transferSyntaxUid: string): RequestError {
  return new RequestError('ACCEPT_UNSUPPORTED', 'this transfer syntax cannot carry pixels of this form, or is not encoded here', {
    facts: { transferSyntaxUid, name: transferSyntax(transferSyntaxUid).name, bitsAllocated, bitsStored, samples, signed, photometric }
  })
}
