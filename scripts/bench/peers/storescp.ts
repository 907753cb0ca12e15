/**
 * DCMTK's storescp: receives, and writes one file for each instance.
 */

import { mkdir, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { freePort, NO_DELAY, start, type Started } from '../processes.ts'

export interface StoreScp extends Started {
  readonly port: number
  readonly title: string
  readonly folder: string
  /** Removes what it has received. */
  empty (): Promise<void>
  /** Paths of what it has received. */
  files (): Promise<string[]>
}

export async function startStoreScp (folder: string, title: string, options: { readonly args?: readonly string[], readonly noDelay?: boolean, readonly port?: number } = {}): Promise<StoreScp> {
  await rm(folder, { recursive: true, force: true })
  await mkdir(folder, { recursive: true })
  const port = options.port ?? await freePort()
  const started = await start('storescp', 'storescp',
    ['--disable-host-lookup', '--aetitle', title, '--accept-all', '--output-directory', folder, ...options.args ?? [], String(port)],
    { env: options.noDelay === true ? NO_DELAY : {}, ready: port })
  return {
    ...started,
    port,
    title,
    folder,
    async empty () {
      await rm(folder, { recursive: true, force: true })
      await mkdir(folder)
    },
    files: async () => (await readdir(folder)).map(name => join(folder, name))
  }
}
