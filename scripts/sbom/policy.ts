/**
 * Which licences may be in a box, and where.
 *
 * Two rules, because two things are shipped. What is loaded into our own process (the npm production
 * tree, Node) must leave us free to keep our source: permissive licences alone, from a closed list.
 * What runs as a process of its own (packages of the operating system) may be copyleft; its sources are
 * offered with the image. Licences that reach over a network or forbid a use are refused everywhere.
 *
 * docs/decisions/0093 says why.
 */

import type { Bom, Component } from './bom.ts'

/** Loaded into our process. Closed list: a new name is a decision, taken here. */
const IN_OUR_PROCESS = new Set(['0BSD', 'Apache-2.0', 'BlueOak-1.0.0', 'BSD-2-Clause', 'BSD-3-Clause', 'CC0-1.0', 'ISC', 'MIT', 'Unlicense', 'Zlib', 'blessing'])

/** Nowhere in a box. */
const REFUSED = /^(AGPL|SSPL|BUSL|Elastic|RSAL|PolyForm|CC-BY-NC|CC-BY-ND)|commons clause|non-?free|non-?commercial|no-?derivative|^JSON$/i

export type FindingCode = 'LICENCE_REFUSED' | 'LICENCE_UNKNOWN' | 'LICENCE_NOT_FOR_OUR_PROCESS'
export interface Finding { readonly code: FindingCode, readonly component: string, readonly detail: string }

/** Everything that breaks the policy; none is a clean image. */
export function findingsOf (bom: Bom): Finding[] {
  return all(bom.components).flatMap((component): Finding[] => {
    const name = `${component.name} ${component.version}`
    const names = licenceNames(component)
    if (names.length === 0) return [{ code: 'LICENCE_UNKNOWN', component: name, detail: 'names no licence' }]
    const refused = names.filter(one => REFUSED.test(one))
    if (refused.length > 0) return [{ code: 'LICENCE_REFUSED', component: name, detail: refused.join(', ') }]
    if (!inOurProcess(component)) return []
    const foreign = names.filter(one => !allowed(one))
    return foreign.length === 0 ? [] : [{ code: 'LICENCE_NOT_FOR_OUR_PROCESS', component: name, detail: foreign.join(', ') }]
  })
}

/** Components whose sources must be offered: any GNU licence among theirs. */
export function copyleft (bom: Bom): Component[] {
  return bom.components.filter(component => licenceNames(component).some(name => /\bL?GPL-/.test(name)))
}

/** Identifiers, names or expressions, as the document has them. */
export function licenceNames ({ licenses = [] }: Component): string[] {
  return licenses.map(one => 'expression' in one ? one.expression : 'id' in one.license ? one.license.id : one.license.name)
}

function inOurProcess ({ 'bom-ref': ref }: Component): boolean {
  return ref.startsWith('pkg:npm/') || ref.startsWith('pkg:generic/node@') || ref.startsWith('pkg:generic/sqlite@')
}

/** In an expression, OR leaves the choice to us and AND does not; SPDX 3 annex B. */
function allowed (name: string): boolean {
  return name.replace(/[()]/g, '').split(' OR ').some(choice => choice.split(' AND ').every(one => IN_OUR_PROCESS.has(one.trim())))
}

function all (components: readonly Component[]): Component[] {
  return components.flatMap(component => [component, ...all(component.components ?? [])])
}
