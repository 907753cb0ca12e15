/**
 * Takes signed settings apart into what acts on them, in a folder of their own beside those in force;
 * a script then turns one link (appliance/rootfs/usr/lib/drimbox/stick).
 */

import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseConfig } from '../config.ts'
import { networkFile, ntpSources, parseSite, peersOf } from './settings.ts'

/** What a stick's settings are refused for; stable, told on the status page. */
export type RefusalCode =
  | 'SETTINGS_OLD' // a serial below the one in force, or the same with another content
  | 'SETTINGS_INVALID' // not JSON, or a wrong key; all of them are named

export class Refusal extends Error {
  readonly code: RefusalCode
  constructor (code: RefusalCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

/**
 * @param file the settings, their signature already found good
 * @param folder where `settings` leads to those in force
 * @returns the name of the new folder below it, or `same` where exactly these are in force
 * @throws Refusal
 */
export async function takeSettings (file: string, folder: string): Promise<string> {
  const text = await readFile(file, 'utf8')
  const site = parsed(text)
  const inForce = join(folder, 'settings')
  const serial = Number(await readFile(join(inForce, 'serial'), 'utf8').catch(() => '0'))
  if (site.serial === serial && await readFile(join(inForce, 'drimbox-settings.json'), 'utf8').catch(() => '') === text) return 'same'
  if (site.serial <= serial) throw new Refusal('SETTINGS_OLD', `serial ${site.serial}, but ${serial} is in force`)

  const name = `settings-${site.serial}`
  const made = join(folder, name)
  // What a power cut left of an earlier attempt.
  await rm(made, { recursive: true, force: true })
  await mkdir(made, { recursive: true, mode: 0o700 })
  const files = {
    'drimbox-settings.json': text,
    serial: `${site.serial}\n`,
    network: site.network && networkFile(site.network),
    ntp: site.ntp && ntpSources(site.ntp),
    fleet: site.fleet && `${site.fleet.url}\n${site.fleet.pollSeconds}\n`,
    'config.json': site.gateway && JSON.stringify(site.gateway, undefined, 2) + '\n',
    // Here, since Node is running: each start of it costs a small machine a second.
    peers: site.gateway && peersOf(parseConfig(site.gateway))
  }
  for (const [part, content] of Object.entries(files)) {
    if (content !== undefined) await writeFile(join(made, part), content)
  }
  return name
}

function parsed (text: string): ReturnType<typeof parseSite> {
  try {
    return parseSite(JSON.parse(text))
  } catch (error) {
    throw new Refusal('SETTINGS_INVALID', error instanceof Error ? error.message : String(error), { cause: error })
  }
}
