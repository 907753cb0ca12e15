/**
 * An appliance under test, in QEMU, with what a test asks of it. Runs where `make test-image` started
 * the test: in a network namespace of its own, so every port is free, and the guest knows it as 10.0.2.2.
 */

import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { Machine, type MachineOptions } from '../../../os-image/qemu/machine.ts'
import type { Test } from '#test/fixtures/peer.ts'
import { Probe, probeArguments } from './probe.ts'

export const PROJECT = join(import.meta.dirname, '../../..')
export const HTTPS_PORT = 9443
export const DIMSE_PORT = 11112
export const FLEET_PORT = 8443
/** First start alone on the machine: 160 s. Beside other work, more than twice that. */
export const BOOT_SECONDS = 600

export interface Status {
  readonly version: string
  readonly release: number
  readonly slot: string
  readonly state: string
  readonly problems: readonly { readonly code: string, readonly fr: string, readonly en: string }[]
  readonly boot: { readonly secureBoot: boolean, readonly lockdown: string, readonly verity: unknown, readonly entry: string }
  readonly disk: { readonly state: string, readonly code: string | null, readonly detail?: string | null }
  readonly tpm: { readonly state: string, readonly code: string | null }
  readonly key: { readonly kind: string, readonly fingerprint: string | null, readonly selfSigned: boolean | null }
  readonly update: { readonly state: string, readonly version: string | null, readonly code: string | null }
  readonly gateway: { readonly answering: boolean }
}

export class Appliance {
  readonly machine: Machine
  readonly probe: Probe

  constructor (t: Test, image: string, folder: string, options: Partial<MachineOptions> = {}) {
    const socket = join(folder, 'probe.sock')
    this.machine = new Machine({
      image,
      folder,
      ...options.lan === undefined ? { ports: { 443: HTTPS_PORT, 11112: DIMSE_PORT } } : {},
      ...options,
      qemu: [...probeArguments(socket), ...options.qemu ?? []]
    })
    this.probe = new Probe(socket)
    t.teardown(async () => {
      this.probe.close()
      await this.machine.close()
    })
  }

  /** @returns undefined while nothing answers */
  async status (): Promise<Status | undefined> {
    const { status, body } = await this.machine.get('/status.json')
    if (status !== 200) return undefined
    return JSON.parse(body) as Status
  }

  /** @returns the status that fits, and how long it took */
  async until (fits: (status: Status) => boolean, seconds: number, what: string): Promise<{ status: Status, seconds: number }> {
    const began = Date.now()
    let last: Status | undefined
    try {
      await this.machine.until(async () => {
        last = await this.status() ?? last
        return last !== undefined && fits(last)
      }, seconds, what)
    } catch (error) {
      throw new Error(`${error instanceof Error ? error.message : String(error)}\nlast status: ${JSON.stringify(last)}`)
    }
    return { status: last as Status, seconds: (Date.now() - began) / 1000 }
  }

  async untilReady (version: string, seconds: number = BOOT_SECONDS): Promise<{ status: Status, seconds: number }> {
    return await this.until(status => status.version === version && status.state === 'ready', seconds, `version ${version} ready`)
  }

  async powerCut (): Promise<void> {
    this.probe.close()
    await this.machine.powerCut()
  }

  /** Nothing may happen for so long: what is going on has no event of its own. */
  async quiet (seconds: number): Promise<void> {
    await delay(seconds * 1000)
  }
}
