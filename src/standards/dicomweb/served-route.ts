/**
 * What a service says of each of its routes: from it come the capabilities (WADL) and the OpenAPI
 * document, so that both say the same.
 *
 * Source: DICOM PS3.18 §8.9 and Annex H, OpenAPI 3.1.
 */

import type { TObject } from 'typebox'

export interface RouteDescription {
  /** Name of the transaction, as in PS3.18 Table H-1 without blanks: 'RetrieveStudyMetadata'. */
  readonly id: string
  /** One sentence. */
  readonly summary: string
  readonly section: string
  /** Query parameters, each with its description. */
  readonly query?: TObject
  /** Request headers besides Accept. */
  readonly headers?: TObject
  /** Media types of the request's payload. */
  readonly payload?: readonly string[]
  /** Media types of the answer. */
  readonly answers: readonly string[]
  /** Statuses of success besides 200. */
  readonly successes?: readonly number[]
  /** Statuses of failure that the resource is known for. */
  readonly failures?: readonly number[]
}

export interface ServedRoute {
  readonly method: string
  /** From the root of the service on, parameters as ':study', an asterisk for the rest. */
  readonly path: string
  readonly description: RouteDescription
}

/** Parameters of a path, in order: the asterisk is called 'path'. */
export function pathParameters (path: string): string[] {
  return [...path.matchAll(/:(\w+)|\*/g)].map(([, name]) => name ?? 'path')
}

/** As templates of RFC 6570 write it. */
export function templated (path: string): string {
  return path.replace(/:(\w+)/g, '{$1}').replace('*', '{path}')
}
