/**
 * The wiring of the fleet server: the one file that knows every room, and the first to read.
 *
 * Rooms open in order of need and close in the reverse order; nothing is served by half a server.
 */

import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { pino, type Logger } from 'pino'
import { adminRoutes } from './admin/routes.ts'
import { ArtifactFiles } from './artifact-files.ts'
import { readVendorKeys } from './artifact/vendor-keys.ts'
import type { FleetConfig } from './config.ts'
import { Desk } from './desk.ts'
import { listenOn } from './http/listen.ts'
import { fleetServer } from './http/server.ts'
import { openServerKeys } from './keys/server-keys.ts'
import { menderRoutes } from './mender/routes.ts'
import { Downloads } from './mender/progress.ts'
import { openStore } from './store/open-store.ts'

export interface Fleet {
  /** URL that devices are given; a path when it listens on a socket. */
  readonly address: string
  readonly desk: Desk
  close (): Promise<void>
}

export interface FleetOptions {
  readonly log?: Logger
  /** In milliseconds since 1970. */
  readonly now?: () => number
}

/** @throws SettingError, and whatever keeps a room from opening; those that were open are closed by then */
export async function openFleet (config: FleetConfig, { log = pino({ level: config.logLevel }), now = Date.now }: FleetOptions = {}): Promise<Fleet> {
  const open: { close (): unknown }[] = []
  const close = async (): Promise<void> => {
    for (const room of open.splice(0).toReversed()) await room.close()
  }
  try {
    const { folder, http, artifacts, adminSocket } = config
    await mkdir(folder, { recursive: true, mode: 0o700 })
    const vendorKeys = await readVendorKeys(artifacts.publicKeyFiles)
    const files = await ArtifactFiles.open(join(folder, 'artifacts'), vendorKeys, artifacts.bytesMax)
    const keys = await openServerKeys(join(folder, 'keys'))
    const store = openStore(join(folder, 'fleet.sqlite'), now)
    open.push(store)
    const downloads = new Downloads()
    const desk = new Desk(store, files, downloads)
    if (adminSocket !== undefined) {
      const admin = await fleetServer({ connectionsMax: 16, takesUploads: true }, log)
      adminRoutes(admin, desk)
      open.push(admin)
      await listenOn(admin, { socket: adminSocket })
    }
    const server = await fleetServer(http, log)
    menderRoutes(server, config, { store, keys, fileOf: sha256 => files.pathOf(sha256), downloads, now })
    open.push(server)
    const address = await listenOn(server, http)
    return { address, desk, close }
  } catch (error) {
    await close()
    throw error
  }
}
