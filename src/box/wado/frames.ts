/**
 * Frames, by number: as they lie in the pack, or made into what the caller can read.
 *
 * Source: DICOM PS3.18 §10.4.1.1.3 and §8.7.3.
 */

import assert from 'node:assert/strict'
import { crc32 } from 'node:zlib'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { RequestError } from '#core/errors.ts'
import { firstText } from '#standards/dicom/dataset.ts'
import { mapFrames, type Range } from '#standards/dicom/frames.ts'
import type { DicomJson } from '#standards/dicom/json.ts'
import { choose, objectAccept, parseAccept, type MediaRange } from '#standards/dicomweb/accept.ts'
import type { Validators } from '#standards/dicomweb/conditional.ts'
import { frameOffers, type FrameOffer } from '#standards/dicomweb/frame-media.ts'
import { closing, contentType, newBoundary, partHead } from '#standards/dicomweb/multipart.ts'
import type { Stored } from '../cache/stored.ts'
import type { ObjectSet, Target } from '../pacs/object-set.ts'
import type { Held } from '../pixels/lane.ts'
import type { PixelPool } from '../pixels/pool.ts'
import type { TranscodedFrame } from '../pixels/transcode-frame.ts'
import { beginAnswer, sendBody } from './answer.ts'
import { codeFrame, startAhead } from './coded-frames.ts'
import { frameTable, makeableOf, rememberFrames, type Makeable } from './frame-table.ts'
import { losesPixels } from './makeable.ts'
import { acceptParameter, hangUp, sendSet, type ObjectParts } from './objects.ts'
import { saidUnchanged, sendRepresentation, validatorsOf, type StoredPiece } from './representation.ts'
import { bytesOf } from './send.ts'
import { openImage, type StoredImage } from './stored-image.ts'

/** The largest whole-slide pictures have some 200 000 tiles, in all; more are not given in one answer. */
const FRAMES_MAX = 200_000
const NUMBER_OF_FRAMES = '00280008'

/** Answers one WADO-RS request for frames. */
export async function serveFrames (parts: ObjectParts, request: FastifyRequest, reply: FastifyReply, target: Required<Target>, frames: readonly number[]): Promise<void> {
  const grant = await parts.gate.admit(request.headers, target)
  const ranges = parseAccept(request.headers.accept, acceptParameter(request))
  const signal = hangUp(reply)
  const set = await parts.supply.open(target, signal)
  try {
    const begun = await set.next() as readonly Stored[]
    const [stored] = begun
    if (await sentFromTable(set, stored, reply, ranges, frames)) return
    const image = await openImage(set, stored)
    if (image === undefined) throw unknown(stored)
    try {
      assertCounted(image, frames, stored)
      const offer = offerFor(stored, makeableOf(stored, image), ranges, frames.length === 1)
      // The national samples ask for frames as application/dicom: they get the object that holds them.
      if (offer === undefined) await sendSet({ set, accept: acceptOf(ranges, stored), grant, pixels: parts.pixels, signal, begun }, reply)
      else if (offer.asStored) await sendFrames(set, stored, reply, offer, frames, frames.map(remembered(stored, image)))
      else await sendMade(parts.pixels, { set, stored, image, offer, signal }, reply, frames)
    } finally {
      image.frames?.close()
    }
  } finally {
    set.close()
  }
}

/** @returns false when it isn't known where they lie, or they don't leave as they are stored */
async function sentFromTable (set: ObjectSet, stored: Stored, reply: FastifyReply, ranges: readonly MediaRange[], frames: readonly number[]): Promise<boolean> {
  const table = frameTable(stored)
  if (table === undefined) return false
  assertCounted(table, frames, stored)
  const offer = offerFor(stored, table.makeable, ranges, frames.length === 1)
  if (offer?.asStored !== true) return false
  await sendFrames(set, stored, reply, offer, frames, frames.map(frame => table.ranges[frame - 1]))
  return true
}

interface Chosen { readonly offer: FrameOffer | undefined }

/** By what is accepted, for as long as that is remembered. */
const chosen = new WeakMap<readonly MediaRange[], Map<Makeable, Map<string, Chosen>>>()

function offerFor ({ transferSyntaxUid: stored }: Stored, makeable: Makeable, ranges: readonly MediaRange[], single: boolean): FrameOffer | undefined {
  const key = single ? stored : `${stored} several`
  let byMakeable = chosen.get(ranges)
  if (byMakeable === undefined) chosen.set(ranges, byMakeable = new Map())
  let byStored = byMakeable.get(makeable)
  if (byStored === undefined) byMakeable.set(makeable, byStored = new Map())
  let found = byStored.get(key)
  if (found === undefined) {
    found = { offer: choose(ranges, frameOffers({ stored, makeable: makeable.syntaxes, loses: losesPixels, single })) }
    byStored.set(key, found)
  }
  return found.offer
}

