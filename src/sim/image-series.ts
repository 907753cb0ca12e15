/**
 * The images of generated studies, by modality: CT, MR, CR, mammography, ultrasound.
 *
 * Source: DICOM PS3.3 §A.2 (CR), §A.3 (CT), §A.4 (MR), §A.7 (ultrasound multi-frame), §A.27
 * (mammography). Valid enough for viewers and for DCMTK; no claim to be complete.
 */

import { compress } from './compress.ts'
import type { Attributes, Pixels, Raw } from './dataset-writer.ts'
import { breast, ctSlice, heartFrame, mrSlice, projection } from './phantom.ts'
import { seededUid } from './seeded.ts'
import type { GeneratedInstance, GeneratedSeries, StudyPlan } from './studies.ts'
import { EXPLICIT_LE, JPEG_BASELINE, JPEG_LOSSLESS, JPEG_LS_LOSSLESS } from '#standards/dicom/transfer-syntax.ts'

const CR_STORAGE = '1.2.840.10008.5.1.4.1.1.1'
const MAMMOGRAPHY_STORAGE = '1.2.840.10008.5.1.4.1.1.1.2'
const CT_STORAGE = '1.2.840.10008.5.1.4.1.1.2'
const ULTRASOUND_MULTIFRAME_STORAGE = '1.2.840.10008.5.1.4.1.1.3.1'
const MR_STORAGE = '1.2.840.10008.5.1.4.1.1.4'

/** Drawn and compressed once, then shared by all 1300 images, as the national set duplicates its own. */
const CT_SLICES = 24
const CT_SERIES = ['Sans injection', 'Temps artériel', 'Temps portal', 'Parenchyme pulmonaire, filtre dur']

export function ctSeries (plan: StudyPlan, images: number): GeneratedSeries[] {
  const slices = Array.from({ length: CT_SLICES }, (_, index) => once(async () => compress(
    { columns: 512, rows: 512, bitsStored: 12, samplesPerPixel: 1, pixels: ctSlice(index / CT_SLICES, plan.seed * 100 + index) },
    JPEG_LS_LOSSLESS
  )))
  const frameOfReference = seededUid(plan.studyUid, 'frame of reference')
  return CT_SERIES.map((description, index) => {
    const count = Math.floor(images * (index + 1) / CT_SERIES.length) - Math.floor(images * index / CT_SERIES.length)
    const common: Attributes = {
      BodyPartExamined: 'CHEST',
      ScanOptions: 'HELIX',
      KVP: '120',
      SliceThickness: '1',
      ConvolutionKernel: index === 3 ? 'Br64d' : 'Br40d',
      ProtocolName: 'TAP injecté',
      FrameOfReferenceUID: frameOfReference,
      PositionReferenceIndicator: '',
      PatientPosition: 'HFS',
      ...privateAttributes()
    }
    return series(plan, 'CT', index + 1, description, common, count, (uid, number) => ({
      sopInstanceUid: uid,
      sopClassUid: CT_STORAGE,
      transferSyntaxUid: JPEG_LS_LOSSLESS,
      attributes: {
        ...image(uid, CT_STORAGE, number, plan, ['ORIGINAL', 'PRIMARY', 'AXIAL']),
        ...grey(512, 512, 12),
        AcquisitionNumber: '1',
        ImagePositionPatient: ['-190.5', '-190.5', String(-number)],
        ImageOrientationPatient: ['1', '0', '0', '0', '1', '0'],
        SliceLocation: String(-number),
        PixelSpacing: ['0.744', '0.744'],
        XRayTubeCurrent: String(180 + number % 60),
        RescaleIntercept: '-1024',
        RescaleSlope: '1',
        RescaleType: 'HU',
        WindowCenter: ['40', '-600'],
        WindowWidth: ['400', '1500'],
        WindowCenterWidthExplanation: ['Médiastin', 'Poumon']
      },
      pixels: async () => ({ frames: [await slices[Math.floor((number - 1) * CT_SLICES / count)]()], offsetTable: false })
    }))
  })
}

