/**
 * WADO-URI: one object, asked for by query parameters alone, as viewers have done since 2004.
 *
 * Source: DICOM PS3.18 §9.1. Read into what the RESTful services ask for, so that both give the same.
 * What is known but can't be honoured is refused by name; what isn't known is passed over (§8.3.2).
 */

import { RequestError } from '#core/errors.ts'
import { isUid, parseUid, type Uid } from '#core/uid.ts'

/** A parameter as a query has it. */
export type Query = Readonly<Record<string, string | string[] | undefined>>

export interface WadoUri {
  readonly study: Uid
  readonly series: Uid
  readonly instance: Uid
  /** Media types in the caller's order; empty when none was named. */
  readonly contentTypes: readonly string[]
  /** Of application/dicom. */
  readonly transferSyntax?: string
  /** From 1. */
  readonly frame?: number
  readonly rows?: number
  readonly columns?: number
  /** Left, top, right, bottom, each from 0 to 1 of the image. */
  readonly region?: readonly [number, number, number, number]
  /** Parameters of rendered resources, under their own names. */
  readonly rendering: Readonly<Record<string, string>>
}

const DICOM = 'application/dicom'
const CONTENT_TYPES_MAX = 32
const SIDE_MAX = 65_535
const FRAME_MAX = 2 ** 31 - 1

/** @throws RequestError QUERY_INVALID, UID_INVALID, NOT_OFFERED, FRAME_UNKNOWN: each with the parameter's name */
export function parseWadoUri (query: Query): WadoUri {
  const one = (name: string): string | undefined => {
    const value = query[name]
    if (Array.isArray(value)) throw invalid(name, 'given once')
    return value === '' ? undefined : value
  }
  const needed = (name: string): string => {
    const value = one(name)
    if (value === undefined) throw invalid(name, 'needed')
    return value
  }
  if (needed('requestType') !== 'WADO') throw invalid('requestType', 'WADO')
  const uids = { study: parseUid(needed('studyUID')), series: parseUid(needed('seriesUID')), instance: parseUid(needed('objectUID')) }
  refuse(one, 'anonymize', 'objects are not de-identified here')
  refuse(one, 'presentationUID', 'presentation states are not applied')
  refuse(one, 'presentationSeriesUID', 'presentation states are not applied')

  const contentTypes = parseContentTypes(one('contentType'))
  const wantsObject = contentTypes.length > 0 && contentTypes.every(type => type.startsWith(DICOM))
  const transferSyntax = one('transferSyntax')
  if (transferSyntax !== undefined) {
    if (contentTypes.length > 0 && !wantsObject) throw invalid('transferSyntax', 'for application/dicom alone')
    if (transferSyntax !== '*' && !isUid(transferSyntax)) throw invalid('transferSyntax', 'a UID')
  }
  const frame = integer('frameNumber', one('frameNumber'), FRAME_MAX)
  const picture = {
    rows: integer('rows', one('rows'), SIDE_MAX),
    columns: integer('columns', one('columns'), SIDE_MAX),
    region: parseRegion(one('region'))
  }
  const rendering = { ...windowOf(one), ...qualityOf(one), ...one('annotation') !== undefined && { annotation: one('annotation') as string } }
  // An object is given whole and unchanged: who asks for a part of it would take it for that part.
  if (wantsObject) {
    for (const [name, value] of Object.entries({ frameNumber: frame, ...picture, ...rendering })) {
      if (value !== undefined) throw invalid(name, 'not for application/dicom')
    }
  }
  return {
    ...uids,
    contentTypes,
    rendering,
    ...transferSyntax !== undefined && { transferSyntax },
    ...frame !== undefined && { frame },
    ...picture.rows !== undefined && { rows: picture.rows },
    ...picture.columns !== undefined && { columns: picture.columns },
    ...picture.region !== undefined && { region: picture.region }
  }
}

type One = (name: string) => string | undefined

function refuse (one: One, name: string, why: string): void {
  if (one(name) !== undefined) throw new RequestError('NOT_OFFERED', `${name}: ${why}`, { facts: { parameter: name } })
}

/** As an Accept header has them, in order of liking (§9.1.2.2.1). */
function parseContentTypes (text: string | undefined): readonly string[] {
  if (text === undefined) return []
  const types = text.split(',').map(type => type.trim().replace(/^application\/dicom (json|xml)/, 'application/dicom+$1')).filter(type => type !== '')
  if (types.length > CONTENT_TYPES_MAX || types.some(type => !/^[\w!#$&^.+*-]+\/[\w!#$&^.+*-]+(\s*;\s*[\w-]+=("[^"\\]*"|[\w.*+-]+))*$/.test(type))) throw invalid('contentType', 'a list of media types')
  return types
}

function parseRegion (text: string | undefined): WadoUri['region'] {
  if (text === undefined) return undefined
  const [left = NaN, top = NaN, right = NaN, bottom = NaN, ...more] = text.split(',').map(part => /^(\d+\.?\d*|\.\d+)$/.test(part) && part.length <= 24 ? Number(part) : NaN)
  if (more.length > 0 || !(left >= 0 && left < right && right <= 1 && top >= 0 && top < bottom && bottom <= 1)) {
    throw invalid('region', 'left,top,right,bottom, each from 0 to 1, and not empty')
  }
  return [left, top, right, bottom]
}

function windowOf (one: One): { window?: string } {
  const [center, width] = [one('windowCenter'), one('windowWidth')]
  if (center === undefined && width === undefined) return {}
  if (center === undefined || width === undefined) throw invalid('windowCenter', 'given together with windowWidth')
  return { window: `${center},${width},linear` }
}

function qualityOf (one: One): { quality?: string } {
  const quality = one('imageQuality')
  return quality === undefined ? {} : { quality }
}

function integer (name: string, text: string | undefined, max: number): number | undefined {
  if (text === undefined) return undefined
  const value = /^\d{1,10}$/.test(text) ? Number(text) : 0
  if (name === 'frameNumber' && value === 0 && /^\d+$/.test(text)) throw new RequestError('FRAME_UNKNOWN', 'frames are counted from 1', { facts: { frame: text.slice(0, 16) } })
  if (value < 1 || value > max) throw invalid(name, `an integer from 1 to ${max}`)
  return value
}

function invalid (parameter: string, expected: string): RequestError {
  return new RequestError('QUERY_INVALID', `${parameter}: ${expected}`, { facts: { parameter } })
}
