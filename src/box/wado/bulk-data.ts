/**
 * Bulk data: the values that metadata give by reference, each alone or all of a resource together.
 *
 * Source: DICOM PS3.18 §10.4.1.1.5, .6 (resources), §8.7.3.3 (media types), §10.4.3 (multipart).
 * Compressed pixels go out frame by frame, as frames do; videos and everything else as one value,
 * of which a range may be wanted.
 */

import { crc32 } from 'node:zlib'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { RequestError } from '#core/errors.ts'
import type { DicomJson } from '#standards/dicom/json.ts'
import { locateValue, parseValuePath, type Located } from '#standards/dicom/locate.ts'
import { choose, parseAccept, type MediaRange, type Offer } from '#standards/dicomweb/accept.ts'
import { bulkDataOffers, isVideo } from '#standards/dicomweb/bulk-media.ts'
import { frameOffers } from '#standards/dicomweb/frame-media.ts'
import { closing, contentType, newBoundary, partHead } from '#standards/dicomweb/multipart.ts'
import { sayCompleteness } from '../cache/completeness.ts'
import type { Stored } from '../cache/stored.ts'
import type { ObjectSet, Target } from '../pacs/object-set.ts'
import { beginAnswer, sendBody } from './answer.ts'
import type { DescribeParts } from './describe.ts'
import { framesIn, rangesOf, serveFrames } from './frames.ts'
import { losesPixels } from './makeable.ts'
import { instanceHead } from './metadata.ts'
import { acceptParameter, hangUp } from './objects.ts'
import { sendRepresentation, validatorsOf, writePieces, type Piece } from './representation.ts'
import { valueSource, type ValueSource } from './value-source.ts'

const PIXEL_DATA = '7FE00010'
const PIXELS: ReadonlySet<string> = new Set(['7FE00008', '7FE00009', PIXEL_DATA])
const ENCAPSULATED_DOCUMENT = '00420011'
const MIME_TYPE_OF_DOCUMENT = '00420012'
const DOCUMENT_LENGTH = '00420015'

/** One value of one instance. @param path as metadata name it: '7FE00010', '00081140/0/00091002' */
export async function serveBulkData (parts: DescribeParts, request: FastifyRequest, reply: FastifyReply, target: Required<Target>, path: string): Promise<void> {
  const steps = parseValuePath(path)
  await parts.gate.admit(request.headers, target)
  const ranges = parseAccept(request.headers.accept, acceptParameter(request))
  const set = await parts.supply.open(target, hangUp(reply))
  let frames: readonly number[]
  try {
    const [stored] = await set.next() as readonly Stored[]
    const source = await valueSource(set, stored)
    const value = await locateValue(source.read, source.datasetBytes, stored.transferSyntaxUid, steps)
    if (value === undefined) throw unknown(stored, path)
    if (!isFrameByFrame(value, stored, path)) {
      await sendValue(set, request, reply, ranges, stored, source, value, path)
      return
    }
    frames = framesIn((await bulkOf(set, stored)).head, stored)
  } finally {
    set.close()
  }
  await serveFrames(parts, request, reply, target, frames)
}

/** The pixel data of one instance, whichever of the three elements holds them. */
export async function serveInstancePixels (parts: DescribeParts, request: FastifyRequest, reply: FastifyReply, target: Required<Target>): Promise<void> {
  await parts.gate.admit(request.headers, target)
  const set = await parts.supply.open(target, hangUp(reply))
  let tag: string | undefined
  try {
    const [stored] = await set.next() as readonly Stored[]
    tag = (await bulkOf(set, stored)).paths.find(path => PIXELS.has(path))
    if (tag === undefined) throw unknown(stored, PIXEL_DATA)
  } finally {
    set.close()
  }
  await serveBulkData(parts, request, reply, target, tag)
}

/**
 * Everything of a study, series or instance that metadata give by reference, or its pixels alone.
 *
 * @throws RequestError BULKDATA_UNKNOWN when there is nothing of it, ACCEPT_UNSUPPORTED
 */
