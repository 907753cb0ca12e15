/** A USB stick with something signed on it, as the vendor's provisioning side makes it (docs/operations.md). */

import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** FAT16 needs no more for two small files: 16 MiB. */
const STICK_BYTES = 16 << 20

/**
 * @param content settings of a site, or the order to forget everything
 * @param keys folder made by os-image/keys/make.sh
 */
export function makeStick (path: string, content: object, keys: string, name: 'settings' | 'reset' = 'settings'): void {
  const folder = mkdtempSync(join(tmpdir(), 'drimbox-stick-'))
  try {
    const [file, signature] = [join(folder, `drimbox-${name}.json`), join(folder, `drimbox-${name}.json.sig`)]
    writeFileSync(file, JSON.stringify(content, undefined, 2))
    execFileSync('openssl', ['dgst', '-sha256', '-sign', join(keys, 'settings.key'), '-out', signature, file])
    rmSync(path, { force: true })
    execFileSync('truncate', ['-s', String(STICK_BYTES), path])
    execFileSync('mkfs.vfat', ['-n', 'DRIMBOX', path], { stdio: 'ignore' })
    execFileSync('mcopy', ['-i', path, file, signature, '::/'])
  } finally {
    rmSync(folder, { recursive: true })
  }
}
