/**
 * One instance as somebody wants to see it: which forms it can have, and the one that was chosen.
 *
 * Source: DICOM PS3.18 §8.7.4 and §8.7.8.
 */

import type { FastifyReply, FastifyRequest } from 'fastify'
import { RequestError } from '#core/errors.ts'
import { firstText } from '#standards/dicom/dataset.ts'
import { choose, type MediaRange, type Offer } from '#standards/dicomweb/accept.ts'
import { renderedOffers, renderedTypes, type Category } from '#standards/dicomweb/rendered-media.ts'
import type { Rendering } from '#standards/dicomweb/rendering.ts'
import type { PictureType } from '#standards/pixels/picture-file.ts'
import type { Stored } from '../cache/stored.ts'
import type { ObjectSet } from '../pacs/object-set.ts'
import { DOCUMENT_VERSION, documentOf } from './document.ts'
import type { ObjectParts } from './objects.ts'
import { makePicture, pictureName, type PictureParts, type PictureWish } from './picture.ts'
import type { PictureSource } from './picture-source.ts'
import { saidUnchanged, sendRepresentation, validatorsOf, type Representation } from './representation.ts'

export interface RenderParts extends ObjectParts, PictureParts {
  /** Absolute URL of the DICOMweb root, as this caller sees it. */
  readonly base: (request: FastifyRequest) => string
}

/** What one request wants, as far as it is the same for every instance. */
export interface Asked {
  readonly parts: RenderParts
  readonly request: FastifyRequest
  readonly reply: FastifyReply
  readonly set: ObjectSet
  readonly rendering: Rendering
  readonly ranges: readonly MediaRange[]
  readonly signal: AbortSignal
}

/** Answers with one picture of one frame. */
export async function sendPicture (asked: Asked, source: PictureSource, wish: PictureWish): Promise<void> {
  const { request, reply, set } = asked
  // Who has it already doesn't make anybody render it.
  if (saidUnchanged(request, reply, validatorsOf(source.stored, `r${pictureName(source, wish)}`))) return
  await sendRepresentation(request, reply, set, await pictureAs(asked, source, wish))
}

/** One picture of one frame. */
export async function pictureAs ({ parts, set, signal }: Pick<Asked, 'parts' | 'set' | 'signal'>, source: PictureSource, wish: PictureWish): Promise<Representation> {
  const { stored } = source
  const bytes = await makePicture(parts, set.pack(stored.seriesUid), source, wish, signal)
  const warning = warningOf(source, wish)
  return { type: wish.type, pieces: [bytes], validators: validatorsOf(stored, `r${pictureName(source, wish)}`), ...warning !== undefined && { headers: { warning } } }
}

/** One instance in the form that was chosen for it: a picture of its representative frame, or a document. */
export async function renderedAs (asked: Asked, source: PictureSource, category: Category, { type, inner }: Offer): Promise<Representation> {
  const as = inner ?? type
  if (category === 'single' || category === 'multi') {
    return await pictureAs(asked, source, { frame: representativeFrame(source), type: as as PictureType, rendering: asked.rendering })
  }
  const document = await documentOf(asked.set, source, category)
  return { ...document.as(as), validators: validatorsOf(source.stored, `d${DOCUMENT_VERSION}${as.replace(/\W/g, '')}`) }
}

/** How an instance can be had: alone, or in a multipart of one. */
export async function offersOf (set: ObjectSet, source: PictureSource, category: Category): Promise<readonly Offer[]> {
  if (category === 'multi') return [{ type: 'image/gif' }, ...renderedOffers(['image/jpeg', 'image/png'], true)]
  return renderedOffers(category === 'video' ? (await documentOf(set, source, category)).types : renderedTypes(category), true)
}

/** @throws RequestError RENDER_UNSUPPORTED */
export function shown ({ category, stored }: PictureSource): Category {
  if (category === undefined) throw unsupported(stored, 'nothing of this object can be shown')
  return category
}

/** @throws RequestError ACCEPT_UNSUPPORTED */
export function chosen (ranges: readonly MediaRange[], offers: readonly Offer[]): Offer {
  const offer = choose(ranges, offers)
  if (offer !== undefined) return offer
  throw new RequestError('ACCEPT_UNSUPPORTED', 'no acceptable way to show this', { facts: { offered: offers.map(({ type, inner }) => inner === undefined ? type : `${type}; type="${inner}"`) } })
}

/** What a reader of the picture should know and can't see. */
function warningOf ({ frames, presentation }: PictureSource, { frame, rendering }: PictureWish): string | undefined {
  const drawn = rendering.overlays ? presentation(frame).overlays.map(({ group }) => group) : []
  const said = [
    ...drawn.length > 0 ? [`overlays drawn: ${drawn.join(', ')}`] : [],
    ...frames > 1 ? [`frame ${frame} of ${frames}`] : []
  ]
  return said.length === 0 ? undefined : `299 drimbox "${said.join('; ')}"`
}

/** The frame that the object names for itself (0028,6010), else the first. */
export function representativeFrame ({ head, frames }: PictureSource): number {
  const named = Number(firstText(head, '00286010') ?? NaN)
  return Number.isInteger(named) && named >= 1 && named <= frames ? named : 1
}

export function unsupported ({ sopInstanceUid, sopClassUid }: Stored, message: string): RequestError {
  return new RequestError('RENDER_UNSUPPORTED', message, { facts: { instance: sopInstanceUid, sopClass: sopClassUid } })
}
