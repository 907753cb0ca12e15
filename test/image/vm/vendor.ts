/** The vendor's side of a test: the real fleet server with its TLS key, and what it saw of one box. */

import { createReadStream, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { pino } from 'pino'
import { parseFleetConfig } from '#fleet/config.ts'
import type { DeploymentStory, DeploymentView } from '#fleet/desk.ts'
import { openFleet, type Fleet } from '#fleet/fleet.ts'
import type { Test } from '#test/fixtures/peer.ts'
import { HOST_SEEN_BY_GUEST } from './appliance.ts'

export const FLEET_PORT = 8443
export const FLEET_URL = `https://${HOST_SEEN_BY_GUEST}:${FLEET_PORT}`

export class Vendor {
  readonly fleet: Fleet

  private constructor (fleet: Fleet) {
    this.fleet = fleet
  }

  static async open (t: Test, folder: string, keys: string): Promise<Vendor> {
    rmSync(folder, { recursive: true, force: true })
    const fleet = await openFleet(parseFleetConfig({
      folder,
      http: { host: '0.0.0.0', port: FLEET_PORT, publicUrl: FLEET_URL, tls: { certFile: join(keys, 'fleet.crt'), keyFile: join(keys, 'fleet.key') } },
      artifacts: { publicKeyFiles: [join(keys, 'artifact.pub')] }
    }), { log: pino({ level: 'warn' }, pino.destination(join(folder, '../fleet.log'))) })
    t.teardown(async () => { await fleet.close() })
    return new Vendor(fleet)
  }

  /** The one box that asks is let in. @returns its id */
  async accept (seconds: number): Promise<string> {
    const deadline = Date.now() + seconds * 1000
    while (Date.now() < deadline) {
      const [device] = this.fleet.desk.devices()
      if (device !== undefined) {
        this.fleet.desk.accept(device.id)
        return device.id
      }
      await delay(500)
    }
    throw new Error('no box has asked to be let in')
  }

  async release (artifact: string): Promise<string> {
    const { name } = await this.fleet.desk.addRelease(createReadStream(artifact))
    return name
  }

  deploy (release: string, device: string): string {
    return this.fleet.desk.deploy(release, device).id
  }

  story (deployment: string): DeploymentStory {
    return this.fleet.desk.deployment(deployment)
  }

  /** States in their order, each once in a row. */
  states (deployment: string): string[] {
    return this.story(deployment).events.map(({ state }) => state as string).filter((state, index, all) => state !== all[index - 1])
  }

  /** @throws naming its states when it has not come to one of `states` in time */
  async until (deployment: string, states: readonly string[], seconds: number): Promise<DeploymentView> {
    const deadline = Date.now() + seconds * 1000
    for (;;) {
      const story = this.story(deployment)
      if (states.includes(story.state) || (story.isFinal && states.length === 0)) return story
      if (story.isFinal || Date.now() > deadline) throw new Error(`deployment ${story.release}: ${this.states(deployment).join(', ')} instead of ${states.join(' or ')}; ${JSON.stringify(story.cause)}`)
      await delay(300)
    }
  }
}
