/**
 * The npm packages that run on a box, as components.
 *
 * Source: package-lock.json (lockfileVersion 3): versions, licences, digests, who needs whom. Where a
 * root tree is given, only what really lies in it is listed.
 */

import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Component, Part } from './bom.ts'

interface Locked {
  readonly version?: string
  readonly license?: string
  readonly integrity?: string
  readonly dev?: boolean
  readonly dependencies?: Readonly<Record<string, string>>
  readonly optionalDependencies?: Readonly<Record<string, string>>
}
export interface Lock { readonly packages: Readonly<Record<string, Locked>> }

/** @param service the service's folder in a root tree, or undefined: the whole production tree of the lock */
export function npmPart (lock: Lock, service: string | undefined): Part {
  const here = Object.entries(lock.packages).filter(([path, locked]) =>
    path !== '' && locked.dev !== true && locked.version !== undefined && (service === undefined || existsSync(join(service, path, 'package.json'))))
  const paths = new Set(here.map(([path]) => path))
  const refOf = (path: string): string => purlOf(nameOf(path), lock.packages[path]?.version ?? '')
  const needs = new Map<string, string[]>()
  for (const [path, locked] of here) {
    const wanted = Object.keys({ ...locked.dependencies, ...locked.optionalDependencies })
    needs.set(refOf(path), wanted.map(name => resolve(name, path, paths)).filter(found => found !== undefined).map(refOf))
  }
  return { components: here.map(([path, locked]) => componentOf(nameOf(path), locked)), needs }
}

function componentOf (name: string, { version = '', license, integrity }: Locked): Component {
  const purl = purlOf(name, version)
  const [algorithm, digest] = integrity?.split('-') ?? []
  return {
    type: 'library',
    'bom-ref': purl,
    name,
    version,
    ...(algorithm === 'sha512' && digest !== undefined ? { hashes: [{ alg: 'SHA-512', content: Buffer.from(digest, 'base64').toString('hex') }] } : {}),
    ...(license === undefined ? {} : { licenses: [/ (OR|AND|WITH) /.test(license) ? { expression: license } : { license: { id: license } }] }),
    purl
  }
}

/** Where Node finds `name` from a package at `from`: the nearest node_modules on the way up. */
function resolve (name: string, from: string, paths: ReadonlySet<string>): string | undefined {
  for (let folder = from; ; folder = dirname(folder)) {
    const path = folder === '.' ? `node_modules/${name}` : `${folder}/node_modules/${name}`
    if (paths.has(path)) return path
    if (folder === '.') return undefined
  }
}

function nameOf (path: string): string {
  return path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length)
}

/** Source: the package-URL specification; the scope's @ is escaped. */
function purlOf (name: string, version: string): string {
  return `pkg:npm/${name.replace('@', '%40')}@${version}`
}
