/**
 * Lays Node and the service into a root tree: what runs is the sources as they stand, with those
 * npm packages that they reach, without the stand-ins, the fleet server and the tests.
 *
 *     node os-image/service.ts --tree=DIR [--arch=x64] [--without-node]
 *
 * test/image/service.test.ts imports every entry of a service laid like this.
 */

import { spawnSync } from 'node:child_process'
import { chmodSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { basename, dirname, join, relative } from 'node:path'
import { parseArgs } from 'node:util'

const project = join(import.meta.dirname, '..')
const { values } = parseArgs({
  options: {
    tree: { type: 'string' },
    arch: { type: 'string', default: 'x64' },
    'without-node': { type: 'boolean', default: false },
    help: { type: 'boolean', default: false }
  }
})
if (values.help || values.tree === undefined) {
  console.error('node os-image/service.ts --tree=DIR [--arch=x64|arm64] [--without-node]')
  process.exit(values.help ? 0 : 2)
}

/** Folders and files of src/ that stay at the desk. */
const DESK_ONLY = ['sim', 'sim.ts', 'fleet.ts']

/**
 * Packages of which a part suffices: what is kept, and whether their own dependencies are needed.
 * dcmjs: its dictionary alone is imported (docs/decisions/0002). better-sqlite3: the sources of
 * SQLite and the binaries of other machines are most of it; node-addon-api is headers. The codecs: each
 * comes in six builds, of which the sources name one or two.
 */
const PARTS: Readonly<Record<string, readonly string[]>> = {
  ...codecs(),
  pngjs: ['package.json', 'LICENSE', 'lib/'],
  dcmjs: ['package.json', 'License.txt', 'generate/'],
  'better-sqlite3': ['package.json', 'LICENSE', 'lib/', `prebuilds/linux-${values.arch}`]
}

/** What no package needs at run time. Licence texts stay. */
const SUPERFLUOUS_FOLDERS = new Set(['test', 'tests', '__tests__', 'docs', 'doc', 'example', 'examples', 'benchmark', 'benchmarks', 'bench', '.github', '.husky', 'coverage', 'node_modules'])
const SUPERFLUOUS_FILES = /\.(map|md|markdown|d\.ts|d\.mts|d\.cts|tsbuildinfo|flow|gyp|yml|yaml)$|^(\.npmignore|\.eslintrc.*|\.prettierrc.*|\.editorconfig|\.taprc|eslint\.config\..*|tsconfig.*\.json|Makefile)$/i
const LICENCE = /^(licen[cs]e|notice|copying)/i

const out = join(values.tree, 'usr/lib/drimbox/service')
rmSync(out, { recursive: true, force: true })
mkdirSync(out, { recursive: true })

cpSync(join(project, 'src'), join(out, 'src'), {
  recursive: true,
  filter: source => !DESK_ONLY.includes(relative(join(project, 'src'), source)) && !source.endsWith('.d.ts')
})

interface Manifest { name: string, version: string, license?: string, dependencies?: Record<string, string>, optionalDependencies?: Record<string, string>, imports?: Record<string, string> }
const manifestOf = (folder: string) => JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest
const own = manifestOf(project)

const reached = new Map<string, Manifest>()
for (const name of Object.keys(own.dependencies ?? {})) reach(name, project)
for (const folder of reached.keys()) copyPackage(folder)

const imports = Object.fromEntries(Object.entries(own.imports ?? {}).filter(([word]) => !/^#(sim|test)/.test(word)))
const { name, version, license, dependencies } = own
writeFileSync(join(out, 'package.json'), JSON.stringify({ name, version, license, private: true, type: 'module', imports, dependencies }, null, 2) + '\n')
plainModes(out)

if (!values['without-node']) {
  const node = join(values.tree, 'usr/bin/node')
  mkdirSync(dirname(node), { recursive: true })
  cpSync(join(project, 'node_modules/node/bin/node'), node, { dereference: true })
  // Symbols of functions are 30 MB; the table that add-ons link to stays.
  const strip = spawnSync(join(import.meta.dirname, 'in-builder.sh'), [`--bind=${values.tree}`, '--', 'strip', node], { stdio: 'inherit' })
  if (strip.status !== 0) process.exit(1)
  chmodSync(node, 0o755)
}

/** Finds a package as Node does, from the folder of the one that asks, and goes on with what it needs. */
function reach (name: string, from: string): void {
  let folder = from
  while (!existsSync(join(folder, 'node_modules', name, 'package.json'))) {
    if (folder === project) {
      // An optional one for another machine; a wanted one that is missing fails in the test.
      console.error(`service: ${name}, wanted by ${relative(project, from)}, is not installed`)
      process.exit(1)
    }
    folder = dirname(folder)
  }
  folder = join(folder, 'node_modules', name)
  if (reached.has(folder)) return
  const manifest = manifestOf(folder)
  reached.set(folder, manifest)
  if (name in PARTS) return
  for (const dependency of Object.keys(manifest.dependencies ?? {})) {
    if (!(dependency in (manifest.optionalDependencies ?? {}))) reach(dependency, folder)
  }
}

/** Of each codec, the files that our sources ask for by its exports (`@cornerstonejs/codec-charls/wasm`). */
function codecs (): Record<string, string[]> {
  const found: Record<string, string[]> = {}
  for (const file of readdirSync(join(project, 'src'), { recursive: true, encoding: 'utf8' })) {
    if (!file.endsWith('.ts')) continue
    for (const [, name = '', path = ''] of readFileSync(join(project, 'src', file), 'utf8').matchAll(/'(@cornerstonejs\/codec-[\w-]+)\/(\w+)'/g)) {
      const { exports } = JSON.parse(readFileSync(join(project, 'node_modules', name, 'package.json'), 'utf8')) as { exports: Record<string, string> }
      found[name] ??= ['package.json', 'LICENSE', 'README.md']
      found[name].push((exports[`./${path}`] as string).replace('./', ''))
    }
  }
  return found
}

function copyPackage (folder: string): void {
  const parts = PARTS[reached.get(folder)?.name ?? '']
  cpSync(folder, join(out, relative(project, folder)), {
    recursive: true,
    dereference: true,
    filter: source => {
      const path = relative(folder, source)
      if (path === '') return true
      if (parts !== undefined && !parts.some(part => `${path}/`.startsWith(part) || part.startsWith(`${path}/`))) return false
      const file = basename(source)
      if (LICENCE.test(file)) return true
      return !SUPERFLUOUS_FOLDERS.has(file) && !SUPERFLUOUS_FILES.test(file)
    }
  })
}

/** Modes must not depend on the umask of whoever builds; nothing in here is run by name. */
function plainModes (folder: string): void {
  chmodSync(folder, 0o755)
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) plainModes(path)
    else chmodSync(path, 0o644)
  }
}