/** @throws RequestError ACCEPT_UNSUPPORTED, telling what the frames are held in */
function acceptOf (ranges: readonly MediaRange[], { transferSyntaxUid: held }: Stored): ReturnType<typeof objectAccept> {
  try {
    return objectAccept(ranges, 'application/dicom', true)
  } catch (cause) {
    throw new RequestError('ACCEPT_UNSUPPORTED', 'the frames can be given in no form that the caller accepts', { cause, facts: { held } })
  }
}

/** The numbers of all frames. @throws RequestError DATA_MALFORMED, FRAME_UNKNOWN for an object without pixel data */
export function framesIn (head: DicomJson, stored: Stored): readonly number[] {
  const count = Number(firstText(head, NUMBER_OF_FRAMES) ?? 1)
  if (!Number.isInteger(count) || count < 1 || count > FRAMES_MAX) throw unknown(stored, undefined, count)
  return Array.from({ length: count }, (_, place) => place + 1)
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

/** @throws RequestError FRAME_UNKNOWN */
function assertCounted ({ count }: Pick<StoredImage, 'count'>, frames: readonly number[], stored: Stored): void {
  const beyond = frames.find(frame => !(frame >= 1 && frame <= count))
  if (beyond !== undefined) throw unknown(stored, beyond, count)
}

/** Where each frame lies, which is remembered. */
function remembered (stored: Stored, image: StoredImage): (frame: number) => readonly Range[] {
  const { ranges, failure } = image
  if (ranges !== undefined) {
    rememberFrames(stored, image)
    return ranges
  }
  throw failure ?? new RequestError('NOT_OFFERED', 'the frames of this object cannot be given alone')
}

interface Making {
  readonly set: ObjectSet
  readonly stored: Stored
  readonly image: StoredImage
  readonly offer: FrameOffer
  readonly signal: AbortSignal
}

/** Frames through the pixel workers, a few of them ahead of the caller. */
async function sendMade (pixels: PixelPool, { set, stored, image, offer: { type, inner, transferSyntax: to }, signal }: Making, reply: FastifyReply, numbers: readonly number[]): Promise<void> {
  const validators = weakValidators(stored, `t${crc32(`${type} ${inner} ${to} ${numbers.join()}`).toString(36)}`)
  if (saidUnchanged(reply.request, reply, validators)) return
  const lane = pixels.lane(signal)
  const coding = { lane, frames: image.frames!, instance: stored.sopInstanceUid, from: stored.transferSyntaxUid, to }
  const made = startAhead(numbers, 2 * pixels.workersMax + 2, async frame => await codeFrame(coding, frame))
  try {
    // Past this one a failure can only cut the body.
    const first = await made.next()
    assert(first.done !== true, 'one frame at least was asked for')
    if (inner === undefined) {
      await sendRepresentation(reply.request, reply, set, { type: `${type}; transfer-syntax=${to}`, pieces: [first.value.output.pixels], validators, whole: true })
      return
    }
    const boundary = newBoundary()
    if (!beginAnswer(reply, { type: contentType(boundary, inner), validators })) return
    await sendBody(reply, async out => {
      for (let frame: IteratorResult<Held<TranscodedFrame>, undefined> = first, place = 0; frame.done !== true; frame = await made.next(), place++) {
        const { output: { pixels }, release } = frame.value
        const head = partHead(boundary, { 'Content-Type': `${inner}; transfer-syntax=${to}`, 'Content-Length': String(pixels.length) }, place === 0)
        out.write([head, pixels])
        await out.drained()
        release()
      }
      out.end(closing(boundary))
    })
  } finally {
    lane.close()
    await made.return(undefined)
  }
}

/** Frames as they lie in the pack: one alone, of which a range may be wanted, or in multipart. */
async function sendFrames (set: ObjectSet, stored: Stored, reply: FastifyReply, { type, inner, transferSyntax: syntax }: FrameOffer, frames: readonly number[], ranges: readonly (readonly Range[])[]): Promise<void> {
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
  await sendRepresentation(reply.request, reply, set, {
    type: contentType(boundary, inner),
    pieces: [...ranges.flatMap((pieces, index) => [head(index === 0), ...pieces.map(place)]), closing(boundary)],
    validators: weakValidators(stored, `m${crc32(`${inner} ${frames.join()}`).toString(36)}`),
    whole: true
  })
}

function weakValidators (stored: Stored, variant: string): Validators {
  const { etag, modifiedAt } = validatorsOf(stored, variant)
  return { etag: `W/${etag}`, modifiedAt }
}

function unknown (stored: Stored, frame?: number, frames?: number): RequestError {
  return new RequestError('FRAME_UNKNOWN', frame === undefined ? 'the instance has no pixel data' : 'the instance has no such frame', {
    facts: { instance: stored.sopInstanceUid, frame, frames }
  })
}
