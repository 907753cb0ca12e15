/** The device side of Mender's API, wired. */

import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { FleetConfig } from '../config.ts'
import { FleetError } from '../errors.ts'
import { Budget } from '../http/budget.ts'
import { Links } from '../keys/link.ts'
import type { ServerKeys } from '../keys/server-keys.ts'
import { Tokens } from '../keys/token.ts'
import type { Store } from '../store/open-store.ts'
import { authenticationRoutes } from './authentication.ts'
import { deploymentRoutes } from './deployments.ts'
import { downloadRoutes } from './download.ts'
import { inventoryRoutes } from './inventory.ts'
import type { Downloads } from './progress.ts'
import { admit as admitBy } from './who.ts'

export interface MenderParts {
  readonly store: Store
  readonly keys: ServerKeys
  readonly fileOf: (sha256: string) => string
  readonly downloads: Downloads
  /** In milliseconds since 1970. */
  readonly now: () => number
}

/** Names, IPv4, IPv6 in brackets; perhaps a port. */
const HOST = /^([A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(:\d{1,5})?$/

export function menderRoutes (app: FastifyInstance, { http, devices, downloads: downloading }: FleetConfig, { store, keys, fileOf, downloads, now }: MenderParts): void {
  const tokens = new Tokens(keys.token, devices.tokenSeconds, now)
  const links = new Links(keys.link, downloading.linkSeconds, now)
  const admit = admitBy({ devices: store.devices, tokens, budget: new Budget(devices.requestsPerMinute, now) })
  // What a caller writes in Host comes back to that caller alone.
  const base = ({ protocol, host }: FastifyRequest): string => {
    if (http.publicUrl !== undefined) return http.publicUrl
    if (!HOST.test(host)) throw new FleetError('REQUEST_UNREADABLE', 'the Host header is no host')
    return `${protocol}://${host}`
  }
  authenticationRoutes(app, { devices: store.devices, tokens, budget: new Budget(devices.authRequestsPerMinute, now), pendingMax: devices.pendingMax })
  deploymentRoutes(app, { store, links, base, admit, logBytesMax: devices.logBytesMax })
  inventoryRoutes(app, { inventory: store.inventory, admit })
  downloadRoutes(app, { store, links, fileOf, downloads, ...downloading })
}
