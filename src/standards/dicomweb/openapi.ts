/**
 * A DICOMweb service as an OpenAPI document.
 *
 * Source: OpenAPI Specification 3.1.
 */

import { STATUS } from './problem.ts'
import { pathParameters, templated, type ServedRoute } from './served-route.ts'

export interface ApiInfo {
  readonly title: string
  readonly version: string
  readonly description: string
}

/** @param base URL of the service, absolute or from the root of this host on */
export function openApi (routes: readonly ServedRoute[], info: ApiInfo, base: string): object {
  const paths: Record<string, Record<string, object>> = {}
  for (const route of routes) (paths[templated(route.path)] ??= {})[route.method.toLowerCase()] = operation(route)
  return {
    openapi: '3.1.0',
    info,
    servers: [{ url: base === '' ? '/' : base }],
    paths,
    components: {
      responses: {
        Problem: {
          description: 'What went wrong, with a code that never changes.',
          content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } }
        }
      },
      schemas: {
        Problem: {
          type: 'object',
          description: 'RFC 9457',
          required: ['type', 'title', 'status', 'code'],
          properties: {
            type: { type: 'string' },
            title: { type: 'string' },
            status: { type: 'integer' },
            code: { type: 'string', enum: [...Object.keys(STATUS), 'INTERNAL'] },
            detail: { type: 'string' },
            facts: { type: 'object' }
          }
        },
        Uid: { type: 'string', description: 'DICOM UID (PS3.5 §9.1)', pattern: '^(0|[1-9][0-9]*)(\\.(0|[1-9][0-9]*))+$', maxLength: 64 }
      }
    }
  }
}

function operation ({ path, description }: ServedRoute): object {
  const { id, summary, section, query, headers, payload, answers, successes = [], failures = [] } = description
  return {
    operationId: id,
    summary,
    externalDocs: { description: section, url: `https://dicom.nema.org/medical/dicom/current/output/chtml/part18/${anchor(section)}.html` },
    parameters: [
      ...pathParameters(path).map(name => ({ name, in: 'path', required: true, schema: UIDS.has(name) ? { $ref: '#/components/schemas/Uid' } : { type: 'string' } })),
      ...parameters('query', query),
      ...parameters('header', headers)
    ],
    ...payload !== undefined && { requestBody: { required: true, content: contentOf(payload) } },
    responses: Object.fromEntries([
      ...[200, ...successes].map(status => [String(status), { description: SUCCESS[status] ?? 'success', ...status < 300 && answers.length > 0 && { content: contentOf(answers) } }]),
      ...[...new Set([400, 406, ...failures])].sort().map(status => [String(status), { $ref: '#/components/responses/Problem' }]),
      ['default', { $ref: '#/components/responses/Problem' }]
    ])
  }
}

/** OpenAPI has no Accept among its parameters: the media types of the answers say it. */
function parameters (place: string, object: { readonly properties: object, readonly required?: readonly string[] } | undefined): object[] {
  return Object.entries(object?.properties ?? {}).map(([name, { description, ...schema }]) => ({
    name, in: place, ...description !== undefined && { description }, required: object?.required?.includes(name) === true, schema
  }))
}

function contentOf (mediaTypes: readonly string[]): object {
  return Object.fromEntries(mediaTypes.map(type => [type, { schema: /json$/.test(type) ? {} : { type: 'string', format: 'binary' } }]))
}

function anchor (section: string): string {
  const [, number] = /§([\d.]+)/.exec(section) ?? []
  return number === undefined ? 'PS3.18' : number.includes('.') ? `sect_${number}` : `chapter_${number}`
}

const UIDS = new Set(['study', 'series', 'instance'])
const SUCCESS: Readonly<Record<number, string>> = {
  200: 'The whole of it.',
  202: 'Some of it was taken.',
  204: 'Nothing to tell.',
  206: 'A byte range, or what there is of something that the PACS keeps some of back (see Warning).',
  304: 'The caller has it already.'
}
