/**
 * What a FHIR server says around its resources: search results, and what went wrong.
 *
 * Source: HL7 FHIR R4 Bundle (searchset), OperationOutcome, §3.1.0.1.5 (errors).
 */

import type { Code } from '#core/errors.ts'
import { problem } from '#standards/dicomweb/problem.ts'
import type { Resource } from './imaging-study.ts'

export const FHIR_JSON = 'application/fhir+json'

export interface SearchPage {
  readonly matches: readonly { readonly url: string, readonly resource: Resource }[]
  readonly self: string
  readonly next?: string
  readonly previous?: string
  /** Where it is known. */
  readonly total?: number
  /** What the reader should know of the search. */
  readonly remarks: readonly string[]
}

export function searchset ({ matches, self, next, previous, total, remarks }: SearchPage): Resource {
  const entry = [
    ...matches.map(({ url, resource }) => ({ fullUrl: url, resource, search: { mode: 'match' } })),
    ...remarks.length === 0 ? [] : [{ resource: { resourceType: 'OperationOutcome', issue: remarks.map(text => ({ severity: 'warning', code: 'informational', details: { text } })) }, search: { mode: 'outcome' } }]
  ]
  return {
    resourceType: 'Bundle',
    type: 'searchset',
    ...total !== undefined && { total },
    link: [
      { relation: 'self', url: self },
      ...next === undefined ? [] : [{ relation: 'next', url: next }],
      ...previous === undefined ? [] : [{ relation: 'previous', url: previous }]
    ],
    // An empty array isn't FHIR.
    ...entry.length > 0 && { entry }
  }
}

/** Issue types of R4 for our codes; what isn't named is an exception of ours or the PACS's. */
const ISSUE: Partial<Record<Code | 'INTERNAL', string>> = {
  UID_INVALID: 'value',
  QUERY_INVALID: 'invalid',
  ACCEPT_INVALID: 'invalid',
  ACCEPT_UNSUPPORTED: 'not-supported',
  MEDIA_UNSUPPORTED: 'not-supported',
  METHOD_REFUSED: 'not-supported',
  NOT_OFFERED: 'not-supported',
  STUDY_UNKNOWN: 'not-found',
  ROUTE_UNKNOWN: 'not-found',
  TOKEN_REFUSED: 'login',
  PACS_TIMEOUT: 'timeout',
  PACS_UNREACHABLE: 'transient',
  PACS_RESTING: 'transient',
  BUSY: 'throttled',
  CLOSING: 'transient'
}

export interface Failure {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly resource: Resource
}

/** @param acceptLanguage French unless English is preferred */
export function operationOutcome (error: unknown, acceptLanguage: string | undefined): Failure {
  const { status, headers, body: { code, title, detail } } = problem(error, acceptLanguage)
  return {
    status,
    headers: { ...headers, 'content-type': FHIR_JSON },
    resource: {
      resourceType: 'OperationOutcome',
      language: headers['content-language'],
      issue: [{
        severity: status >= 500 ? 'fatal' : 'error',
        code: ISSUE[code] ?? 'exception',
        details: { coding: [{ system: 'urn:drimbox:problem', code }], text: title },
        ...detail !== undefined && { diagnostics: detail }
      }]
    }
  }
}
