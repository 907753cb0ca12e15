/**
 * The frames of one instance as a GIF that plays them, each made by the pixel workers on its own and
 * sent when its turn comes: neither frames nor film are ever held whole.
 *
 * Source: DICOM PS3.18 §8.7.4; PS3.3 §C.7.6.5 (cine: Frame Time, Frame Time Vector, rates).
 */

import type { OutgoingHttpHeaders } from 'node:http'
import { firstText } from '#standards/dicom/dataset.ts'
import type { DicomJson } from '#standards/dicom/json.ts'
import { validatorHeaders } from '#standards/dicomweb/conditional.ts'
import { GIF_END } from '#standards/pixels/picture-file.ts'
import { CACHE_CONTROL, varying } from './answer.ts'
import { Outlet } from './outlet.ts'
import { makePicture, pictureName } from './picture.ts'
import type { PictureSource } from './picture-source.ts'
import type { Asked } from './rendered-as.ts'
import { saidUnchanged, validatorsOf } from './representation.ts'

/** For objects that say nothing of time: slices of a volume, that one wants to see one by one. In milliseconds. */
const FRAME_MS_DEFAULT = 100
/** Browsers take anything shorter for a mistake and play at a tenth of a second. In milliseconds. */
const FRAME_MS_MIN = 20
/** Some vectors hold the time of a whole injection before the first picture. In milliseconds. */
const FRAME_MS_MAX = 5000
/** Frames begun before their turn. */
const AHEAD_MAX = 4

export async function sendMovie (asked: Asked, source: PictureSource): Promise<void> {
  const { parts, request, reply, set, rendering, signal } = asked
  const wish = (frame: number) => ({ frame, type: 'image/gif' as const, rendering, piece: { first: frame === 1, delayMs: frameMs(source.head, frame) } })
  const validators = validatorsOf(source.stored, `g${pictureName(source, wish(1))}`)
  if (saidUnchanged(request, reply, validators)) return
  const pack = set.pack(source.stored.seriesUid)
  const make = (frame: number): Promise<Buffer> => {
    const making = makePicture(parts, pack, source, wish(frame), signal)
    // Met when its turn comes.
    making.catch(() => {})
    return making
  }
  const begun = [make(1)]
  // While nothing has been sent, a failure can be told.
  await begun[0]
  reply.hijack()
  reply.raw.writeHead(200, { ...reply.getHeaders(), 'content-type': 'image/gif', 'cache-control': CACHE_CONTROL, vary: varying(reply), ...validatorHeaders(validators) } as OutgoingHttpHeaders)
  if (request.method === 'HEAD') {
    reply.raw.end()
    return
  }
  const out = new Outlet(reply.raw)
  try {
    for (let frame = 1; frame <= source.frames; frame++) {
      while (begun.length < AHEAD_MAX && frame + begun.length <= source.frames) begun.push(make(frame + begun.length))
      out.write([await begun.shift() as Buffer])
      await out.drained()
    }
    out.end(GIF_END)
  } catch (error) {
    if (!out.closed) reply.log.warn({ err: error }, 'an answer was cut')
    out.cut(error as Error)
  }
}

/** For how long a frame is shown, in milliseconds. */
export function frameMs (head: DicomJson, frame: number): number {
  const number = (tag: string): number => Number(firstText(head, tag) ?? NaN)
  // The time between a frame and the next is told with the next.
  const next = Number(head['00181065']?.Value?.[frame] ?? NaN)
  const rate = [number('00082144'), number('00180040')].find(value => value > 0)
  const ms = [next, number('00181063'), rate === undefined ? NaN : 1000 / rate].find(value => value > 0) ?? FRAME_MS_DEFAULT
  return Math.round(Math.min(Math.max(ms, FRAME_MS_MIN), FRAME_MS_MAX))
}
