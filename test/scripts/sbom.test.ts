import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { zstdDecompressSync } from 'node:zlib'
import { test } from 'tap'
import { bomOf, textOf, type Bom, type Component } from '../../scripts/sbom/bom.ts'
import { buildrootPart } from '../../scripts/sbom/buildroot.ts'
import { licenceOf, licencesOf } from '../../scripts/sbom/copyright.ts'
import { debianPart, packageFiles, readPackages } from '../../scripts/sbom/debian.ts'
import { licenceTexts } from '../../scripts/sbom/licence-texts.ts'
import { npmPart, type Lock } from '../../scripts/sbom/npm.ts'
import { copyleft, findingsOf } from '../../scripts/sbom/policy.ts'
import { changesOf, releaseNotes } from '../../scripts/sbom/release-notes.ts'
import { menderPart, nodePart, servicePart, sqlitePart } from '../../scripts/sbom/runtime.ts'
import { outdated, readIndex } from '../../scripts/sbom/security.ts'
import { validate } from '../../scripts/sbom/validate.ts'
import { skipWithout, temporaryFolder, type Test } from '#test/fixtures/peer.ts'

const lock = JSON.parse(readFileSync('package-lock.json', 'utf8')) as Lock

const PACKAGES = [
  ['chrony', '4.6.1-3+deb13u2', 'amd64', 'chrony', '4.6.1-3+deb13u2', '688'],
  ['zlib1g', '1:1.3.dfsg+really1.3.1-1', 'amd64', 'zlib', '1:1.3.dfsg+really1.3.1-1', '172'],
  ['linux-image-6.12.118+deb13-amd64', '6.12.118-1', 'amd64', 'linux-signed-amd64', '6.12.118+1', '108957']
]
const CHRONY = `Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: chrony

Files: *
License: GPL-2

Files: md5.c
License: GPL-2+ and BSD-3-clause or Expat
`

/** What os-image/debian/tree.sh leaves beside a tree. */
function debianFolder (t: Test): { packages: ReturnType<typeof readPackages>, copyrights: string } {
  const folder = temporaryFolder(t)
  writeFileSync(join(folder, 'packages.tsv'), PACKAGES.map(columns => columns.join('\t') + '\n').join(''))
  for (const [name, text] of [['chrony', CHRONY], ['zlib1g', 'See /usr/share/common-licenses/GPL-3 and\n/usr/share/common-licenses/BSD.']]) {
    mkdirSync(join(folder, 'doc', name), { recursive: true })
    writeFileSync(join(folder, 'doc', name, 'copyright'), text)
  }
  return { packages: readPackages(join(folder, 'packages.tsv')), copyrights: join(folder, 'doc') }
}

function whole (t: Test): Bom {
  const { packages, copyrights } = debianFolder(t)
  const mender = temporaryFolder(t)
  writeFileSync(join(mender, '.source.tsv'), 'mender\t5.1.0\t54d57fc32abd0bb1a8f0336d6d5ab624d3c5ac49\n')
  return bomOf('0.1.0', [
    debianPart(packages, copyrights), servicePart('0.1.0'), nodePart(process.versions), npmPart(lock, undefined),
    sqlitePart('node_modules'), menderPart(mender)
  ])
}

test('an image of all its parts is valid CycloneDX 1.6, and clean of what the policy refuses', async t => {
  const bom = whole(t)
  await validate(textOf(bom))
  t.same(findingsOf(bom), [])
  const names = new Set(bom.components.map(({ name }) => name))
  for (const name of ['chrony', 'linux-image-6.12.118+deb13-amd64', 'node', 'fastify', 'sqlite', 'mender', 'drimbox-service']) t.ok(names.has(name), name)
})

test('a document that is not CycloneDX 1.6 is refused', async t => {
  const bom = whole(t)
  await t.rejects(validate(JSON.stringify({ ...bom, colour: 'blue' })), /not CycloneDX 1.6/)
  await t.rejects(validate(JSON.stringify({ ...bom, components: [{ name: 'nameless kind' }] })), /not CycloneDX 1.6/)
})

