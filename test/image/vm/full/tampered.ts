/** Kernel images that must not start, and words that must not reach the kernel: the box comes back by itself. */

import { join } from 'node:path'
import { test } from 'tap'
import { changeEsp } from '../disk-image.ts'
import { bootEntries, delivered, LOADED_BOOT_SECONDS, rearmed, row, serves, told, TRIES } from './delivered.ts'
import { addOn, broken, foreignSigned, unsigned } from './kernel-images.ts'

/** As the update module names a new version's entry; newer than what runs, so that it is tried first. */
const NEXT = '/EFI/Linux/drimbox_0.9.0+3.efi'

for (const [what, make] of [['without a signature', unsigned], ['signed by somebody else', foreignSigned], ['whose kernel panics, signed by the vendor', broken]] as const) {
  test(`a new version's kernel image ${what}: its tries run down, the old version serves`, { timeout: 2 * LOADED_BOOT_SECONDS * 1000 }, async t => {
    const box = delivered(t, 'tampered')
    await changeEsp(join(box.machine.folder, 'disk.qcow2'), { [NEXT]: await make() })
    await box.machine.start()
    const { status, seconds } = await serves(box, '0.1.0')
    t.equal(status.boot.secureBoot, true)
    t.equal(box.machine.firmwareStarts, TRIES + 1, 'three starts were spent on it')
    await rearmed(box, '0.1.0')
    t.match(await bootEntries(box), /^0\.9\.0 0 3 /m, 'the other one has none left')
    row(`kernel image ${what}`, `${TRIES} starts, then 0.1.0 serves, nobody pressed a key: ${told(seconds)} in all`)
  })
}

test('words for the kernel from outside its signed image', { timeout: 2 * LOADED_BOOT_SECONDS * 1000 }, async t => {
  const word = 'systemd.unit=rescue.target'
  const box = delivered(t, 'words', {
    qemu: ['-smbios', `type=11,value=io.systemd.stub.kernel-cmdline-extra=${word}`, '-smbios', `type=11,value=io.systemd.boot.kernel-cmdline-extra=${word}`,
      '-smbios', 'type=11,value=io.systemd.credential:systemd.extra-unit.evil.service=[Service]']
  })
  const entry = '/EFI/Linux/drimbox_0.1.0+3.efi.extra.d/words.addon.efi'
  await changeEsp(join(box.machine.folder, 'disk.qcow2'), {
    [entry]: await addOn(word),
    '/loader/addons/words.addon.efi': await addOn(word)
  })
  await box.machine.start()
  const { status } = await serves(box, '0.1.0')
  t.equal(status.disk.state, 'open', 'the data partition opens: the kernel was told what it always is')
  t.notMatch(await box.probe.text('cat', '/proc/cmdline'), word, 'SMBIOS and unsigned add-ons are not heard')
  t.same((await box.probe.shell('ls /run/credentials/@system 2>/dev/null; ls /run/systemd/system 2>/dev/null | grep evil')).out.trim(), '', 'nor are settings and units from the firmware')
  row('words for the kernel from SMBIOS and from unsigned add-ons', 'the command line is the signed one, the data opens')
})
