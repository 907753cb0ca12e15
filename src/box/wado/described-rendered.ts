/**
 * What the routes of rendered resources and thumbnails are, in the words of the standard.
 *
 * Source: DICOM PS3.18 Table 10.4.1-1, §8.3.5 and §8.7.4.
 */

import { Type } from 'typebox'
import { EVERY_TYPE, STILL } from '#standards/dicomweb/rendered-media.ts'
import { THUMBNAIL_SIDE, THUMBNAIL_SIDE_MAX, VIEWPORT_SIDE_MAX } from '#standards/dicomweb/rendering.ts'
import type { RouteDescription } from '#standards/dicomweb/served-route.ts'

const accept = Type.Optional(Type.String({ description: 'what Accept says, for those who cannot set it' }))

const rendering = Type.Object({
  accept,
  window: Type.Optional(Type.String({ description: 'center,width,function: of grey images, with linear, linear-exact or sigmoid' })),
  viewport: Type.Optional(Type.String({ description: `vw,vh,sx,sy,sw,sh: a size to fit, at most ${VIEWPORT_SIDE_MAX} each way, and a part of the image; negative sw or sh flips` })),
  quality: Type.Optional(Type.Integer({ minimum: 1, maximum: 100, description: 'of JPEG' })),
  iccprofile: Type.Optional(Type.String({ description: 'no, yes or srgb; other spaces are 501' })),
  annotation: Type.Optional(Type.String({ description: 'patient, technique: 501, nothing is written into pictures' })),
  overlays: Type.Optional(Type.String({ description: 'no: overlay planes are not drawn (our own parameter)' }))
})
const thumbnail = Type.Object({
  accept,
  viewport: Type.Optional(Type.String({ description: `vw,vh: a size to fit, ${THUMBNAIL_SIDE} each way unless given, at most ${THUMBNAIL_SIDE_MAX}` }))
})
const headers = Type.Object({
  'If-None-Match': Type.Optional(Type.String({ description: 'the ETag of what the caller has' })),
  'If-Modified-Since': Type.Optional(Type.String({ description: 'an HTTP date' }))
})

const multipart = EVERY_TYPE.map(inner => `multipart/related; type="${inner}"`)
const failures = [404, 501, 502, 503, 504]

function level (path: string, name: string, single: readonly string[], multiple: readonly string[] = multipart): Record<string, RouteDescription> {
  return {
    [`GET ${path}/rendered`]: { id: `RetrieveRendered${name}`, summary: `What can be seen of ${OF[name]}, in formats that any browser shows.`, section: 'PS3.18 §10.4', query: rendering, headers, answers: [...single, ...multiple], successes: [206, 304], failures },
    [`GET ${path}/thumbnail`]: { id: `Retrieve${name}Thumbnail`, summary: `One small picture that stands for ${OF[name]}.`, section: 'PS3.18 §10.4', query: thumbnail, headers, answers: STILL, successes: [304], failures }
  }
}

const OF: Readonly<Record<string, string>> = { Study: 'one study', Series: 'one series', Instance: 'one object', Frames: 'frames of one object' }

const STUDY = '/studies/:study'
const SERIES = `${STUDY}/series/:series`
const INSTANCE = `${SERIES}/instances/:instance`

/** By method and path. */
export const DESCRIBED_RENDERED: Readonly<Record<string, RouteDescription>> = {
  ...level(STUDY, 'Study', []),
  ...level(SERIES, 'Series', []),
  ...level(INSTANCE, 'Instance', EVERY_TYPE),
  ...level(`${INSTANCE}/frames/:frames`, 'Frames', STILL, STILL.map(inner => `multipart/related; type="${inner}"`))
}
