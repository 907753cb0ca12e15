/**
 * Transfer syntaxes that we receive, in the order in which we choose among what a PACS offers.
 *
 * Compressed without loss first, since that is smallest and true; then uncompressed; lossy last, so
 * that a PACS which offers both is never asked to spoil its images. Source: DICOM PS3.6 Table A-1.
 */
export const RECEIVED_SYNTAXES: readonly string[] = [
  '1.2.840.10008.1.2.4.80', // JPEG-LS lossless
  '1.2.840.10008.1.2.4.90', // JPEG 2000 lossless
  '1.2.840.10008.1.2.4.201', // HTJ2K lossless
  '1.2.840.10008.1.2.4.202', // HTJ2K lossless RPCL
  '1.2.840.10008.1.2.4.70', // JPEG lossless, first-order prediction
  '1.2.840.10008.1.2.4.57', // JPEG lossless
  '1.2.840.10008.1.2.4.110', // JPEG XL lossless
  '1.2.840.10008.1.2.5', // RLE
  '1.2.840.10008.1.2.1', // explicit little endian
  '1.2.840.10008.1.2', // implicit little endian
  '1.2.840.10008.1.2.1.99', // deflated
  '1.2.840.10008.1.2.2', // explicit big endian
  '1.2.840.10008.1.2.4.91', // JPEG 2000
  '1.2.840.10008.1.2.4.203', // HTJ2K
  '1.2.840.10008.1.2.4.81', // JPEG-LS near-lossless
  '1.2.840.10008.1.2.4.51', // JPEG extended
  '1.2.840.10008.1.2.4.50', // JPEG baseline
  '1.2.840.10008.1.2.4.111', // JPEG XL, JPEG recompression
  '1.2.840.10008.1.2.4.112', // JPEG XL
  '1.2.840.10008.1.2.4.100', // MPEG-2 main profile, main level
  '1.2.840.10008.1.2.4.101', // MPEG-2 main profile, high level
  '1.2.840.10008.1.2.4.102', // MPEG-4 high profile 4.1
  '1.2.840.10008.1.2.4.103', // MPEG-4 high profile 4.1, BD compatible
  '1.2.840.10008.1.2.4.104', // MPEG-4 high profile 4.2, 2D
  '1.2.840.10008.1.2.4.105', // MPEG-4 high profile 4.2, 3D
  '1.2.840.10008.1.2.4.106', // MPEG-4 stereo high profile
  '1.2.840.10008.1.2.4.107', // HEVC main profile
  '1.2.840.10008.1.2.4.108' // HEVC main 10 profile
]
