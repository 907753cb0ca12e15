/**
 * The bill of materials of an image: what is in it, under which licence, and what is known to be old.
 *
 *     node scripts/sbom.ts                                  of the image last built (var/image/tree.base.meta), to var/sbom/
 *       --version=0.1.0         of the image
 *       --meta=DIR              packages.tsv and copyright.tar of a Debian tree
 *       --buildroot=FILE        or what os-image/external/check.sh wrote of a Buildroot configuration
 *       --sources=FILE          with it: what os-image/external/debian/sources.py reported
 *       --debs=DIR              with it: Debian's binary packages in the place of recipes
 *       --mender=DIR            what os-image/mender/build.sh printed; the newest in var/mender
 *       --tree=DIR              the finished root tree: only npm packages that lie in it are listed; var/image/quick.tree
 *       --install               writes into that tree: usr/share/drimbox/sbom.cdx.json, licences.tar.zst
 *       --out=DIR               else here; with report.md
 *       --against=FILE          an older image's document: release notes in release-notes.md
 *       --no-security           doesn't ask Debian's index what is newer today
 *
 * Exit 1: the document is not valid, or a licence breaks the policy (scripts/sbom/policy.ts).
 */

import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { bomOf, textOf, type Bom, type Part } from './sbom/bom.ts'
import { buildrootPart } from './sbom/buildroot.ts'
import { debianPart, packageFiles, readPackages } from './sbom/debian.ts'
import { licenceTexts } from './sbom/licence-texts.ts'
import { npmPart, type Lock } from './sbom/npm.ts'
import { copyleft, findingsOf } from './sbom/policy.ts'
import { releaseNotes } from './sbom/release-notes.ts'
import { menderPart, nodePart, servicePart, sqlitePart } from './sbom/runtime.ts'
import { debianIndex, outdated, type Outdated } from './sbom/security.ts'
import { validate } from './sbom/validate.ts'

const project = join(import.meta.dirname, '..')
const manifest = JSON.parse(readFileSync(join(project, 'package.json'), 'utf8')) as { version: string }
const { values } = parseArgs({
  options: {
    version: { type: 'string', default: manifest.version },
    meta: { type: 'string', default: join(project, 'var/image/tree.base.meta') },
    buildroot: { type: 'string' },
    sources: { type: 'string' },
    debs: { type: 'string' },
    mender: { type: 'string' },
    tree: { type: 'string' },
    install: { type: 'boolean', default: false },
    out: { type: 'string', default: join(project, 'var/sbom') },
    against: { type: 'string' },
    security: { type: 'boolean', default: true },
    help: { type: 'boolean', default: false }
  },
  allowNegative: true
})
if (values.help) {
  const [head = ''] = readFileSync(import.meta.filename, 'utf8').split('*/')
  console.log(head.replace(/^\/\*\*\n/, '').replace(/^ \* ?/gm, ''))
  process.exit(0)
}

const work = mkdtempSync(join(tmpdir(), 'drimbox-sbom-'))
try {
  await write()
} finally {
  rmSync(work, { recursive: true, force: true })
}

