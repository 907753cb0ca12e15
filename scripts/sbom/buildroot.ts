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
const NOT_SHIPPED = /^(skeleton.*|nodejs-release|linux-headers|gcc-final|gnu-efi|drimbox|boost-build|lmdbxx|tl-expected|json-for-modern-cpp)$/

export function buildrootPart (file: string): Part {
  const { components, dependencies = [] } = JSON.parse(readFileSync(file, 'utf8')) as Written
  const target = components.filter(({ name, properties = [] }) => properties.some(({ name, value }) => name === 'BR_TYPE' && value === 'target') && !NOT_SHIPPED.test(name))
  const refOf = (ref: string): string => `buildroot:${ref}`
  return {
    components: target.map(({ name, version, cpe, licenses = [], 'bom-ref': ref }): Component => ({
      type: name === 'linux' ? 'operating-system' : 'library',
      'bom-ref': refOf(ref),
      name,
      version,
      licenses: licenses.flatMap(({ license }) => license === undefined ? [] : [{ license: cleanOf(license.id ?? license.name ?? '') }]),
      ...(cpe === undefined ? {} : { cpe }),
      purl: `pkg:generic/${encodeURIComponent(name)}@${encodeURIComponent(version)}`
    })),
    needs: new Map(dependencies.map(({ ref, dependsOn = [] }) => [refOf(ref), dependsOn.map(refOf)]))
  }
}

/** `GPL-2.0+ (script)` in Buildroot's words: the name without its remark. */
function cleanOf (text: string): Licence {
  return licenceOf(text.replace(/\s*\(.*\)$/, ''))
}
