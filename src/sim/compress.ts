/**
 * Compresses generated frames, through the codecs that dcmjs-dimse brings.
 */

import dimse from 'dcmjs-dimse'
import { EXPLICIT_LE, JPEG_BASELINE } from '#standards/dicom/transfer-syntax.ts'

export interface Frame {
  readonly columns: number
  readonly rows: number
  readonly bitsStored: number
  /** 1: words or bytes of grey; 3: interleaved RGB bytes. */
  readonly samplesPerPixel: 1 | 3
  readonly pixels: Uint16Array | Uint8Array
}

/** JPEG 4:2:2, which is what YBR_FULL_422 promises (PS3.5 §8.2.1). */
const SAMPLE_FACTOR_422 = 1

/**
 * One frame in one transfer syntax: JPEG-LS lossless, JPEG lossless or JPEG baseline.
 *
 * @returns the code stream
 */
export async function compress (frame: Frame, transferSyntaxUid: string): Promise<Uint8Array> {
  if (!dimse.Transcoding.isInitialized()) {
    dimse.log.setLevel('silent')
    await dimse.Transcoding.initializeAsync()
  }
  const { columns, rows, bitsStored, samplesPerPixel, pixels } = frame
  const raw = new Uint8Array(pixels.buffer, pixels.byteOffset, pixels.byteLength).slice()
  const dataset = new dimse.Dataset({
    Rows: rows,
    Columns: columns,
    BitsAllocated: pixels.BYTES_PER_ELEMENT * 8,
    BitsStored: bitsStored,
    HighBit: bitsStored - 1,
    PixelRepresentation: 0,
    SamplesPerPixel: samplesPerPixel,
    PlanarConfiguration: 0,
    PhotometricInterpretation: samplesPerPixel === 1 ? 'MONOCHROME2' : 'RGB',
    NumberOfFrames: 1,
    PixelData: [raw.buffer]
  }, EXPLICIT_LE)
  const options = transferSyntaxUid === JPEG_BASELINE ? { quality: 85, sampleFactor: SAMPLE_FACTOR_422 } : {}
  const compressed = dimse.Transcoding.transcodeDataset(dataset, transferSyntaxUid, options)
  const [stream] = compressed.getElements().PixelData as [ArrayBuffer]
  return new Uint8Array(stream)
}
