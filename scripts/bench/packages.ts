/**
 * The opponents come from Debian: installed here when they are missing and we may.
 */

import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { run } from './processes.ts'

/** A program of each package that we need. */
const PROGRAMS = { storescp: 'dcmtk', dcmqrscp: 'dcmtk', movescu: 'dcmtk', dcmdjpls: 'dcmtk', Orthanc: 'orthanc', nginx: 'nginx-light', wrk: 'wrk', ip: 'iproute2' } as const
const DICOMWEB_PLUGINS = ['/usr/share/orthanc/plugins/libOrthancDicomWeb.so', '/usr/lib/orthanc/libOrthancDicomWeb.so']

/** @throws Error that names what is missing, where we may not install it */
export async function installPeers (tell: (line: string) => void): Promise<void> {
  const missing = missingPackages()
  if (missing.length === 0) return
  if (process.getuid?.() !== 0 || !isInstalled('apt-get')) throw new Error(`these Debian packages are missing: ${missing.join(' ')}`)
  tell(`installing ${missing.join(', ')}`)
  const quietly = { DEBIAN_FRONTEND: 'noninteractive' }
  await run('apt-get', ['update', '-qq'], quietly)
  // Nothing is started that wasn't asked for: maintainer scripts look at the run level.
  await run('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...missing], { ...quietly, RUNLEVEL: '1' })
}

/** Orthanc's DICOMweb, where this Debian puts it. */
export function dicomwebPlugin (): string | undefined {
  return DICOMWEB_PLUGINS.find(path => existsSync(path))
}

function missingPackages (): string[] {
  const missing = new Set<string>(Object.entries(PROGRAMS).filter(([program]) => !isInstalled(program)).map(([, name]) => name))
  if (dicomwebPlugin() === undefined) missing.add('orthanc-dicomweb')
  return [...missing]
}

function isInstalled (program: string): boolean {
  return `${process.env.PATH ?? ''}${delimiter}/usr/sbin`.split(delimiter).some(folder => existsSync(join(folder, program)))
}
