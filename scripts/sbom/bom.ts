/**
 * A bill of materials in CycloneDX 1.6: what is in it, and how its parts are put into one document.
 *
 * Source: ECMA-424 / CycloneDX 1.6, https://cyclonedx.org/docs/1.6/json/. Only what we write is typed.
 * Two calls with the same parts give the same bytes: the document travels in a reproducible image.
 */

import { createHash } from 'node:crypto'

/** An SPDX identifier, or the name that the package's own text gives. */
export type Licence = { readonly id: string } | { readonly name: string }

export interface Component {
  readonly type: 'application' | 'data' | 'firmware' | 'library' | 'operating-system'
  readonly name: string
  readonly version: string
  readonly purl?: string
  readonly cpe?: string
  readonly description?: string
  readonly licenses?: ReadonlyArray<{ readonly license: Licence } | { readonly expression: string }>
  readonly hashes?: ReadonlyArray<{ readonly alg: 'SHA-256' | 'SHA-512', readonly content: string }>
  readonly properties?: ReadonlyArray<{ readonly name: string, readonly value: string }>
  readonly components?: readonly Component[]
  readonly 'bom-ref': string
}

export interface Part {
  readonly components: readonly Component[]
  /** By `bom-ref`: what each is known to need. One without an entry is not known. */
  readonly needs?: ReadonlyMap<string, readonly string[]>
}

export interface Bom {
  readonly bomFormat: 'CycloneDX'
  readonly specVersion: '1.6'
  readonly serialNumber: string
  readonly version: 1
  readonly metadata: { readonly component: Component, readonly lifecycles: ReadonlyArray<{ readonly phase: 'build' }>, readonly properties?: Component['properties'] }
  readonly components: readonly Component[]
  readonly dependencies: ReadonlyArray<{ readonly ref: string, readonly dependsOn?: readonly string[] }>
}

/**
 * Puts parts into one document about one product. A component that two parts bring is kept once.
 *
 * @param version of the image, such as `0.1.0`
 */
export function bomOf (version: string, parts: readonly Part[]): Bom {
  const product: Component = { type: 'firmware', name: 'drimbox-edge', version, 'bom-ref': 'drimbox-edge' }
  const byRef = new Map<string, Component>()
  const needs = new Map<string, readonly string[]>()
  for (const part of parts) {
    for (const component of part.components) byRef.set(component['bom-ref'], component)
    for (const [ref, refs] of part.needs ?? []) needs.set(ref, refs)
  }
  const components = [...byRef.values()].sort((a, b) => order(a['bom-ref'], b['bom-ref']))
  const inner = new Set([...needs.values()].flat())
  const dependencies = [
    { ref: product['bom-ref'], dependsOn: components.map(component => component['bom-ref']).filter(ref => !inner.has(ref)) },
    ...components.map(component => {
      const ref = component['bom-ref']
      const known = needs.get(ref)
      return known === undefined ? { ref } : { ref, dependsOn: [...new Set(known)].filter(one => byRef.has(one)).sort(order) }
    })
  ]
  const body = { metadata: { lifecycles: [{ phase: 'build' as const }], component: product }, components, dependencies }
  return { bomFormat: 'CycloneDX', specVersion: '1.6', serialNumber: serialOf(JSON.stringify(body)), version: 1, ...body }
}

/** One component to a line: a change of version is one line of a difference. */
export function textOf (bom: Bom): string {
  return JSON.stringify(bom, null, 1) + '\n'
}

/** An identifier of the content: the same content, the same number (RFC 9562 §5.8). */
function serialOf (content: string): string {
  const hex = createHash('sha256').update(content).digest('hex')
  const variant = '89ab'.charAt(Number.parseInt(hex.charAt(16), 16) & 3)
  return `urn:uuid:${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20, 32)}`
}

/** By code units, so that no machine's language changes the order. */
export function order (a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