export function mrSeries (plan: StudyPlan): GeneratedSeries[] {
  const frameOfReference = seededUid(plan.studyUid, 'frame of reference')
  const sequences = [
    { description: 'Axial T1 après gadolinium', repetition: '550', echo: '9', contrast: 0 },
    { description: 'Axial T2 FLAIR', repetition: '9000', echo: '120', contrast: 0.5 },
    { description: 'Diffusion b1000, carte ADC', repetition: '4200', echo: '88', contrast: 1 }
  ]
  return sequences.map(({ description, repetition, echo, contrast }, index) => {
    const common: Attributes = {
      BodyPartExamined: 'HEAD',
      ScanningSequence: 'SE',
      SequenceVariant: 'SK',
      ScanOptions: '',
      MRAcquisitionType: '2D',
      RepetitionTime: repetition,
      EchoTime: echo,
      EchoTrainLength: '1',
      SliceThickness: '5',
      MagneticFieldStrength: '1.5',
      FrameOfReferenceUID: frameOfReference,
      PositionReferenceIndicator: '',
      PatientPosition: 'HFS'
    }
    return series(plan, 'MR', index + 1, description, common, 20, (uid, number) => ({
      sopInstanceUid: uid,
      sopClassUid: MR_STORAGE,
      transferSyntaxUid: EXPLICIT_LE,
      attributes: {
        ...image(uid, MR_STORAGE, number, plan, ['ORIGINAL', 'PRIMARY', 'M', 'SE']),
        ...grey(256, 256, 12),
        ImagePositionPatient: ['-115', '-115', String(5 * number)],
        ImageOrientationPatient: ['1', '0', '0', '0', '1', '0'],
        PixelSpacing: ['0.898', '0.898'],
        WindowCenter: '600',
        WindowWidth: '1200'
      },
      pixels: async () => words(mrSlice(number / 20, contrast, plan.seed * 1000 + index * 20 + number))
    }))
  })
}

export function radiographySeries (plan: StudyPlan, bodyPart: string, description: string, images: number): GeneratedSeries[] {
  const common: Attributes = { BodyPartExamined: bodyPart, ViewPosition: 'PA', KVP: '117', PlateType: '' }
  return [series(plan, 'CR', 1, description, common, images, (uid, number) => ({
    sopInstanceUid: uid,
    sopClassUid: CR_STORAGE,
    transferSyntaxUid: EXPLICIT_LE,
    attributes: {
      ...image(uid, CR_STORAGE, number, plan, ['ORIGINAL', 'PRIMARY']),
      ...grey(2048, 2500, 12),
      PatientOrientation: ['L', 'F'],
      ImagerPixelSpacing: ['0.168', '0.168'],
      WindowCenter: '2048',
      WindowWidth: '4096'
    },
    pixels: once(async () => words(projection(2048, 2500, plan.seed * 100 + number)))
  }))]
}

export function mammographySeries (plan: StudyPlan): GeneratedSeries[] {
  const views = [['R', 'CC'], ['L', 'CC'], ['R', 'MLO'], ['L', 'MLO']] as const
  const common: Attributes = {
    BodyPartExamined: 'BREAST',
    PresentationIntentType: 'FOR PRESENTATION',
    PositionerType: 'MAMMOGRAPHIC',
    OrganExposed: 'BREAST',
    KVP: '28'
  }
  return [series(plan, 'MG', 1, 'Face et oblique, deux seins', common, views.length, (uid, number) => {
    const [laterality, view] = views[number - 1]
    return {
      sopInstanceUid: uid,
      sopClassUid: MAMMOGRAPHY_STORAGE,
      transferSyntaxUid: JPEG_LOSSLESS,
      attributes: {
        ...image(uid, MAMMOGRAPHY_STORAGE, number, plan, ['ORIGINAL', 'PRIMARY', '']),
        ...grey(2560, 3328, 12),
        ImageLaterality: laterality,
        ViewPosition: view,
        PatientOrientation: laterality === 'R' ? ['P', 'L'] : ['A', 'R'],
        ImagerPixelSpacing: ['0.07', '0.07'],
        BurnedInAnnotation: 'NO',
        PixelIntensityRelationship: 'LOG',
        PixelIntensityRelationshipSign: -1,
        RescaleIntercept: '0',
        RescaleSlope: '1',
        RescaleType: 'US',
        PresentationLUTShape: 'IDENTITY',
        LossyImageCompression: '00',
        WindowCenter: '1400',
        WindowWidth: '2400'
      },
      pixels: once(async () => ({
        frames: [await compress({
          columns: 2560,
          rows: 3328,
          bitsStored: 12,
          samplesPerPixel: 1,
          pixels: breast(2560, 3328, laterality === 'R' ? 1 : -1, view === 'MLO' ? 0.2 : 0, plan.seed * 100 + number)
        }, JPEG_LOSSLESS)],
        offsetTable: false
      }))
    }
  })]
}

