/**
 * The HTTP side: Fastify with our limits, and every error told as a problem with a stable code.
 *
 * Source: RFC 9457, RFC 9110.
 */

import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import Fastify, { LogController, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import type { Logger } from 'pino'
import { DrimboxError, RequestError } from '#core/errors.ts'
import { problem } from '#standards/dicomweb/problem.ts'

/** Ten Accept ranges of the national profile take 1.3 KB; a bearer token seldom more than 4 KB. */
const HEADER_BYTES_MAX = 32 << 10
/** For the whole request; a caller slower than this isn't one. In milliseconds. */
const REQUEST_MS = 30_000
/** Where bodies are taken, a request may last as long as the largest object on the slowest line. In milliseconds. */
const UPLOAD_MS = 12 * 3600_000
/** An idle connection stays open longer than the front keeps one, so that the front is never surprised. */
const KEEP_ALIVE_MS = 75_000
/** Some 4000 frame numbers; a UID is judged by itself. */
const PATH_PARAMETER_MAX = 20 << 10
/** When the box closes, answers under way may go on for so long, in milliseconds. */
const DRAIN_MS = 30_000

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The route reads its body itself, however long it lasts. */
    takesUpload?: boolean
  }
}

export interface HttpSettings {
  readonly connectionsMax: number
  /** Some routes take bodies that last; they see themselves to callers that don't go on. */
  readonly takesUploads?: boolean
  /** UNIX socket that it will listen on: then only a front reaches it, and is believed who called, and how. */
  readonly socket?: string
}

export function httpServer ({ connectionsMax, takesUploads = false, socket }: HttpSettings, log: Logger): FastifyInstance {
  const app = Fastify({
    loggerInstance: log,
    logController: new LogController({ disableRequestLogging: true }),
    exposeHeadRoutes: false,
    bodyLimit: 1 << 20,
    trustProxy: socket !== undefined,
    routerOptions: { maxParamLength: PATH_PARAMETER_MAX, ignoreTrailingSlash: true },
    requestTimeout: takesUploads ? UPLOAD_MS : REQUEST_MS,
    keepAliveTimeout: KEEP_ALIVE_MS,
    http: { maxHeaderSize: HEADER_BYTES_MAX, headersTimeout: REQUEST_MS, noDelay: true },
    clientErrorHandler: refuseUnreadable,
    // An URL that cannot be decoded never reaches the error handler.
    frameworkErrors: (error, request, reply) => { void sendProblem(reply as unknown as FastifyReply, fromFastify(error), request.headers['accept-language']) }
  }) as unknown as FastifyInstance
  app.server.maxConnections = connectionsMax
  app.setErrorHandler(async (error, request, reply) => {
    await sendProblem(reply, fromFastify(error), request.headers['accept-language'])
  })
  app.setNotFoundHandler(async (request, reply) => {
    const error = USUAL.has(request.method)
      ? new RequestError('ROUTE_UNKNOWN', 'no such resource here')
      : new RequestError('NOT_OFFERED', 'this method is not served', { facts: { method: request.method } })
    await sendProblem(reply, error, request.headers['accept-language'])
  })
  if (takesUploads) app.addHook('onRequest', hurry)
  app.addHook('preClose', done => {
    setTimeout(() => { app.server.closeAllConnections() }, DRAIN_MS).unref()
    done()
  })
  return app
}

/** What is asked with another method is no resource of HTTP's (RFC 9110 §15.6.2). */
const USUAL = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])
/** A body that nobody waits for must not hold its connection for as long as an upload may. */
function hurry (request: FastifyRequest, _reply: FastifyReply, done: () => void): void {
  const { raw, headers, routeOptions } = request
  if ((headers['content-length'] !== undefined || headers['transfer-encoding'] !== undefined) && routeOptions.config.takesUpload !== true) {
    const timer = setTimeout(() => { raw.socket.destroy() }, REQUEST_MS).unref()
    const stop = (): void => { clearTimeout(timer) }
    raw.once('end', stop).once('close', stop)
  }
  done()
}

async function sendProblem (reply: FastifyReply, error: unknown, language: string | undefined): Promise<void> {
  const { status, headers, body } = problem(error, language)
  if (status >= 500) reply.log.warn({ code: body.code, err: error }, 'request failed')
  // As text: Fastify would add a charset, which this media type doesn't have.
  await reply.code(status).headers(headers).serializer(JSON.stringify).send(body)
}

/** What Fastify itself refuses, in our words: its own may quote the caller. */
function fromFastify (error: unknown): unknown {
  if (error instanceof DrimboxError) return error
  const { statusCode } = error as { statusCode?: number }
  if (statusCode === undefined || statusCode < 400 || statusCode >= 500) return error
  if (statusCode === 415) return new RequestError('MEDIA_UNSUPPORTED', 'the body is of a type that is not taken', { cause: error })
  return unreadable(error)
}

/** What isn't even a request: RFC 9110 §15.5, RFC 6585 §5. */
const STATUS_BY_CODE: Readonly<Record<string, number>> = { HPE_HEADER_OVERFLOW: 431, ERR_HTTP_REQUEST_TIMEOUT: 408 }

function refuseUnreadable (error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy()
    return
  }
  const { status: usual, headers, body } = problem(unreadable(error))
  const status = STATUS_BY_CODE[error.code ?? ''] ?? usual
  const text = JSON.stringify({ ...body, status })
  const lines = Object.entries({ ...headers, 'content-length': Buffer.byteLength(text), connection: 'close' }).map(([name, value]) => `${name}: ${value}\r\n`)
  // Destroyed once it has left: whoever sends such things need not be waited for.
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines.join('')}\r\n${text}`, () => { socket.destroy() })
}

function unreadable (cause: unknown): RequestError {
  return new RequestError('QUERY_INVALID', 'the request cannot be read', { cause })
}
