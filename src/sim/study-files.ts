/**
 * Generated studies as Part 10 files, to fill a real PACS with.
 */

import { mkdir, open, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { elementHead, encodeAttributes } from './dataset-writer.ts'
import { objectBytes, part10Head } from './object-bytes.ts'
import { ctSlice } from './phantom.ts'
import { seededUid } from './seeded.ts'
import type { GeneratedStudy } from './studies.ts'
import { EXPLICIT_LE } from '#standards/dicom/transfer-syntax.ts'

const MULTIFRAME_GRAYSCALE_WORD_SC = '1.2.840.10008.5.1.4.1.1.7.3'
const FRAME_SIDE = 512
const FRAME_BYTES = FRAME_SIDE * FRAME_SIDE * 2
/** As many as make neighbours differ; then they come again. */
const FRAMES_DRAWN = 16

/**
 * Writes each object of a study as `<folder>/<series>-<instance>.dcm`, in order.
 *
 * @returns the paths
 */
export async function writeStudyFiles (study: GeneratedStudy, folder: string): Promise<string[]> {
  await mkdir(folder, { recursive: true })
  const paths: string[] = []
  for (const [seriesIndex, series] of study.series.entries()) {
    for (const [index, instance] of series.instances.entries()) {
      const path = join(folder, `${seriesIndex + 1}-${String(index + 1).padStart(4, '0')}.dcm`)
      const dataset = await objectBytes(study, series, instance)
      await writeFile(path, Buffer.concat([part10Head(instance.sopClassUid, instance.sopInstanceUid, instance.transferSyntaxUid), dataset]))
      paths.push(path)
    }
  }
  return paths
}

export interface HugeObject { readonly studyUid: string, readonly seriesUid: string, readonly sopInstanceUid: string, readonly frames: number, readonly bytes: number }

/**
 * Writes one uncompressed multi-frame object of at least `pixelBytes`, frame after frame, never
 * whole in memory.
 *
 * @param pixelBytes at most 4 GB - 2 (PS3.5 §7.1: a length has 32 bits)
 */
export async function writeHugeObject (path: string, pixelBytes: number, seed = 1): Promise<HugeObject> {
  const frames = Math.max(1, Math.ceil(pixelBytes / FRAME_BYTES))
  if (frames * FRAME_BYTES >= 0xffffffff) throw new RangeError('longer than an element can be')
  const studyUid = seededUid(seed, 'huge')
  const seriesUid = seededUid(studyUid, 1)
  const sopInstanceUid = seededUid(seriesUid, 1)
  const head = Buffer.concat([
    part10Head(MULTIFRAME_GRAYSCALE_WORD_SC, sopInstanceUid, EXPLICIT_LE),
    encodeAttributes({
      SpecificCharacterSet: 'ISO_IR 100',
      SOPClassUID: MULTIFRAME_GRAYSCALE_WORD_SC,
      SOPInstanceUID: sopInstanceUid,
      StudyInstanceUID: studyUid,
      SeriesInstanceUID: seriesUid,
      ImageType: ['DERIVED', 'SECONDARY'],
      StudyDate: '20250501',
      StudyTime: '120000',
      AccessionNumber: `ACC25-${seed}HUGE`,
      ReferringPhysicianName: '',
      ConversionType: 'WSD',
      Modality: 'OT',
      StudyDescription: 'Acquisition dynamique, très longue',
      PatientName: 'BESANÇON^Thaïs',
      PatientID: 'IPP-100299',
      PatientBirthDate: '19700101',
      PatientSex: 'F',
      StudyID: 'HUGE',
      SeriesNumber: '1',
      InstanceNumber: '1',
      PatientOrientation: '',
      SamplesPerPixel: 1,
      PhotometricInterpretation: 'MONOCHROME2',
      NumberOfFrames: String(frames),
      FrameIncrementPointer: 0x00181063,
      FrameTime: '40',
      Rows: FRAME_SIDE,
      Columns: FRAME_SIDE,
      BitsAllocated: 16,
      BitsStored: 12,
      HighBit: 11,
      PixelRepresentation: 0,
      BurnedInAnnotation: 'NO',
      RescaleIntercept: '0',
      RescaleSlope: '1',
      RescaleType: 'US',
      PresentationLUTShape: 'IDENTITY'
    }, true),
    elementHead(0x7fe00010, 'OW', frames * FRAME_BYTES, true)
  ])
  const drawn = Array.from({ length: Math.min(frames, FRAMES_DRAWN) }, (_, index) => ctSlice(index / FRAMES_DRAWN, seed * 100 + index))
  const file = await open(path, 'w')
  try {
    await file.write(head)
    for (let frame = 0; frame < frames; frame++) {
      const pixels = drawn[frame % drawn.length]
      await file.write(new Uint8Array(pixels.buffer))
    }
  } finally {
    await file.close()
  }
  return { studyUid, seriesUid, sopInstanceUid, frames, bytes: head.length + frames * FRAME_BYTES }
}
