/**
 * Packages of a root tree made of Debian's, as components.
 *
 * Reads what os-image/debian/tree.sh wrote before it took the package manager out: packages.tsv and
 * the copyright files.
 */

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { licencesOf } from './copyright.ts'
import { order, type Component, type Licence, type Part } from './bom.ts'

/** Debian 13, as package URLs name it. */
const DISTRO = 'debian-13'

/**
 * Licences of source packages whose copyright file names none that a program can read, or fewer than
 * there are. Read by a person, from that file.
 */
const READ_BY_A_PERSON: Readonly<Record<string, readonly Licence[]>> = {
  'gcc-14': [{ id: 'GPL-3.0-or-later' }, { name: 'GPL-3.0-or-later with GCC Runtime Library Exception 3.1' }],
  gnutls28: [{ id: 'LGPL-2.1-or-later' }],
  krb5: [{ name: 'Kerberos (MIT and others)' }],
  'libtasn1-6': [{ id: 'LGPL-2.1-or-later' }],
  libxcrypt: [{ id: 'LGPL-2.1-or-later' }, { name: 'public-domain' }],
  'linux-signed-amd64': [{ id: 'GPL-2.0-only' }, { name: 'GPL-2.0-only with Linux-syscall-note' }],
  rtmpdump: [{ id: 'LGPL-2.1-or-later' }]
}

export interface Package {
  readonly name: string
  readonly version: string
  readonly architecture: string
  readonly source: string
  readonly sourceVersion: string
}

/** Reads packages.tsv: package, version, architecture, source, source version; more columns are let be. */
export function readPackages (file: string): Package[] {
  return readFileSync(file, 'utf8').split('\n').filter(line => line !== '').map((line, index) => {
    const [name, version, architecture, source, sourceVersion] = line.split('\t')
    if (name === undefined || version === undefined || architecture === undefined || source === undefined || sourceVersion === undefined) {
      throw new Error(`${file}: line ${index + 1} has too few columns`)
    }
    return { name, version, architecture, source, sourceVersion }
  })
}

/** Packages as files of a folder, `name_version_architecture.deb`: the name of the source is not in there. */
export function packageFiles (folder: string): Package[] {
  return readdirSync(folder).filter(file => file.endsWith('.deb')).sort(order).map(file => {
    const [name = '', version = '', architecture = ''] = file.slice(0, -'.deb'.length).split('_')
    const plain = decodeURIComponent(version)
    return { name, version: plain, architecture, source: name, sourceVersion: plain }
  })
}

/**
 * @param copyrights the folder that holds `<package>/copyright`, or undefined: no licences then
 */
export function debianPart (packages: readonly Package[], copyrights: string | undefined): Part {
  return { components: packages.map(one => componentOf(one, copyrights)) }
}

function componentOf ({ name, version, architecture, source, sourceVersion }: Package, copyrights: string | undefined): Component {
  const purl = `pkg:deb/debian/${encodeURIComponent(name)}@${encodeURIComponent(version)}?arch=${architecture}&distro=${DISTRO}`
  const licences = READ_BY_A_PERSON[source] ?? (copyrights === undefined ? [] : licencesOf(copyrightText(copyrights, name)))
  return {
    type: name.startsWith('linux-image-') ? 'operating-system' : 'library',
    'bom-ref': purl,
    name,
    version,
    ...(licences.length > 0 ? { licenses: licences.map(license => ({ license })) } : {}),
    purl,
    properties: [{ name: 'debian:source', value: source }, { name: 'debian:source-version', value: sourceVersion }]
  }
}

function copyrightText (folder: string, name: string): string {
  try {
    return readFileSync(join(folder, name, 'copyright'), 'utf8')
  } catch {
    return ''
  }
}
