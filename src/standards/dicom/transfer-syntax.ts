/**
 * Transfer syntaxes: how the bytes of a data set are to be read.
 *
 * Source: DICOM PS3.5 §10 and Annex A, PS3.6 Table A-1. Retired ones that archives still hold are
 * here; the syntaxes of live video (DICOM-RTV) and the retired MIME and XML encodings are not,
 * since no association carries them.
 */

export interface TransferSyntax {
  readonly uid: string
  readonly name: string
  readonly explicitVr: boolean
  readonly bigEndian: boolean
  /** Pixel data come as fragments (PS3.5 §A.4). */
  readonly encapsulated: boolean
  /** The whole data set is one raw deflate stream (PS3.5 §A.5). */
  readonly deflated: boolean
  /** The coding may have lost information: whether it did, only the data set tells (0028,2110). */
  readonly lossy: boolean
}

export const IMPLICIT_LE = '1.2.840.10008.1.2'
export const EXPLICIT_LE = '1.2.840.10008.1.2.1'
export const DEFLATED_LE = '1.2.840.10008.1.2.1.99'
export const EXPLICIT_BE = '1.2.840.10008.1.2.2'
export const JPEG_BASELINE = '1.2.840.10008.1.2.4.50'
export const JPEG_EXTENDED = '1.2.840.10008.1.2.4.51'
export const JPEG_LOSSLESS = '1.2.840.10008.1.2.4.70'
export const JPEG_LS_LOSSLESS = '1.2.840.10008.1.2.4.80'
export const JPEG_LS_LOSSY = '1.2.840.10008.1.2.4.81'
export const JPEG_2000_LOSSLESS = '1.2.840.10008.1.2.4.90'
export const JPEG_2000 = '1.2.840.10008.1.2.4.91'
export const RLE_LOSSLESS = '1.2.840.10008.1.2.5'

type Trait = 'implicit' | 'big-endian' | 'encapsulated' | 'deflated' | 'lossy'

const lossless = ['encapsulated'] as const
const lossy = ['encapsulated', 'lossy'] as const

