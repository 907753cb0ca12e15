/**
 * What colours the three components of a coded frame are.
 *
 * Source: DICOM PS3.3 §C.7.6.3.1.2, PS3.5 §8.2; ITU-T T.871 (JFIF) and Adobe TN 5116.
 */

import type { JpegHeader } from './codestream.ts'
import type { PixelFormat } from './pixel-format.ts'

/**
 * Whether a lossy JPEG holds YCbCr, to be made RGB.
 *
 * As DCMTK and GDCM do, the data set is believed where it says YBR; where it says RGB, so is it
 * (writers put a JFIF marker on everything), unless Adobe's marker says YCbCr.
 */
export function isYcc ({ adobe }: JpegHeader, { photometric }: PixelFormat): boolean {
  return photometric.startsWith('YBR') || adobe === 1
}
