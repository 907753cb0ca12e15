/**
 * Capabilities of a DICOMweb service, as WADL.
 *
 * Source: DICOM PS3.18 §8.9 and Annex H; Web Application Description Language (W3C submission of 2009).
 */

import { templated, type ServedRoute } from './served-route.ts'
import { xmlText } from '#standards/dicom/xml-text.ts'

interface Node {
  readonly segment: string
  readonly routes: ServedRoute[]
  readonly below: Map<string, Node>
}

/**
 * @param base absolute URL of the service, which the document names
 * @param under a path of the service: only what lies at and below it is described
 */
export function wadl (routes: readonly ServedRoute[], base: string, under: string = '/'): string {
  const root: Node = { segment: '', routes: [], below: new Map() }
  for (const route of routes) {
    if (!isUnder(route.path, under)) continue
    let node = root
    for (const segment of templated(route.path).split('/').filter(part => part !== '')) {
      let next = node.below.get(segment)
      if (next === undefined) node.below.set(segment, next = { segment, routes: [], below: new Map() })
      node = next
    }
    node.routes.push(route)
  }
  const lines = [
    '<?xml version="1.0" encoding="UTF-8"?>',
    '<application xmlns="http://wadl.dev.java.net/2009/02" xmlns:xsd="http://www.w3.org/2001/XMLSchema">',
    `  <resources base="${xmlText(base)}/">`
  ]
  if (root.routes.length > 0) lines.push('    <resource path="">', ...root.routes.flatMap(route => method(route, '      ')), '    </resource>')
  for (const node of root.below.values()) lines.push(...resource(node, '    '))
  return [...lines, '  </resources>', '</application>', ''].join('\n')
}

function isUnder (path: string, under: string): boolean {
  return under === '/' || path === under || path.startsWith(`${under}/`)
}

function resource ({ segment, routes, below }: Node, indent: string): string[] {
  const inner = `${indent}  `
  const parameters = [...segment.matchAll(/\{(\w+)\}/g)].map(([, name]) =>
    `${inner}<param name="${xmlText(name!)}" style="template" type="xsd:string" required="true"/>`)
  return [
    `${indent}<resource path="${xmlText(segment)}">`,
    ...parameters,
    ...routes.flatMap(route => method(route, inner)),
    ...[...below.values()].flatMap(node => resource(node, inner)),
    `${indent}</resource>`
  ]
}

function method ({ method: name, description }: ServedRoute, indent: string): string[] {
  const { id, summary, query, headers, payload = [], answers, successes = [] } = description
  const parameter = (style: string) => ([key, { description: text, type }]: [string, Described]): string =>
    `${indent}    <param name="${xmlText(key)}" style="${style}" type="xsd:${XSD[type ?? ''] ?? 'string'}"${text === undefined ? '/>' : `><doc>${xmlText(text)}</doc></param>`}`
  const representation = (mediaType: string): string => `${indent}    <representation mediaType="${xmlText(mediaType)}"/>`
  return [
    `${indent}<method name="${xmlText(name)}" id="${xmlText(id)}">`,
    `${indent}  <doc>${xmlText(summary)}</doc>`,
    `${indent}  <request>`,
    ...answers.length > 0 ? [`${indent}    <param name="Accept" style="header" type="xsd:string"><doc>${xmlText(answers.join(', '))}</doc></param>`] : [],
    ...described(headers).map(parameter('header')),
    ...described(query).map(parameter('query')),
    ...payload.map(representation),
    `${indent}  </request>`,
    `${indent}  <response status="${[200, ...successes].join(' ')}">`,
    ...answers.map(representation),
    `${indent}  </response>`,
    `${indent}</method>`
  ]
}

interface Described { readonly description?: string, readonly type?: string }

const XSD: Readonly<Record<string, string>> = { integer: 'integer', number: 'decimal', boolean: 'boolean' }

function described (object: { readonly properties: object } | undefined): [string, Described][] {
  return Object.entries(object?.properties ?? {}) as [string, Described][]
}
