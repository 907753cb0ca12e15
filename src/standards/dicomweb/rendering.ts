/**
 * How a caller wants pictures to be rendered: the query parameters of rendered resources and of
 * thumbnails.
 *
 * Source: DICOM PS3.18 §8.3.5.1 (rendered) and §8.3.5.2 (thumbnails), §8.3.2 (what isn't known is
 * passed over).
 * A parameter that is known but can't be honoured is refused by name: a picture without the name that
 * was to be burnt into it could be taken for one that has nothing to say.
 */

import { RequestError } from '#core/errors.ts'
import type { Viewport } from '../pixels/picture.ts'
import { isWindow, type Window, type WindowFunction } from '../pixels/voi.ts'

/** What becomes of colour profiles. */
export type Profile = 'any' | 'no' | 'yes' | 'srgb'

export interface Rendering {
  readonly window?: Window
  readonly viewport?: Viewport
  /** Of JPEG: 1 to 100. */
  readonly quality: number
  readonly profile: Profile
  /** Our own parameter, `overlays=no`: overlay planes aren't drawn. */
  readonly overlays: boolean
}

/** Above this, JPEG takes half as much again and nobody sees why. */
export const QUALITY_DEFAULT = 90
/** Longest side of a viewport, in pixels: four times a large mammogram's on screen. */
export const VIEWPORT_SIDE_MAX = 8192
/** Rows × columns of a viewport. */
export const VIEWPORT_PIXELS_MAX = 32 << 20
/** Both sides of a thumbnail that nobody gave a size, in pixels: sharp in a list on a screen of double density. */
export const THUMBNAIL_SIDE = 256
/** A thumbnail is small: what is larger is a rendered image. */
export const THUMBNAIL_SIDE_MAX = 1024

/** A parameter as a query has it; several of the same name are a mistake. */
export type Query = Readonly<Record<string, string | string[] | undefined>>

/** @throws RequestError QUERY_INVALID, NOT_OFFERED: both with the parameter's name */
export function parseRendering (query: Query): Rendering {
  refuseAnnotation(single(query, 'annotation'))
  const window = single(query, 'window')
  const viewport = single(query, 'viewport')
  const overlays = single(query, 'overlays') ?? 'yes'
  if (overlays !== 'yes' && overlays !== 'no') throw invalid('overlays', 'yes or no')
  return {
    ...window !== undefined && { window: parseWindow(window) },
    ...viewport !== undefined && { viewport: parseViewport(viewport) },
    quality: parseQuality(single(query, 'quality')),
    profile: parseProfile(single(query, 'iccprofile')),
    overlays: overlays === 'yes'
  }
}

/** A thumbnail has a size and nothing else (PS3.18 §8.3.5.2). @throws RequestError QUERY_INVALID */
export function parseThumbnail (query: Query): Rendering {
  const text = single(query, 'viewport')
  const viewport = text === undefined ? whole(THUMBNAIL_SIDE, THUMBNAIL_SIDE) : parseViewport(text)
  if (text !== undefined && text.split(',').length > 2) throw invalid('viewport', 'of a thumbnail: width and height')
  if (Math.max(viewport.width, viewport.height) > THUMBNAIL_SIDE_MAX) throw invalid('viewport', `of a thumbnail: at most ${THUMBNAIL_SIDE_MAX} each way`)
  return { viewport, quality: QUALITY_DEFAULT, profile: 'any', overlays: false }
}

/** The same for the same picture, different for any other: part of what identifies a representation. */
export function renderingKey ({ window, viewport, quality, profile, overlays }: Rendering): string {
  return JSON.stringify([window, viewport, quality, profile, overlays])
}

function refuseAnnotation (text: string | undefined): void {
  if (text === undefined) return
  const values = text.split(',')
  if (values.some(value => value !== 'patient' && value !== 'technique')) throw invalid('annotation', 'patient, technique, or both')
  throw notOffered('annotation', 'nothing is written into pictures')
}

