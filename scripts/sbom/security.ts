/**
 * Packages of the image for which Debian has a newer version today: each is a known defect that the
 * image still has, since a stable Debian changes nothing else.
 *
 * This is what can be known from Debian's package index alone. Which vulnerability it is, and those
 * that Debian has not mended, is in Debian's security tracker (tool: debsecan), asked where it can be
 * reached.
 */

import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Package } from './debian.ts'

const call = promisify(execFile)
const OUTPUT_BYTES_MAX = 512 * 1024 * 1024

export interface Outdated { readonly name: string, readonly have: string, readonly now: string }
/** Package names and versions of a Debian index, of which the highest counts. */
export type Index = ReadonlyMap<string, readonly string[]>

/**
 * @param sources `deb …` lines of apt: the archive and its security pocket
 * @throws when apt can't fetch the index
 */
export async function debianIndex (sources: string): Promise<Index> {
  const folder = await mkdtemp(join(tmpdir(), 'drimbox-index-'))
  try {
    await mkdir(join(folder, 'lists/partial'), { recursive: true })
    await writeFile(join(folder, 'status'), '')
    await writeFile(join(folder, 'sources.list'), sources)
    await writeFile(join(folder, 'apt.conf'), [
      ['Dir::Etc::sourcelist', join(folder, 'sources.list')], ['Dir::Etc::sourceparts', '/nonexistent'],
      ['Dir::State::lists', join(folder, 'lists')], ['Dir::State::status', join(folder, 'status')], ['Dir::Cache', folder],
      ['Acquire::Languages', 'none'], ['APT::Sandbox::User', 'root'], ['APT::Architecture', 'amd64']
    ].map(([key, value]) => `${key} "${value}";\n`).join(''))
    const env = { ...process.env, APT_CONFIG: join(folder, 'apt.conf'), LC_ALL: 'C' }
    await call('apt-get', ['update', '-qq', '-o', 'APT::Update::Error-Mode=any'], { env })
    const { stdout } = await call('apt-cache', ['dumpavail'], { env, maxBuffer: OUTPUT_BYTES_MAX })
    return readIndex(stdout)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Reads paragraphs of `Package:` and `Version:`. */
export function readIndex (text: string): Index {
  const index = new Map<string, string[]>()
  let name = ''
  for (const line of text.split('\n')) {
    if (line.startsWith('Package: ')) name = line.slice('Package: '.length)
    else if (line.startsWith('Version: ')) index.set(name, [...index.get(name) ?? [], line.slice('Version: '.length)])
  }
  return index
}

/** Those of the image that the index has in a higher version, as dpkg orders versions. */
export async function outdated (packages: readonly Package[], index: Index): Promise<Outdated[]> {
  const found: Outdated[] = []
  for (const { name, version } of packages) {
    let now = version
    for (const other of index.get(name) ?? []) {
      if (other !== now && await higher(other, now)) now = other
    }
    if (now !== version) found.push({ name, have: version, now })
  }
  return found
}

async function higher (a: string, b: string): Promise<boolean> {
  try {
    await call('dpkg', ['--compare-versions', a, 'gt', b])
    return true
  } catch {
    return false
  }
}
