/**
 * What leaves as it was stored, or as text: videos, encapsulated documents, reports.
 *
 * Source: DICOM PS3.18 §8.7.4; PS3.3 §C.24.2 (encapsulated document), §C.17.3 (SR content).
 * A video or a PDF isn't read here: where its bytes lie in the object is found, and they are sent from
 * there, in ranges if a player wants them so.
 */

import { RequestError } from '#core/errors.ts'
import { firstText } from '#standards/dicom/dataset.ts'
import { locateValue, type Located } from '#standards/dicom/locate.ts'
import { nativeModel } from '#standards/dicom/native-model.ts'
import { transferSyntax } from '#standards/dicom/transfer-syntax.ts'
import { renderedTypes, videoType, type Category } from '#standards/dicomweb/rendered-media.ts'
import { readReport } from '#standards/sr/content.ts'
import { reportHtml } from '#standards/sr/html.ts'
import { reportText } from '#standards/sr/text.ts'
import type { Stored } from '../cache/stored.ts'
import type { ObjectSet } from '../pacs/object-set.ts'
import type { PictureSource } from './picture-source.ts'
import type { StoredPiece, Piece } from './representation.ts'
import { bytesOf } from './send.ts'

export interface Document {
  /** Media types that it can be had in, ours first. */
  readonly types: readonly string[]
  /** Its bytes in one of them, and what the caller's browser must be told. */
  readonly as: (type: string) => { readonly type: string, readonly pieces: readonly Piece[], readonly headers: Readonly<Record<string, string>> }
}

const PIXEL_DATA = 0x7fe00010
const ENCAPSULATED_DOCUMENT = 0x00420011
/** Counted up when a report comes out differently. */
export const DOCUMENT_VERSION = 1

/**
 * No script, no picture, nothing from elsewhere, no frame around it: whatever a report says, it is
 * text. A PDF may bring its own, which the browser's viewer keeps to itself.
 */
const SAFE = {
  'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'self'; base-uri 'none'; form-action 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer'
}

/** @throws RequestError DATA_MALFORMED naming the instance, RENDER_UNSUPPORTED */
export async function documentOf (set: ObjectSet, source: PictureSource, category: Exclude<Category, 'single' | 'multi'>): Promise<Document> {
  const { stored, head } = source
  if (category === 'report') {
    return {
      types: renderedTypes('report'),
      as (type) {
        const report = source.named(() => readReport(head))
        // The standard wants XML and says not which: that of PS3.19, which has all of it.
        const text = type === 'text/plain' ? reportText(report) : type === 'text/xml' ? nativeModel(head) : reportHtml(report)
        return { type: `${type}; charset=utf-8`, pieces: [Buffer.from(text)], headers: SAFE }
      }
    }
  }
  if (category === 'video') {
    const pieces = await piecesOf(set, stored, PIXEL_DATA)
    const type = videoType(stored.transferSyntaxUid, pieces.length === 0 ? new Uint8Array() : await bytesOf(set, stored, pieces[0].offset, Math.min(16, pieces[0].length)))
    return { types: [type], as: () => ({ type, pieces, headers: { 'x-content-type-options': 'nosniff' } }) }
  }
  const [type] = renderedTypes(category)
  const pieces = trimmed(await piecesOf(set, stored, ENCAPSULATED_DOCUMENT), Number(firstText(head, '00420015') ?? NaN))
  return { types: [type], as: () => ({ type, pieces, headers: SAFE }) }
}

/** Where a value lies in the stored object. */
async function piecesOf (set: ObjectSet, stored: Stored, tag: number): Promise<StoredPiece[]> {
  const facts = { instance: stored.sopInstanceUid }
  if (transferSyntax(stored.transferSyntaxUid).deflated) throw new RequestError('RENDER_UNSUPPORTED', 'the document is in a deflated object', { facts })
  let found: Located | undefined
  try {
    found = await locateValue(async (offset, length) => await bytesOf(set, stored, stored.datasetOffset + offset, Math.min(length, stored.length - stored.datasetOffset - offset)),
      stored.length - stored.datasetOffset, stored.transferSyntaxUid, [{ tag }])
  } catch (error) {
    throw error instanceof RequestError ? new RequestError(error.code, error.message, { cause: error, facts: { ...error.facts, ...facts } }) : error
  }
  if (found === undefined) throw new RequestError('RENDER_UNSUPPORTED', 'the object holds nothing that could be shown', { facts })
  return found.ranges.filter(({ length }) => length > 0).map(({ offset, length }) => ({ stored, offset: stored.datasetOffset + offset, length }))
}

/** Without the byte that makes a length even, where the object says how long the document is. */
function trimmed (pieces: StoredPiece[], bytes: number): StoredPiece[] {
  const [piece] = pieces
  return pieces.length === 1 && bytes === piece.length - 1 ? [{ ...piece, length: bytes }] : pieces
}
