/**
 * The states of a deployment on one device, as Mender's API names them, and those that only we set.
 *
 * Source: Mender device API, deployments v1, `DeploymentStatus`.
 */

interface StateFacts {
  /** Nothing comes after it. */
  readonly isFinal: boolean
  /** A device may tell it; the others are the server's. */
  readonly isTold: boolean
}

export const STATES = {
  pending: { isFinal: false, isTold: false },
  downloading: { isFinal: false, isTold: true },
  pause_before_installing: { isFinal: false, isTold: true },
  installing: { isFinal: false, isTold: true },
  pause_before_rebooting: { isFinal: false, isTold: true },
  rebooting: { isFinal: false, isTold: true },
  pause_before_committing: { isFinal: false, isTold: true },
  success: { isFinal: true, isTold: true },
  failure: { isFinal: true, isTold: true },
  'already-installed': { isFinal: true, isTold: true },
  // The release isn't for this device: it was never offered.
  incompatible: { isFinal: true, isTold: false },
  // An operator has withdrawn it.
  aborted: { isFinal: true, isTold: false }
} as const satisfies Record<string, StateFacts>

export type State = keyof typeof STATES

/** @returns undefined for what a device may not tell */
export function toldState (text: string): State | undefined {
  return Object.hasOwn(STATES, text) && STATES[text as State].isTold ? text as State : undefined
}
