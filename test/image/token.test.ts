/** An image signed with keys that never leave a token: SoftHSM, made and asked inside the builder. */

import { execFileSync, spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'tap'
import { osImage, skipWithoutBuilder } from '#test/fixtures/image-builder.ts'

/** Any second will do: 2026-01-01. */
const EPOCH = '1767225600'
const MODULE = '/usr/lib/softhsm/libsofthsm2.so'

test('an image signed by a token', { skip: skipWithoutBuilder(), timeout: 600_000 }, async t => {
  const folder = mkdtempSync(join(tmpdir(), 'drimbox-token-'))
  t.teardown(() => { rmSync(folder, { recursive: true, force: true }) })
  const [keys, out, tree] = [join(folder, 'keys'), join(folder, 'out'), join(folder, 'tree')]
  for (const one of [keys, join(keys, 'tokens'), out, join(tree, 'usr/lib')]) mkdirSync(one, { recursive: true })
  writeFileSync(join(keys, 'softhsm2.conf'), `directories.tokendir = ${join(keys, 'tokens')}\n`)
  writeFileSync(join(keys, 'pin'), '5678\n')
  const inside = async (...command: string[]) => await osImage('in-builder.sh', [`--keys=${keys}`, `--bind=${out}`, '--', ...command])
  const kernel = await osImage('debian/kernel.sh', [])
  t.equal(kernel.code, 0, kernel.error)

  const token = await inside('softhsm2-util', '--init-token', '--free', '--label', 'drimbox', '--so-pin', '1234', '--pin', '5678')
  t.equal(token.code, 0, token.error)
  t.match(await osImage('keys/make.sh', [], { KEYS: keys }), { code: 1, error: 'keys: db.key is missing' }, 'a folder without keys is no folder of keys')
  const made = await osImage('keys/token.sh', [keys, 'drimbox', MODULE])
  t.equal(made.code, 0, made.error)
  const first = ['db.pub', 'pcr.pub', 'artifact.pub', 'db.crt'].map(name => readFileSync(join(keys, name), 'utf8'))
  for (const name of ['db.key', 'pcr.key', 'artifact.key']) t.match(readFileSync(join(keys, name), 'utf8'), /^-----BEGIN PKCS#11 PROVIDER URI-----/, `${name} is a reference`)
  t.equal((await osImage('keys/token.sh', [keys, 'drimbox', MODULE])).code, 0)
  t.same(['db.pub', 'pcr.pub', 'artifact.pub', 'db.crt'].map(name => readFileSync(join(keys, name), 'utf8')), first, 'a second time: the keys that it has')

  // Whose private halves are elsewhere.
  for (const name of ['settings.pub', 'recovery.pub', 'fleet.crt']) copyFileSync(join(keys, 'artifact.pub'), join(keys, name))
  writeFileSync(join(tree, 'usr/lib/os-release'), 'ID=drimbox\nVERSION_ID=9.8.7\n')
  const assembly = [`--tree=${tree}`, `--kernel=${kernel.out}`, `--out=${out}`, '--version=9.8.7', '--release=7']
  const { code, error } = await osImage('assemble.sh', assembly, { SOURCE_DATE_EPOCH: EPOCH, KEYS: keys })
  t.equal(code, 0, error)

  for (const program of ['uki.efi', 'BOOTX64.EFI', 'systemd-bootx64.efi']) {
    t.match(await inside('sbverify', '--cert', join(keys, 'db.crt'), join(out, program)), { code: 0 }, `${program} is signed by db`)
  }
  t.match(await inside('openssl', 'smime', '-verify', '-binary', '-inform', 'der', '-in', join(out, 'roothash.p7s'), '-content', join(out, 'roothash'),
    '-certfile', join(keys, 'db.crt'), '-nointern', '-noverify'), { code: 0 }, 'the root hash too')
  t.match(await inside('mender-artifact', 'validate', '-k', join(keys, 'artifact.pub'), join(out, 'update.mender')), { code: 0 }, 'the artifact by artifact')
  t.equal((await inside('objcopy', '-O', 'binary', '--only-section=.pcrsig', join(out, 'uki.efi'), join(out, 'pcrsig'))).code, 0)
  const policies = JSON.parse(readFileSync(join(out, 'pcrsig'), 'utf8').replace(/\0+$/, '')) as { sha256: Array<{ pol: string, sig: string }> }
  t.equal(policies.sha256.length, 1)
  for (const { pol, sig } of policies.sha256) {
    writeFileSync(join(out, 'pol'), Buffer.from(pol, 'hex'))
    writeFileSync(join(out, 'sig'), Buffer.from(sig, 'base64'))
    t.match(execFileSync('openssl', ['dgst', '-sha256', '-verify', join(keys, 'pcr.pub'), '-signature', join(out, 'sig'), join(out, 'pol')], { encoding: 'utf8' }), 'Verified OK', 'the policy by pcr')
  }

  // grep ends with 1 when it finds nothing.
  t.equal(spawnSync('grep', ['-rl', 'PRIVATE KEY', keys, out], { encoding: 'utf8' }).status, 1, 'no private key has left it')
  writeFileSync(join(keys, 'pin'), '0000\n')
  t.not((await osImage('assemble.sh', assembly, { SOURCE_DATE_EPOCH: EPOCH, KEYS: keys })).code, 0, 'a wrong PIN is refused')
  // openssl opens what it would write before it asks the token.
  t.equal(statSync(join(out, 'roothash.p7s')).size, 0, 'and signs nothing')
})
