/**
 * What a DICOMweb path names: a study, a series, an instance or frames of one.
 *
 * Source: DICOM PS3.18 §10.1.1 (resources) and §10.4.1.1 (retrieve), §8.2 (templates).
 * Paths only: what follows them (`/metadata`) is the routes', what stands before them the caller's.
 */

import { RequestError } from '#core/errors.ts'
import { parseUid, type Uid } from '#core/uid.ts'

export type Resource =
  | { readonly level: 'study', readonly study: Uid }
  | { readonly level: 'series', readonly study: Uid, readonly series: Uid }
  | { readonly level: 'instance', readonly study: Uid, readonly series: Uid, readonly instance: Uid }
  | { readonly level: 'frames', readonly study: Uid, readonly series: Uid, readonly instance: Uid, readonly frames: readonly number[] }

/** More than the longest known runs have; at 10 KB a list, the URL's own limit comes close. */
const FRAMES_MAX = 4096
/** Number of Frames (0028,0008) is an IS, so at most 2^31 - 1 (PS3.5 §6.2). */
const FRAME_NUMBER_MAX = 2 ** 31 - 1

/**
 * The resource that a route's parameters name.
 *
 * @throws RequestError UID_INVALID, FRAME_UNKNOWN, QUERY_INVALID
 */
export function resourceOf (params: { readonly study: string, readonly series?: string, readonly instance?: string, readonly frames?: string }): Resource {
  const study = parseUid(params.study)
  if (params.series === undefined) return { level: 'study', study }
  const series = parseUid(params.series)
  if (params.instance === undefined) return { level: 'series', study, series }
  const instance = parseUid(params.instance)
  if (params.frames === undefined) return { level: 'instance', study, series, instance }
  return { level: 'frames', study, series, instance, frames: parseFrames(params.frames) }
}

/**
 * Reads a path as {@link formatResource} writes it; percent-encoded commas are read as well.
 *
 * @param path from `/studies` on, without query
 * @throws RequestError ROUTE_UNKNOWN when it has another shape; UID_INVALID, FRAME_UNKNOWN, QUERY_INVALID
 */
export function parseResource (path: string): Resource {
  const [, study, series, instance, frames] = PATH.exec(path) ?? []
  if (study === undefined) throw new RequestError('ROUTE_UNKNOWN', 'no DICOMweb resource has this path')
  return resourceOf({
    study,
    ...series !== undefined && { series },
    ...instance !== undefined && { instance },
    ...frames !== undefined && { frames: frames.replace(/%2C/gi, ',') }
  })
}

export function formatResource (resource: Resource): string {
  const study = `/studies/${resource.study}`
  if (resource.level === 'study') return study
  const series = `${study}/series/${resource.series}`
  if (resource.level === 'series') return series
  const instance = `${series}/instances/${resource.instance}`
  return resource.level === 'instance' ? instance : `${instance}/frames/${resource.frames.join(',')}`
}

/**
 * A comma-separated list of frame numbers, from 1. Order and repetitions are the caller's wish and
 * are kept. Ranges such as `5-7` are in no edition of the standard and are refused.
 *
 * @throws RequestError QUERY_INVALID when it is no such list, FRAME_UNKNOWN for a number that no frame has
 */
export function parseFrames (text: string): readonly number[] {
  const items = text.split(',', FRAMES_MAX + 1)
  if (items.length > FRAMES_MAX) throw new RequestError('QUERY_INVALID', 'too many frames in one request', { facts: { framesMax: FRAMES_MAX } })
  return items.map(item => {
    const digits = item.trim()
    if (!/^\d+$/.test(digits)) throw new RequestError('QUERY_INVALID', 'frames are a comma-separated list of numbers')
    const frame = Number(digits)
    if (frame < 1 || frame > FRAME_NUMBER_MAX) throw new RequestError('FRAME_UNKNOWN', 'frames are counted from 1', { facts: { frame: digits.slice(0, 16) } })
    return frame
  })
}

const PATH = /^\/studies\/([^/]+)(?:\/series\/([^/]+)(?:\/instances\/([^/]+)(?:\/frames\/([^/]+))?)?)?$/