const TABLE: readonly (readonly [uid: string, name: string, traits: readonly Trait[]])[] = [
  [IMPLICIT_LE, 'Implicit VR Little Endian', ['implicit']],
  [EXPLICIT_LE, 'Explicit VR Little Endian', []],
  ['1.2.840.10008.1.2.1.98', 'Encapsulated Uncompressed Explicit VR Little Endian', lossless],
  [DEFLATED_LE, 'Deflated Explicit VR Little Endian', ['deflated']],
  [EXPLICIT_BE, 'Explicit VR Big Endian (Retired)', ['big-endian']],
  [JPEG_BASELINE, 'JPEG Baseline (Process 1)', lossy],
  [JPEG_EXTENDED, 'JPEG Extended (Process 2 and 4)', lossy],
  ['1.2.840.10008.1.2.4.52', 'JPEG Extended (Process 3 and 5) (Retired)', lossy],
  ['1.2.840.10008.1.2.4.53', 'JPEG Spectral Selection, Non-Hierarchical (Process 6 and 8) (Retired)', lossy],
  ['1.2.840.10008.1.2.4.54', 'JPEG Spectral Selection, Non-Hierarchical (Process 7 and 9) (Retired)', lossy],
  ['1.2.840.10008.1.2.4.55', 'JPEG Full Progression, Non-Hierarchical (Process 10 and 12) (Retired)', lossy],
  ['1.2.840.10008.1.2.4.56', 'JPEG Full Progression, Non-Hierarchical (Process 11 and 13) (Retired)', lossy],
  ['1.2.840.10008.1.2.4.57', 'JPEG Lossless, Non-Hierarchical (Process 14)', lossless],
  ['1.2.840.10008.1.2.4.58', 'JPEG Lossless, Non-Hierarchical (Process 15) (Retired)', lossless],
  ['1.2.840.10008.1.2.4.59', 'JPEG Extended, Hierarchical (Process 16 and 18) (Retired)', lossy],
  ['1.2.840.10008.1.2.4.60', 'JPEG Extended, Hierarchical (Process 17 and 19) (Retired)', lossy],
  ['1.2.840.10008.1.2.4.61', 'JPEG Spectral Selection, Hierarchical (Process 20 and 22) (Retired)', lossy],
  ['1.2.840.10008.1.2.4.62', 'JPEG Spectral Selection, Hierarchical (Process 21 and 23) (Retired)', lossy],
  ['1.2.840.10008.1.2.4.63', 'JPEG Full Progression, Hierarchical (Process 24 and 26) (Retired)', lossy],
  ['1.2.840.10008.1.2.4.64', 'JPEG Full Progression, Hierarchical (Process 25 and 27) (Retired)', lossy],
  ['1.2.840.10008.1.2.4.65', 'JPEG Lossless, Hierarchical (Process 28) (Retired)', lossless],
  ['1.2.840.10008.1.2.4.66', 'JPEG Lossless, Hierarchical (Process 29) (Retired)', lossless],
  [JPEG_LOSSLESS, 'JPEG Lossless, Non-Hierarchical, First-Order Prediction (Process 14, Selection Value 1)', lossless],
  [JPEG_LS_LOSSLESS, 'JPEG-LS Lossless', lossless],
  [JPEG_LS_LOSSY, 'JPEG-LS Lossy (Near-Lossless)', lossy],
  [JPEG_2000_LOSSLESS, 'JPEG 2000 (Lossless Only)', lossless],
  [JPEG_2000, 'JPEG 2000', lossy],
  ['1.2.840.10008.1.2.4.92', 'JPEG 2000 Part 2 Multi-component (Lossless Only)', lossless],
  ['1.2.840.10008.1.2.4.93', 'JPEG 2000 Part 2 Multi-component', lossy],
  // The JPIP syntaxes hold the address of the pixel data instead of them, hence no fragments.
  ['1.2.840.10008.1.2.4.94', 'JPIP Referenced', ['lossy']],
  ['1.2.840.10008.1.2.4.95', 'JPIP Referenced Deflate', ['deflated', 'lossy']],
  ['1.2.840.10008.1.2.4.100', 'MPEG2 Main Profile / Main Level', lossy],
  ['1.2.840.10008.1.2.4.100.1', 'Fragmentable MPEG2 Main Profile / Main Level', lossy],
  ['1.2.840.10008.1.2.4.101', 'MPEG2 Main Profile / High Level', lossy],
  ['1.2.840.10008.1.2.4.101.1', 'Fragmentable MPEG2 Main Profile / High Level', lossy],
  ['1.2.840.10008.1.2.4.102', 'MPEG-4 AVC/H.264 High Profile / Level 4.1', lossy],
  ['1.2.840.10008.1.2.4.102.1', 'Fragmentable MPEG-4 AVC/H.264 High Profile / Level 4.1', lossy],
  ['1.2.840.10008.1.2.4.103', 'MPEG-4 AVC/H.264 BD-compatible High Profile / Level 4.1', lossy],
  ['1.2.840.10008.1.2.4.103.1', 'Fragmentable MPEG-4 AVC/H.264 BD-compatible High Profile / Level 4.1', lossy],
  ['1.2.840.10008.1.2.4.104', 'MPEG-4 AVC/H.264 High Profile / Level 4.2 For 2D Video', lossy],
  ['1.2.840.10008.1.2.4.104.1', 'Fragmentable MPEG-4 AVC/H.264 High Profile / Level 4.2 For 2D Video', lossy],
  ['1.2.840.10008.1.2.4.105', 'MPEG-4 AVC/H.264 High Profile / Level 4.2 For 3D Video', lossy],
  ['1.2.840.10008.1.2.4.105.1', 'Fragmentable MPEG-4 AVC/H.264 High Profile / Level 4.2 For 3D Video', lossy],
  ['1.2.840.10008.1.2.4.106', 'MPEG-4 AVC/H.264 Stereo High Profile / Level 4.2', lossy],
  ['1.2.840.10008.1.2.4.106.1', 'Fragmentable MPEG-4 AVC/H.264 Stereo High Profile / Level 4.2', lossy],
  ['1.2.840.10008.1.2.4.107', 'HEVC/H.265 Main Profile / Level 5.1', lossy],
  ['1.2.840.10008.1.2.4.108', 'HEVC/H.265 Main 10 Profile / Level 5.1', lossy],
  ['1.2.840.10008.1.2.4.110', 'JPEG XL Lossless', lossless],
  // Gives back the bytes of a JPEG file exactly; that JPEG had lost something already.
  ['1.2.840.10008.1.2.4.111', 'JPEG XL JPEG Recompression', lossy],
  ['1.2.840.10008.1.2.4.112', 'JPEG XL', lossy],
  ['1.2.840.10008.1.2.4.201', 'High-Throughput JPEG 2000 (Lossless Only)', lossless],
  ['1.2.840.10008.1.2.4.202', 'High-Throughput JPEG 2000 with RPCL Options (Lossless Only)', lossless],
  ['1.2.840.10008.1.2.4.203', 'High-Throughput JPEG 2000', lossy],
  ['1.2.840.10008.1.2.4.204', 'JPIP HTJ2K Referenced', ['lossy']],
  ['1.2.840.10008.1.2.4.205', 'JPIP HTJ2K Referenced Deflate', ['deflated', 'lossy']],
  [RLE_LOSSLESS, 'RLE Lossless', lossless],
  ['1.2.840.10008.1.2.8.1', 'Deflated Image Frame Compression', lossless],
  ['1.2.840.10008.1.20', 'Papyrus 3 Implicit VR Little Endian (Retired)', ['implicit']],
  // GE's own: as implicit little endian, except that the words of the pixel data are big endian.
  ['1.2.840.113619.5.2', 'GE Private Implicit VR Little Endian, big endian pixels', ['implicit']]
]

function entry (uid: string, name: string, traits: readonly Trait[]): TransferSyntax {
  return {
    uid,
    name,
    explicitVr: !traits.includes('implicit'),
    bigEndian: traits.includes('big-endian'),
    encapsulated: traits.includes('encapsulated'),
    deflated: traits.includes('deflated'),
    lossy: traits.includes('lossy')
  }
}

export const TRANSFER_SYNTAXES: ReadonlyMap<string, TransferSyntax> = new Map(
  TABLE.map(([uid, name, traits]) => [uid, entry(uid, name, traits)])
)

/**
 * How to read a data set of this transfer syntax. An unknown UID is taken as explicit little endian
 * with fragments, as every syntax that was added in the last thirty years is (PS3.5 §A.4), and as
 * lossy, since nobody can vouch for the contrary.
 */
export function transferSyntax (uid: string): TransferSyntax {
  return TRANSFER_SYNTAXES.get(uid) ?? entry(uid, 'unknown', lossy)
}
