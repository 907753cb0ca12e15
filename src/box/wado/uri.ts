/**
 * Answers WADO-URI, with what the RESTful services make.
 *
 * Source: DICOM PS3.18 §9.1; Table 8.7.4-1 for what an object is given as when nobody says.
 */

import type { FastifyReply, FastifyRequest } from 'fastify'
import { RequestError } from '#core/errors.ts'
import { firstText } from '#standards/dicom/dataset.ts'
import { EXPLICIT_LE } from '#standards/dicom/transfer-syntax.ts'
import { assertUtf8 } from '#standards/dicomweb/utf8.ts'
import { parseWadoUri, type Query, type WadoUri } from '#standards/dicomweb/wado-uri.ts'
import type { Stored } from '../cache/stored.ts'
import type { Target } from '../pacs/object-set.ts'
import { serveExistence, type ExistenceParts } from './existence.ts'
import { hangUp, serveObjects } from './objects.ts'
import { openSource, type PictureSource } from './picture-source.ts'
import type { RenderParts } from './rendered-as.ts'
import { serveRendered } from './rendered.ts'

const DICOM = 'application/dicom'
/** PS3.18 Table 8.7.4-1: what each kind is given as when nobody says; a film or a cine loop, whole. */
const DEFAULTS = { single: 'image/jpeg', multi: DICOM, video: DICOM, report: 'text/html', pdf: 'application/pdf', cda: 'text/xml' } as const

export async function serveUri (parts: RenderParts & ExistenceParts, request: FastifyRequest, reply: FastifyReply): Promise<void> {
  const asked = parseWadoUri(request.query as Query)
  assertUtf8((request.query as Query).charset)
  const target = { study: asked.study, series: asked.series, instance: asked.instance }
  if (request.method === 'HEAD' && !parts.supply.holds(target)) {
    await serveExistence(parts, request, reply, target)
    return
  }
  const source = await look(parts, request, reply, target)
  const wishes = asked.contentTypes.length > 0 ? asked.contentTypes : [defaultFor(asked, source)]
  let refusal: unknown
  // In the caller's order: the first that can be given.
  for (const type of wishes) {
    try {
      if (/^application\/(dicom\b(?!\+)|\*)|^\*\/\*/.test(type)) await giveObject(parts, request, reply, target, asked, type)
      else await givePicture(parts, request, reply, target, asked, type, source)
      return
    } catch (error) {
      if (!(error instanceof RequestError) || error.code !== 'ACCEPT_UNSUPPORTED') throw error
      refusal ??= error
    }
  }
  throw refusal
}

async function look ({ gate, supply }: RenderParts, request: FastifyRequest, reply: FastifyReply, target: Target): Promise<PictureSource> {
  await gate.admit(request.headers, target)
  const set = await supply.open(target, hangUp(reply))
  try {
    const [stored] = await set.next() as readonly Stored[]
    return await openSource(set, stored)
  } finally {
    set.close()
  }
}

function defaultFor ({ frame, transferSyntax }: WadoUri, { category }: PictureSource): string {
  if (transferSyntax !== undefined) return DICOM
  if (frame !== undefined) return 'image/jpeg'
  return category === undefined ? DICOM : DEFAULTS[category]
}

/** Who names no transfer syntax gets explicit little endian where that can be made (PS3.18 §9.1.2), else what is stored. */
async function giveObject (parts: RenderParts, request: FastifyRequest, reply: FastifyReply, target: Target, { transferSyntax }: WadoUri, type: string): Promise<void> {
  const named = transferSyntax ?? /transfer-syntax="?([\d.*]+)/.exec(type)?.[1]
  const serve = async (syntax: string): Promise<void> => { await serveObjects(parts, like(request, `${DICOM}; transfer-syntax=${syntax}`, {}), reply, target) }
  if (named !== undefined) {
    await serve(named)
    return
  }
  try {
    await serve(EXPLICIT_LE)
  } catch (error) {
    if (!(error instanceof RequestError) || !CANNOT_CONVERT.has(error.code) || reply.sent) throw error
    await serve('*')
  }
}

const CANNOT_CONVERT: ReadonlySet<string> = new Set(['ACCEPT_UNSUPPORTED', 'PIXELS_UNREADABLE', 'PIXELS_TOO_LARGE'])

async function givePicture (parts: RenderParts, request: FastifyRequest, reply: FastifyReply, target: Target, asked: WadoUri, type: string, source: PictureSource): Promise<void> {
  const viewport = viewportOf(asked, source)
  const query = { ...asked.rendering, ...viewport !== undefined && { viewport } }
  await serveRendered(parts, like(request, type, query), reply, target, asked.frame === undefined ? undefined : [asked.frame])
}

/**
 * Rows and columns are the largest that the picture may have (§9.1.2.2.6), a region is a part of the
 * image; rendered resources have both as one viewport, in pixels.
 */
function viewportOf ({ rows, columns, region }: WadoUri, { head }: PictureSource): string | undefined {
  if (rows === undefined && columns === undefined && region === undefined) return undefined
  const height = Number(firstText(head, '00280010') ?? 0)
  const width = Number(firstText(head, '00280011') ?? 0)
  if (!(height > 0 && width > 0)) return undefined
  const [left, top, right, bottom] = region ?? [0, 0, 1, 1]
  const [wide, high] = [Math.max(1, Math.round((right - left) * width)), Math.max(1, Math.round((bottom - top) * height))]
  const scale = Math.min(columns === undefined ? Infinity : columns / wide, rows === undefined ? Infinity : rows / high)
  const [w, h] = [wide, high].map(side => Math.max(1, Math.round(side * (scale === Infinity ? 1 : scale))))
  return region === undefined
    ? `${columns ?? w},${rows ?? h}`
    : `${w},${h},${Math.min(Math.round(left * width), width - wide)},${Math.min(Math.round(top * height), height - high)},${wide},${high}`
}

/** The same request as a RESTful one would be. */
function like (request: FastifyRequest, accept: string, query: Readonly<Record<string, string>>): FastifyRequest {
  return Object.create(request, {
    headers: { value: { ...request.headers, accept } },
    query: { value: query }
  }) as FastifyRequest
}