export async function serveAllBulkData (parts: DescribeParts, request: FastifyRequest, reply: FastifyReply, target: Target, pixelsOnly: boolean): Promise<void> {
  await parts.gate.admit(request.headers, target)
  const ranges = parseAccept(request.headers.accept, acceptParameter(request))
  const set = await parts.supply.open(target, hangUp(reply))
  try {
    const all = allParts(parts, set, ranges, pixelsOnly)
    // Past this line a failure can only cut the body, so the first part is awaited here.
    let next = await all.next()
    if (next.done === true) throw new RequestError('BULKDATA_UNKNOWN', 'nothing of this is bulk data')
    const boundary = newBoundary()
    const partial = set.completeness().state === 'partial'
    const isBegun = beginAnswer(reply, {
      status: partial ? 206 : 200,
      type: contentType(boundary, next.value.inner),
      ...partial && { headers: { warning: `299 drimbox "${sayCompleteness(set.completeness())}"` } }
    })
    if (!isBegun) return
    await sendBody(reply, async out => {
      for (let first = true; next.done !== true; first = false) {
        const { type, location, pieces } = next.value
        await writePieces(set, out, [partHead(boundary, { 'Content-Type': type, 'Content-Location': location }, first), ...pieces])
        next = await all.next()
      }
      if (partial || set.completeness().state === 'complete') out.end(closing(boundary))
      else out.cut(new Error(`incomplete: ${sayCompleteness(set.completeness())}`))
    })
  } finally {
    set.close()
  }
}

interface BulkPart { readonly inner: string, readonly type: string, readonly location: string, readonly pieces: readonly Piece[] }

async function * allParts (parts: DescribeParts, set: ObjectSet, ranges: readonly MediaRange[], pixelsOnly: boolean): AsyncGenerator<BulkPart> {
  for (let batch = await set.next(); batch !== undefined; batch = await set.next()) {
    for (const stored of batch) yield * partsOf(parts, set, stored, ranges, pixelsOnly)
  }
}

async function * partsOf ({ bulkDataUri }: DescribeParts, set: ObjectSet, stored: Stored, ranges: readonly MediaRange[], pixelsOnly: boolean): AsyncGenerator<BulkPart> {
  const { head, paths } = await bulkOf(set, stored)
  const wanted = pixelsOnly ? paths.filter(path => PIXELS.has(path)) : paths
  const source = wanted.length === 0 ? undefined : await valueSource(set, stored)
  for (const path of wanted) {
    if (source === undefined) return
    const value = await locateValue(source.read, source.datasetBytes, stored.transferSyntaxUid, parseValuePath(path))
    if (value === undefined) continue
    const location = bulkDataUri(stored, path)
    if (isFrameByFrame(value, stored, path)) {
      const offer = multipartOffer(ranges, frameOffers({ stored: stored.transferSyntaxUid, makeable: [], loses: losesPixels, single: false }), stored)
      const frames = framesIn(head, stored)
      const places = await rangesOf(set, stored, head, frames)
      for (const [index, place] of places.entries()) {
        yield {
          ...offer,
          location: location.replace(/\/bulkdata\/.*$/, `/frames/${frames[index]}`),
          pieces: place.map(({ offset, length }) => ({ stored, offset: stored.datasetOffset + offset, length }))
        }
      }
    } else {
      const document = await documentOf(stored, source, path)
      yield { ...multipartOffer(ranges, bulkDataOffers(stored.transferSyntaxUid, path, document?.type), stored), location, pieces: trimmed(await source.pieces(value), document) }
    }
  }
}

function multipartOffer (ranges: readonly MediaRange[], offers: readonly Offer[], stored: Stored): { inner: string, type: string } {
  const { inner = '', transferSyntax } = assertOffer(choose(ranges, offers.filter(({ inner }) => inner !== undefined)), offers, stored)
  return { inner, type: typed(inner, transferSyntax) }
}

