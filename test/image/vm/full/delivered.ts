/**
 * A box as it stands at a centre: its first boot is behind it, its settings came from a stick, the vendor's
 * server may be asked. Made once; each test gets a copy of its disk, its firmware and its TPM.
 *
 *     node test/image/vm/full/delivered.ts
 */

import { execFile } from 'node:child_process'
import { appendFileSync, cpSync, mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { Machine, type MachineOptions } from '../../../../os-image/qemu/machine.ts'
import { HOST_SEEN_BY_GUEST, deskSettings, makeStick } from '../../../../os-image/qemu/stick.ts'
import type { Test } from '#test/fixtures/peer.ts'
import { Appliance, BOOT_SECONDS, DIMSE_PORT, FLEET_PORT, HTTPS_PORT, PROJECT, type Status } from '../appliance.ts'
import { Probe, probeArguments } from '../probe.ts'

export const KEYS = join(PROJECT, 'var/keys')
export const IMAGES = join(PROJECT, 'var/image')
export const FOLDER = join(PROJECT, 'var/run/test-image-full')
const DELIVERED = join(FOLDER, 'delivered')
/** Some tests share the two processors with another machine. */
export const LOADED_BOOT_SECONDS = 1.5 * BOOT_SECONDS
/** Of a boot entry: os-image/assemble/disk.sh, boot-entries. */
export const TRIES = 3
/** No PACS listens there: a PACS that is off is no fault of the box. */
const PACS_PORT = 4242

const run = promisify(execFile)

/** @param names of its folder; a test has as many machines as it likes */
export function delivered (t: Test, name: string, options: Partial<MachineOptions> = {}): Appliance {
  const folder = join(FOLDER, name)
  rmSync(folder, { recursive: true, force: true })
  cpSync(DELIVERED, folder, { recursive: true })
  return new Appliance(t, join(IMAGES, 'test'), folder, options)
}

/** It answers as `version` (undefined: as any), with its data open: what a site needs, whatever else is told. */
export async function serves (box: Appliance, version?: string, seconds = LOADED_BOOT_SECONDS): Promise<{ status: Status, seconds: number }> {
  return await box.until(status => (version === undefined || status.version === version) && status.gateway.answering && ['open', 'new'].includes(status.disk.state), seconds, `${version ?? 'version'} that serves`)
}

/** Version, tries left, tries used, file: one line for each entry of the boot loader. */
export async function bootEntries (box: Appliance): Promise<string> {
  return await box.probe.text('/usr/lib/drimbox/boot-entries', 'list')
}

/** Waits until the gate has found the start good and the entry of `version` has all its tries again. */
export async function rearmed (box: { readonly machine: Machine, readonly probe: Probe }, version: string, seconds = LOADED_BOOT_SECONDS): Promise<void> {
  const entry = new RegExp(`^${version.replaceAll('.', '\\.')} 3 0 `, 'm')
  await box.machine.until(async () => entry.test((await box.probe.run(['/usr/lib/drimbox/boot-entries', 'list'])).out), seconds, `all tries of ${version}`)
}

/** A row of docs/image-tests.md. */
export function row (what: string, seen: string): void {
  appendFileSync(join(FOLDER, 'table.md'), `| ${what} | ${seen} |\n`)
}

/** Seconds as a person reads them. */
export const told = (seconds: number): string => `${Math.round(seconds)} s`

async function deliver (): Promise<void> {
  rmSync(FOLDER, { recursive: true, force: true })
  mkdirSync(FOLDER, { recursive: true })
  const stick = join(FOLDER, 'stick.img')
  makeStick(stick, deskSettings({
    fleetUrl: `https://${HOST_SEEN_BY_GUEST}:${FLEET_PORT}`,
    pacs: { port: PACS_PORT, calledTitle: 'PACS' },
    dimse: { aeTitle: 'DRIMBOX', port: DIMSE_PORT },
    ntp: true
  }), KEYS)
  const socket = join(DELIVERED, 'probe.sock')
  const machine = new Machine({ image: join(IMAGES, 'test'), folder: DELIVERED, fresh: true, stick, ports: { 443: HTTPS_PORT, 11112: DIMSE_PORT }, qemu: probeArguments(socket) })
  const probe = new Probe(socket)
  try {
    await machine.start()
    await machine.until(async () => {
      const { status, body } = await machine.get('/status.json')
      if (status !== 200) return false
      const { gateway, stick } = JSON.parse(body) as Status & { stick: { state: string } | null }
      return gateway.answering && stick?.state === 'taken'
    }, LOADED_BOOT_SECONDS, 'box that has taken its settings')
    await rearmed({ machine, probe }, '0.1.0')
    await machine.shutDown()
  } finally {
    probe.close()
    await machine.close()
  }
  // What it said belongs to its making; the tests read what it says from here on.
  for (const file of ['serial.log', 'qemu.log', 'swtpm.log', 'probe.sock', 'monitor.sock', 'tpm.sock']) rmSync(join(DELIVERED, file), { force: true })
  const { stdout } = await run('du', ['-sh', DELIVERED])
  console.log(`delivered: ${stdout.trim()}`)
}

if (import.meta.main) await deliver()
