/** A TPM that is gone, a TPM in lockout, and a factory reset. */

import { cpSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'
import { makeStick } from '../../../../os-image/qemu/stick.ts'
import { Appliance } from '../appliance.ts'
import { delivered, FOLDER, IMAGES, KEYS, LOADED_BOOT_SECONDS, row, serves } from './delivered.ts'
import { settled, STARTS_MAX, TIMEOUT_MS } from './settled.ts'

test('no TPM answers', { timeout: TIMEOUT_MS }, async t => {
  const box = delivered(t, 'no-tpm', { tpm: false })
  await box.machine.start()
  const status = await settled(box)
  t.match(status, { state: 'closed', disk: { code: 'TPM_ABSENT' }, tpm: { state: 'absent' } }, 'its page says so')
  t.ok(box.machine.firmwareStarts <= STARTS_MAX, `${box.machine.firmwareStarts} starts, then it stays on`)
  row('TPM absent', `TPM_ABSENT on its page after ${box.machine.firmwareStarts} starts, and no more`)
})

test('a TPM in lockout', { timeout: TIMEOUT_MS }, async t => {
  const box = delivered(t, 'lockout')
  await box.machine.start()
  const { status: before } = await serves(box, '0.1.0')
  // One failure is enough, and it is not forgiven while this test runs.
  const failed = await box.probe.shell('cd /run && export TPM2TOOLS_TCTI=device:/dev/tpmrm0 && tpm2_dictionarylockout -s -n 1 -t 86400 -l 86400 && ' +
    'tpm2_createprimary -Q -C o -p right -c p.ctx && ! tpm2_create -Q -C p.ctx -P wrong -u u -r r', 120)
  t.equal(failed.code, 0, `a wrong password was refused: ${failed.error}`)
  await box.machine.shutDown()
  await box.machine.start()
  const status = await settled(box)
  t.match(status, { state: 'closed', disk: { code: 'TPM_LOCKOUT' }, tpm: { state: 'lockout' } }, 'its page says so')
  t.equal(box.machine.firmwareStarts, 2, 'each start would be one more failure: it stays on')
  await box.probe.shell('TPM2TOOLS_TCTI=device:/dev/tpmrm0 tpm2_dictionarylockout -c', 60)
  const { status: after } = await serves(box, '0.1.0')
  t.equal(after.key.fingerprint, before.key.fingerprint, 'with its key and its data')
  row('TPM in lockout', 'TPM_LOCKOUT on its page, it stays on; once forgiven it starts again by itself and opens its data')
})

test('factory reset', { timeout: TIMEOUT_MS }, async t => {
  const box = delivered(t, 'reset')
  await box.machine.start()
  const { status: before } = await serves(box, '0.1.0')
  const volume = /volume ([0-9a-f-]+)/.exec(before.disk.detail ?? '')?.[1] ?? ''
  t.match(volume, /^[0-9a-f-]{36}$/, 'the page names the volume')
  await box.machine.shutDown()
  // What somebody with the disk in hand could keep: all of it, header and recovery key included.
  const copy = join(FOLDER, 'reset-copy.qcow2')
  cpSync(join(box.machine.folder, 'disk.qcow2'), copy)
  await box.machine.close()

  const stick = join(FOLDER, 'reset.img')
  makeStick(stick, { volume }, KEYS, 'reset')
  const ordered = new Appliance(t, join(IMAGES, 'test'), box.machine.folder, { stick })
  await ordered.machine.start()
  const { status: after } = await ordered.until(({ disk, key }) => ['open', 'new'].includes(disk.state) && !(disk.detail ?? '').includes(volume) && key.kind === 'tpm', 2 * LOADED_BOOT_SECONDS, 'box that has forgotten')
  t.not(after.key.fingerprint, before.key.fingerprint, 'another key')
  t.notMatch((await ordered.probe.shell('ls /efi/drimbox')).out, volume, 'no recovery key of the old volume')
  t.not((await ordered.probe.shell('test -e /var/lib/drimbox-system/settings')).code, 0, 'no settings')
  await ordered.machine.close()

  rmSync(join(box.machine.folder, 'disk.qcow2'))
  cpSync(copy, join(box.machine.folder, 'disk.qcow2'))
  const thief = new Appliance(t, join(IMAGES, 'test'), box.machine.folder)
  await thief.machine.start()
  const { status } = await thief.until(({ disk }) => disk.state === 'closed', LOADED_BOOT_SECONDS, 'closed disk')
  t.equal(status.disk.code, 'DISK_FOREIGN', 'a whole copy from before is worth nothing to the same TPM')
  row('factory reset', 'new volume, new key, no settings; a whole copy of the disk from before does not open in the same machine (DISK_FOREIGN)')
})
