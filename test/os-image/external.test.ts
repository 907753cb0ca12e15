/**
 * The Buildroot recipe, checked without building it (os-image/external/check.sh): a minute.
 * Where no Buildroot is at hand (`BUILDROOT=`, ../shared/third-party) it is skipped by name.
 */

import { spawnSync } from 'node:child_process'
import { cpSync, appendFileSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'
import { buildrootPart } from '../../scripts/sbom/buildroot.ts'
import { bomOf } from '../../scripts/sbom/bom.ts'
import { findingsOf } from '../../scripts/sbom/policy.ts'
import { validate } from '../../scripts/sbom/validate.ts'
import { run, skipWithout, temporaryFolder, type Test } from '#test/fixtures/peer.ts'

const EXTERNAL = 'os-image/external'
/** Of buildroot-source.sh and check.sh: there is no Buildroot here. */
const NOT_HERE = 3
/** Beside a compile on the same two cores. */
const CHECK_MS = 300_000

/** False where the recipe can be checked, else the reason. */
function skipped (): string | false {
  const peers = skipWithout('shellcheck', 'make', 'gcc')
  if (peers !== false) return peers
  const { status, stderr } = spawnSync(join(EXTERNAL, 'buildroot-source.sh'), { encoding: 'utf8' })
  return status === NOT_HERE ? `no Buildroot: ${stderr.trim()}` : false
}
const skip = skipped()

test('both boards resolve with no symbol dropped, every source has a digest, and what they ship is valid CycloneDX', { skip, timeout: CHECK_MS }, async t => {
  const out = temporaryFolder(t)
  const { code, output } = await run(join(EXTERNAL, 'check.sh'), [`--out=${out}`])
  t.equal(code, 0, output)
  for (const board of ['x86_64', 'arm64']) {
    t.match(output, new RegExp(`${board}: \\d+ symbols resolved`))
    const file = join(out, board, 'sbom.cdx.json')
    await validate(readFileSync(file, 'utf8'))
    const bom = bomOf('0.1.0', [buildrootPart(file)])
    t.same(findingsOf(bom), [])
    const names = bom.components.map(({ name }) => name)
    for (const name of ['linux', 'systemd', 'haproxy-lts', 'tpm2-provider', 'mender-client', 'nftables', 'chrony']) t.ok(names.includes(name), `${board}: ${name}`)
    t.notOk(names.includes('busybox'), 'no BusyBox in the image')
    for (const setting of ['BR2_RELRO_FULL', 'BR2_SSP_STRONG', 'BR2_FORTIFY_SOURCE_3', 'BR2_PIC_PIE']) t.match(readFileSync(join(out, board, '.config'), 'utf8'), `${setting}=y`)
  }
})

test('a symbol that Buildroot does not know, and a source without a digest, are found', { skip, timeout: CHECK_MS }, async t => {
  const copy = temporaryFolder(t)
  cpSync(EXTERNAL, join(copy, EXTERNAL), { recursive: true })
  for (const folder of ['var', 'node_modules']) symlinkSync(join(process.cwd(), folder), join(copy, folder))
  appendFileSync(join(copy, EXTERNAL, 'configs/drimbox_x86_64_defconfig'), 'BR2_PACKAGE_NO_SUCH_THING=y\n')
  const hash = join(copy, EXTERNAL, 'package/haproxy-lts/haproxy-lts.hash')
  writeFileSync(hash, readFileSync(hash, 'utf8').replaceAll(/^sha256 .*haproxy-3.*\n/gm, ''))
  const { code, output } = await run(join(copy, EXTERNAL, 'check.sh'), [`--out=${join(copy, 'out')}`])
  t.equal(code, 1)
  t.match(output, /x86_64: dropped by Kconfig: BR2_PACKAGE_NO_SUCH_THING=y/)
  t.match(output, /haproxy-lts: no digest for haproxy-/)
})

/** kernel-options.sh on a configuration, with its own cannot.txt. */
async function options (t: Test, fragments: readonly string[], config: string, cannot = ''): Promise<{ code: number | null, output: string }> {
  const folder = temporaryFolder(t)
  mkdirSync(join(folder, 'board/common/kernel'), { recursive: true })
  cpSync(join(EXTERNAL, 'kernel-options.sh'), join(folder, 'kernel-options.sh'))
  writeFileSync(join(folder, 'board/common/kernel/cannot.txt'), cannot)
  writeFileSync(join(folder, '.config'), config)
  const paths = fragments.map((text, index) => {
    const path = join(folder, `${index}.config`)
    writeFileSync(path, text)
    return path
  })
  return await run(join(folder, 'kernel-options.sh'), [`--config=${join(folder, '.config')}`, ...paths])
}

test('a kernel option that did not take is named; a later fragment has the last word', async t => {
  const good = await options(t, ['CONFIG_A=y\n# CONFIG_B is not set\n', 'CONFIG_A=m\n'], 'CONFIG_A=m\n')
  t.same([good.code, good.output], [0, ''])
  const bad = await options(t, ['CONFIG_A=y\n# CONFIG_B is not set\nCONFIG_N=64\n'], '# CONFIG_A is not set\nCONFIG_B=y\nCONFIG_N=8\n')
  t.equal(bad.code, 1)
  for (const line of [/CONFIG_A wanted y, is n/, /CONFIG_B wanted n, is y/, /CONFIG_N wanted 64, is 8/]) t.match(bad.output, line)
})

test('an option that a board cannot have is excused with its reason, as long as that is true', async t => {
  const excused = await options(t, ['CONFIG_A=y\n'], '', 'CONFIG_A x86-64 because\n')
  t.same([excused.code, excused.output], [0, ''])
  t.equal((await options(t, ['CONFIG_A=y\n'], '', 'CONFIG_A arm64 because\n')).code, 1, 'another board\'s excuse')
  t.match((await options(t, ['CONFIG_A=y\n'], 'CONFIG_A=y\n', 'CONFIG_A x86-64 because\n')).output, /CONFIG_A is in cannot.txt, yet it took/)
})
