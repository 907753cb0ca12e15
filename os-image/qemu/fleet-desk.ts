/**
 * The vendor's side beside virtual machines: the real fleet server in this process, with TLS, and what
 * an operator does there.
 *
 * Machines whose ports are forwarded (`ports` of machine.ts) reach it as https://10.0.2.2:<port>.
 */

import { createReadStream } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { pino } from 'pino'
import type { Cause } from '#fleet/causes.ts'
import { parseFleetConfig } from '#fleet/config.ts'
import type { DeploymentStory } from '#fleet/desk.ts'
import { openFleet, type Fleet } from '#fleet/fleet.ts'
import type { State } from '#fleet/mender/states.ts'
import type { DeploymentEvent } from '#fleet/store/deployments.ts'
import type { KeyRow } from '#fleet/store/devices.ts'
import { HOST_SEEN_BY_GUEST } from './stick.ts'

export interface FleetDeskOptions {
  /** The guest is told it beforehand, hence no free one. */
  readonly port: number
  /** Its database and artifacts; what is there is taken up again. */
  readonly folder: string
  /** Made by os-image/keys/make.sh: fleet.key, fleet.crt, artifact.pub. */
  readonly keys: string
}

const LOOK_EVERY_MS = 300

export async function openFleetDesk ({ port, folder, keys }: FleetDeskOptions): Promise<FleetDesk> {
  await mkdir(folder, { recursive: true })
  const url = `https://${HOST_SEEN_BY_GUEST}:${port}`
  const fleet = await openFleet(parseFleetConfig({
    folder,
    http: { host: '127.0.0.1', port, publicUrl: url, tls: { certFile: join(keys, 'fleet.crt'), keyFile: join(keys, 'fleet.key') } },
    artifacts: { publicKeyFiles: [join(keys, 'artifact.pub')] },
    // A machine that is tested asks every few seconds.
    devices: { requestsPerMinute: 1000, authRequestsPerMinute: 1000 },
    adminSocket: join(folder, 'admin.sock')
  }), { log: pino({ level: 'info' }, pino.destination(join(folder, 'fleet.log'))) })
  return new FleetDesk(url, fleet)
}

export class FleetDesk {
  /** What the guest's settings name. */
  readonly url: string
  readonly #fleet: Fleet

  constructor (url: string, fleet: Fleet) {
    this.url = url
    this.#fleet = fleet
  }

  /**
   * Lets in the device that waits, or that asks from now on.
   *
   * @returns its id
   * @throws when none has asked within `seconds`
   */
  async accept (seconds: number): Promise<string> {
    const { desk } = this.#fleet
    const since = Date.now()
    // A machine put back to an earlier day makes another key: the one that was let in says nothing yet.
    const asks = ({ standing, seenAt }: KeyRow) => standing === 'pending' || seenAt > since
    const device = await soon(() => desk.devices().find(({ keys }) => keys.some(asks)), seconds, 'no device has asked to be let in')
    if (device.keys.some(({ standing }) => standing === 'pending')) desk.accept(device.id)
    return device.id
  }

  /** @returns the release's name */
  async release (artifact: string): Promise<string> {
    return (await this.#fleet.desk.addRelease(createReadStream(artifact))).name
  }

  /** @returns the deployment's id */
  deploy (release: string, device: string): string {
    return this.#fleet.desk.deploy(release, device).id
  }

  abort (deployment: string): void {
    const { isFinal } = this.story(deployment)
    if (!isFinal) this.#fleet.desk.abort(deployment)
  }

  story (deployment: string): DeploymentStory {
    return this.#fleet.desk.deployment(deployment)
  }

  /** Its states in their order, each once in a row. */
  states (deployment: string): State[] {
    return this.story(deployment).events.map(({ state }) => state).filter((state, place, all) => state !== all[place - 1])
  }

  /**
   * Each step of a deployment as it is told, to its end.
   *
   * @param watch called now and then between two steps, for progress
   * @throws when it has not ended within `seconds`
   */
  async * follow (deployment: string, seconds: number, watch: (story: DeploymentStory) => void = () => {}): AsyncGenerator<DeploymentEvent, DeploymentStory> {
    const deadline = Date.now() + seconds * 1000
    for (let seen = 0; ;) {
      const story = this.story(deployment)
      yield * story.events.slice(seen)
      seen = story.events.length
      if (story.isFinal) return story
      if (Date.now() > deadline) throw new Error(`deployment of ${story.release}: ${this.states(deployment).join(', ')}, and no end within ${seconds} s`)
      watch(story)
      await delay(LOOK_EVERY_MS)
    }
  }

  /** @throws naming its states when it has ended in another one, or in none in time */
  async until (deployment: string, states: readonly State[], seconds: number): Promise<DeploymentStory> {
    return await soon(() => {
      const story = this.story(deployment)
      if (states.includes(story.state)) return story
      if (story.isFinal) throw new Error(`deployment of ${story.release}: ${this.states(deployment).join(', ')} instead of ${states.join(' or ')}: ${JSON.stringify(story.cause)}`)
      return undefined
    }, seconds, `deployment ${deployment} did not come to ${states.join(' or ')}`)
  }

  /**
   * Why a deployment failed. Mender's client sends its log, where the reason stands, after its last state.
   *
   * @throws when no reason with a code has come within `seconds`
   */
  async cause (deployment: string, seconds = 120): Promise<Cause> {
    return await soon(() => {
      const { cause } = this.story(deployment)
      return cause?.code === undefined ? undefined : cause
    }, seconds, `deployment ${deployment}: no reason`)
  }

  async close (): Promise<void> {
    await this.#fleet.close()
  }
}

async function soon<T> (look: () => T | undefined, seconds: number, otherwise: string): Promise<T> {
  const deadline = Date.now() + seconds * 1000
  for (;;) {
    const found = look()
    if (found !== undefined) return found
    if (Date.now() > deadline) throw new Error(`${otherwise} within ${seconds} s`)
    await delay(LOOK_EVERY_MS)
  }
}
