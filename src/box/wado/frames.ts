/**
 * Frames, by number, as they lie in the pack.
 *
 * Source: DICOM PS3.18 §10.4.1.1.3 and §8.7.3.
 */

import type { OutgoingHttpHeaders } from 'node:http'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { RequestError } from '#core/errors.ts'
import { decodeDataset } from '#standards/dicom/dataset.ts'
import { mapFrames } from '#standards/dicom/frames.ts'
import { objectAccept, parseAccept, type ObjectAccept } from '#standards/dicomweb/accept.ts'
import { frameMediaTypes } from '#standards/dicomweb/frame-media.ts'
import { closing, contentType, newBoundary, partHead } from '#standards/dicomweb/multipart.ts'
import type { Stored } from '../cache/stored.ts'
import type { ObjectSet, Target } from '../pacs/object-set.ts'
import { acceptParameter, hangUp, serveObjects, type ObjectParts } from './objects.ts'
import { Outlet } from './outlet.ts'

/** Answers one WADO-RS request for frames. */
export async function serveFrames (parts: ObjectParts, request: FastifyRequest, reply: FastifyReply, target: Required<Target>, frames: readonly number[]): Promise<void> {
  const ranges = parseAccept(request.headers.accept, acceptParameter(request))
  // The national samples ask for frames as application/dicom: they get the object that holds them.
  if (ranges.every(({ inner, type }) => (inner ?? type) === 'application/dicom')) {
    await serveObjects(parts, request, reply, target)
    return
  }
  await parts.gate.admit(request.headers, target)
  const set = await parts.supply.open(target, hangUp(reply))
  try {
    const [stored] = await set.next() as readonly Stored[]
    if (stored.pixelOffset === 0) throw new RequestError('FRAME_UNKNOWN', 'the instance has no pixel data', { facts: { instance: stored.sopInstanceUid } })
    const { accept, mediaType } = agreed(ranges, stored, frames.length === 1)
    const head = decodeDataset(await bytesOf(set, stored, stored.datasetOffset, stored.pixelOffset - stored.datasetOffset), stored.transferSyntaxUid, { stopAtPixelData: true })
    const map = await mapFrames(async (offset, length) => await bytesOf(set, stored, stored.datasetOffset + offset, length), {
      transferSyntaxUid: stored.transferSyntaxUid,
      datasetBytes: stored.length - stored.datasetOffset,
      pixelOffset: stored.pixelOffset - stored.datasetOffset,
      head
    })
    const ranged = frames.map(frame => ({ frame, ranges: map.ranges(frame) }))
    reply.hijack()
    const boundary = newBoundary()
    reply.raw.writeHead(200, { ...reply.getHeaders(), 'content-type': accept.multipart ? contentType(boundary, mediaType) : mediaType } as OutgoingHttpHeaders)
    const out = new Outlet(reply.raw)
    try {
      for (const [place, { ranges }] of ranged.entries()) {
        if (accept.multipart) {
          out.write([partHead(boundary, { 'Content-Type': `${mediaType}; transfer-syntax=${stored.transferSyntaxUid}` }, place === 0)])
        }
        for (const { offset, length } of ranges) await sendRange(set, out, stored, stored.datasetOffset + offset, length)
      }
      out.end(accept.multipart ? closing(boundary) : undefined)
    } catch (error) {
      out.cut(error as Error)
    }
  } finally {
    set.close()
  }
}

/** The form in which a frame of this syntax may leave: its own media type, or as plain bytes. */
function agreed (ranges: ReturnType<typeof parseAccept>, stored: Stored, single: boolean): { accept: ObjectAccept, mediaType: string } {
  const own = frameMediaTypes.get(stored.transferSyntaxUid)
  for (const mediaType of [own, 'application/octet-stream']) {
    if (mediaType === undefined) continue
    try {
      const accept = objectAccept(ranges, mediaType, single)
      if (accept.accepts(stored.transferSyntaxUid) > 0) return { accept, mediaType }
    } catch (error) {
      if (!(error instanceof RequestError) || error.code !== 'ACCEPT_UNSUPPORTED') throw error
    }
  }
  throw new RequestError('ACCEPT_UNSUPPORTED', 'the frames are held in a form that the caller does not accept', { facts: { held: stored.transferSyntaxUid } })
}

async function bytesOf (set: ObjectSet, stored: Stored, offset: number, length: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafe(length)
  await set.read(stored, offset, bytes)
  return bytes
}

async function sendRange (set: ObjectSet, out: Outlet, stored: Stored, offset: number, length: number): Promise<void> {
  for (let done = 0; done < length;) {
    const block = await out.block()
    const some = Math.min(block.length, length - done)
    await set.read(stored, offset + done, block, some)
    out.write([block.subarray(0, some)], block)
    await out.drained()
    done += some
  }
}
