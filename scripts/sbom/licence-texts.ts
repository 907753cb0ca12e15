/**
 * The licence texts that travel in an image: one archive, since nobody reads them on the box itself.
 *
 * What is in it: `debian/<package>/copyright`, the texts that those refer to
 * (`common-licenses/GPL-2` …), `npm/<package>/LICENSE` and `node/LICENSE`. tar writes it in a fixed
 * order without times; Zstandard because the copyright files repeat each other over megabytes.
 */

import { execFileSync } from 'node:child_process'
import { copyFileSync, cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, relative } from 'node:path'
import { constants, zstdCompressSync } from 'node:zlib'

export interface Sources {
  /** Holds `<package>/copyright`. */
  readonly copyrights?: string
  /** Names of the packages wanted from there. */
  readonly packages: readonly string[]
  /** Holds `GPL-2` and the like. */
  readonly common?: string
  /** A service's folder with its node_modules. */
  readonly service?: string
  readonly node?: string
}

const LICENCE = /^(licen[cs]e|copying|notice)/i
/** A megabyte or two are worth half a second. */
const LEVEL = 19
/** Copyright files of one source package repeat far apart. */
const WINDOW_LOG = 23

/** @returns a tar archive, Zstandard-compressed; the same sources give the same bytes */
export function licenceTexts (sources: Sources): Buffer {
  const folder = mkdtempSync(join(tmpdir(), 'drimbox-licences-'))
  try {
    gather(sources, folder)
    const tar = execFileSync('tar', ['--sort=name', '--mtime=@0', '--owner=0', '--group=0', '--numeric-owner', '--mode=u=rwX,go=rX', '--format=ustar', '-C', folder, '-cf', '-', '.'], { maxBuffer: 256 * 1024 * 1024 })
    return zstdCompressSync(tar, { params: { [constants.ZSTD_c_compressionLevel]: LEVEL, [constants.ZSTD_c_windowLog]: WINDOW_LOG } })
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function gather ({ copyrights, packages, common, service, node }: Sources, folder: string): void {
  if (copyrights !== undefined) {
    for (const name of packages) {
      const from = join(copyrights, name, 'copyright')
      if (existsSync(from)) put(from, join(folder, 'debian', name, 'copyright'))
    }
  }
  if (common !== undefined) cpSync(common, join(folder, 'common-licenses'), { recursive: true, dereference: true })
  if (service !== undefined) {
    const modules = join(service, 'node_modules')
    for (const file of licenceFiles(modules)) put(file, join(folder, 'npm', relative(modules, file)))
  }
  if (node !== undefined && existsSync(node)) put(node, join(folder, 'node/LICENSE'))
}

function licenceFiles (folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile() && LICENCE.test(entry.name))
    .map(entry => join(entry.parentPath, entry.name))
}

function put (from: string, to: string): void {
  mkdirSync(dirname(to), { recursive: true })
  copyFileSync(from, to)
}
