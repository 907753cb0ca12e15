/** The same tree gives the same image, bit by bit, on another day and in another folder. */

import { createHash } from 'node:crypto'
import { createReadStream, mkdirSync, mkdtempSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'tap'
import { osImage, skipWithoutBuilder } from '#test/fixtures/image-builder.ts'

/** Any second will do: 2026-01-01. */
const EPOCH = '1767225600'
const COMPARED = ['root.erofs', 'root.verity', 'roothash', 'cmdline', 'initrd.zst', 'uki.efi', 'BOOTX64.EFI', 'systemd-bootx64.efi', 'esp.img', 'disk.img', 'update.mender']

test('an image assembled twice', { skip: skipWithoutBuilder(), timeout: 600_000 }, async t => {
  const folder = mkdtempSync(join(tmpdir(), 'drimbox-assemble-'))
  t.teardown(() => { rmSync(folder, { recursive: true, force: true }) })
  const kernel = await osImage('debian/kernel.sh', [])
  t.equal(kernel.code, 0, kernel.error)

  const first = await assemble('first', new Date('2026-03-01T10:00:00Z'), 'abc')
  const second = await assemble('second', new Date('2027-04-02T11:00:00Z'), 'cba')
  for (const name of COMPARED) t.equal(await digest(join(second, name)), await digest(join(first, name)), `${name} is the same`)

  const other = await assemble('other', new Date('2026-03-01T10:00:00Z'), 'abc', 'panic=11')
  t.not(await digest(join(other, 'uki.efi')), await digest(join(first, 'uki.efi')), 'another command line is another kernel image')
  t.equal(await digest(join(other, 'root.erofs')), await digest(join(first, 'root.erofs')), 'over the same root')

  /** Files made in the order of `order`, with times of `at`. */
  async function assemble (name: string, at: Date, order: string, cmdline = ''): Promise<string> {
    const tree = join(folder, `${name}.tree`)
    const out = join(folder, name)
    mkdirSync(join(tree, 'usr/lib'), { recursive: true })
    mkdirSync(out)
    writeFileSync(join(tree, 'usr/lib/os-release'), 'ID=drimbox\nVERSION_ID=9.8.7\n')
    for (const letter of order) writeFileSync(join(tree, letter), letter.repeat(100_000))
    symlinkSync('usr/lib', join(tree, 'lib'))
    for (const path of [...order, 'usr/lib/os-release', 'usr/lib', 'usr', '']) utimesSync(join(tree, path), at, at)
    const { code, error } = await osImage('assemble.sh',
      [`--tree=${tree}`, `--kernel=${kernel.out}`, `--out=${out}`, '--version=9.8.7', '--release=7', `--cmdline=${cmdline}`], { SOURCE_DATE_EPOCH: EPOCH })
    t.equal(code, 0, error)
    return out
  }
})

async function digest (file: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer)
  return hash.digest('hex')
}
