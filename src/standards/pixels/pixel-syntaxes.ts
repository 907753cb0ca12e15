/**
 * Which transfer syntaxes can be decoded and encoded here, and what their frames are made of.
 *
 * Source: DICOM PS3.5 Annex A, PS3.6 Table A-1. Neither: video (its frames depend on each other),
 * JPIP (the pixels are elsewhere), JPEG XL, JPEG 2000 Part 2, hierarchical and arithmetic JPEG.
 */

import {
  DEFLATED_LE, EXPLICIT_BE, EXPLICIT_LE, IMPLICIT_LE, JPEG_2000, JPEG_2000_LOSSLESS, JPEG_BASELINE, JPEG_EXTENDED, JPEG_LOSSLESS,
  JPEG_LS_LOSSLESS, JPEG_LS_LOSSY, RLE_LOSSLESS
} from '#standards/dicom/transfer-syntax.ts'
import type { PixelFormat } from './pixel-format.ts'

export const ENCAPSULATED_UNCOMPRESSED = '1.2.840.10008.1.2.1.98'
export const DEFLATED_IMAGE_FRAME = '1.2.840.10008.1.2.8.1'
export const JPEG_LOSSLESS_ANY = '1.2.840.10008.1.2.4.57'
export const HTJ2K_LOSSLESS = '1.2.840.10008.1.2.4.201'
export const HTJ2K_LOSSLESS_RPCL = '1.2.840.10008.1.2.4.202'
export const HTJ2K = '1.2.840.10008.1.2.4.203'
/** As implicit little endian, with the words of the pixels in big endian. */
export const GE_PRIVATE = '1.2.840.113619.5.2'

/** What a frame is: native words in one of two orders, or a code. Codestreams tell themselves which. */
export type Coding = 'little' | 'big' | 'deflated-frame' | 'rle' | 'codestream'

/** All transfer syntaxes whose frames are decoded. */
export const CODING: ReadonlyMap<string, Coding> = new Map([
  [IMPLICIT_LE, 'little'],
  [EXPLICIT_LE, 'little'],
  [ENCAPSULATED_UNCOMPRESSED, 'little'],
  [DEFLATED_LE, 'little'],
  ['1.2.840.10008.1.20', 'little'], // Papyrus 3
  [EXPLICIT_BE, 'big'],
  [GE_PRIVATE, 'big'],
  [DEFLATED_IMAGE_FRAME, 'deflated-frame'],
  [RLE_LOSSLESS, 'rle'],
  [JPEG_BASELINE, 'codestream'],
  [JPEG_EXTENDED, 'codestream'],
  ['1.2.840.10008.1.2.4.53', 'codestream'], // retired: progressive JPEG of 8 bits
  ['1.2.840.10008.1.2.4.55', 'codestream'],
  [JPEG_LOSSLESS_ANY, 'codestream'],
  [JPEG_LOSSLESS, 'codestream'],
  [JPEG_LS_LOSSLESS, 'codestream'],
  [JPEG_LS_LOSSY, 'codestream'],
  [JPEG_2000_LOSSLESS, 'codestream'],
  [JPEG_2000, 'codestream'],
  [HTJ2K_LOSSLESS, 'codestream'],
  [HTJ2K_LOSSLESS_RPCL, 'codestream'],
  [HTJ2K, 'codestream']
])

/** Whether frames of this transfer syntax are decoded here; a given frame may still be refused. */
export function canDecode (transferSyntaxUid: string): boolean {
  return CODING.has(transferSyntaxUid)
}

/**
 * Whether `encodeFrame` can make a frame of this format in this transfer syntax, told without
 * touching a pixel: for the choice among what a caller accepts.
 *
 * @param format of the decoded frame
 */
export function canEncode (format: PixelFormat, transferSyntaxUid: string): boolean {
  return ENCODABLE.get(transferSyntaxUid)?.(format) ?? false
}

/** All transfer syntaxes that are encoded here, at least for some pixels. */
export function encodableSyntaxes (): string[] {
  return [...ENCODABLE.keys()]
}

type Test = (format: PixelFormat) => boolean

const isGrey = ({ samples, photometric }: PixelFormat): boolean => samples === 1 && photometric !== 'PALETTE COLOR'
const isBytes = ({ bitsAllocated }: PixelFormat): boolean => bitsAllocated === 8
const isUpTo16 = ({ bitsAllocated }: PixelFormat): boolean => bitsAllocated === 8 || bitsAllocated === 16
const isWhole = ({ bitsAllocated }: PixelFormat): boolean => bitsAllocated !== 1
const isFullColour = ({ samples, photometric }: PixelFormat): boolean => samples === 3 && (photometric === 'RGB' || photometric === 'YBR_FULL')
/** Indices of a palette mean nothing once they are blurred. */
const mayBlur: Test = format => isGrey(format) || isFullColour(format)

/** PS3.5 §8.2.1 and §8.2.3. */
const lossless: Test = format => isUpTo16(format) && (format.samples === 1 || isFullColour(format))
/**
 * PS3.5 §8.2.4 and §8.2.14, less what the codecs here can't do: signed samples of up to 8 bits, and
 * three samples other than RGB of 8 bits.
 */
const wavelet: Test = ({ bitsAllocated, bitsStored, samples, signed, photometric }) =>
  (bitsAllocated === 8 || bitsAllocated === 16) && !(signed && bitsStored <= 8) && (samples === 1 || (bitsAllocated === 8 && photometric === 'RGB'))
/** JPEG knows no sign, and its samples are of 8 or 12 bits: of fewer, a loss could go beyond Bits Stored. */
const isLossy8: Test = format => isUpTo16(format) && format.bitsStored === 8 && !format.signed &&
  (isGrey(format) || (isBytes(format) && isFullColour(format)))
const isLossy12: Test = format => format.bitsAllocated === 16 && format.bitsStored > 8 && format.bitsStored <= 12 && !format.signed && isGrey(format)

const ENCODABLE: ReadonlyMap<string, Test> = new Map<string, Test>([
  [EXPLICIT_LE, () => true],
  [IMPLICIT_LE, () => true],
  [DEFLATED_LE, () => true],
  [ENCAPSULATED_UNCOMPRESSED, () => true],
  [DEFLATED_IMAGE_FRAME, () => true],
  [RLE_LOSSLESS, isWhole],
  [JPEG_BASELINE, isLossy8],
  [JPEG_EXTENDED, format => isLossy8(format) || isLossy12(format)],
  [JPEG_LOSSLESS_ANY, lossless],
  [JPEG_LOSSLESS, lossless],
  [JPEG_LS_LOSSLESS, lossless],
  // A small error would turn the greatest positive number into the least negative one.
  [JPEG_LS_LOSSY, format => lossless(format) && mayBlur(format) && !format.signed],
  [JPEG_2000_LOSSLESS, wavelet],
  [JPEG_2000, format => wavelet(format) && mayBlur(format)],
  [HTJ2K_LOSSLESS, wavelet],
  [HTJ2K_LOSSLESS_RPCL, wavelet],
  [HTJ2K, format => wavelet(format) && mayBlur(format)]
])
