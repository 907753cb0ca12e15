/**
 * Every setting of the fleet server, declared once: meaning, unit, default and bounds.
 */

import { readFile } from 'node:fs/promises'
import { Type, type Static } from 'typebox'
import { Value } from 'typebox/value'
import { SettingError } from '#core/errors.ts'

const closed = { additionalProperties: false } as const

const MIB = 2 ** 20
const GIB = 2 ** 30
const DAY_SECONDS = 86400

const seconds = (description: string, value: number, minimum: number, maximum: number) =>
  Type.Integer({ description, default: value, minimum, maximum })

const Tls = Type.Object({
  certFile: Type.String({ minLength: 1, description: 'PEM of our certificate, then of those between it and its authority' }),
  keyFile: Type.String({ minLength: 1, description: 'PEM of its key' })
}, { ...closed, description: 'absent: in the clear, for a socket behind a front' })

const Http = Type.Object({
  host: Type.String({ default: '127.0.0.1', description: 'address that we listen on, when no socket is named' }),
  port: Type.Integer({ default: 8443, minimum: 0, maximum: 65535, description: '0 takes a free one' }),
  socket: Type.Optional(Type.String({ minLength: 1, description: 'UNIX socket behind a front; then host and port are not used' })),
  tls: Type.Optional(Tls),
  publicUrl: Type.Optional(Type.String({ pattern: '^https?://[A-Za-z0-9.:_\\[\\]-]+$', description: 'URL under which devices reach us, for download links, when it is not what they say in Host' })),
  connectionsMax: Type.Integer({ default: 1024, minimum: 1, maximum: 100_000, description: 'devices at the same time' })
}, closed)

const Artifacts = Type.Object({
  publicKeyFiles: Type.Array(Type.String({ minLength: 1 }), { minItems: 1, maxItems: 8, description: 'PEM of the vendor\'s public keys: an artifact that none of them signed never enters the store' }),
  bytesMax: Type.Integer({ default: GIB, minimum: MIB, maximum: 64 * GIB, description: 'one artifact' })
}, closed)

const Devices = Type.Object({
  tokenSeconds: seconds('a device\'s token is valid for so long', 7 * DAY_SECONDS, 60, 30 * DAY_SECONDS),
  pendingMax: Type.Integer({ default: 1000, minimum: 1, maximum: 100_000, description: 'devices that nobody has accepted yet' }),
  authRequestsPerMinute: Type.Integer({ default: 60, minimum: 1, maximum: 100_000, description: 'authentication requests from one address' }),
  requestsPerMinute: Type.Integer({ default: 120, minimum: 1, maximum: 100_000, description: 'other requests of one device' }),
  logBytesMax: Type.Integer({ default: 4 * MIB, minimum: 1024, maximum: 64 * MIB, description: 'one deployment log, as it is sent' })
}, { ...closed, default: {} })

const Downloads = Type.Object({
  linkSeconds: seconds('a download link is valid for so long', DAY_SECONDS, 60, 30 * DAY_SECONDS),
  atOnceMax: Type.Integer({ default: 64, minimum: 1, maximum: 10_000, description: 'downloads at the same time; further ones are asked to come back' }),
  retrySeconds: seconds('when those are asked to come back', 60, 1, 3600)
}, { ...closed, default: {} })

export const FleetConfigSchema = Type.Object({
  folder: Type.String({ minLength: 1, description: 'database, artifacts and the server\'s own keys' }),
  http: Type.Object(Http.properties, { ...closed, default: {} }),
  artifacts: Artifacts,
  devices: Devices,
  downloads: Downloads,
  adminSocket: Type.Optional(Type.String({ minLength: 1, description: 'UNIX socket for the command line' })),
  logLevel: Type.Union(['fatal', 'error', 'warn', 'info', 'debug', 'silent'].map(level => Type.Literal(level)), { default: 'info' })
}, closed)

export type FleetConfig = Readonly<Static<typeof FleetConfigSchema>>

/** @throws SettingError SETTING_INVALID, naming every wrong key at once */
export function parseFleetConfig (json: unknown): FleetConfig {
  const config = Value.Default(FleetConfigSchema, structuredClone(json))
  const slips = [...Value.Errors(FleetConfigSchema, config)].map(slip => `${slip.instancePath || '/'} ${slip.message}`)
  if (slips.length > 0) throw new SettingError(slips.join('; '))
  return config as FleetConfig
}

/** @throws SettingError when the file is absent, not JSON, or wrong */
export async function readFleetConfig (path: string): Promise<FleetConfig> {
  let json: unknown
  try {
    json = JSON.parse(await readFile(path, 'utf8'))
  } catch (error) {
    throw new SettingError(`settings cannot be read from ${path}`, { cause: error })
  }
  return parseFleetConfig(json)
}
