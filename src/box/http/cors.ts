/**
 * Viewers that another web site serves, in a browser: which of them may read here.
 *
 * Source: Fetch standard §3.2 (CORS protocol). Off unless `http.cors` names origins: on the centre's own
 * network a page from anywhere could otherwise read patients' images through its reader's browser.
 */

import cors, { type FastifyCorsOptions } from '@fastify/cors'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Config } from '../config.ts'

/** What a page may see besides the body: all that our answers say in headers. */
const EXPOSED = ['Accept-Ranges', 'Allow', 'Content-Encoding', 'Content-Length', 'Content-Location', 'Content-Range', 'ETag', 'Last-Modified', 'Location', 'Retry-After', 'Warning', 'WWW-Authenticate']
const ALLOWED = ['Accept', 'Accept-Language', 'Authorization', 'Content-Type', 'If-Match', 'If-Modified-Since', 'If-None-Match', 'If-Range', 'If-Unmodified-Since', 'KOS-SOPInstanceUID', 'Range']
const METHODS = ['GET', 'HEAD', 'POST', 'OPTIONS']

/** Before any route: a preflight is answered whatever it asks for. */
export async function allowOrigins (app: FastifyInstance, { origins, credentials, maxAgeSeconds }: NonNullable<Config['http']['cors']>): Promise<void> {
  const any = origins.includes('*')
  const options: FastifyCorsOptions = {
    origin: any ? '*' : [...origins],
    // A browser refuses both at once, and rightly (Fetch §3.2.5).
    credentials: credentials && !any,
    methods: METHODS,
    allowedHeaders: ALLOWED,
    exposedHeaders: EXPOSED,
    maxAge: maxAgeSeconds,
    strictPreflight: false
  }
  await app.register(cors, {
    delegator: (request: FastifyRequest, done: (error: Error | null, options: FastifyCorsOptions) => void) => {
      done(null, { ...options, preflight: isPreflight(request) })
    }
  })
}

/** Any other OPTIONS asks for capabilities. */
function isPreflight ({ method, headers }: FastifyRequest): boolean {
  return method === 'OPTIONS' && headers.origin !== undefined && headers['access-control-request-method'] !== undefined
}
