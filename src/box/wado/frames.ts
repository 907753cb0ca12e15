/**
 * Frames, by number: as they lie in the pack, or made into what the caller can read.
 *
 * Source: DICOM PS3.18 §10.4.1.1.3 and §8.7.3.
 */

import type { OutgoingHttpHeaders } from 'node:http'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { RequestError } from '#core/errors.ts'
import type { Range } from '#standards/dicom/frames.ts'
import { choose, objectAccept, parseAccept, type MediaRange } from '#standards/dicomweb/accept.ts'
import { frameOffers, type FrameOffer } from '#standards/dicomweb/frame-media.ts'
import { closing, contentType, newBoundary, partHead } from '#standards/dicomweb/multipart.ts'
import type { Stored } from '../cache/stored.ts'
import type { ObjectSet, Target } from '../pacs/object-set.ts'
import type { PixelPool } from '../pixels/pool.ts'
import { codeFrame, startAhead } from './coded-frames.ts'
import { losesPixels, makeable } from './makeable.ts'
import { acceptParameter, hangUp, sendSet, type ObjectParts } from './objects.ts'
import { Outlet } from './outlet.ts'
import { sendRange } from './send.ts'
import { openImage, type StoredImage } from './stored-image.ts'

/** Answers one WADO-RS request for frames. */
export async function serveFrames (parts: ObjectParts, request: FastifyRequest, reply: FastifyReply, target: Required<Target>, frames: readonly number[]): Promise<void> {
  const grant = await parts.gate.admit(request.headers, target)
  const ranges = parseAccept(request.headers.accept, acceptParameter(request))
  const signal = hangUp(reply)
  const set = await parts.supply.open(target, signal)
  try {
    const begun = await set.next() as readonly Stored[]
    const [stored] = begun
    const image = await openImage(set, stored)
    if (image === undefined) throw unknown(stored)
    try {
      assertCounted(image, frames, stored)
      const offer = offerFor(stored, image, ranges, frames.length === 1)
      // The national samples ask for frames as application/dicom: they get the object that holds them.
      if (offer === undefined) await sendSet({ set, accept: acceptOf(ranges, stored), grant, pixels: parts.pixels, signal, begun }, reply)
      else if (offer.asStored) await sendFrames(set, stored, reply, offer, frames.map(rangesOf(image)))
      else await sendMade(parts.pixels, { stored, image, offer, signal }, reply, frames)
    } finally {
      image.frames?.close()
    }
  } finally {
    set.close()
  }
}

function offerFor (stored: Stored, { frames }: StoredImage, ranges: readonly MediaRange[], single: boolean): FrameOffer | undefined {
  // One frame at a time: how many there are limits nothing here.
  const made = frames === undefined ? [] : makeable(stored.transferSyntaxUid, frames.format, 1)
  return choose(ranges, frameOffers({ stored: stored.transferSyntaxUid, makeable: made, loses: losesPixels, single }))
}

/** @throws RequestError ACCEPT_UNSUPPORTED, telling what the frames are held in */
function acceptOf (ranges: readonly MediaRange[], { transferSyntaxUid: held }: Stored): ReturnType<typeof objectAccept> {
  try {
    return objectAccept(ranges, 'application/dicom', true)
  } catch (cause) {
    throw new RequestError('ACCEPT_UNSUPPORTED', 'the frames can be given in no form that the caller accepts', { cause, facts: { held } })
  }
}

/** @throws RequestError FRAME_UNKNOWN */
function assertCounted ({ count }: StoredImage, frames: readonly number[], stored: Stored): void {
  const beyond = frames.find(frame => !(frame >= 1 && frame <= count))
  if (beyond !== undefined) throw unknown(stored, beyond, count)
}

function rangesOf ({ ranges, failure }: StoredImage): (frame: number) => readonly Range[] {
  if (ranges !== undefined) return ranges
  throw failure ?? new RequestError('NOT_OFFERED', 'the frames of this object cannot be given alone')
}

interface Making {
  readonly stored: Stored
  readonly image: StoredImage
  readonly offer: FrameOffer
  readonly signal: AbortSignal
}

/** Frames through the pixel workers, a few of them ahead of the caller. */
async function sendMade (pixels: PixelPool, { stored, image, offer: { type, inner, transferSyntax: to }, signal }: Making, reply: FastifyReply, numbers: readonly number[]): Promise<void> {
  const lane = pixels.lane(signal)
  const coding = { lane, frames: image.frames!, instance: stored.sopInstanceUid, from: stored.transferSyntaxUid, to }
  const made = startAhead(numbers, 2 * pixels.workersMax + 2, async frame => await codeFrame(coding, frame))
  try {
    // Past this one a failure can only cut the body.
    const first = await made.next()
    const boundary = newBoundary()
    reply.hijack()
    reply.raw.writeHead(200, {
      ...reply.getHeaders(),
      'content-type': inner === undefined ? `${type}; transfer-syntax=${to}` : contentType(boundary, inner),
      ...inner === undefined && first.done !== true && { 'content-length': first.value.output.pixels.length }
    } as OutgoingHttpHeaders)
    const out = new Outlet(reply.raw)
    try {
      for (let frame = first, place = 0; frame.done !== true; frame = await made.next(), place++) {
        const { output, release } = frame.value
        out.write([...inner === undefined ? [] : [partHead(boundary, { 'Content-Type': `${inner}; transfer-syntax=${to}`, 'Content-Length': String(output.pixels.length) }, place === 0)], output.pixels])
        await out.drained()
        release()
      }
      out.end(inner === undefined ? undefined : closing(boundary))
    } catch (error) {
      if (!out.closed) reply.log.warn({ err: error }, 'an answer was cut')
      out.cut(error as Error)
    }
  } finally {
    lane.close()
    await made.return(undefined)
  }
}

async function sendFrames (set: ObjectSet, stored: Stored, reply: FastifyReply, { type, inner, transferSyntax: syntax }: FrameOffer, frames: readonly (readonly Range[])[]): Promise<void> {
  const boundary = newBoundary()
  const heads = frames.map((_, place) => inner === undefined ? undefined : partHead(boundary, { 'Content-Type': `${inner}; transfer-syntax=${syntax}` }, place === 0))
  const last = inner === undefined ? undefined : closing(boundary)
  const bytes = frames.flat().reduce((sum, { length }) => sum + length, 0) + heads.reduce((sum, head) => sum + (head?.length ?? 0), last?.length ?? 0)
  reply.hijack()
  reply.raw.writeHead(200, {
    ...reply.getHeaders(),
    'content-type': inner === undefined ? `${type}; transfer-syntax=${syntax}` : contentType(boundary, inner),
    'content-length': bytes
  } as OutgoingHttpHeaders)
  const out = new Outlet(reply.raw)
  try {
    for (const [place, ranges] of frames.entries()) {
      const head = heads[place]
      if (head !== undefined) out.write([head])
      for (const { offset, length } of ranges) {
        const from = stored.datasetOffset + offset
        await sendRange(set, out, stored, from, from + length)
      }
    }
    out.end(last)
  } catch (error) {
    if (!out.closed) reply.log.warn({ err: error }, 'an answer was cut')
    out.cut(error as Error)
  }
}

function unknown (stored: Stored, frame?: number, frames?: number): RequestError {
  return new RequestError('FRAME_UNKNOWN', frame === undefined ? 'the instance has no pixel data' : 'the instance has no such frame', {
    facts: { instance: stored.sopInstanceUid, frame, frames }
  })
}