test('the same parts give the same bytes, in whatever order they come', t => {
  const parts = [npmPart(lock, undefined), servicePart('0.1.0'), nodePart(process.versions)]
  t.equal(textOf(bomOf('0.1.0', parts)), textOf(bomOf('0.1.0', parts.toReversed())))
  t.not(bomOf('0.1.0', parts).serialNumber, bomOf('0.1.1', parts).serialNumber)
  t.match(bomOf('0.1.0', parts).serialNumber, /^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
  t.end()
})

test('a development dependency is not in a box, a production one is, with its digest and its needs', t => {
  const { components, needs } = npmPart(lock, undefined)
  t.notOk(components.some(({ name }) => name === 'typescript'))
  const fastify = components.find(({ name }) => name === 'fastify')
  t.match(fastify?.hashes?.[0], { alg: 'SHA-512', content: /^[0-9a-f]{128}$/ })
  t.ok(needs?.get(fastify?.['bom-ref'] ?? '')?.some(ref => ref.startsWith('pkg:npm/find-my-way@')))
  t.end()
})

test('of a root tree, only npm packages that lie in it are listed', t => {
  const service = temporaryFolder(t)
  mkdirSync(join(service, 'node_modules/pino'), { recursive: true })
  writeFileSync(join(service, 'node_modules/pino/package.json'), '{}')
  t.same(npmPart(lock, service).components.map(({ name }) => name), ['pino'])
  t.end()
})

test('copyright files: Debian\'s names become SPDX identifiers, each once', t => {
  t.same(licencesOf(CHRONY), [{ id: 'BSD-3-Clause' }, { id: 'GPL-2.0-only' }, { id: 'GPL-2.0-or-later' }, { id: 'MIT' }])
  t.same(licencesOf('text only, /usr/share/common-licenses/LGPL-2.1.'), [{ id: 'LGPL-2.1-only' }])
  t.same(licenceOf('GPL-3+'), { id: 'GPL-3.0-or-later' })
  t.same(licenceOf('LGPL-2.1'), { id: 'LGPL-2.1-only' })
  t.same(licenceOf('LGPLv2.1+'), { id: 'LGPL-2.1-or-later' })
  t.same(licenceOf('AGPL-3'), { id: 'AGPL-3.0-only' })
  t.same(licenceOf('Kazlib'), { name: 'Kazlib' })
  t.end()
})

const component = (ref: string, licence: string | undefined): Component => ({
  type: 'library', 'bom-ref': ref, name: ref, version: '1', ...(licence === undefined ? {} : { licenses: [/ (OR|AND) /.test(licence) ? { expression: licence } : { license: { id: licence } }] })
})
const codesOf = (ref: string, licence: string | undefined): string[] => findingsOf(bomOf('1', [{ components: [component(ref, licence)] }])).map(({ code }) => code)

test('a GNU licence may run beside us, never inside our process', t => {
  t.same(codesOf('pkg:deb/debian/haproxy@3', 'GPL-2.0-or-later'), [])
  t.same(codesOf('pkg:npm/left@1', 'GPL-2.0-or-later'), ['LICENCE_NOT_FOR_OUR_PROCESS'])
  t.same(codesOf('pkg:npm/left@1', 'LGPL-2.1-only'), ['LICENCE_NOT_FOR_OUR_PROCESS'])
  t.same(codesOf('pkg:npm/left@1', '(MIT OR GPL-3.0-only)'), [], 'the choice is ours')
  t.same(codesOf('pkg:npm/left@1', '(MIT AND GPL-3.0-only)'), ['LICENCE_NOT_FOR_OUR_PROCESS'])
  t.same(codesOf('pkg:npm/left@1', 'MIT'), [])
  t.end()
})

test('licences that reach over a network are refused anywhere, and none at all is unknown', t => {
  t.same(codesOf('pkg:deb/debian/db@1', 'AGPL-3.0-only'), ['LICENCE_REFUSED'])
  t.same(codesOf('pkg:deb/debian/db@1', 'SSPL-1.0'), ['LICENCE_REFUSED'])
  t.same(codesOf('pkg:deb/debian/db@1', undefined), ['LICENCE_UNKNOWN'])
  t.end()
})

test('a licence inside a program that brings libraries is seen too', t => {
  const node = { ...component('pkg:generic/node@26', 'MIT'), components: [component('pkg:generic/node@26#db', 'AGPL-3.0-only')] }
  t.same(findingsOf(bomOf('1', [{ components: [node] }])).map(({ code }) => code), ['LICENCE_REFUSED'])
  t.end()
})

test('whose sources must be offered', t => {
  t.ok(copyleft(whole(t)).some(({ name }) => name === 'chrony'))
  t.notOk(copyleft(whole(t)).some(({ name }) => name === 'fastify'))
  t.end()
})

test('a newer version in Debian is told, an equal or older one is not', { skip: skipWithout('dpkg') }, async t => {
  const { packages } = debianFolder(t)
  const index = readIndex('Package: chrony\nVersion: 4.6.1-3+deb13u10\n\nPackage: chrony\nVersion: 4.6.1-3\n\nPackage: zlib1g\nVersion: 1:1.3.dfsg+really1.3.1-1\n\nPackage: else\nVersion: 9\n')
  t.same(await outdated(packages, index), [{ name: 'chrony', have: '4.6.1-3+deb13u2', now: '4.6.1-3+deb13u10' }])
})

test('release notes name what was updated, added and removed; a new kernel is an update', t => {
  const one = (name: string, version: string): Component => ({ type: 'library', 'bom-ref': `pkg:deb/debian/${name}@${version}`, name, version })
  const before = bomOf('0.1.0', [{ components: [one('chrony', '4.6'), one('linux-image-6.12.107', '6.12.107-1'), one('gone', '1')] }])
  const after = bomOf('0.2.0', [{ components: [one('chrony', '4.7'), one('linux-image-6.12.118', '6.12.118-1'), one('new', '1')] }])
  const { added, removed, changed } = changesOf(before, after)
  t.same([added.map(({ name }) => name), removed.map(({ name }) => name)], [['new'], ['gone']])
  t.same(changed.map(([was, is]) => `${was.version} ${is.version}`), ['4.6 4.7', '6.12.107-1 6.12.118-1'])
  const notes = releaseNotes(before, after)
  for (const line of ['# DRIMbox Edge 0.1.0 → 0.2.0', '- chrony: 4.6 → 4.7', '- new 1', '- gone 1']) t.ok(notes.includes(line), line)
  t.match(releaseNotes(before, before), /Mêmes composants/)
  t.end()
})

test('licence texts: one archive, the same twice, with the texts that others refer to', t => {
  const { copyrights, packages } = debianFolder(t)
  const common = temporaryFolder(t)
  writeFileSync(join(common, 'GPL-3'), 'GNU GENERAL PUBLIC LICENSE')
  const sources = { copyrights, packages: packages.map(({ name }) => name), common, node: 'node_modules/node/LICENSE' }
  const archive = licenceTexts(sources)
  t.ok(archive.equals(licenceTexts(sources)))
  const names = execFileSync('tar', ['-tf', '-'], { input: zstdDecompressSync(archive), encoding: 'utf8' }).split('\n')
  for (const name of ['./debian/chrony/copyright', './common-licenses/GPL-3']) t.ok(names.includes(name), name)
  t.end()
})

test('of a Buildroot configuration, what goes into the image is listed, tools of the build are not', async t => {
  const file = join(temporaryFolder(t), 'sbom.cdx.json')
  const of = (ref: string, kind: string, licence: string): object => ({ 'bom-ref': ref, type: 'library', name: ref.replace(/^host-/, ''), version: '1', licenses: [{ license: { name: licence } }], properties: [{ name: 'BR_TYPE', value: kind }] })
  writeFileSync(file, JSON.stringify({ components: [of('haproxy-lts', 'target', 'GPL-2.0+ (script)'), of('host-meson', 'host', 'Apache-2.0'), of('skeleton', 'target', 'none')], dependencies: [] }))
  const part = buildrootPart(file)
  t.same(part.components.map(({ name, licenses }) => [name, licenses]), [['haproxy-lts', [{ license: { id: 'GPL-2.0-or-later' } }]]])
  await validate(textOf(bomOf('1', [part])))
})

test('a source that came out of Debian is listed in the version that was built', async t => {
  const folder = temporaryFolder(t)
  writeFileSync(join(folder, 'sbom.cdx.json'), JSON.stringify({ components: [{ 'bom-ref': 'systemd', type: 'library', name: 'systemd', version: '258.7', cpe: 'cpe:2.3:a:systemd_project:systemd:258.7:-:*:*:*:*:*:*', licenses: [{ license: { name: 'LGPL-2.1+' } }], properties: [{ name: 'BR_TYPE', value: 'target' }] }] }))
  writeFileSync(join(folder, 'sources.json'), JSON.stringify([{ package: 'systemd', debian: ['systemd', '257.13-1', 'trixie'] }, { package: 'gone', debian: ['gone'] }]))
  const part = buildrootPart(join(folder, 'sbom.cdx.json'), join(folder, 'sources.json'))
  t.match(part.components, [{ version: '257.13-1', properties: [{ value: /258\.7/ }] }])
  t.notOk('cpe' in (part.components[0] ?? {}), 'the identifier of another version would name its faults')
  await validate(textOf(bomOf('1', [part])))
})

test('packages as files: name, version with its epoch, architecture', t => {
  const folder = temporaryFolder(t)
  writeFileSync(join(folder, 'zlib1g_1%3a1.3_amd64.deb'), '')
  writeFileSync(join(folder, 'note.txt'), '')
  t.match(packageFiles(folder), [{ name: 'zlib1g', version: '1:1.3', architecture: 'amd64' }])
  t.equal(packageFiles(folder).length, 1)
  t.end()
})
