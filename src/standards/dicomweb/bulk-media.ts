/**
 * Under which media types a value may leave that metadata give by reference, where it isn't frames.
 *
 * Source: DICOM PS3.18 §8.7.3.3, Tables 8.7.3-4 (uncompressed) and 8.7.3-5 (video), §8.7.3.4 (encapsulated
 * documents).
 */

import { transferSyntax, EXPLICIT_LE } from '#standards/dicom/transfer-syntax.ts'
import type { Offer } from './accept.ts'
import { frameMediaTypes } from './frame-media.ts'

const OCTETS = 'application/octet-stream'
const PIXELS = /^7FE0(0008|0009|0010)$/
/** RFC 9110 §8.3.1, without parameters: what an object says of itself isn't believed further. */
const MEDIA_TYPE = /^(application|audio|chemical|image|model|text|video)\/[a-z0-9][a-z0-9!#$&^_.+-]{0,126}$/
/** Would run as a page of ours in a browser that is led there. */
const ACTIVE = /^(text\/html|application\/xhtml\+xml|image\/svg\+xml|text\/xml|application\/xml|text\/javascript|application\/javascript)$/

/** Is this a stream whose frames can't be given alone (PS3.5 §8.2.5 and following)? */
export function isVideo (transferSyntaxUid: string): boolean {
  return frameMediaTypes.get(transferSyntaxUid)?.startsWith('video/') === true
}

/**
 * Ours first. A video or a document by itself, which players and browsers can use; everything else in
 * multipart, as §10.4.3 has it.
 *
 * @param path of the value in its data set
 * @param documentType what (0042,0012) says of an encapsulated document
 */
export function bulkDataOffers (storedSyntax: string, path: string, documentType?: string): readonly Offer[] {
  const named = PIXELS.test(path) && isVideo(storedSyntax) ? frameMediaTypes.get(storedSyntax) : safe(documentType)
  const syntax = !PIXELS.test(path) ? undefined : transferSyntax(storedSyntax).encapsulated ? storedSyntax : EXPLICIT_LE
  const types = named === undefined ? [OCTETS] : [named, OCTETS]
  const alone = types.map(type => ({ type, ...syntax !== undefined && { transferSyntax: syntax } }))
  const inMultipart = alone.map(({ type, ...more }) => ({ type: 'multipart/related', inner: type, ...more }))
  return named === undefined ? [...inMultipart, ...alone] : [...alone, ...inMultipart]
}

function safe (documentType: string | undefined): string | undefined {
  return documentType !== undefined && MEDIA_TYPE.test(documentType) && !ACTIVE.test(documentType) ? documentType : undefined
}