async function sendValue (set: ObjectSet, request: FastifyRequest, reply: FastifyReply, ranges: readonly MediaRange[], stored: Stored, source: ValueSource, value: Located, path: string): Promise<void> {
  const document = await documentOf(stored, source, path)
  const offers = bulkDataOffers(stored.transferSyntaxUid, path, document?.type)
  const { type, inner, transferSyntax } = assertOffer(choose(ranges, offers), offers, stored)
  const { etag, modifiedAt } = validatorsOf(stored, `${inner === undefined ? 'b' : 'c'}${crc32(`${path} ${inner ?? type}`).toString(36)}`)
  const pieces = trimmed(await source.pieces(value), document)
  if (inner === undefined) {
    await sendRepresentation(request, reply, set, { type: typed(type, transferSyntax), pieces, validators: { etag, modifiedAt } })
    return
  }
  const boundary = newBoundary()
  await sendRepresentation(request, reply, set, {
    type: contentType(boundary, inner),
    pieces: [partHead(boundary, { 'Content-Type': typed(inner, transferSyntax), 'Content-Location': request.url.split('?', 1)[0] ?? '' }, true), ...pieces, closing(boundary)],
    validators: { etag: `W/${etag}`, modifiedAt },
    whole: true
  })
}

/** The paths that metadata give by reference, in their order. */
async function bulkOf (set: ObjectSet, stored: Stored): Promise<{ head: DicomJson, paths: readonly string[] }> {
  const paths: string[] = []
  const head = await instanceHead(stored, async (one, offset, target) => await set.read(one, offset, target), (_, path) => {
    paths.push(path)
    return path
  })
  return { head, paths }
}

/** Compressed pixels have a media type for each frame, not for all of them (PS3.18 Table 8.7.3-5). */
function isFrameByFrame ({ encapsulated }: Located, { transferSyntaxUid }: Stored, path: string): boolean {
  return encapsulated && path === PIXEL_DATA && !isVideo(transferSyntaxUid)
}

interface EncapsulatedDocument { readonly type: string | undefined, readonly bytes: number | undefined }

/** What an encapsulated document is, and how long without its padding (PS3.3 §C.24.2). */
async function documentOf (stored: Stored, source: ValueSource, path: string): Promise<EncapsulatedDocument | undefined> {
  if (path !== ENCAPSULATED_DOCUMENT) return undefined
  const type = await fact(stored, source, MIME_TYPE_OF_DOCUMENT)
  const length = await fact(stored, source, DOCUMENT_LENGTH)
  return {
    type: type?.bytes.toString('latin1').replace(/[ \0]+$/, '').toLowerCase(),
    bytes: length?.bytes.length !== 4 ? undefined : length.bigEndian ? length.bytes.readUInt32BE() : length.bytes.readUInt32LE()
  }
}

async function fact ({ transferSyntaxUid }: Stored, { read, datasetBytes }: ValueSource, tag: string): Promise<{ bytes: Buffer, bigEndian: boolean } | undefined> {
  const found = await locateValue(read, datasetBytes, transferSyntaxUid, parseValuePath(tag))
  const [range] = found?.ranges ?? []
  if (found === undefined || range === undefined || range.length > DOCUMENT_FACT_BYTES_MAX) return undefined
  return { bytes: Buffer.from(await read(range.offset, range.length)), bigEndian: found.bigEndian }
}

const DOCUMENT_FACT_BYTES_MAX = 256

/** Without the byte that pads a document to an even length. */
function trimmed (pieces: readonly Piece[], document: EncapsulatedDocument | undefined): readonly Piece[] {
  const bytes = pieces.reduce((sum, { length }) => sum + length, 0)
  const last = pieces.at(-1)
  if (last === undefined || document?.bytes !== bytes - 1) return pieces
  return [...pieces.slice(0, -1), last instanceof Uint8Array ? last.subarray(0, -1) : { ...last, length: last.length - 1 }]
}

function typed (type: string, transferSyntax: string | undefined): string {
  return transferSyntax === undefined ? type : `${type}; transfer-syntax=${transferSyntax}`
}

/** @throws RequestError ACCEPT_UNSUPPORTED */
function assertOffer (offer: Offer | undefined, offers: readonly Offer[], { sopInstanceUid }: Stored): Offer {
  if (offer !== undefined) return offer
  throw new RequestError('ACCEPT_UNSUPPORTED', 'the value has no form that the caller accepts', {
    facts: { instance: sopInstanceUid, offered: offers.map(({ type, inner }) => inner === undefined ? type : `${type}; type="${inner}"`) }
  })
}

function unknown ({ sopInstanceUid }: Stored, path: string): RequestError {
  return new RequestError('BULKDATA_UNKNOWN', 'the instance has no such value', { facts: { instance: sopInstanceUid, path } })
}
