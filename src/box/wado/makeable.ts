/**
 * What a stored object can be made into.
 *
 * Source: DICOM PS3.5 §8.2, §A.4, §7.1.1 (lengths of 32 bits).
 */

import { losesPixels } from '#standards/dicom/pixel-edits.ts'
import {
  DEFLATED_LE, EXPLICIT_BE, EXPLICIT_LE, IMPLICIT_LE, JPEG_2000, JPEG_2000_LOSSLESS, JPEG_BASELINE, JPEG_EXTENDED, JPEG_LOSSLESS,
  JPEG_LS_LOSSLESS, JPEG_LS_LOSSY, RLE_LOSSLESS, transferSyntax
} from '#standards/dicom/transfer-syntax.ts'
import { isSubsampled, nativeBytes } from '#standards/pixels/frame-size.ts'
import type { PixelFormat } from '#standards/pixels/pixel-format.ts'
import {
  DEFLATED_IMAGE_FRAME, ENCAPSULATED_UNCOMPRESSED, HTJ2K, HTJ2K_LOSSLESS, HTJ2K_LOSSLESS_RPCL, JPEG_LOSSLESS_ANY, canDecode, canEncode
} from '#standards/pixels/pixel-syntaxes.ts'

export { losesPixels }

/** Whose data sets can be written in one another's form, pixels and all, without looking at a pixel. */
const PLAIN = new Set([IMPLICIT_LE, EXPLICIT_LE, EXPLICIT_BE, DEFLATED_LE])
export const NATIVE: readonly string[] = [EXPLICIT_LE, IMPLICIT_LE, DEFLATED_LE]
/** The quickest and the most often read first. */
const CODED = [
  JPEG_LS_LOSSLESS, JPEG_LOSSLESS, HTJ2K_LOSSLESS, JPEG_2000_LOSSLESS, JPEG_2000, RLE_LOSSLESS, HTJ2K_LOSSLESS_RPCL, HTJ2K,
  JPEG_LOSSLESS_ANY, ENCAPSULATED_UNCOMPRESSED, DEFLATED_IMAGE_FRAME, JPEG_BASELINE, JPEG_EXTENDED, JPEG_LS_LOSSY
]

/** Of the element of 32 bits of length that native pixel data are. */
const NATIVE_BYTES_MAX = 0xfffffffe

/**
 * Those that may be lossy or not are coded without loss: whoever lists them among lossless ones, as
 * the national profile does with JPEG 2000, must not lose anything.
 */
const CODED_AS: ReadonlyMap<string, string> = new Map([[JPEG_2000, JPEG_2000_LOSSLESS], [HTJ2K, HTJ2K_LOSSLESS]])

/** What the encoder is asked for, where an object is to be labelled `transferSyntaxUid`. */
export function codedAs (transferSyntaxUid: string): string {
  return CODED_AS.get(transferSyntaxUid) ?? transferSyntaxUid
}

/** Can one be written as the other without touching pixels? */
export function isPlainChange (from: string, to: string): boolean {
  return PLAIN.has(from) && PLAIN.has(to)
}

/** What an object without pixels can be written as: in a syntax of fragments it is explicit little endian under another name. */
export const MAKEABLE_WITHOUT_PIXELS: readonly string[] = [...NATIVE, ...CODED]

/** What any image stored like this might be made into, before its head has been looked at. */
export function mightMake (stored: string): readonly string[] {
  const isPlain = PLAIN.has(stored)
  if (!isPlain && !canDecode(stored)) return []
  return isPlain ? MAKEABLE_WITHOUT_PIXELS : [...CODED, ...NATIVE]
}

/**
 * What an image can be made into, ours first.
 *
 * @param format undefined for pixels of floating point, which exist in native form alone (PS3.5 §8.2)
 */
export function makeable (stored: string, format: PixelFormat | undefined, frames: number): readonly string[] {
  return mightMake(stored).filter(uid => {
    if (isPlainChange(stored, uid)) return true
    if (format === undefined) return false
    const decoded = decodedFormat(format)
    // Frames of single bits begin inside of a byte: there is no taking them apart (PS3.5 §8.1.1).
    if (format.bitsAllocated === 1 && frames > 1) return false
    return transferSyntax(uid).encapsulated ? canEncode(decoded, codedAs(uid)) : nativeBytes(decoded) * frames <= NATIVE_BYTES_MAX
  })
}

/** About what a decoder will give, which undoes the colour transforms of the codecs. */
export function decodedFormat (format: PixelFormat): PixelFormat {
  const isFull = isSubsampled(format) || format.photometric === 'YBR_RCT' || format.photometric === 'YBR_ICT'
  return { ...format, planar: false, photometric: isFull ? 'RGB' : format.photometric }
}
