/**
 * What an operator does, whether from the command line or from a program: releases, devices, deployments.
 */

import type { ArtifactFiles } from './artifact-files.ts'
import { causeOf, type Cause } from './causes.ts'
import { FleetError } from './errors.ts'
import { parseDeviceKey } from './mender/device-key.ts'
import { parseIdentity } from './mender/identity.ts'
import { lackingFor } from './mender/next.ts'
import type { Downloads, Progress } from './mender/progress.ts'
import type { Deployment, DeploymentEvent, DeploymentLog } from './store/deployments.ts'
import type { Device } from './store/devices.ts'
import type { Attributes } from './store/inventory.ts'
import type { Store } from './store/open-store.ts'
import type { Release } from './store/releases.ts'

export interface DeploymentView extends Deployment {
  /** Names, where the deployment has ids. */
  readonly release: string
  readonly cause: Cause | undefined
  /** Of its download, where one has begun since the server was started. */
  readonly download: Progress | undefined
}

export interface DeploymentStory extends DeploymentView {
  readonly events: readonly DeploymentEvent[]
  readonly log: DeploymentLog | undefined
}

export class Desk {
  readonly #store: Store
  readonly #files: ArtifactFiles
  readonly #downloads: Pick<Downloads, 'of'>

  constructor (store: Store, files: ArtifactFiles, downloads: Pick<Downloads, 'of'>) {
    this.#store = store
    this.#files = files
    this.#downloads = downloads
  }

  /** @throws FleetError ARTIFACT_…, RELEASE_EXISTS */
  async addRelease (chunks: AsyncIterable<Uint8Array>): Promise<Release> {
    const { name, deviceTypes, payloadTypes, provides, depends, signedBy, sha256, bytes } = await this.#files.keep(chunks)
    try {
      return this.#store.releases.add({ name, deviceTypes, payloadTypes, provides, depends, signedBy, sha256, bytes })
    } catch (error) {
      if (this.releases().every(release => release.sha256 !== sha256)) await this.#files.remove(sha256)
      throw error
    }
  }

  releases (): Release[] {
    return this.#store.releases.list()
  }

  /** @throws FleetError RELEASE_UNKNOWN, RELEASE_IN_USE */
  async removeRelease (name: string): Promise<Release> {
    const release = this.#store.releases.remove(name)
    await this.#files.remove(release.sha256)
    return release
  }

  devices (): Device[] {
    return this.#store.devices.list()
  }

  /** @param device an id, or how one begins */
  device (device: string): Device & { readonly inventory: Attributes } {
    const found = this.#store.devices.find(device)
    return { ...found, inventory: this.#store.inventory.of(found.id) }
  }

  /**
   * @param identity as the device will tell it: JSON
   * @param key its public key in PEM; absent: whichever is shown first
   * @throws FleetError IDENTITY_INVALID, KEY_UNSUPPORTED, DEVICE_KNOWN
   */
  preauthorise (identity: string, key?: string): Device {
    return this.#store.devices.expect(parseIdentity(identity), key === undefined ? undefined : parseDeviceKey(key).fingerprint)
  }

  /** @throws FleetError DEVICE_UNKNOWN, DEVICE_AMBIGUOUS, KEY_UNKNOWN, KEY_AMBIGUOUS */
  accept (device: string, fingerprint?: string): Device {
    return this.#store.devices.accept(this.#store.devices.find(device).id, fingerprint)
  }

  /** @throws as {@link accept} */
  reject (device: string, fingerprint?: string): Device {
    return this.#store.devices.reject(this.#store.devices.find(device).id, fingerprint)
  }

  /** @throws FleetError RELEASE_UNKNOWN, DEVICE_UNKNOWN, DEVICE_NOT_ACCEPTED, DEVICE_TYPE_WRONG, DEPLOYMENT_ACTIVE */
  deploy (releaseName: string, deviceText: string): DeploymentView {
    const release = this.#store.releases.find(releaseName)
    const device = this.#store.devices.find(deviceText)
    if (!device.isExpected && device.keys.every(({ standing }) => standing !== 'accepted')) throw new FleetError('DEVICE_NOT_ACCEPTED', 'the device is not accepted')
    if (device.deviceType !== undefined) {
      // Of a device that was never seen this is found out when it asks.
      const lacking = lackingFor({ ...release, depends: {} }, { device_type: device.deviceType })
      if (lacking !== undefined) throw new FleetError('DEVICE_TYPE_WRONG', 'the release is not made for this device', { facts: { lacking } })
    }
    return this.#view(this.#store.deployments.create(device.id, release.id))
  }

  /** @throws FleetError DEPLOYMENT_UNKNOWN, DEPLOYMENT_FINISHED */
  abort (id: string): DeploymentView {
    return this.#view(this.#store.deployments.report(id, 'aborted'))
  }

  /** The newest first. */
  deployments (): DeploymentView[] {
    return this.#store.deployments.list().map(one => this.#view(one))
  }

  /** @throws FleetError DEPLOYMENT_UNKNOWN */
  deployment (id: string): DeploymentStory {
    const deployment = this.#store.deployments.get(id)
    return { ...this.#view(deployment), events: this.#store.deployments.events(id), log: this.#store.deployments.log(id) }
  }

  /** Of all deployments, after the event of this number; 0 for all. */
  eventsAfter (number: number): DeploymentEvent[] {
    return this.#store.deployments.eventsAfter(number)
  }

  #view (deployment: Deployment): DeploymentView {
    const cause = causeOf({
      state: deployment.state,
      events: this.#store.deployments.events(deployment.id),
      log: this.#store.deployments.log(deployment.id),
      inventory: this.#store.inventory.of(deployment.deviceId)
    })
    return { ...deployment, release: this.#store.releases.get(deployment.releaseId).name, cause, download: this.#downloads.of(deployment.id) }
  }
}
