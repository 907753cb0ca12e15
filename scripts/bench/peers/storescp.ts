/**
 * DCMTK's storescp: receives, and writes one file for each instance.
 */

import { mkdir, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Place } from '../network/own-network.ts'
import { freePort, NO_DELAY, start, type Started } from '../processes.ts'

export interface StoreScp extends Started, Place {
  readonly title: string
  readonly folder: string
  /** Removes what it has received. */
  empty (): Promise<void>
  /** Paths of what it has received. */
  files (): Promise<string[]>
}

export interface StoreScpOptions {
  readonly args?: readonly string[]
  readonly noDelay?: boolean
  readonly port?: number
  /** Where it runs, as others see it; this machine unless said. */
  readonly host?: string
  readonly within?: readonly string[]
}

export async function startStoreScp (folder: string, title: string, { args = [], noDelay = false, host = '127.0.0.1', within, ...options }: StoreScpOptions = {}): Promise<StoreScp> {
  await rm(folder, { recursive: true, force: true })
  await mkdir(folder, { recursive: true })
  const port = options.port ?? await freePort()
  const started = await start('storescp', 'storescp',
    ['--disable-host-lookup', '--aetitle', title, '--accept-all', '--output-directory', folder, ...args, String(port)],
    { env: noDelay ? NO_DELAY : {}, within, ready: { host, port } })
  return {
    ...started,
    host,
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