/** Center, width, function: all three are needed. */
function parseWindow (text: string): Window {
  const parts = text.split(',')
  const shape = FUNCTIONS.get(parts[2] ?? '')
  const [center, width] = parts.map(decimal)
  if (parts.length !== 3 || center === undefined || width === undefined || shape === undefined) {
    throw invalid('window', 'center,width,function with linear, linear-exact or sigmoid')
  }
  const window = { center, width, function: shape }
  if (!isWindow(window)) throw invalid('window', 'a width of at least 1, or above 0 where the function isn\'t linear')
  return window
}

const FUNCTIONS: ReadonlyMap<string, WindowFunction> = new Map([['linear', 'LINEAR'], ['linear-exact', 'LINEAR_EXACT'], ['sigmoid', 'SIGMOID']])

/** Width and height, then what part of the image: an omitted value stands for its default. */
function parseViewport (text: string): Viewport {
  const parts = text.split(',')
  const [width, height] = parts.slice(0, 2).map(part => /^\d{1,6}$/.test(part) ? Number(part) : 0)
  if (parts.length > 6 || !width || !height) throw invalid('viewport', 'vw,vh,sx,sy,sw,sh with at least vw and vh, both positive integers')
  if (Math.max(width, height) > VIEWPORT_SIDE_MAX || width * height > VIEWPORT_PIXELS_MAX) {
    throw invalid('viewport', `at most ${VIEWPORT_SIDE_MAX} each way and ${VIEWPORT_PIXELS_MAX} pixels`)
  }
  const [sx, sy, sw, sh] = Array.from({ length: 4 }, (_, place) => {
    const part = parts[place + 2] ?? ''
    const value = decimal(part)
    if (part !== '' && value === undefined) throw invalid('viewport', 'decimal numbers for the region')
    return value
  })
  if (sw === 0 || sh === 0) throw invalid('viewport', 'a region that is not empty')
  return {
    ...whole(width, height),
    // Of the corner, the absolute values count; of the sizes, the sign says whether to flip.
    x: Math.abs(sx ?? 0),
    y: Math.abs(sy ?? 0),
    ...sw !== undefined && { regionWidth: Math.abs(sw) },
    ...sh !== undefined && { regionHeight: Math.abs(sh) },
    mirrored: sw !== undefined && sw < 0,
    flipped: sh !== undefined && sh < 0
  }
}

function whole (width: number, height: number): Viewport {
  return { width, height, x: 0, y: 0, mirrored: false, flipped: false }
}

function parseQuality (text: string | undefined): number {
  if (text === undefined) return QUALITY_DEFAULT
  const quality = /^\d{1,3}$/.test(text) ? Number(text) : 0
  if (quality < 1 || quality > 100) throw invalid('quality', 'an integer from 1 to 100')
  return quality
}

function parseProfile (text: string | undefined): Profile {
  switch (text) {
    case undefined: return 'any'
    case 'no': case 'yes': case 'srgb': return text
    case 'adobergb': case 'rommrgb': case 'displayp3': throw notOffered('iccprofile', 'colours are not converted to this space')
    default: throw invalid('iccprofile', 'no, yes, srgb, adobergb, rommrgb or displayp3')
  }
}

/** Written as PS3.5 has decimal strings, of a length that a number holds. */
function decimal (text: string): number | undefined {
  return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d{1,2})?$/i.test(text) && text.length <= 24 ? Number(text) : undefined
}

function single (query: Query, name: string): string | undefined {
  const value = query[name]
  if (Array.isArray(value)) throw invalid(name, 'given once')
  return value
}

function invalid (parameter: string, expected: string): RequestError {
  return new RequestError('QUERY_INVALID', `${parameter}: ${expected}`, { facts: { parameter } })
}

function notOffered (parameter: string, why: string): RequestError {
  return new RequestError('NOT_OFFERED', `${parameter}: ${why}`, { facts: { parameter } })
}
