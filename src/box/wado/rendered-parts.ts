/**
 * Several renderings as one multipart body: of the instances of a study or series, or of frames.
 *
 * Source: DICOM PS3.18 §8.6.1.2, §10.4.3.
 * A few are made ahead of the one being sent, no more: a study of a thousand images passes through
 * without being held, and ends when its reader leaves. An instance of which nothing can be shown is left out, which
 * is told as 206 where it is known beforehand; one that turns out to be broken leaves a part that says so, so
 * that the reader learns which.
 */

import type { OutgoingHttpHeaders } from 'node:http'
import { RequestError } from '#core/errors.ts'
import { choose } from '#standards/dicomweb/accept.ts'
import { closing, contentType, newBoundary, partHead } from '#standards/dicomweb/multipart.ts'
import { problem } from '#standards/dicomweb/problem.ts'
import { categoryOf, EVERY_TYPE, renderedOffers, renderedTypes } from '#standards/dicomweb/rendered-media.ts'
import { sayCompleteness } from '../cache/completeness.ts'
import type { Stored } from '../cache/stored.ts'
import type { ObjectSet } from '../pacs/object-set.ts'
import { CACHE_CONTROL, varying } from './answer.ts'
import { documentOf } from './document.ts'
import { Outlet } from './outlet.ts'
import { openSource } from './picture-source.ts'
import { chosen, renderedAs, type Asked } from './rendered-as.ts'
import { writePieces, type Representation } from './representation.ts'

/** Renderings begun before their turn: enough for the workers of a box, and for a reader who keeps up. */
const AHEAD_MAX = 4

interface Part extends Representation { readonly location?: string }

/** A rendering, or undefined for an instance that is left out. */
type Render = () => Promise<Part | undefined>

/** Sends renderings whose number is known. */
export async function sendParts (asked: Asked, renders: readonly Render[]): Promise<void> {
  await sendAll(asked, fromList(renders), {})
}

/** Sends whatever can be shown of a study or series. @throws RequestError ACCEPT_UNSUPPORTED, RENDER_UNSUPPORTED */
export async function sendSetRendered (asked: Asked): Promise<void> {
  const { set, ranges } = asked
  chosen(ranges, renderedOffers(EVERY_TYPE, false))
  const known = set.all?.flat()
  const left = known === undefined ? 0 : known.filter(stored => !maybeShown(stored)).length
  if (known !== undefined && left === known.length) throw new RequestError('RENDER_UNSUPPORTED', 'nothing of these objects can be shown')
  const state = set.completeness()
  const warnings = [
    ...state.state === 'partial' ? [`299 drimbox "${sayCompleteness(state)}"`] : [],
    ...left > 0 ? [`299 drimbox "${left} of ${known?.length} can not be shown (RENDER_UNSUPPORTED)"`] : []
  ]
  await sendAll(asked, fromSet(asked), { partial: warnings.length > 0, warnings, judge: () => set.completeness().state === 'complete' || state.state === 'partial' })
}

/** Told by its class alone, without reading it. */
function maybeShown ({ sopClassUid, transferSyntaxUid, pixelOffset }: Stored): boolean {
  return categoryOf({ sopClassUid, transferSyntaxUid, hasPixels: pixelOffset !== 0, frames: 1 }) !== undefined
}

async function * fromList (renders: readonly Render[]): AsyncGenerator<Render> {
  yield * renders
}

async function * fromSet (asked: Asked): AsyncGenerator<Render> {
  const { set } = asked
  for (let batch = await set.next(); batch !== undefined; batch = await set.next()) {
    for (const stored of batch) yield async () => await renderStored(asked, set, stored)
  }
}