const ULTRASOUND_FRAMES = 30

export function ultrasoundSeries (plan: StudyPlan): GeneratedSeries[] {
  return [series(plan, 'US', 1, 'Coupe apicale quatre cavités, boucle', { BodyPartExamined: 'HEART' }, 1, (uid, number) => ({
    sopInstanceUid: uid,
    sopClassUid: ULTRASOUND_MULTIFRAME_STORAGE,
    transferSyntaxUid: JPEG_BASELINE,
    attributes: {
      ...image(uid, ULTRASOUND_MULTIFRAME_STORAGE, number, plan, ['ORIGINAL', 'PRIMARY', 'CARDIAC', '0001']),
      SamplesPerPixel: 3,
      PhotometricInterpretation: 'YBR_FULL_422',
      PlanarConfiguration: 0,
      Rows: 480,
      Columns: 640,
      BitsAllocated: 8,
      BitsStored: 8,
      HighBit: 7,
      PixelRepresentation: 0,
      NumberOfFrames: String(ULTRASOUND_FRAMES),
      FrameIncrementPointer: 0x00181063,
      FrameTime: '33.33',
      LossyImageCompression: '01',
      LossyImageCompressionRatio: '15',
      LossyImageCompressionMethod: 'ISO_10918_1'
    },
    pixels: once(async () => {
      const frames: Uint8Array[] = []
      for (let index = 0; index < ULTRASOUND_FRAMES; index++) {
        const pixels = heartFrame(640, 480, index / ULTRASOUND_FRAMES, plan.seed * 100 + index)
        frames.push(await compress({ columns: 640, rows: 480, bitsStored: 8, samplesPerPixel: 3, pixels }, JPEG_BASELINE))
      }
      return { frames, offsetTable: true }
    })
  }))]
}

function series (
  { studyUid, date, time }: StudyPlan, modality: string, number: number, description: string, common: Attributes, count: number,
  makeInstance: (uid: string, number: number) => GeneratedInstance
): GeneratedSeries {
  const seriesUid = seededUid(studyUid, modality, number)
  return {
    seriesUid,
    attributes: {
      Modality: modality,
      SeriesInstanceUID: seriesUid,
      SeriesNumber: String(number),
      SeriesDate: date,
      SeriesTime: time,
      SeriesDescription: description,
      Manufacturer: 'Constructeur simulé',
      ManufacturerModelName: `Appareil ${modality}`,
      StationName: `${modality}01`,
      Laterality: '',
      ...common
    },
    instances: Array.from({ length: count }, (_, index) => makeInstance(seededUid(seriesUid, index + 1), index + 1))
  }
}

function image (uid: string, sopClassUid: string, number: number, { date, time }: StudyPlan, type: readonly string[]): Attributes {
  return {
    SOPClassUID: sopClassUid,
    SOPInstanceUID: uid,
    InstanceNumber: String(number),
    ImageType: type,
    AcquisitionDate: date,
    AcquisitionTime: time,
    ContentDate: date,
    ContentTime: time
  }
}

function grey (columns: number, rows: number, bitsStored: number): Attributes {
  return {
    SamplesPerPixel: 1,
    PhotometricInterpretation: 'MONOCHROME2',
    Rows: rows,
    Columns: columns,
    BitsAllocated: 16,
    BitsStored: bitsStored,
    HighBit: bitsStored - 1,
    PixelRepresentation: 0
  }
}

/** What makers add in their own groups (PS3.5 §7.8), and a careless relay loses. */
function privateAttributes (): Attributes {
  const raw = (vr: string, bytes: Uint8Array): Raw => ({ vr, bytes })
  return {
    '00090010': raw('LO', Buffer.from('SIMULATED MAKER ')),
    '00091001': raw('LO', Buffer.from('Réglage n° 4', 'latin1')),
    '00091002': raw('OB', Buffer.alloc(256, 7)),
    '00091003': raw('UN', Buffer.alloc(512, 3))
  }
}

function words (pixels: Uint16Array): Pixels {
  return { vr: 'OW', native: new Uint8Array(pixels.buffer) }
}

/** Makes a value at its first use and keeps it. */
function once<T> (make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined
  return async () => await (made ??= make())
}
