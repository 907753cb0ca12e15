/**
 * Answers `/rendered`: what can be seen of a study, a series, an instance or of frames, in formats that
 * any browser shows.
 *
 * Source: DICOM PS3.18 §10.4.1.1.4, §8.3.5.1 and §8.7.4.
 * An instance of many frames is a GIF that plays them, or, where the caller wants a still picture, its
 * representative frame.
 */

import type { FastifyReply, FastifyRequest } from 'fastify'
import { RequestError } from '#core/errors.ts'
import { parseAccept } from '#standards/dicomweb/accept.ts'
import { renderedOffers, STILL } from '#standards/dicomweb/rendered-media.ts'
import { parseRendering, type Query } from '#standards/dicomweb/rendering.ts'
import type { PictureType } from '#standards/pixels/picture-file.ts'
import type { Stored } from '../cache/stored.ts'
import type { Target } from '../pacs/object-set.ts'
import { sendMovie } from './movie.ts'
import { acceptParameter, hangUp } from './objects.ts'
import { openSource, type PictureSource } from './picture-source.ts'
import { chosen, offersOf, pictureAs, renderedAs, representativeFrame, sendPicture, shown, unsupported, type Asked, type RenderParts } from './rendered-as.ts'
import { sendParts, sendSetRendered } from './rendered-parts.ts'
import { sendRepresentation } from './representation.ts'

/** @param frames from 1; absent for whole resources */
export async function serveRendered (parts: RenderParts, request: FastifyRequest, reply: FastifyReply, target: Target, frames?: readonly number[]): Promise<void> {
  await parts.gate.admit(request.headers, target)
  const rendering = parseRendering(request.query as Query)
  const ranges = parseAccept(request.headers.accept, acceptParameter(request))
  const signal = hangUp(reply)
  const set = await parts.supply.open(target, signal)
  try {
    const asked: Asked = { parts, request, reply, set, rendering, ranges, signal }
    if (target.instance === undefined) {
      await sendSetRendered(asked)
      return
    }
    const [stored] = await set.next() as readonly Stored[]
    const source = await openSource(set, stored)
    if (frames === undefined) await sendInstance(asked, source)
    else await sendFrames(asked, source, frames)
  } finally {
    set.close()
  }
}

async function sendInstance (asked: Asked, source: PictureSource): Promise<void> {
  const { request, reply, set, ranges, rendering } = asked
  const category = shown(source)
  const offer = chosen(ranges, await offersOf(set, source, category))
  if (category === 'multi' && offer.type === 'image/gif') {
    await sendMovie(asked, source)
  } else if (offer.inner !== undefined) {
    await sendParts(asked, [async () => await renderedAs(asked, source, category, offer)])
  } else if (category === 'single' || category === 'multi') {
    await sendPicture(asked, source, { frame: representativeFrame(source), type: offer.type as PictureType, rendering })
  } else {
    await sendRepresentation(request, reply, set, await renderedAs(asked, source, category, offer))
  }
}

async function sendFrames (asked: Asked, source: PictureSource, frames: readonly number[]): Promise<void> {
  const { ranges, rendering } = asked
  const category = shown(source)
  if (category !== 'single' && category !== 'multi') throw unsupported(source.stored, 'an object without single frames')
  const beyond = frames.find(frame => frame > source.frames)
  if (beyond !== undefined) throw new RequestError('FRAME_UNKNOWN', 'the instance has no such frame', { facts: { instance: source.stored.sopInstanceUid, frame: beyond, frames: source.frames } })
  const { type, inner } = chosen(ranges, renderedOffers(STILL, frames.length === 1))
  const wish = { type: (inner ?? type) as PictureType, rendering }
  if (inner === undefined) await sendPicture(asked, source, { ...wish, frame: frames[0] })
  else await sendParts(asked, frames.map(frame => async () => await pictureAs(asked, source, { ...wish, frame })))
}
