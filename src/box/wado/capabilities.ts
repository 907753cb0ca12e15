/**
 * What this service can do, for programs: WADL as the standard wants it, OpenAPI besides.
 *
 * Source: DICOM PS3.18 §8.9 (Retrieve Capabilities), Annex H.
 */

import type { FastifyReply, FastifyRequest } from 'fastify'
import { RequestError } from '#core/errors.ts'
import { choose, parseAccept } from '#standards/dicomweb/accept.ts'
import { openApi } from '#standards/dicomweb/openapi.ts'
import type { ServedRoute } from '#standards/dicomweb/served-route.ts'
import { wadl } from '#standards/dicomweb/wadl.ts'
import { acceptParameter } from './objects.ts'

export const WADL_TYPE = 'application/vnd.sun.wadl+xml'

const OFFERS = [{ type: WADL_TYPE }, { type: 'application/json' }, { type: 'application/vnd.oai.openapi+json' }]

const INFO = {
  title: 'DRIMbox Edge',
  version: '0.1.0',
  description: 'The images of a centre\'s PACS over DICOMweb (DICOM PS3.18). HEAD and OPTIONS come with every resource.'
}

export interface CapabilityParts {
  readonly routes: readonly ServedRoute[]
  /** Absolute URL of the DICOMweb root, as this caller sees it. @throws RequestError */
  readonly base: (request: FastifyRequest) => string
  /** Path before the routes. */
  readonly prefix: string
}

/** @param path of the resource that was asked, as a pattern */
export function serveCapabilities ({ routes, base, prefix }: CapabilityParts, request: FastifyRequest, reply: FastifyReply, path: string): FastifyReply {
  const offer = choose(parseAccept(request.headers.accept, acceptParameter(request)), OFFERS)
  if (offer === undefined) throw new RequestError('ACCEPT_UNSUPPORTED', 'capabilities are given as WADL or OpenAPI', { facts: { offered: OFFERS.map(({ type }) => type) } })
  reply.header('vary', 'Accept').header('cache-control', 'no-cache').serializer(String).type(offer.type)
  return reply.send(offer.type === WADL_TYPE ? wadl(routes, base(request), path) : openApiText(routes, prefix))
}

/** As text, the same in every box: the address is told from the root of the host on. */
export function openApiText (routes: readonly ServedRoute[], prefix: string): string {
  return JSON.stringify(openApi(routes, INFO, prefix), undefined, 2) + '\n'
}
