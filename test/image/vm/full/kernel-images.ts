/** Kernel images as an attacker, or bad luck, would leave them in the ESP. Made in the image builder's chroot. */

import { execFile } from 'node:child_process'
import { copyFileSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { PROJECT } from '../appliance.ts'
import { FOLDER, IMAGES, KEYS } from './delivered.ts'

const run = promisify(execFile)
const WORK = join(FOLDER, 'kernel-images')
const MINUTE_MS = 60_000

async function inBuilder (script: string): Promise<void> {
  mkdirSync(WORK, { recursive: true })
  await run(join(PROJECT, 'os-image/in-builder.sh'), [`--bind=${WORK}`, `--bind=${KEYS}`, `--bind=${IMAGES}`, '--',
    'sh', '-euc', `work=${WORK} keys=${KEYS} uki=${join(IMAGES, 'test-2/uki.efi')}\ncd "$work"\n${script}`], { timeout: 2 * MINUTE_MS })
}

/** The vendor's kernel image without its signature. */
export async function unsigned (): Promise<string> {
  await inBuilder('cp "$uki" unsigned.efi; sbattach --remove unsigned.efi')
  return join(WORK, 'unsigned.efi')
}

/** The same, signed by somebody else. */
export async function foreignSigned (): Promise<string> {
  await foreignKeys()
  await inBuilder('cp "$uki" bare.efi; sbattach --remove bare.efi; sbsign --key foreign-db.key --cert foreign-db.crt --output foreign.efi bare.efi 2>/dev/null')
  return join(WORK, 'foreign.efi')
}

/** Signed by the vendor, but its first program is damaged, so that the kernel panics: a build that went wrong. */
export async function broken (): Promise<string> {
  await inBuilder(`cp "$uki" whole.efi; sbattach --remove whole.efi
python3 - <<END
import pefile
image = pefile.PE("whole.efi")
data = bytearray(open("whole.efi", "rb").read())
initrd = next(section for section in image.sections if section.Name.rstrip(b"\\0") == b".initrd")
data[initrd.PointerToRawData:initrd.PointerToRawData + (1 << 20)] = bytes(1 << 20)
open("damaged.efi", "wb").write(data)
END
sbsign --key "$keys/db.key" --cert "$keys/db.crt" --output broken.efi damaged.efi 2>/dev/null`)
  return join(WORK, 'broken.efi')
}

/** Words for the kernel in a file of their own beside the image, as systemd's stub takes them where they are signed. */
export async function addOn (words: string): Promise<string> {
  await inBuilder(`ukify build --stub=/usr/lib/systemd/boot/efi/addonx64.efi.stub --cmdline='${words}' --output=words.addon.efi >/dev/null 2>&1`)
  return join(WORK, 'words.addon.efi')
}

/** Debian's ovmf: a store without any key. */
const EMPTY_VARIABLES = '/usr/share/OVMF/OVMF_VARS_4M.fd'

/** Secure Boot keys of somebody else. @returns firmware variables that hold them, and them alone */
export async function foreignKeys (): Promise<string> {
  mkdirSync(WORK, { recursive: true })
  copyFileSync(EMPTY_VARIABLES, join(WORK, 'empty.fd'))
  await inBuilder(`[ -s foreign-vars.fd ] || {
  for name in PK KEK db; do openssl req -new -x509 -newkey rsa:2048 -nodes -sha256 -days 30 -subj "/CN=somebody else's $name/" -keyout foreign-$name.key -out foreign-$name.crt 2>/dev/null; done
  guid=11111111-2222-3333-4444-555555555555
  virt-fw-vars --input empty.fd --output foreign-vars.fd --set-pk "$guid" foreign-PK.crt --add-kek "$guid" foreign-KEK.crt --add-db "$guid" foreign-db.crt --secure-boot >/dev/null 2>&1
}`)
  return join(WORK, 'foreign-vars.fd')
}

/** One of the vendor's signed programs, signed again by somebody else. */
export async function signedByForeigner (program: string, name: string): Promise<string> {
  await foreignKeys()
  await inBuilder(`cp '${program}' again.efi; sbattach --remove again.efi; sbsign --key foreign-db.key --cert foreign-db.crt --output '${name}' again.efi 2>/dev/null`)
  return join(WORK, name)
}
