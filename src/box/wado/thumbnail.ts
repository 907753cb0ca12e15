/**
 * Answers `/thumbnail`: one small picture of a study, a series, an instance or a frame.
 *
 * Source: DICOM PS3.18 §10.4.1.1.5 and §8.3.5.2; what represents a resource is ours to say.
 * Of a series it is the picture in its middle, of a study the middle of its first series that has
 * pictures, of many frames the one that the object names, or the middle one. While a study is still
 * arriving, it is the first picture that is there: nobody waits for a thumbnail.
 */

import type { FastifyReply, FastifyRequest } from 'fastify'
import { RequestError } from '#core/errors.ts'
import { firstText } from '#standards/dicom/dataset.ts'
import { parseAccept } from '#standards/dicomweb/accept.ts'
import { categoryOf, STILL } from '#standards/dicomweb/rendered-media.ts'
import { parseThumbnail, type Query } from '#standards/dicomweb/rendering.ts'
import type { PictureType } from '#standards/pixels/picture-file.ts'
import type { Stored } from '../cache/stored.ts'
import type { ObjectSet, Target } from '../pacs/object-set.ts'
import { acceptParameter, hangUp } from './objects.ts'
import { openSource, type PictureSource } from './picture-source.ts'
import { chosen, sendPicture, unsupported, type Asked, type RenderParts } from './rendered-as.ts'

/** @param frame from 1; absent for whole resources */
export async function serveThumbnail (parts: RenderParts, request: FastifyRequest, reply: FastifyReply, target: Target, frames?: readonly number[]): Promise<void> {
  await parts.gate.admit(request.headers, target)
  const rendering = parseThumbnail(request.query as Query)
  const ranges = parseAccept(request.headers.accept, acceptParameter(request))
  const { type } = chosen(ranges, STILL.map(type => ({ type })))
  if (frames !== undefined && frames.length !== 1) throw new RequestError('QUERY_INVALID', 'a thumbnail is of one frame', { facts: { parameter: 'frames' } })
  const signal = hangUp(reply)
  const set = await parts.supply.open(target, signal)
  try {
    const asked: Asked = { parts, request, reply, set, rendering, ranges, signal }
    const stored = target.instance === undefined ? await representative(set) : (await set.next() as readonly Stored[])[0]
    const source = await openSource(set, stored)
    if (source.category !== 'single' && source.category !== 'multi') throw unsupported(stored, 'nothing of this object can be shown as a picture')
    const frame = frames?.[0] ?? middleFrame(source)
    if (frame > source.frames) throw new RequestError('FRAME_UNKNOWN', 'the instance has no such frame', { facts: { instance: stored.sopInstanceUid, frame, frames: source.frames } })
    await sendPicture(asked, source, { frame, type: type as PictureType, rendering })
  } finally {
    set.close()
  }
}

/** @throws RequestError RENDER_UNSUPPORTED */
async function representative (set: ObjectSet): Promise<Stored> {
  if (set.all !== undefined) {
    const shown = set.all.flat().filter(isPicture)
    const ofFirst = shown.filter(({ seriesUid }) => seriesUid === shown[0].seriesUid)
    if (ofFirst.length > 0) return ofFirst[ofFirst.length >> 1]
  } else {
    for (let batch = await set.next(); batch !== undefined; batch = await set.next()) {
      const found = batch.find(isPicture)
      if (found !== undefined) return found
    }
  }
  throw new RequestError('RENDER_UNSUPPORTED', 'nothing of this can be shown as a picture')
}

function isPicture ({ sopClassUid, transferSyntaxUid, pixelOffset }: Stored): boolean {
  return categoryOf({ sopClassUid, transferSyntaxUid, hasPixels: pixelOffset !== 0, frames: 1 }) === 'single'
}

function middleFrame ({ head, frames }: PictureSource): number {
  const named = Number(firstText(head, '00286010') ?? NaN)
  return Number.isInteger(named) && named >= 1 && named <= frames ? named : 1 + (frames >> 1)
}
