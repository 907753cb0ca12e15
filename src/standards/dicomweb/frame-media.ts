/**
 * Under which media types the frames of a stored object may leave.
 *
 * Source: DICOM PS3.18 §8.7.3.3, Tables 8.7.3-4 (uncompressed) and 8.7.3-5 (compressed), and §10.4.4.
 * Makes the offers that accept.ts chooses from. What can be made at all, it is told.
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

/** Compressed media types, each with the transfer syntax that it means where a caller names none (Table 8.7.3-5). */
const DEFAULTS: ReadonlyMap<string, string> = new Map([
  ['image/jpeg', '1.2.840.10008.1.2.4.70'], ['image/dicom-rle', '1.2.840.10008.1.2.5'], ['image/jls', '1.2.840.10008.1.2.4.80'],
  ['image/jp2', '1.2.840.10008.1.2.4.90'], ['image/jphc', '1.2.840.10008.1.2.4.201']
])

/** A way in which frames may leave. */
export interface FrameOffer extends Offer {
  readonly transferSyntax: string
  /** Bytes as they are stored. */
  readonly asStored: boolean
}

export interface FrameOffers {
  readonly stored: string
  /** What the frames can be made into, ours first. */
  readonly makeable: readonly string[]
  /** Whether something is lost by making this one. */
  readonly loses: (transferSyntaxUid: string) => boolean
  /** Whether one frame was asked, so that a single part may carry it. */
  readonly single: boolean
}

/**
 * In which ways frames may leave, ours first: as stored under their own name, as stored in octets,
 * then made into something else.
 *
 * Octets without a transfer syntax mean uncompressed ones (Table 8.7.3-4,
 * docs/decisions/0003-accept-without-transfer-syntax.md): compressed frames leave as octets only for
 * those who gave a transfer syntax, unless there is no other way. What loses something is made for
 * those alone who named it.
 */
export function frameOffers ({ stored, makeable, loses, single }: FrameOffers): readonly FrameOffer[] {
  const isUncompressed = UNCOMPRESSED.has(stored)
  const named = frameMediaTypes.get(stored)
  const canOctets = makeable.includes(EXPLICIT_LE)
  const offers: Omit<FrameOffer, 'type'>[] = []
  // The bytes of the others would have to be swapped or inflated before a frame can be cut out.
  if (stored !== EXPLICIT_BE && stored !== DEFLATED_LE) {
    const transferSyntax = isUncompressed ? EXPLICIT_LE : stored
    if (named !== undefined) offers.push({ inner: named, transferSyntax, asStored: true })
    offers.push({ inner: OCTETS, transferSyntax, asStored: true, ...!isUncompressed && canOctets && { onlyIf: 'syntax-given' } })
  }
  if (!isUncompressed && canOctets) offers.push({ inner: OCTETS, transferSyntax: EXPLICIT_LE, asStored: false })
  for (const transferSyntax of makeable) {
    const inner = frameMediaTypes.get(transferSyntax)
    if (inner === undefined || transferSyntax === stored) continue
    const isDefault = DEFAULTS.get(inner) === transferSyntax
    offers.push({ inner, transferSyntax, asStored: false, ...loses(transferSyntax) ? { onlyIf: 'syntax-named' } : !isDefault && { onlyIf: 'syntax-given' } })
  }
  return [
    ...offers.map(offer => ({ ...offer, type: 'multipart/related' })),
    ...single ? offers.map(({ inner, ...offer }) => ({ ...offer, type: inner as string })) : []
  ]
}

const OCTETS = 'application/octet-stream'
