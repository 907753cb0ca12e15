/**
 * Under which media types the frames of a stored object may leave, as they are stored.
 *
 * Source: DICOM PS3.18 §8.7.3.3, Tables 8.7.3-4 (uncompressed) and 8.7.3-5 (compressed), and §10.4.4.
 * Makes the offers that accept.ts chooses from. Changes no pixel: transcoding adds its own offers.
 */

import type { Offer } from './accept.ts'

const EXPLICIT_LE = '1.2.840.10008.1.2.1'
const EXPLICIT_BE = '1.2.840.10008.1.2.2'
const DEFLATED_LE = '1.2.840.10008.1.2.1.99'

/** Frames of these are little endian bytes, neither compressed nor deflated: implicit, explicit, encapsulated uncompressed. */
const UNCOMPRESSED = new Set(['1.2.840.10008.1.2', EXPLICIT_LE, '1.2.840.10008.1.2.1.98'])

/** Below 1.2.840.10008.1.2. Media types compare without regard to case; lower case here, as accept.ts has them. */
const COMPRESSED = {
  'image/jpeg': ['4.50', '4.51', '4.57', '4.70'],
  'image/dicom-rle': ['5'],
  'image/jls': ['4.80', '4.81'],
  'image/jp2': ['4.90', '4.91'],
  'image/jpx': ['4.92', '4.93'],
  'image/jphc': ['4.201', '4.202', '4.203'],
  'image/jxl': ['4.110', '4.111', '4.112'],
  'video/mpeg': ['4.100', '4.100.1', '4.101', '4.101.1'],
  'video/mp4': ['4.102', '4.102.1', '4.103', '4.103.1', '4.104', '4.104.1', '4.105', '4.105.1', '4.106', '4.106.1'],
  'video/h265': ['4.107', '4.108']
}

/** Transfer syntax to the media type of its frames. */
export const frameMediaTypes: ReadonlyMap<string, string> = new Map(
  Object.entries(COMPRESSED).flatMap(([mediaType, syntaxes]) => syntaxes.map(last => [`1.2.840.10008.1.2.${last}`, mediaType]))
)

/**
 * In which ways frames stored in this transfer syntax may leave, ours first: under their own name,
 * then as an octet stream, then, for callers that accept nothing but application/dicom as the
 * national samples do, inside the whole instance (docs/standards/dicomweb.md, "Frames").
 *
 * @param single whether one frame was asked, so that a single part may carry it
 */
export function frameOffers (storedSyntax: string, single: boolean): readonly Offer[] {
  const instance: Offer = { type: 'multipart/related', inner: 'application/dicom', transferSyntax: storedSyntax }
  // Their bytes would have to be swapped or inflated before a frame can be cut out.
  if (storedSyntax === EXPLICIT_BE || storedSyntax === DEFLATED_LE) return [instance]

  const transferSyntax = UNCOMPRESSED.has(storedSyntax) ? EXPLICIT_LE : storedSyntax
  const named = frameMediaTypes.get(storedSyntax)
  const types = named === undefined ? ['application/octet-stream'] : [named, 'application/octet-stream']
  return [
    ...types.map(inner => ({ type: 'multipart/related', inner, transferSyntax })),
    ...single ? types.map(type => ({ type, transferSyntax })) : [],
    instance
  ]
}
