/**
 * Licences named by a Debian package's copyright file.
 *
 * Source: Debian's machine-readable format 1.0 (DEP-5), whose `License:` fields start with a short
 * name. Short names are Debian's; where one means an SPDX identifier it is written as that. A file in
 * free text yields the licences whose texts it points to below /usr/share/common-licenses.
 */

import { order, type Licence } from './bom.ts'

/** Debian's short names (lower case) and what people write for them. Versions of GPL and kin are below. */
const SPDX: Readonly<Record<string, string>> = {
  '0bsd': '0BSD',
  'apache-2': 'Apache-2.0',
  'apache-2.0': 'Apache-2.0',
  artistic: 'Artistic-1.0-Perl',
  beerware: 'Beerware',
  'bsd-2-clause': 'BSD-2-Clause',
  bsd2: 'BSD-2-Clause',
  'bsd-2-clause-netbsd': 'BSD-2-Clause',
  'bsd-3-clause': 'BSD-3-Clause',
  bsd3: 'BSD-3-Clause',
  'bsd-3-clause-attribution': 'BSD-3-Clause-Attribution',
  'bsd-4-clause': 'BSD-4-Clause',
  'bsd-4-clause-uc': 'BSD-4-Clause-UC',
  'bsl-1.0': 'BSL-1.0',
  cc0: 'CC0-1.0',
  'cc0-1.0': 'CC0-1.0',
  'cc-by-3.0': 'CC-BY-3.0',
  'cc-by-sa-4.0': 'CC-BY-SA-4.0',
  curl: 'curl',
  expat: 'MIT',
  fsfap: 'FSFAP',
  fsful: 'FSFUL',
  fsfullr: 'FSFULLR',
  'gfdl-niv-1.3': 'GFDL-1.3-no-invariants-only',
  'gfdl-niv-1.3+': 'GFDL-1.3-no-invariants-or-later',
  isc: 'ISC',
  mit: 'MIT',
  'mit-cmu': 'MIT-CMU',
  'mit/x11': 'X11',
  'mpl-1.1': 'MPL-1.1',
  'mpl-2.0': 'MPL-2.0',
  'oldap-2.8': 'OLDAP-2.8',
  'openldap-2.8': 'OLDAP-2.8',
  openssl: 'OpenSSL',
  python: 'Python-2.0',
  'unicode-dfs-2016': 'Unicode-DFS-2016',
  x11: 'X11',
  zlib: 'Zlib'
}
const GNU = /^(A?GPL|LGPL|GFDL)[-_ ]?v?(\d(?:\.\d)?)?(?:\.0)?(\+|-or-later|-only)?$/i
/** Names that say only "see there", and licence grants that say nothing about a licence. */
const NO_NAME = /^(|--.*--|none|verbatim|permissive.*|all-permissive|license:)$/i
const POINTER = /\/usr\/share\/common-licenses\/([A-Za-z]+(?:-[\d.]+\d)?)/g

/** The licences of one copyright file, each once, in a fixed order. */
export function licencesOf (text: string): Licence[] {
  const machine = /^Format:.*copyright-format/im.test(text)
  const names = machine
    ? [...text.matchAll(/^License:[ \t]*(.*)$/gim)].flatMap(([, name]) => alternatives(name ?? ''))
    : [...text.matchAll(POINTER)].map(([, name]) => (name ?? '').replace(/^BSD$/, 'BSD-3-clause'))
  const found = new Map<string, Licence>()
  for (const name of names) {
    if (NO_NAME.test(name)) continue
    const licence = licenceOf(name)
    found.set('id' in licence ? licence.id : licence.name, licence)
  }
  return [...found].sort(([a], [b]) => order(a, b)).map(([, licence]) => licence)
}

/** `GPL-2+ or BSD-3-clause, and Expat` names three licences; an exception belongs to the one before it. */
function alternatives (field: string): string[] {
  return field.split(/\s+(?:and\/or|and|or)\s+|\s*,\s*|\s*\|\s*/i).map(name => name.replace(/^(?:and|or)\s+/i, '').replaceAll('_', '-').trim())
}

/** What one short name means: an SPDX identifier where there is one, else the name as it stands. */
export function licenceOf (name: string): Licence {
  const plain = name.toLowerCase()
  const known = SPDX[plain]
  if (known !== undefined) return { id: known }
  const [, family, number, later] = GNU.exec(name) ?? []
  if (family !== undefined) {
    const version = number ?? '1'
    const full = version.includes('.') ? version : `${version}.0`
    // A GNU licence named without a version is that licence in any version (GPL-2 §9).
    const suffix = number === undefined || later === '+' || later === '-or-later' ? 'or-later' : 'only'
    const lowest = family.toUpperCase() === 'LGPL' && number === undefined ? '2.0' : full
    return { id: `${family.toUpperCase()}-${family.toUpperCase() === 'GFDL' && number === undefined ? '1.1' : lowest}-${suffix}` }
  }
  return { name }
}
