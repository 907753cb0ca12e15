/**
 * One decoded frame to one picture: what a viewer would show without anybody touching it, or with the
 * window and the part that were asked for.
 *
 * Source: DICOM PS3.4 §N.2; PS3.18 §8.3.5.1.
 */

import { RequestError } from '#core/errors.ts'
import { paletteColours, supplementalColours, trueColours } from './picture-colours.ts'
import { grayscale } from './grayscale.ts'
import { drawOverlay } from './draw-overlay.ts'
import type { Frame } from './pixel-format.ts'
import type { Presentation } from './presentation.ts'
import { allocate } from './samples.ts'
import { scaled, type Picture, type Region } from './scale.ts'
import type { Allocate } from './scratch.ts'
import { storedValues } from './stored-values.ts'
import type { Window } from './voi.ts'

/** Where a picture must fit, and which part of the image it shows. */
export interface Viewport {
  readonly width: number
  readonly height: number
  /** Upper left corner in the image, in its pixels. */
  readonly x: number
  readonly y: number
  /** Absent: up to the right or lower edge. */
  readonly regionWidth?: number
  readonly regionHeight?: number
  readonly mirrored: boolean
  readonly flipped: boolean
}

export interface PictureOptions {
  /** In place of what the object says; colour has none. */
  readonly window?: Window
  readonly viewport?: Viewport
  readonly overlays: boolean
}

/** A picture whose pixels aren't square in the object can grow: not beyond this. */
const SIDE_MAX = 16384

/**
 * @param memory fresh unless said otherwise
 * @throws RequestError RENDER_UNSUPPORTED, DATA_MALFORMED, or QUERY_INVALID for a region beside the image
 */
export function pictureOf (frame: Frame, presentation: Presentation, { window, viewport, overlays }: PictureOptions, memory: Allocate = allocate): Picture {
  const image = imageOf(frame, presentation, window, memory)
  if (overlays) for (const overlay of presentation.overlays) drawOverlay(overlay, image.pixels, image.height, image.width, image.channels)
  const region = regionOf(image, viewport)
  const { width, height } = sizeOf(region, presentation.aspect, viewport)
  return scaled(image, { region, width, height, mirrored: viewport?.mirrored ?? false, flipped: viewport?.flipped ?? false })
}

function imageOf (frame: Frame, presentation: Presentation, window: Window | undefined, memory: Allocate): Picture {
  const { rows: height, columns: width, samples, photometric } = frame.format
  const { palette, supplemental } = presentation
  if (samples === 3) return { width, height, channels: 3, pixels: trueColours(frame, memory) }
  if (samples !== 1) throw new RequestError('RENDER_UNSUPPORTED', 'pixels of so many samples are not rendered', { facts: { samples } })
  const values = storedValues(frame)
  if (palette !== undefined && !supplemental) return { width, height, channels: 3, pixels: paletteColours(values, palette) }
  if (!photometric.startsWith('MONOCHROME')) {
    throw new RequestError('RENDER_UNSUPPORTED', 'a photometric interpretation that is not rendered', { facts: { photometric: photometric.slice(0, 16) } })
  }
  const grey = grayscale(values, frame.format, presentation, window, memory)
  return palette === undefined
    ? { width, height, channels: 1, pixels: grey }
    : { width, height, channels: 3, pixels: supplementalColours(values, grey, palette) }
}

/** What of the asked region lies within the image. */
function regionOf ({ width, height }: Picture, viewport: Viewport | undefined): Region {
  if (viewport === undefined) return { x: 0, y: 0, width, height }
  const { x, y, regionWidth = width - x, regionHeight = height - y } = viewport
  const region = { x, y, width: Math.min(regionWidth, width - x), height: Math.min(regionHeight, height - y) }
  if (region.width <= 0 || region.height <= 0) {
    throw new RequestError('QUERY_INVALID', 'the region of the viewport lies beside the image', { facts: { parameter: 'viewport', columns: width, rows: height } })
  }
  return region
}

/**
 * As large as fits the viewport; without one, at the image's own size. Either way with square pixels:
 * the axis on which they are longer grows.
 */
export function sizeOf (region: Pick<Region, 'width' | 'height'>, aspect: number, viewport?: Pick<Viewport, 'width' | 'height'>): { width: number, height: number } {
  const square = Math.abs(aspect - 1) < ASPECT_TOLERANCE
  const wide = region.width * (square || aspect > 1 ? 1 : 1 / aspect)
  const high = region.height * (square || aspect < 1 ? 1 : aspect)
  const factor = viewport === undefined ? Math.min(1, SIDE_MAX / wide, SIDE_MAX / high) : Math.min(viewport.width / wide, viewport.height / high)
  return { width: Math.max(Math.round(wide * factor), 1), height: Math.max(Math.round(high * factor), 1) }
}

/** Spacings are written with few digits: a difference below this is rounding. */
const ASPECT_TOLERANCE = 0.005
