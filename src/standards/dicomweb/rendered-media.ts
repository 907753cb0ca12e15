/**
 * Which kinds of pictures and texts can be made of an object.
 *
 * Source: DICOM PS3.18 §8.7.2 (resource categories) and Table 8.7.4-1 (rendered media types).
 * A multi-frame image as JPEG or PNG is one of its frames, the representative one: viewers ask for
 * that, the standard doesn't forbid it. Video, PDF and CDA leave as they were stored.
 */

import { VIDEO } from '../dicom/frames.ts'
import type { Offer } from './accept.ts'

export type Category = 'single' | 'multi' | 'video' | 'report' | 'pdf' | 'cda'

/** What one frame can be, ours first. */
export const STILL = ['image/jpeg', 'image/png', 'image/gif']

/** Ours first. What a video is, only its bytes tell: its list is the caller's to make. */
const TYPES: Readonly<Record<Exclude<Category, 'video'>, readonly string[]>> = {
  single: STILL,
  multi: ['image/gif', 'image/jpeg', 'image/png'],
  report: ['text/html', 'text/plain', 'text/xml'],
  pdf: ['application/pdf'],
  cda: ['text/xml']
}

/** Whatever some object can be shown as. */
export const EVERY_TYPE = [...new Set([...Object.values(TYPES).flat(), 'video/mp4', 'video/mpeg', 'video/mp2t', 'video/h264', 'video/h265'])]

const REPORTS = '1.2.840.10008.5.1.4.1.1.88.'
const ENCAPSULATED: ReadonlyMap<string, Category> = new Map([
  ['1.2.840.10008.5.1.4.1.1.104.1', 'pdf'],
  ['1.2.840.10008.5.1.4.1.1.104.2', 'cda']
])

/** What an object is to somebody who wants to see it. */
export interface Seen {
  readonly sopClassUid: string
  readonly transferSyntaxUid: string
  readonly hasPixels: boolean
  readonly frames: number
}

/** @returns undefined for an object of which no picture can be made */
export function categoryOf ({ sopClassUid, transferSyntaxUid, hasPixels, frames }: Seen): Category | undefined {
  if (hasPixels) return VIDEO.test(transferSyntaxUid) ? 'video' : frames > 1 ? 'multi' : 'single'
  return sopClassUid.startsWith(REPORTS) ? 'report' : ENCAPSULATED.get(sopClassUid)
}

export function renderedTypes (category: Exclude<Category, 'video'>): readonly string[] {
  return TYPES[category]
}

/** Each type alone, then as the one part of a multipart; for several resources only the latter. */
export function renderedOffers (types: readonly string[], single: boolean): readonly Offer[] {
  const multipart = types.map(inner => ({ type: 'multipart/related', inner }))
  return single ? [...types.map(type => ({ type })), ...multipart] : multipart
}

/**
 * The media type of a stored video, by how it begins: DICOM allows bare streams, transport streams
 * and ISO containers under the same transfer syntax (PS3.5 §8.2.5 to §8.2.8), and browsers play the
 * last one alone.
 *
 * @param start the first bytes, at least 12
 */
export function videoType (transferSyntaxUid: string, start: Uint8Array): string {
  const bytes = Buffer.from(start.buffer, start.byteOffset, start.length)
  if (bytes.toString('latin1', 4, 8) === 'ftyp') return 'video/mp4'
  if (bytes[0] === 0x47) return 'video/mp2t'
  const last = Number(/^1\.2\.840\.10008\.1\.2\.4\.(\d+)/.exec(transferSyntaxUid)?.[1])
  return last <= 101 ? 'video/mpeg' : last <= 106 ? 'video/h264' : 'video/h265'
}
