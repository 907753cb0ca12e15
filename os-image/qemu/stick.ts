/** A USB stick with something signed on it, as the vendor's provisioning side makes it (docs/operations.md). */

import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** FAT16 needs no more for two small files: 16 MiB. */
const STICK_BYTES = 16 << 20

/** As QEMU's own network calls the machine that it runs on. */
export const HOST_SEEN_BY_GUEST = '10.0.2.2'

/** What a box on this desk is told: its PACS and its fleet server are here. */
export interface DeskSettings {
  readonly fleetUrl: string
  readonly pacs: { readonly port: number, readonly calledTitle: string }
  /** Where the box listens for the PACS. Default: the gateway's own */
  readonly dimse?: { readonly aeTitle: string, readonly port: number }
  /** This machine tells the time. Default: the image's servers */
  readonly ntp?: boolean
}

/** Settings for {@link makeStick}; the fleet server is asked every five seconds, so that nobody waits half an hour. */
export function deskSettings ({ fleetUrl, pacs, dimse, ntp = false }: DeskSettings): object {
  return {
    serial: 1,
    ...ntp ? { ntp: [HOST_SEEN_BY_GUEST] } : {},
    fleet: { url: fleetUrl, pollSeconds: 5 },
    gateway: {
      pacs: { host: HOST_SEEN_BY_GUEST, ...pacs },
      ...dimse === undefined ? {} : { dimse },
      http: { socket: '/run/drimbox/http.sock' },
      // The virtual disk is small.
      cache: { folder: '/var/lib/drimbox/cache', diskFreeBytesMin: 32 << 20 },
      adminSocket: '/run/drimbox-admin/admin.sock'
    }
  }
}

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
