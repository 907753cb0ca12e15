/**
 * Which update a device gets next, if any: decided from what it says that it is and has.
 *
 * Source: Mender device API, deployments v1 and v2 (`deployments/next`); artifact format v3
 * (`artifact_depends`).
 */

import type { Deployment, DeploymentTable } from '../store/deployments.ts'
import type { Release } from '../store/releases.ts'

/** What the device provides; `artifact_name` and `device_type` always. */
export type Provides = Readonly<Record<string, string>>

export interface NextParts {
  readonly deployments: Pick<DeploymentTable, 'active' | 'report'>
  readonly releaseOf: (deployment: Deployment) => Release
}

/** @returns what is to be offered; a deployment that can't be is ended, with the reason */
export function nextFor (deviceId: string, provides: Provides, { deployments, releaseOf }: NextParts): { readonly deployment: Deployment, readonly release: Release } | undefined {
  const deployment = deployments.active(deviceId)
  if (deployment === undefined) return undefined
  const release = releaseOf(deployment)
  if (provides.artifact_name === release.name) {
    // It may also have been installed by hand, or its last word may have been lost.
    deployments.report(deployment.id, 'already-installed')
    return undefined
  }
  const lacking = lackingFor(release, provides)
  if (lacking !== undefined) {
    deployments.report(deployment.id, 'incompatible', lacking)
    return undefined
  }
  return { deployment, release }
}

/** @returns in words, what of a release doesn't fit a device; undefined when all does */
export function lackingFor ({ deviceTypes, depends }: Release, provides: Provides): string | undefined {
  if (!deviceTypes.includes(provides.device_type ?? '')) return `device_type: ${provides.device_type} (${deviceTypes.join(', ')})`
  for (const [name, values] of Object.entries(depends)) {
    // Not told by every client: the device checks them itself before it installs.
    const value = Object.hasOwn(provides, name) ? provides[name] : undefined
    if (value !== undefined && !values.includes(value)) return `${name}: ${value} (${values.join(', ')})`
  }
  return undefined
}