async function renderStored (asked: Asked, set: ObjectSet, stored: Stored): Promise<Part | undefined> {
  const source = await openSource(set, stored)
  const { category } = source
  if (category === undefined) return undefined
  const types = category === 'video' ? (await documentOf(set, source, category)).types : category === 'multi' ? ['image/jpeg', 'image/png'] : renderedTypes(category)
  const offer = choose(asked.ranges, renderedOffers(types, false))
  if (offer === undefined) return undefined
  return { ...await renderedAs(asked, source, category, offer), location: locationOf(asked, stored) }
}

function locationOf ({ parts, request }: Asked, { studyUid, seriesUid, sopInstanceUid }: Stored): string {
  return `${parts.base(request)}/studies/${studyUid}/series/${seriesUid}/instances/${sopInstanceUid}/rendered`
}

interface Frame {
  readonly partial?: boolean
  readonly warnings?: readonly string[]
  /** Whether all has come that was to come; asked at the end. */
  readonly judge?: () => boolean
}

async function sendAll (asked: Asked, renders: AsyncGenerator<Render>, { partial = false, warnings = [], judge = () => true }: Frame): Promise<void> {
  const { request, reply, set } = asked
  const results = ahead(renders)
  try {
    // While nothing has been sent, what is broken can still be told by a status: that of the first, if all are.
    const broken: RequestError[] = []
    let begun: Part | undefined
    while (begun === undefined) {
      const { done, value } = await results.next()
      if (done === true) throw broken[0] ?? new RequestError('RENDER_UNSUPPORTED', 'nothing of these objects can be shown as asked')
      if (value instanceof RequestError) broken.push(value)
      else begun = value
    }
    const boundary = newBoundary()
    reply.hijack()
    reply.raw.writeHead(partial ? 206 : 200, {
      ...reply.getHeaders(),
      'content-type': contentType(boundary, begun.type.split(';')[0]),
      'cache-control': CACHE_CONTROL,
      vary: varying(reply),
      ...warnings.length > 0 && { warning: warnings }
    } as OutgoingHttpHeaders)
    if (request.method === 'HEAD') {
      reply.raw.end()
      return
    }
    const out = new Outlet(reply.raw)
    try {
      let first = true
      const send = async (result: Part | RequestError): Promise<void> => {
        const part = result instanceof RequestError ? problemPart(result, request.headers['accept-language']) : result
        out.write([partHead(boundary, { 'Content-Type': part.type, ...part.location !== undefined && { 'Content-Location': part.location }, ...part.headers?.warning !== undefined && { Warning: part.headers.warning } }, first)])
        first = false
        await writePieces(set, out, part.pieces)
      }
      for (const result of [...broken, begun]) await send(result)
      for await (const result of results) await send(result)
      if (judge()) out.end(closing(boundary))
      else out.cut(new Error(`incomplete: ${sayCompleteness(set.completeness())}`))
    } catch (error) {
      if (!out.closed) reply.log.warn({ err: error }, 'an answer was cut')
      out.cut(error as Error)
    }
  } finally {
    await results.return(undefined)
  }
}

/**
 * Begins a few before their turn and gives them in order. A broken instance is given as its error; any
 * other failure, such as that of the disk, ends it.
 */
async function * ahead (renders: AsyncGenerator<Render>): AsyncGenerator<Part | RequestError> {
  const begun: Promise<Part | RequestError | undefined>[] = []
  let exhausted = false
  try {
    while (true) {
      while (!exhausted && begun.length < AHEAD_MAX) {
        const next = await renders.next()
        if (next.done === true) exhausted = true
        else begun.push(next.value().catch(brokenOnly))
        begun.at(-1)?.catch(() => {})
      }
      const first = begun.shift()
      if (first === undefined) return
      const result = await first
      if (result !== undefined) yield result
    }
  } finally {
    await renders.return(undefined)
  }
}

function brokenOnly (error: unknown): RequestError {
  if (error instanceof RequestError) return error
  throw error
}

function problemPart (error: RequestError, language: string | undefined): Part {
  return { type: 'application/problem+json', pieces: [Buffer.from(JSON.stringify(problem(error, language).body))] }
}
