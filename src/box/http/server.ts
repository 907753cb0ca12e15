/**
 * The HTTP side: Fastify with our limits, and every error told as a problem with a stable code.
 *
 * Source: RFC 9457, RFC 9110.
 */

import Fastify, { LogController, type FastifyInstance, type FastifyReply } from 'fastify'
import type { Logger } from 'pino'
import { DrimboxError, RequestError } from '#core/errors.ts'
import { problem } from '#standards/dicomweb/problem.ts'

/** Ten Accept ranges of the national profile take 1.3 KB; a bearer token seldom more than 4 KB. */
const HEADER_BYTES_MAX = 32 << 10
/** For the whole request head; a caller slower than this isn't one. In milliseconds. */
const REQUEST_MS = 30_000
/** An idle connection stays open longer than the front keeps one, so that the front is never surprised. */
const KEEP_ALIVE_MS = 75_000
/** Three UIDs of 64 characters and 100 frame numbers. */
const PATH_PARAMETER_MAX = 1024

export interface HttpSettings {
  readonly connectionsMax: number
}

export function httpServer ({ connectionsMax }: HttpSettings, log: Logger): FastifyInstance {
  const app = Fastify({
    loggerInstance: log,
    logController: new LogController({ disableRequestLogging: true }),
    exposeHeadRoutes: false,
    bodyLimit: 1 << 20,
    routerOptions: { maxParamLength: PATH_PARAMETER_MAX, ignoreTrailingSlash: true },
    requestTimeout: REQUEST_MS,
    keepAliveTimeout: KEEP_ALIVE_MS,
    http: { maxHeaderSize: HEADER_BYTES_MAX, noDelay: true }
  }) as unknown as FastifyInstance
  app.server.maxConnections = connectionsMax
  app.setErrorHandler(async (error, request, reply) => {
    await sendProblem(reply, fromFastify(error), request.headers['accept-language'])
  })
  app.setNotFoundHandler(async (request, reply) => {
    const path = request.url.split('?')[0].slice(0, 200)
    await sendProblem(reply, new RequestError('ROUTE_UNKNOWN', 'no such resource here', { facts: { path } }), request.headers['accept-language'])
  })
  return app
}

async function sendProblem (reply: FastifyReply, error: unknown, language: string | undefined): Promise<void> {
  const { status, headers, body } = problem(error, language)
  if (status >= 500) reply.log.warn({ code: body.code, err: error }, 'request failed')
  await reply.code(status).headers(headers).send(body)
}

/** What Fastify itself refuses, in our words. */
function fromFastify (error: unknown): unknown {
  if (error instanceof DrimboxError) return error
  const { statusCode, message } = error as { statusCode?: number, message?: string }
  if (statusCode === undefined || statusCode < 400 || statusCode >= 500) return error
  return new RequestError('QUERY_INVALID', message ?? 'the request cannot be read', { cause: error })
}
