/**
 * One picture of one frame: from memory, from beside its pack, or made by the pixel workers.
 */

import type { PictureType } from '#standards/pixels/picture-file.ts'
import { renderingKey, type Rendering } from '#standards/dicomweb/rendering.ts'
import type { Pack } from '../cache/pack.ts'
import type { PixelPool } from '../pixels/pool.ts'
import { whole } from '../pixels/job.ts'
import type { PictureSource } from './picture-source.ts'
import { renditionName, type RenditionName, type Renditions } from './renditions.ts'

export interface PictureParts {
  readonly pixels: PixelPool
  readonly renditions: Pick<Renditions, 'of'>
}

export interface PictureWish {
  /** From 1. */
  readonly frame: number
  readonly type: PictureType
  readonly rendering: Rendering
  /** Of a GIF of many frames. */
  readonly piece?: { readonly first: boolean, readonly delayMs: number }
}

/** Also what identifies the picture to a caller. */
export function pictureName ({ stored }: Pick<PictureSource, 'stored'>, { frame, type, rendering, piece }: PictureWish): RenditionName {
  return renditionName(stored, [frame, type, renderingKey(rendering), ...piece === undefined ? [] : [piece.first ? 1 : 0, piece.delayMs]])
}

/**
 * @throws RequestError RENDER_UNSUPPORTED, PIXELS_UNREADABLE, PIXELS_TOO_LARGE, DATA_MALFORMED, FRAME_UNKNOWN,
 *   all naming the instance; the signal's reason
 */
export async function makePicture ({ pixels, renditions }: PictureParts, pack: Pack, source: PictureSource, wish: PictureWish, signal: AbortSignal): Promise<Buffer> {
  return await renditions.of(pack, pictureName(source, wish), signal, async stillWanted => {
    const { frame, type, rendering, piece } = wish
    const format = source.format()
    const presentation = source.presentation(frame)
    const codedBytes = await source.frameBytes(frame)
    const framePixels = format.rows * format.columns
    const viewportPixels = rendering.viewport === undefined ? framePixels : rendering.viewport.width * rendering.viewport.height
    const file = await pixels.run({
      job: 'render',
      instance: source.stored.sopInstanceUid,
      cost: { bytes: codedBytes + framePixels * format.samples * (Math.ceil(format.bitsAllocated / 8) + 1) + 3 * viewportPixels, pixels: framePixels },
      prepare: async () => {
        const coded = whole(await source.frame(frame))
        return {
          input: { coded, transferSyntaxUid: source.stored.transferSyntaxUid, format, presentation, rendering, type, ...piece && { piece } },
          transfer: [coded.buffer]
        }
      }
    }, stillWanted)
    return Buffer.from(file.buffer, file.byteOffset, file.byteLength)
  })
}
