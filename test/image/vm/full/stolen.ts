/** The disk in another machine, and somebody else's keys in the firmware: no data, no endless loop. */

import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'
import { changeEsp } from '../disk-image.ts'
import { delivered, IMAGES, row, TRIES } from './delivered.ts'
import { foreignKeys, signedByForeigner } from './kernel-images.ts'
import { QUIET_SECONDS, settled, STARTS_MAX, TIMEOUT_MS } from './settled.ts'

test('the disk in another machine of the same vendor', { timeout: TIMEOUT_MS }, async t => {
  const box = delivered(t, 'stolen')
  rmSync(join(box.machine.folder, 'tpm'), { recursive: true })
  mkdirSync(join(box.machine.folder, 'tpm'))
  rmSync(join(box.machine.folder, 'vars.fd'))
  await box.machine.start()
  const status = await settled(box)
  t.match(status, { state: 'closed', disk: { state: 'closed', code: 'DISK_FOREIGN' } }, 'it says so on its page')
  t.ok(box.machine.firmwareStarts <= STARTS_MAX, `${box.machine.firmwareStarts} starts, then it stays on`)
  t.equal(status.key.kind, 'temporary', 'the front serves a throw-away key')
  t.not((await box.probe.shell('mount | grep -q /dev/mapper/var')).code, 0, 'nothing of it is mounted')
  row('the disk in another machine', `DISK_FOREIGN on its page after ${box.machine.firmwareStarts} starts, and no more; nothing readable`)
})

test('the machine with somebody else\'s Secure Boot keys, and everything on its disk signed by them', { timeout: TIMEOUT_MS }, async t => {
  const variables = await foreignKeys()
  const box = delivered(t, 'foreign', { variables })
  rmSync(join(box.machine.folder, 'vars.fd'))
  const signed = async (file: string, name: string) => await signedByForeigner(join(IMAGES, 'test', file), name)
  await changeEsp(join(box.machine.folder, 'disk.qcow2'), {
    '/EFI/BOOT/BOOTX64.EFI': await signed('BOOTX64.EFI', 'BOOTX64.EFI'),
    '/EFI/systemd/systemd-bootx64.efi': await signed('systemd-bootx64.efi', 'systemd-bootx64.efi'),
    '/EFI/Linux/drimbox_0.1.0+3.efi': await signed('uki.efi', 'uki.efi')
  })
  await box.machine.start()
  // The kernel takes a root hash signed by keys that it trusts, and the firmware no longer names the vendor's.
  await box.machine.until(() => box.machine.firmwareStarts > TRIES, TIMEOUT_MS / 1000, 'start without a try left')
  await box.quiet(QUIET_SECONDS)
  t.match(box.machine.serial, /initramfs: dm-verity refused/, 'the root file system is refused')
  t.ok(box.machine.firmwareStarts <= TRIES + 1 + QUIET_SECONDS / 120, `${box.machine.firmwareStarts} starts: without a try left it waits before it starts again`)
  t.equal(await box.status(), undefined, 'nothing runs that could open the data')
  row('somebody else\'s keys in the firmware, everything signed by them', `the kernel refuses the root file system; ${TRIES} tries, then one start every two and a half minutes; no data`)
})
