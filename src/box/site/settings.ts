/**
 * The settings of one site, as the vendor signs them and a USB stick brings them: address, time, fleet
 * server, gateway. Format: docs/operations.md, "Settings on a stick".
 *
 * Whether the signature is the vendor's has been asked before (appliance/rootfs/usr/lib/drimbox/stick).
 * Every value that will stand in a file of another program's syntax is held to characters that mean
 * nothing there.
 */

import { isIPv4 } from 'node:net'
import { Type, type Static } from 'typebox'
import { Value } from 'typebox/value'
import { SettingError } from '#core/errors.ts'
import { parseConfig, type Config } from '../config.ts'

const closed = { additionalProperties: false } as const

/** RFC 1123 §2.1, in ASCII; an address is one too. */
const host = (description: string) => Type.String({ pattern: '^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$', description })
const address = (description: string) => Type.String({ pattern: '^(\\d{1,3}\\.){3}\\d{1,3}$', description })

const Network = Type.Object({
  address: Type.String({ pattern: '^(\\d{1,3}\\.){3}\\d{1,3}/([1-9]|[12]\\d|3[0-2])$', description: 'IPv4 and the length of its prefix: 192.0.2.10/24' }),
  gateway: Type.Optional(address('the router; absent: the own network alone')),
  dns: Type.Array(address('name server'), { default: [], maxItems: 3 })
}, { ...closed, description: 'absent: by DHCP' })

const Fleet = Type.Object({
  url: Type.String({ pattern: '^https://[A-Za-z0-9.-]+(:\\d{1,5})?(/[A-Za-z0-9._/-]*)?$', description: 'of the fleet server (Mender\'s device API)' }),
  pollSeconds: Type.Integer({ default: 1800, minimum: 5, maximum: 86400, description: 'between two questions for an update' })
}, { ...closed, description: 'absent: what the image says' })

export const SiteSchema = Type.Object({
  serial: Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER, description: 'rises with each file that is signed for this site; a lower one is refused' }),
  network: Type.Optional(Network),
  ntp: Type.Optional(Type.Array(Type.Union([host('server'), Type.Object({ host: host('server'), nts: Type.Boolean({ default: false, description: 'RFC 8915; a server that does not answer so is not believed' }) }, closed)]), { maxItems: 8, description: 'absent: by DHCP, else public servers with NTS' })),
  fleet: Type.Optional(Fleet),
  gateway: Type.Optional(Type.Unknown({ description: 'config.json of the gateway (box/config.ts); where its sockets and its cache lie is not the site\'s to say' }))
}, closed)

/** With the gateway's part as the gateway will read it: checked, paths of the appliance in it. */
export interface Site extends Omit<Static<typeof SiteSchema>, 'gateway'> {
  readonly gateway?: Readonly<Record<string, unknown>>
}

/** Where everything lies on an appliance, whatever a site says (appliance/rootfs). */
const PLACES = {
  http: { socket: '/run/drimbox/http.sock' },
  cache: { folder: '/var/lib/drimbox/cache' },
  adminSocket: '/run/drimbox-admin/admin.sock'
} as const

/** @throws SettingError SETTING_INVALID, naming every wrong key */
export function parseSite (json: unknown): Site {
  const site = Value.Default(SiteSchema, structuredClone(json)) as Static<typeof SiteSchema>
  const slips = [...Value.Errors(SiteSchema, site)].map(slip => `${slip.instancePath || '/'} ${slip.message}`)
  if (slips.length > 0) throw new SettingError(slips.join('; '))
  const { network } = site
  for (const one of network === undefined ? [] : [network.address.split('/')[0]!, ...network.dns, ...network.gateway === undefined ? [] : [network.gateway]]) {
    if (!isIPv4(one)) throw new SettingError(`/network ${one} is no IPv4 address`)
  }
  return site.gateway === undefined ? site as Site : { ...site, gateway: gatewayOf(site.gateway) }
}

/** As it was written, not as it is read: defaults of a later release stay that release's. */
function gatewayOf (given: unknown): Record<string, unknown> {
  if (given === null || typeof given !== 'object' || Array.isArray(given)) throw new SettingError('/gateway is no object')
  const { http, cache, ...rest } = given as Record<string, Record<string, unknown> | undefined>
  const { host: _host, port: _port, ...restOfHttp } = http ?? {}
  const gateway = { ...rest, http: { ...restOfHttp, ...PLACES.http }, cache: { ...cache, ...PLACES.cache }, adminSocket: PLACES.adminSocket }
  try {
    parseConfig(gateway)
  } catch (error) {
    if (error instanceof SettingError) throw new SettingError(`/gateway: ${error.message}`, { cause: error })
    throw error
  }
  return gateway
}

/** systemd.network(5): any cable, before the image's own file by its number. */
export function networkFile ({ address, gateway, dns }: NonNullable<Site['network']>): string {
  return [
    '[Match]', 'Type=ether', '', '[Network]', 'DHCP=no', 'LinkLocalAddressing=no', 'IPv6AcceptRA=no', 'LLMNR=no', 'MulticastDNS=no',
    `Address=${address}`, ...gateway === undefined ? [] : [`Gateway=${gateway}`], ...dns.map(server => `DNS=${server}`), ''
  ].join('\n')
}

/** chrony.conf(5), one `server` a line. */
export function ntpSources (ntp: NonNullable<Site['ntp']>): string {
  return ntp.map(one => typeof one === 'string' ? `server ${one} iburst\n` : `server ${one.host} iburst${one.nts ? ' nts' : ''}\n`).join('')
}

/**
 * Whom the gateway talks to, for the packet filter: a line each, `pacs HOST PORT` for whom it calls,
 * `caller HOST OUR-PORT` for who may call it (box/pacs/senders.ts decides once more, by title).
 */
export function peersOf ({ pacs, dimse }: Config): string {
  const senders = pacs.senders.length > 0 ? pacs.senders : [{ title: pacs.calledTitle }]
  const callers = new Set(senders.flatMap(({ addresses }) => addresses ?? [pacs.host]))
  return [`pacs ${pacs.host} ${pacs.port}`, ...[...callers].map(caller => `caller ${caller} ${dimse.port}`), ''].join('\n')
}
