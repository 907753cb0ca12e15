/**
 * What changed between two images, from their bills of materials: for whoever runs a box, French first.
 */

import { order, type Bom, type Component } from './bom.ts'

interface Changes { readonly added: Component[], readonly removed: Component[], readonly changed: Array<readonly [Component, Component]> }

/** By name and kind: a component whose version alone changed is a change, not two. */
export function changesOf (before: Bom, after: Bom): Changes {
  const old = keyed(before)
  const now = keyed(after)
  const changed: Array<readonly [Component, Component]> = []
  for (const [key, component] of now) {
    const was = old.get(key)
    if (was !== undefined && was.version !== component.version) changed.push([was, component])
  }
  return {
    added: [...now].filter(([key]) => !old.has(key)).map(([, component]) => component),
    removed: [...old].filter(([key]) => !now.has(key)).map(([, component]) => component),
    changed
  }
}

/** Markdown. */
export function releaseNotes (before: Bom, after: Bom): string {
  const { added, removed, changed } = changesOf(before, after)
  const from = before.metadata.component.version
  const to = after.metadata.component.version
  const table = (title: string, rows: readonly string[]): string => rows.length === 0 ? '' : `\n## ${title}\n\n${rows.join('\n')}\n`
  const body = table('Mis à jour / Updated', changed.map(([was, is]) => `- ${is.name}: ${was.version} → ${is.version}`)) +
    table('Ajouté / Added', added.map(({ name, version }) => `- ${name} ${version}`)) +
    table('Retiré / Removed', removed.map(({ name, version }) => `- ${name} ${version}`))
  return `# DRIMbox Edge ${from} → ${to}\n${body === '' ? '\nMêmes composants. / The same components.\n' : body}`
}

/** A kernel package carries its version in its name: it is one component that changes, not two. */
function keyed (bom: Bom): Map<string, Component> {
  const flat = bom.components.flatMap(component => [component, ...(component.components ?? []).map(inner => ({ ...inner, name: `${component.name}: ${inner.name}` }))])
  const entries = flat.map(component => {
    const kind = component['bom-ref'].split(/[:/@]/)[1] ?? ''
    return [`${kind} ${component.name.replace(/^(linux-image)-\d.*$/, '$1')}`, component] as const
  })
  // Two versions of one npm package can live side by side.
  const seen = new Map<string, Component>()
  for (const [key, component] of entries.sort(([a], [b]) => order(a, b))) {
    let free = key
    for (let n = 2; seen.has(free); n++) free = `${key} (${n})`
    seen.set(free, component)
  }
  return seen
}
