/**
 * The URL of this service as its caller sees it, for addresses in answers.
 *
 * Source: RFC 9110 §7.2 (Host). What a caller writes in Host comes back to that caller alone, as far as
 * it is a host and a port; behind a front that others share, `http.publicUrl` says it once for all.
 */

import type { FastifyRequest } from 'fastify'
import { RequestError } from '#core/errors.ts'

export interface BaseUrlSettings {
  readonly prefix: string
  readonly publicUrl?: string
}

/** Names, IPv4, IPv6 in brackets; perhaps a port. */
const HOST = /^([A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(:\d{1,5})?$/

/** @throws RequestError QUERY_INVALID when Host is none */
export function baseUrl ({ prefix, publicUrl }: BaseUrlSettings): (request: FastifyRequest) => string {
  if (publicUrl !== undefined) return () => publicUrl
  return ({ protocol, host }) => {
    if (!HOST.test(host)) throw new RequestError('QUERY_INVALID', 'the Host header is no host')
    return `${protocol}://${host}${prefix}`
  }
}
