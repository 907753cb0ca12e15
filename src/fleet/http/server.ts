/**
 * The HTTP side: Fastify with our limits; bodies as the bytes that came, since a signature is over them;
 * every error told with its code, in the form that a Mender server has.
 *
 * Source: Mender device API, `Error` ({ error, request_id }); RFC 9110 §15, RFC 6585 §4 (429).
 */

import { readFile } from 'node:fs/promises'
import Fastify, { LogController, type FastifyInstance, type FastifyReply } from 'fastify'
import type { Logger } from 'pino'
import { DrimboxError, SettingError } from '#core/errors.ts'
import type { FleetConfig } from '../config.ts'
import { FleetError, titleOf, type FleetCode } from '../errors.ts'

/** A token takes 400, a signature of RSA-8192 1366. */
const HEADER_BYTES_MAX = 16 << 10
/** From the first byte of a request to its last: a log of 4 MB on a line of 1 Mbit/s, in milliseconds. */
const REQUEST_MS = 60_000
/** A device that takes nothing of a download for so long has gone: it resumes where it was. In milliseconds. */
const SILENCE_MS = 300_000
const KEEP_ALIVE_MS = 75_000
/** What most routes take; those that take more say so. */
const BODY_BYTES_MAX = 64 << 10
/** When the server closes, downloads under way may go on for so long, in milliseconds: devices resume them. */
const DRAIN_MS = 2000

export interface ServerOptions {
  readonly connectionsMax: number
  readonly tls?: FleetConfig['http']['tls']
  /** Artifacts are uploaded here: a request lasts as long as it takes. */
  readonly takesUploads?: boolean
}

/** @throws SettingError when the certificate or its key can't be read */
export async function fleetServer ({ connectionsMax, tls, takesUploads = false }: ServerOptions, log: Logger): Promise<FastifyInstance> {
  const app = Fastify({
    loggerInstance: log,
    logController: new LogController({ disableRequestLogging: true }),
    exposeHeadRoutes: false,
    bodyLimit: BODY_BYTES_MAX,
    requestTimeout: takesUploads ? 0 : REQUEST_MS,
    connectionTimeout: SILENCE_MS,
    keepAliveTimeout: KEEP_ALIVE_MS,
    requestIdHeader: false,
    ...tls === undefined ? { http: { maxHeaderSize: HEADER_BYTES_MAX } } : { https: { ...await readTls(tls), maxHeaderSize: HEADER_BYTES_MAX } },
    frameworkErrors: (error, _request, reply) => { sendError(reply as unknown as FastifyReply, error) }
  }) as unknown as FastifyInstance
  app.server.maxConnections = connectionsMax
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, async (_request: unknown, body: Buffer) => body)
  app.setErrorHandler(async (error, _request, reply) => { sendError(reply, error); return reply })
  app.setNotFoundHandler(async (_request, reply) => { sendError(reply, new FleetError('ROUTE_UNKNOWN', 'no such resource here')); return reply })
  app.addHook('preClose', done => {
    setTimeout(() => { app.server.closeAllConnections() }, DRAIN_MS).unref()
    done()
  })
  return app
}

async function readTls ({ certFile, keyFile }: NonNullable<FleetConfig['http']['tls']>): Promise<{ cert: Buffer, key: Buffer, minVersion: 'TLSv1.2' }> {
  try {
    return { cert: await readFile(certFile), key: await readFile(keyFile), minVersion: 'TLSv1.2' }
  } catch (error) {
    throw new SettingError('the certificate or its key cannot be read', { cause: error, facts: { certFile, keyFile } })
  }
}

function sendError (reply: FastifyReply, error: unknown): void {
  const known = inOurWords(error)
  const code: FleetCode = known?.code ?? 'INTERNAL'
  const status = known?.status ?? 500
  if (status >= 500) reply.log.error({ code, err: error }, 'request failed')
  else reply.log.debug({ code, facts: known?.facts }, 'request refused')
  const { retryAfterSeconds, bytes } = known?.facts ?? {}
  if (typeof retryAfterSeconds === 'number') reply.header('retry-after', String(Math.ceil(retryAfterSeconds)))
  if (status === 416 && typeof bytes === 'number') reply.header('content-range', `bytes */${bytes}`)
  if (status === 401) reply.header('www-authenticate', 'Bearer')
  // A body that isn't taken may still be on its way.
  if (status === 413) reply.header('connection', 'close')
  void reply.code(status).header('cache-control', 'no-store').type('application/json').serializer(JSON.stringify).send({
    error: known?.message ?? 'internal error',
    request_id: reply.request.id,
    code,
    title: titleOf(code, /^en/i.test(reply.request.headers['accept-language'] ?? '') ? 'en' : 'fr'),
    ...known !== undefined && Object.keys(known.facts).length > 0 && { facts: known.facts }
  })
}

/** What Fastify refuses by itself; whatever else isn't ours may carry paths or SQL, and is told as INTERNAL. */
function inOurWords (error: unknown): FleetError | undefined {
  if (error instanceof FleetError) return error
  // Of the byte ranges and conditions that standards/dicomweb reads for us.
  if (error instanceof DrimboxError && (error.code === 'RANGE_UNSATISFIABLE' || error.code === 'PRECONDITION_FAILED')) return new FleetError(error.code, error.message, { facts: error.facts })
  const { statusCode } = error as { statusCode?: number }
  if (statusCode === 413) return new FleetError('BODY_TOO_LARGE', 'the body is too large')
  if (statusCode === 415) return new FleetError('MEDIA_UNSUPPORTED', 'the body is of a type that is not taken')
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500) return new FleetError('REQUEST_UNREADABLE', 'the request cannot be read')
  return undefined
}
