/**
 * Frames, by number, as they lie in the pack.
 *
 * Source: DICOM PS3.18 §10.4.1.1.3 and §8.7.3.
 */

import { crc32 } from 'node:zlib'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { RequestError } from '#core/errors.ts'
import { decodeDataset, firstText } from '#standards/dicom/dataset.ts'
import { mapFrames, type Range } from '#standards/dicom/frames.ts'
import type { DicomJson } from '#standards/dicom/json.ts'
import { transferSyntax } from '#standards/dicom/transfer-syntax.ts'
import { choose, parseAccept, type Offer } from '#standards/dicomweb/accept.ts'
import { frameOffers } from '#standards/dicomweb/frame-media.ts'
import { closing, contentType, newBoundary, partHead } from '#standards/dicomweb/multipart.ts'
import type { Stored } from '../cache/stored.ts'
import type { ObjectSet, Target } from '../pacs/object-set.ts'
import { acceptParameter, hangUp, sendSet, type ObjectParts } from './objects.ts'
import { sendRepresentation, validatorsOf, type StoredPiece } from './representation.ts'
import { bytesOf } from './send.ts'

/** The head of an enhanced multi-frame object has some kilobytes for each frame; beyond this it isn't read. */
const HEAD_BYTES_MAX = 32 << 20
/** The largest whole-slide pictures have some 200 000 tiles, in all; more are not given in one answer. */
const FRAMES_MAX = 200_000
const NUMBER_OF_FRAMES = '00280008'
/** Whatever the instance is in: the caller was asked before. */
const AS_IT_IS = { multipart: true, accepts: () => 1, preference: [], any: true }

/** Answers one WADO-RS request for frames. */
export async function serveFrames (parts: ObjectParts, request: FastifyRequest, reply: FastifyReply, target: Required<Target>, frames: readonly number[]): Promise<void> {
  const grant = await parts.gate.admit(request.headers, target)
  const ranges = parseAccept(request.headers.accept, acceptParameter(request))
  const set = await parts.supply.open(target, hangUp(reply))
  try {
    const batch = await set.next() as readonly Stored[]
    const [stored] = batch
    const offers = frameOffers(stored.transferSyntaxUid, frames.length === 1)
    const offer = choose(ranges, offers)
    if (offer === undefined) {
      throw new RequestError('ACCEPT_UNSUPPORTED', 'the frames are held in a form that the caller does not accept', { facts: { held: stored.transferSyntaxUid } })
    }
    const head = await headOf(set, stored)
    assertCounted(head, frames, stored)
    // The national samples ask for frames as application/dicom: they get the object that holds them.
    if (offer.inner === 'application/dicom') await sendSet(set, reply, AS_IT_IS, grant, batch)
    else await sendFrames(set, stored, reply, offer, frames, await rangesOf(set, stored, head, frames))
  } finally {
    set.close()
  }
}

/** @throws RequestError DATA_MALFORMED, FRAME_UNKNOWN for an object without pixel data */
async function headOf (set: ObjectSet, stored: Stored): Promise<DicomJson> {
  const { deflated } = transferSyntax(stored.transferSyntaxUid)
  if (stored.pixelOffset === 0 && !deflated) throw unknown(stored)
  const end = deflated ? stored.length : stored.pixelOffset
  const bytes = await bytesOf(set, stored, stored.datasetOffset, Math.min(end - stored.datasetOffset, HEAD_BYTES_MAX))
  return decodeDataset(bytes, stored.transferSyntaxUid, { stopAtPixelData: true })
}

/** The numbers of all frames. @throws RequestError DATA_MALFORMED, FRAME_UNKNOWN for an object without pixel data */
export function framesIn (head: DicomJson, stored: Stored): readonly number[] {
  const count = Number(firstText(head, NUMBER_OF_FRAMES) ?? 1)
  if (!Number.isInteger(count) || count < 1 || count > FRAMES_MAX) throw unknown(stored, undefined, count)
  return Array.from({ length: count }, (_, place) => place + 1)
}

/** @throws RequestError FRAME_UNKNOWN */
function assertCounted (head: DicomJson, frames: readonly number[], stored: Stored): void {
  const count = Number(firstText(head, NUMBER_OF_FRAMES) ?? 1)
  const beyond = frames.find(frame => !(frame <= count))
  if (beyond !== undefined) throw unknown(stored, beyond, count)
}

export async function rangesOf (set: ObjectSet, stored: Stored, head: DicomJson, frames: readonly number[]): Promise<(readonly Range[])[]> {
  const map = await mapFrames(async (offset, length) => await bytesOf(set, stored, stored.datasetOffset + offset, length), {
    transferSyntaxUid: stored.transferSyntaxUid,
    datasetBytes: stored.length - stored.datasetOffset,
    pixelOffset: stored.pixelOffset - stored.datasetOffset,
    head
  })
  return frames.map(frame => map.ranges(frame))
}

/** Frames as they lie in the pack: one alone, of which a range may be wanted, or in multipart. */
async function sendFrames (set: ObjectSet, stored: Stored, reply: FastifyReply, { type, inner, transferSyntax: syntax = '' }: Offer, frames: readonly number[], ranges: readonly (readonly Range[])[]): Promise<void> {
  const place = ({ offset, length }: Range): StoredPiece => ({ stored, offset: stored.datasetOffset + offset, length })
  if (inner === undefined) {
    await sendRepresentation(reply.request, reply, set, {
      type: `${type}; transfer-syntax=${syntax}`,
      pieces: ranges.flat().map(place),
      validators: validatorsOf(stored, `f${frames[0]}-${crc32(type).toString(36)}`)
    })
    return
  }
  const boundary = newBoundary()
  const head = (first: boolean): Buffer => partHead(boundary, { 'Content-Type': `${inner}; transfer-syntax=${syntax}` }, first)
  const { etag, modifiedAt } = validatorsOf(stored, `m${crc32(`${inner} ${frames.join()}`).toString(36)}`)
  await sendRepresentation(reply.request, reply, set, {
    type: contentType(boundary, inner),
    pieces: [...ranges.flatMap((pieces, index) => [head(index === 0), ...pieces.map(place)]), closing(boundary)],
    validators: { etag: `W/${etag}`, modifiedAt },
    whole: true
  })
}

function unknown (stored: Stored, frame?: number, frames?: number): RequestError {
  return new RequestError('FRAME_UNKNOWN', frame === undefined ? 'the instance has no pixel data' : 'the instance has no such frame', {
    facts: { instance: stored.sopInstanceUid, frame, frames }
  })
}
