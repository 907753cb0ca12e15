/**
 * The status page's HTTP: three resources, read only, for anybody on the centre's network.
 *
 * Source: RFC 9110; Content Security Policy Level 3. Behind the front, which limits who calls how often.
 */

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Logger } from 'pino'
import { prefersEnglish } from '#standards/dicomweb/language.ts'
import { notFoundPage, statusPage, type Language } from './page.ts'
import type { Report } from './report.ts'
import { STYLE_HASH } from './style.ts'

/** The front adds a caller's certificate to what browsers send. */
const HEADER_BYTES_MAX = 16 << 10
/** Callers are the front, on this machine. Milliseconds. */
const REQUEST_MS = 10_000
const CONNECTIONS_MAX = 64
/** However many look, the machine is looked at once in this time. Milliseconds. */
const KEPT_MS = 1000

const HEADERS = {
  'cache-control': 'no-store',
  'content-security-policy': `default-src 'none'; style-src '${STYLE_HASH}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  connection: 'close'
} as const

export interface StatusParts {
  readonly look: () => Promise<Report>
  readonly log: Logger
  readonly now?: () => number
}

export function statusServer ({ look, log, now = Date.now }: StatusParts): Server {
  let kept: Promise<Report> | undefined
  let until = 0
  const recent = async (): Promise<Report> => {
    const time = now()
    // A clock that was set back must not keep an old state for hours.
    if (kept === undefined || time >= until || time < until - KEPT_MS) {
      kept = look()
      until = time + KEPT_MS
    }
    return await kept
  }
  const server = createServer({ maxHeaderSize: HEADER_BYTES_MAX, requestTimeout: REQUEST_MS, headersTimeout: REQUEST_MS, connectionsCheckingInterval: 1000 }, (request, response) => {
    void answer(request, response, recent, now).catch((error: unknown) => {
      kept = undefined
      log.error({ code: 'INTERNAL', err: error }, 'status failed')
      if (response.headersSent) response.destroy()
      else send(request, response, 500, 'application/problem+json', JSON.stringify({ type: 'urn:drimbox:problem:INTERNAL', title: 'Erreur interne / Internal error', status: 500, code: 'INTERNAL' }))
    })
  })
  server.maxConnections = CONNECTIONS_MAX
  return server
}

async function answer (request: IncomingMessage, response: ServerResponse, recent: () => Promise<Report>, now: () => number): Promise<void> {
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.setHeader('allow', 'GET, HEAD')
    send(request, response, 405, 'text/plain; charset=utf-8', 'GET, HEAD\n')
    return
  }
  const [path = '', query = ''] = (request.url ?? '').split('?', 2)
  const asked = new URLSearchParams(query)
  const language = languageOf(asked.get('lang'), request.headers['accept-language'])
  if (path === '/status.json') {
    send(request, response, 200, 'application/json', `${JSON.stringify(await recent(), null, 2)}\n`)
    return
  }
  response.setHeader('content-language', language)
  response.setHeader('vary', 'Accept-Language')
  if (path !== '/' && path !== '/status' && path !== '/status/') {
    send(request, response, 404, 'text/html; charset=utf-8', notFoundPage(language))
    return
  }
  const body = statusPage(await recent(), { language, refreshes: asked.get('refresh') !== 'off', now: now() })
  send(request, response, 200, 'text/html; charset=utf-8', body)
}

/** French, unless English is asked for or preferred. */
function languageOf (asked: string | null, accepted: string | undefined): Language {
  if (asked === 'fr' || asked === 'en') return asked
  return prefersEnglish(accepted) ? 'en' : 'fr'
}

function send ({ method }: IncomingMessage, response: ServerResponse, status: number, type: string, body: string): void {
  response.writeHead(status, { ...HEADERS, 'content-type': type, 'content-length': Buffer.byteLength(body) })
  response.end(method === 'HEAD' ? undefined : body)
}
