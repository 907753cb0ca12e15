/**
 * The frames of one stored instance, for whoever makes pictures of them: what the head says, and the
 * bytes of one frame at a time.
 *
 * Source: DICOM PS3.5 §8 and §A.4. A deflated data set is inflated whole, within a bound, since
 * nothing in it can be found otherwise.
 */

import { promisify } from 'node:util'
import { constants, inflateRaw } from 'node:zlib'
import { DrimboxError, RequestError } from '#core/errors.ts'
import { decodeDataset, firstText } from '#standards/dicom/dataset.ts'
import { mapFrames, type FrameMap } from '#standards/dicom/frames.ts'
import { HeadReader } from '#standards/dicom/head.ts'
import type { DicomJson } from '#standards/dicom/json.ts'
import { EXPLICIT_LE, transferSyntax } from '#standards/dicom/transfer-syntax.ts'
import { categoryOf, type Category } from '#standards/dicomweb/rendered-media.ts'
import { pixelFormatOf } from '#standards/pixels/pixel-format-of.ts'
import type { PixelFormat } from '#standards/pixels/pixel-format.ts'
import { presentationOf, type Presentation } from '#standards/pixels/presentation.ts'
import type { Stored } from '../cache/stored.ts'
import type { ObjectSet } from '../pacs/object-set.ts'

/** The head of an enhanced multi-frame object has some kilobytes for each frame; beyond this it isn't read. */
const HEAD_BYTES_MAX = 32 << 20
/** Tag, VR and length of the pixel data element, perhaps behind a group length. */
const PIXEL_HEAD_BYTES = 24
/** Deflated objects are small ones: who deflates, saves bytes. */
const INFLATED_BYTES_MAX = 64 << 20

const inflate = promisify(inflateRaw)

export interface PictureSource {
  readonly stored: Stored
  /** Without the pixels. */
  readonly head: DicomJson
  readonly category: Category | undefined
  readonly frames: number
  /** Of what kind its pixels are. @throws RequestError DATA_MALFORMED, naming the instance */
  readonly format: () => PixelFormat
  /** How a frame wants to be shown. @throws RequestError DATA_MALFORMED */
  readonly presentation: (frame: number) => Presentation
  /** Runs something on the head whose errors are to name the instance. */
  readonly named: <T>(work: () => T) => T
  /** Bytes of a frame, from 1; known before they are read. */
  readonly frameBytes: (frame: number) => Promise<number>
  /** @throws RequestError FRAME_UNKNOWN, DATA_MALFORMED, NOT_OFFERED */
  readonly frame: (frame: number) => Promise<Uint8Array>
}

type Read = (offset: number, length: number) => Promise<Buffer>

/** @throws RequestError DATA_MALFORMED, naming the instance */
export async function openSource (set: Pick<ObjectSet, 'read'>, stored: Stored): Promise<PictureSource> {
  return await named(stored, async () => {
    const { deflated } = transferSyntax(stored.transferSyntaxUid)
    return deflated ? await deflatedSource(set, stored) : await plainSource(set, stored)
  })
}

async function plainSource (set: Pick<ObjectSet, 'read'>, stored: Stored): Promise<PictureSource> {
  const read = readerOf(set, stored)
  const pixelOffset = stored.pixelOffset === 0 ? undefined : stored.pixelOffset - stored.datasetOffset
  const datasetBytes = stored.length - stored.datasetOffset
  const headBytes = pixelOffset === undefined ? datasetBytes : Math.min(pixelOffset + PIXEL_HEAD_BYTES, datasetBytes)
  const bytes = await read(0, Math.min(headBytes, HEAD_BYTES_MAX))
  return sourceOf(stored, read, bytes, stored.transferSyntaxUid, datasetBytes, pixelOffset)
}

async function deflatedSource (set: Pick<ObjectSet, 'read'>, stored: Stored): Promise<PictureSource> {
  const coded = await readerOf(set, stored)(0, Math.min(stored.length - stored.datasetOffset, INFLATED_BYTES_MAX))
  const plain = await inflate(coded, { finishFlush: constants.Z_SYNC_FLUSH, maxOutputLength: INFLATED_BYTES_MAX }).catch((cause: unknown) => {
    throw new RequestError('DATA_MALFORMED', 'not a deflated data set, or too long', { cause })
  })
  const walk = new HeadReader(EXPLICIT_LE)
  walk.push(plain)
  const head = walk.pixelOffset === undefined ? plain : plain.subarray(0, walk.pixelOffset + PIXEL_HEAD_BYTES)
  return sourceOf(stored, async (offset, length) => plain.subarray(offset, offset + length), head, EXPLICIT_LE, plain.length, walk.pixelOffset)
}

function sourceOf (stored: Stored, read: Read, bytes: Buffer, transferSyntaxUid: string, datasetBytes: number, pixelOffset: number | undefined): PictureSource {
  // The address isn't used: it makes the pixel data leave their VR in the head.
  const head = decodeDataset(bytes, transferSyntaxUid, { stopAtPixelData: true, bulkDataUri: path => path, bulkDataBytesMin: Infinity })
  const frames = pixelOffset === undefined ? 0 : Math.max(Number(firstText(head, '00280008') ?? 1) || 1, 1)
  let map: Promise<FrameMap> | undefined
  let presented: { frame: number, presentation: Presentation } | undefined
  const ranges = async (frame: number) => {
    // A big endian or implicit object is read as it is: only what lies in it is looked for.
    map ??= mapFrames(read, { transferSyntaxUid, datasetBytes, pixelOffset: pixelOffset as number, head })
    return (await map).ranges(frame)
  }
  return {
    stored,
    head,
    category: categoryOf({ sopClassUid: stored.sopClassUid, transferSyntaxUid: stored.transferSyntaxUid, hasPixels: pixelOffset !== undefined, frames }),
    frames,
    format: () => namedNow(stored, () => pixelFormatOf(head)),
    presentation: frame => {
      if (presented?.frame !== frame) presented = { frame, presentation: namedNow(stored, () => presentationOf(head, frame)) }
      return presented.presentation
    },
    named: work => namedNow(stored, work),
    frameBytes: async frame => await named(stored, async () => (await ranges(frame)).reduce((sum, { length }) => sum + length, 0)),
    frame: async frame => await named(stored, async () => {
      const pieces: Buffer[] = []
      for (const { offset, length } of await ranges(frame)) pieces.push(await read(offset, length))
      return pieces.length === 1 ? pieces[0] : Buffer.concat(pieces)
    })
  }
}

function readerOf (set: Pick<ObjectSet, 'read'>, stored: Stored): Read {
  return async (offset, length) => {
    const from = stored.datasetOffset + offset
    const bytes = Buffer.allocUnsafeSlow(Math.max(Math.min(length, stored.length - from), 0))
    await set.read(stored, from, bytes)
    return bytes
  }
}

/** Whatever is wrong with an object, the caller learns with which. */
async function named<T> (stored: Stored, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw withInstance(error, stored)
  }
}

function namedNow<T> (stored: Stored, work: () => T): T {
  try {
    return work()
  } catch (error) {
    throw withInstance(error, stored)
  }
}

function withInstance (error: unknown, stored: Stored): unknown {
  if (!(error instanceof RequestError) || error.facts.instance !== undefined) return error
  return new RequestError(error.code, error.message, { cause: (error as DrimboxError).cause, facts: { ...error.facts, instance: stored.sopInstanceUid } })
}
