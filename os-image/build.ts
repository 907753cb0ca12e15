/**
 * `make image-quick`: the appliance from Debian 13's packages, from nothing to an image that boots.
 * What has not changed since the last time is kept: builder, kernel, bare root tree, Mender's client.
 *
 *     node os-image/build.ts [--version=0.1.0] [--release=1] [--out=var/image/quick] [--over=DIR]… [--cmdline=WORDS]
 *
 * In --out: root.erofs, root.verity, uki.efi, esp.img, disk.img, manifest, update.mender, packages.tsv,
 * sbom.cdx.json (the bill of materials, which is in the image too) and build.json (what it is, which sizes and digests).
 */

import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { copyFileSync, createReadStream, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'

const image = import.meta.dirname
const project = join(image, '..')
const { values } = parseArgs({
  options: {
    version: { type: 'string', default: '0.1.0' },
    release: { type: 'string', default: '1' },
    out: { type: 'string', default: join(project, 'var/image/quick') },
    over: { type: 'string', multiple: true, default: [] },
    cmdline: { type: 'string', default: '' },
    help: { type: 'boolean', default: false }
  }
})
if (values.help) {
  console.log(readFileSync(import.meta.filename, 'utf8').split('*/')[0]?.replace(/^\/\*\*|^ \* ?/gm, '').trim())
  process.exit(0)
}
if (process.getuid?.() !== 0) {
  console.error('needs root: trees with owners of their own are made')
  process.exit(1)
}

const out = resolve(values.out)
const began = Date.now()
process.env.SOURCE_DATE_EPOCH ??= output('git', '-C', project, 'log', '-1', '--format=%ct')
mkdirSync(out, { recursive: true })

step('builder', 'debian/builder.sh')
step('keys', 'keys/make.sh')
const kernel = step('kernel', 'debian/kernel.sh')
const bare = step('bare root tree', 'debian/tree.sh')
const mender = existsSync(join(image, 'mender/build.sh')) ? step('Mender\'s client', 'mender/build.sh') : undefined

// The tree is made anew each time: a file that left appliance/rootfs leaves the image too.
const tree = `${out}.tree`
step('copy of the tree', 'debian/copy.sh', bare, tree)
step('finished tree', 'finish-tree.sh', `--tree=${tree}`, `--version=${values.version}`, `--release=${values.release}`,
  ...mender === undefined ? [] : [`--mender=${mender}`], ...values.over.map(over => `--over=${resolve(over)}`))
step('bill of materials', 'sbom.sh', '--install', `--tree=${tree}`, `--version=${values.version}`, `--meta=${bare}.meta`,
  ...mender === undefined ? [] : [`--mender=${mender}`])
step('assembly', 'assemble.sh', `--tree=${tree}`, `--kernel=${kernel}`, `--out=${out}`, `--version=${values.version}`,
  `--release=${values.release}`, `--cmdline=${values.cmdline}`)

copyFileSync(`${bare}.meta/packages.tsv`, join(out, 'packages.tsv'))
copyFileSync(join(tree, 'usr/share/drimbox/sbom.cdx.json'), join(out, 'sbom.cdx.json'))
const files: Record<string, { bytes: number, sha256: string }> = {}
for (const name of ['root.erofs', 'root.verity', 'uki.efi', 'disk.img', 'update.mender']) {
  files[name] = { bytes: statSync(join(out, name)).size, sha256: await digest(join(out, name)) }
}
const kernelPackage = readFileSync(join(kernel, 'package.tsv'), 'utf8').split('\t')
writeFileSync(join(out, 'build.json'), JSON.stringify({
  version: values.version,
  release: Number(values.release),
  commit: output('git', '-C', project, 'rev-parse', 'HEAD'),
  sourceDateEpoch: Number(process.env.SOURCE_DATE_EPOCH),
  node: output(join(project, 'node_modules/.bin/node'), '--version'),
  kernel: kernelPackage[1],
  mender: mender !== undefined,
  over: values.over,
  files
}, null, 2) + '\n')
console.log(`${out}: version ${values.version}, root ${mega('root.erofs')}, artifact ${mega('update.mender')}, ${((Date.now() - began) / 1000).toFixed(0)} s in all`)

/** Runs a script of this folder, says how long it took where that was noticeable. @returns the last line it printed */
function step (what: string, script: string, ...args: readonly string[]): string {
  const start = Date.now()
  const { status, stdout } = spawnSync(join(image, script), args, { stdio: ['ignore', 'pipe', 'inherit'], encoding: 'utf8' })
  if (status !== 0) {
    console.error(`${what}: os-image/${script} failed`)
    process.exit(1)
  }
  const seconds = (Date.now() - start) / 1000
  console.log(`${what.padEnd(26)} ${seconds.toFixed(1).padStart(6)} s${seconds < 0.5 ? '   kept' : ''}`)
  return stdout.trim().split('\n').at(-1) ?? ''
}

function output (program: string, ...args: readonly string[]): string {
  return spawnSync(program, args, { encoding: 'utf8' }).stdout.trim()
}

async function digest (file: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer)
  return hash.digest('hex')
}

function mega (name: string): string {
  return `${((files[name]?.bytes ?? 0) / 1e6).toFixed(2)} MB`
}
