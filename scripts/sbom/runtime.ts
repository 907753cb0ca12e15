/**
 * What runs on a box and is neither a Debian nor an npm package: Node with what is compiled into it,
 * SQLite inside better-sqlite3, Mender's client, and the service itself.
 */

import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Component, Part } from './bom.ts'

/** Names in `process.versions` that are libraries inside Node, and the licence of each. */
const INSIDE_NODE: Readonly<Record<string, string>> = {
  ada: 'MIT',
  amaro: 'MIT',
  ares: 'MIT',
  brotli: 'MIT',
  llhttp: 'MIT',
  nghttp2: 'MIT',
  nghttp3: 'MIT',
  ngtcp2: 'MIT',
  openssl: 'Apache-2.0',
  simdjson: 'Apache-2.0',
  simdutf: 'MIT',
  sqlite: 'blessing',
  undici: 'MIT',
  uv: 'MIT',
  v8: 'BSD-3-Clause',
  zlib: 'Zlib',
  zstd: 'BSD-3-Clause'
}

/** Node, as it tells about itself. The one that runs this is the one that goes into the image. */
export function nodePart (versions: Readonly<Record<string, string | undefined>>): Part {
  const version = versions.node ?? ''
  const ref = `pkg:generic/node@${version}`
  const inside = Object.entries(INSIDE_NODE).flatMap(([name, id]): Component[] => {
    const inner = versions[name]
    return inner === undefined ? [] : [{ type: 'library', 'bom-ref': `${ref}#${name}`, name, version: inner, licenses: [{ license: { id } }] }]
  })
  return {
    components: [{
      type: 'application',
      'bom-ref': ref,
      name: 'node',
      version,
      licenses: [{ license: { id: 'MIT' } }],
      cpe: `cpe:2.3:a:nodejs:node.js:${version}:*:*:*:*:*:*:*`,
      purl: ref,
      components: inside
    }]
  }
}

/**
 * SQLite's own version, from the header that better-sqlite3 was compiled with.
 *
 * @param modules a node_modules folder at the desk: the image has no headers
 */
export function sqlitePart (modules: string): Part {
  const folder = join(modules, 'better-sqlite3/deps/sqlite3')
  const header = existsSync(folder) ? readFileSync(join(folder, 'sqlite3.h'), 'latin1') : ''
  const version = /^#define SQLITE_VERSION\s+"([\d.]+)"/m.exec(header)?.[1]
  if (version === undefined) throw new Error(`no version of SQLite in ${folder}`)
  const purl = `pkg:generic/sqlite@${version}`
  return { components: [{ type: 'library', 'bom-ref': purl, name: 'sqlite', version, licenses: [{ license: { id: 'blessing' } }], cpe: `cpe:2.3:a:sqlite:sqlite:${version}:*:*:*:*:*:*:*`, purl }] }
}

/** Mender's client as os-image/mender/build.sh left it: name, version and commit in .source.tsv. */
export function menderPart (folder: string): Part {
  const [, version, commit] = readFileSync(join(folder, '.source.tsv'), 'utf8').trim().split('\t')
  if (version === undefined || commit === undefined) throw new Error(`${folder}/.source.tsv has too few columns`)
  const purl = `pkg:github/mendersoftware/mender@${commit}`
  return {
    components: [{
      type: 'application',
      'bom-ref': purl,
      name: 'mender',
      version,
      licenses: [{ license: { id: 'Apache-2.0' } }],
      cpe: `cpe:2.3:a:northern.tech:mender:${version}:*:*:*:*:*:*:*`,
      purl,
      properties: [{ name: 'drimbox:commit', value: commit }]
    }]
  }
}

/** The gateway itself: ours. */
export function servicePart (version: string): Part {
  return { components: [{ type: 'application', 'bom-ref': 'drimbox-service', name: 'drimbox-service', version, licenses: [{ license: { name: 'Proprietary' } }] }] }
}
