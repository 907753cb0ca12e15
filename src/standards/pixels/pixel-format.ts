/**
 * What one frame of pixels is: the attributes that say how its bytes are to be read.
 *
 * Source: DICOM PS3.3 §C.7.6.3 (Image Pixel), PS3.5 §8.1 and §8.2.
 */

export interface PixelFormat {
  readonly rows: number
  readonly columns: number
  /** Samples Per Pixel: 1 or 3. */
  readonly samples: number
  /** 1, 8, 16 or 32. */
  readonly bitsAllocated: number
  readonly bitsStored: number
  readonly highBit: number
  /** Pixel Representation 1: two's complement. */
  readonly signed: boolean
  /** Planar Configuration 1: all of one sample, then all of the next. */
  readonly planar: boolean
  /** Photometric Interpretation, as the data set has it. */
  readonly photometric: string
  /**
   * Native bytes and bits lie in 16-bit words (VR OW), which matters in big endian only: absent where
   * the value representation of the pixel data isn't known.
   */
  readonly words?: boolean
}

/**
 * One frame, decoded: native little endian, samples of a pixel side by side (`planar` is false), each
 * in the bytes that Bits Allocated says. `format` describes these bytes, which a decoder may have
 * changed: JPEG 2000 with a colour transform comes out as RGB.
 */
export interface Frame {
  readonly format: PixelFormat
  readonly pixels: Buffer
}
