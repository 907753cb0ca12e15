/**
 * An artifact on its way to a device: whole, or on from where the line broke.
 *
 * Source: RFC 9110 §13 (conditions), §14 (ranges). Mender's client goes on with `Range: bytes=N-` and
 * wants the exact Content-Range, and Content-Length with its first answer.
 */

import { open } from 'node:fs/promises'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { contentRange, parseByteRange } from '#standards/dicomweb/byte-range.ts'
import { isNotModified, isSameState, validatorHeaders } from '#standards/dicomweb/conditional.ts'
import { FleetError } from '../errors.ts'
import { LINK_PREFIX, type Links } from '../keys/link.ts'
import type { Store } from '../store/open-store.ts'
import type { Downloads } from './progress.ts'

/** Read from the disk at once. */
const READ_BYTES = 256 << 10

export interface DownloadParts {
  readonly store: Pick<Store, 'deployments' | 'releases'>
  readonly links: Pick<Links, 'check'>
  /** Path of an artifact's file. */
  readonly fileOf: (sha256: string) => string
  readonly downloads: Downloads
  readonly atOnceMax: number
  readonly retrySeconds: number
}

export function downloadRoutes (app: FastifyInstance, { store, links, fileOf, downloads, atOnceMax, retrySeconds }: DownloadParts): void {
  const answer = async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
    const { id } = request.params as { id: string }
    links.check(id, request.query as Record<string, unknown>)
    const deployment = store.deployments.get(id)
    if (deployment.isFinal) throw deployment.state === 'aborted' ? new FleetError('DEPLOYMENT_ABORTED', 'the deployment was aborted') : new FleetError('DEPLOYMENT_FINISHED', 'the deployment has ended')
    const { sha256, bytes, addedAt } = store.releases.get(deployment.releaseId)
    const validators = { etag: `"${sha256}"`, modifiedAt: addedAt }
    void reply.headers({ ...validatorHeaders(validators), 'accept-ranges': 'bytes', 'cache-control': 'private, no-transform' })
    if (isNotModified(request.headers, validators)) return await reply.code(304).send()
    const range = request.method === 'GET' && isSameState(request.headers, validators) ? parseByteRange(request.headers.range, bytes) : undefined
    const { from, end } = range ?? { from: 0, end: bytes }
    void reply.type('application/vnd.mender-artifact').header('content-length', end - from)
    if (request.method === 'HEAD') return await reply.send()
    if (range !== undefined) void reply.code(206).header('content-range', contentRange(range, bytes))
    if (downloads.atOnce >= atOnceMax) {
      for (const name of ['content-length', 'content-range', 'accept-ranges', 'etag', 'last-modified']) reply.removeHeader(name)
      throw new FleetError('TOO_MANY', 'too many downloads at once', { facts: { retryAfterSeconds: retrySeconds } })
    }
    downloads.atOnce += 1
    reply.raw.once('close', () => { downloads.atOnce -= 1 })
    const file = await open(fileOf(sha256))
    const stream = file.createReadStream({ start: from, end: end - 1, highWaterMark: READ_BYTES })
    // Whatever ends the answer, its file is closed with it.
    reply.raw.once('close', () => { stream.destroy() })
    downloads.begin(id, from, bytes, () => stream.bytesRead)
    request.log.info({ deployment: id, from, end, bytes }, 'a download begins')
    return await reply.send(stream)
  }

  app.route({ method: ['GET', 'HEAD'], url: `${LINK_PREFIX}/:id`, handler: answer })
}
