/**
 * Which PACS, and who we are: from the box's settings file, or from `--pacs=AETITLE@host:port` and a few options
 * beside it. Either way the result has passed the door of the settings.
 */

import { parseConfig, readConfig, type Config } from '#box/config.ts'
import { clientTls } from '#box/pacs/tls.ts'
import { SettingError } from '#core/errors.ts'
import type { Peer } from '#standards/dimse/connect.ts'
import type { Timers } from '#standards/dimse/limits.ts'
import { UsageError, wholeNumber, type Given, type OptionKinds } from './options.ts'
import type { Words } from './words.ts'

export const CONFIG_FILE = '/var/lib/drimbox/config.json'

/** Options of every verb that talks to the PACS. */
export const PACS_OPTIONS: OptionKinds = { config: 'text', pacs: 'text', title: 'text', port: 'text' }

/** Title, host (a name, IPv4, or IPv6 in brackets) and port; the title may hold an @. */
const PACS = /^(?<title>.{1,16})@(?<host>\[[\dA-Fa-f:.]+\]|[^@:\s]+)(?::(?<port>\d{1,5}))?$/

/** @throws UsageError, SettingError */
export async function settingsOf (given: Given, words: Words): Promise<Config> {
  const pacs = given.text('pacs')
  if (pacs !== undefined && given.text('config') !== undefined) throw new UsageError(words.usage.notBoth('--config', '--pacs'))
  const config = pacs === undefined ? await readConfig(given.text('config') ?? CONFIG_FILE) : parseConfig(settingsFor(pacs, words))
  const title = given.text('title')
  const port = wholeNumber(given, 'port', 1, 65535, words)
  if (title === undefined && port === undefined) return config
  const { dimse } = config
  return parseConfig({ ...config, dimse: { ...dimse, aeTitle: title ?? dimse.aeTitle, port: port ?? dimse.port } })
}

/** Settings must name a cache, though the command line keeps none. */
function settingsFor (text: string, words: Words): object {
  const parts = PACS.exec(text)?.groups
  if (parts === undefined) throw new UsageError(words.usage.pacsForm(text))
  return {
    pacs: {
      calledTitle: parts.title,
      host: parts.host!.replace(/^\[|\]$/g, ''),
      ...parts.port !== undefined && { port: Number(parts.port) }
    },
    cache: { folder: '.' }
  }
}

/** @throws SettingError when a file of TLS cannot be read */
export async function peerOf ({ pacs, dimse }: Config): Promise<Peer> {
  const tls = await readable(clientTls(pacs.tls))
  return { host: pacs.host, port: pacs.port, calledTitle: pacs.calledTitle, callingTitle: dimse.aeTitle, tls }
}

/** @throws SettingError */
export async function readable<T> (files: Promise<T>): Promise<T> {
  try {
    return await files
  } catch (error) {
    throw new SettingError('a file of TLS cannot be read', { cause: error })
  }
}

export function timersOf ({ pacs }: Config): Partial<Timers> {
  return { connectSeconds: pacs.connectSeconds, responseSeconds: pacs.responseSeconds }
}
