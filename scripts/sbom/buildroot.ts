/**
 * Packages of a root tree made by Buildroot, as components, from the document that Buildroot's own
 * utils/generate-cyclonedx writes of `make show-info`. Tools of the build machine are left out.
 *
 * Source: Buildroot 2026.02, utils/generate-cyclonedx: target packages carry the property BR_TYPE=target.
 */

import { readFileSync } from 'node:fs'
import type { Component, Licence, Part } from './bom.ts'
import { licenceOf } from './copyright.ts'

interface Written {
  readonly components: ReadonlyArray<Omit<Component, 'licenses'> & { readonly licenses?: ReadonlyArray<{ readonly license?: { readonly id?: string, readonly name?: string } }> }>
  readonly dependencies?: ReadonlyArray<{ readonly ref: string, readonly dependsOn?: readonly string[] }>
}

/** Packages that make the build and not the image (folders, headers, the compiler), and those that another part describes. */
const NOT_SHIPPED = /^(skeleton.*|nodejs-release|debian-binaries|linux-headers|gcc-final|gnu-efi|drimbox|boost-build|lmdbxx|tl-expected|json-for-modern-cpp)$/

/** A row of what os-image/external/debian/sources.py reports: whose source was built in the place of which version. */
interface Source { readonly package: string, readonly debian?: readonly string[] }

/** @param sources that report, where sources came out of Debian: it says which versions were really built */
export function buildrootPart (file: string, sources?: string): Part {
  const { components, dependencies = [] } = JSON.parse(readFileSync(file, 'utf8')) as Written
  const rows = sources === undefined ? [] : JSON.parse(readFileSync(sources, 'utf8')) as Source[]
  const built = new Map(rows.flatMap(({ package: name, debian }) => debian?.[1] === undefined ? [] : [[name, debian[1]] as const]))
  const target = components.filter(({ name, properties = [] }) => properties.some(({ name, value }) => name === 'BR_TYPE' && value === 'target') && !NOT_SHIPPED.test(name))
  const refOf = (ref: string): string => `buildroot:${ref}`
  return {
    components: target.map(({ name, version: wanted, cpe, licenses = [], 'bom-ref': ref }): Component => {
      const debian = built.get(name)
      const version = debian ?? wanted
      return {
        type: name === 'linux' ? 'operating-system' : 'library',
        'bom-ref': refOf(ref),
        name,
        version,
        licenses: licenses.flatMap(({ license }) => license === undefined ? [] : [{ license: cleanOf(license.id ?? license.name ?? '') }]),
        ...(cpe === undefined || debian !== undefined ? {} : { cpe }),
        purl: `pkg:generic/${encodeURIComponent(name)}@${encodeURIComponent(version)}`,
        ...(debian === undefined ? {} : { properties: [{ name: 'drimbox:source', value: `Debian's, in the place of ${wanted}` }] })
      }
    }),
    needs: new Map(dependencies.map(({ ref, dependsOn = [] }) => [refOf(ref), dependsOn.map(refOf)]))
  }
}

/** `GPL-2.0+ (script)` in Buildroot's words: the name without its remark. */
function cleanOf (text: string): Licence {
  return licenceOf(text.replace(/\s*\(.*\)$/, ''))
}
