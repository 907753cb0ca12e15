/**
 * The pixel workers' job of making one picture of one frame.
 */

import { decodeFrame } from '#standards/pixels/decode.ts'
import { isProfileFor, isSrgb, srgbProfile } from '#standards/pixels/icc.ts'
import { pictureFile, type PictureType } from '#standards/pixels/picture-file.ts'
import { pictureOf } from '#standards/pixels/picture.ts'
import type { PixelFormat } from '#standards/pixels/pixel-format.ts'
import type { Presentation } from '#standards/pixels/presentation.ts'
import { Scratch } from '#standards/pixels/scratch.ts'
import type { Profile, Rendering } from '#standards/dicomweb/rendering.ts'
import { RequestError } from '#core/errors.ts'
import { whole, type Outcome } from './job.ts'

export interface RenderInput {
  /** One frame as it is stored, its fragments joined. */
  readonly coded: Uint8Array
  readonly transferSyntaxUid: string
  readonly format: PixelFormat
  readonly presentation: Presentation
  readonly rendering: Rendering
  readonly type: PictureType
  /** Of a GIF of many frames. */
  readonly piece?: { readonly first: boolean, readonly delayMs: number }
}

/** One for the thread: it does one job at a time. */
const scratch = new Scratch()

/** @throws RequestError as `decodeFrame` and `pictureOf` do */
export async function render ({ coded, transferSyntaxUid, format, presentation, rendering, type, piece }: RenderInput): Promise<Outcome<Uint8Array>> {
  scratch.begin()
  const frame = await decodeFrame(coded, transferSyntaxUid, format, scratch.take)
  const picture = pictureOf(frame, presentation, rendering, scratch.take)
  const icc = type === 'image/gif' ? undefined : profileFor(rendering.profile, picture.channels, presentation.icc)
  const file = whole(await pictureFile(picture, type, { quality: rendering.quality, ...icc && { icc }, ...piece && { piece } }))
  return { output: file, transfer: [file.buffer] }
}

/** @throws RequestError NOT_OFFERED where colours would have to be converted */
function profileFor (asked: Profile, channels: 1 | 3, stored: Uint8Array | undefined): Uint8Array | undefined {
  const own = stored !== undefined && isProfileFor(stored, channels) ? stored : undefined
  if (asked === 'no') return undefined
  if (asked === 'any') return own
  if (asked === 'yes' || own === undefined) return own ?? srgbProfile(channels)
  if (isSrgb(own)) return own
  throw new RequestError('NOT_OFFERED', 'iccprofile: colours are not converted from the profile that the image has', { facts: { parameter: 'iccprofile' } })
}