async function write (): Promise<void> {
  const debian = values.buildroot === undefined
  if (debian && !existsSync(join(values.meta, 'packages.tsv'))) fail(`no packages.tsv in ${values.meta}: build an image first, or name --meta=`)
  const packages = debian ? readPackages(join(values.meta, 'packages.tsv')) : values.debs === undefined ? [] : packageFiles(values.debs)
  const copyrights = debian ? unpackedCopyrights() : values.debs === undefined ? undefined : copyrightsOf(values.debs)
  const tree = values.tree ?? join(project, 'var/image/quick.tree')
  const service = [join(tree, 'usr/lib/drimbox/service')].find(folder => existsSync(folder))
  const lock = JSON.parse(readFileSync(join(project, 'package-lock.json'), 'utf8')) as Lock
  const parts: Part[] = [
    debianPart(packages, copyrights),
    ...values.buildroot === undefined ? [] : [buildrootPart(values.buildroot, values.sources)],
    servicePart(manifest.version), nodePart(process.versions), npmPart(lock, service), sqlitePart(join(project, 'node_modules'))
  ]
  const mender = values.mender ?? newestMender()
  if (mender !== undefined) parts.push(menderPart(mender))
  const bom = bomOf(values.version, parts)
  const text = textOf(bom)
  await validate(text)

  const old = values.security && debian ? await known(packages) : undefined
  const findings = findingsOf(bom)
  for (const { code, component, detail } of findings) console.error(`${code} ${component}: ${detail}`)

  const folder = values.install && values.tree !== undefined ? join(values.tree, 'usr/share/drimbox') : values.out
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'sbom.cdx.json'), text)
  const common = ['var/image/builder/usr/share/common-licenses', '/usr/share/common-licenses'].map(path => path.startsWith('/') ? path : join(project, path)).find(path => existsSync(path))
  const texts = licenceTexts({
    packages: packages.map(({ name }) => name),
    ...(copyrights === undefined ? {} : { copyrights }),
    ...(common === undefined ? {} : { common }),
    ...(service === undefined ? {} : { service }),
    node: join(project, 'node_modules/node/LICENSE')
  })
  writeFileSync(join(folder, 'licences.tar.zst'), texts)
  if (!values.install) writeFileSync(join(folder, 'report.md'), report(bom, old))
  if (values.against !== undefined) {
    writeFileSync(join(values.out, 'release-notes.md'), releaseNotes(JSON.parse(readFileSync(values.against, 'utf8')) as Bom, bom))
  }
  console.log(`${folder}/sbom.cdx.json: ${bom.components.length} components, valid CycloneDX 1.6; licences.tar.zst ${Math.round(texts.length / 1024)} kB; ` +
    `${findings.length} against the policy${old === undefined ? '' : `; ${old.length} with a newer version in Debian today`}`)
  if (findings.length > 0) process.exitCode = 1
}

function newestMender (): string | undefined {
  const folder = join(project, 'var/mender')
  if (!existsSync(folder) || values.buildroot !== undefined) return undefined
  return readdirSync(folder).map(name => join(folder, name)).filter(path => existsSync(join(path, '.source.tsv')))
    .sort((a, b) => statSync(b).mtimeMs - statSync(a).mtimeMs)[0]
}

function unpackedCopyrights (): string {
  execFileSync('tar', ['-xf', join(values.meta, 'copyright.tar'), '-C', work])
  return join(work, 'usr/share/doc')
}

function copyrightsOf (folder: string): string {
  for (const file of readdirSync(folder).filter(name => name.endsWith('.deb'))) execFileSync('dpkg-deb', ['-x', join(folder, file), work])
  return join(work, 'usr/share/doc')
}

/** Undefined, said so, where Debian's index can't be had: the document is right without it. */
async function known (packages: Parameters<typeof outdated>[0]): Promise<Outdated[] | undefined> {
  try {
    const sources = execFileSync(join(project, 'os-image/debian/sources.sh'), { encoding: 'utf8' })
    return await outdated(packages, await debianIndex(sources))
  } catch (error) {
    console.error(`newer versions not looked up: ${String(error).split('\n', 1)[0] ?? ''}`)
    return undefined
  }
}

function report (bom: Bom, old: readonly Outdated[] | undefined): string {
  const gnu = copyleft(bom)
  return `# DRIMbox Edge ${values.version}: bill of materials

${bom.components.length} components. Copyleft, each in a process of its own, sources to be offered: ${gnu.length}
(${gnu.map(({ name }) => name).join(', ')}).

## Newer in Debian today

${old === undefined ? 'Not looked up.' : old.length === 0 ? 'None.' : old.map(({ name, have, now }) => `- ${name}: ${have}, now ${now}`).join('\n')}
`
}

function fail (why: string): never {
  console.error(why)
  process.exit(2)
}
