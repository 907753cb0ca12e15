/**
 * Why a deployment ended as it did, in words: from the codes that the update module and the health gate
 * write into the device's log and inventory, else from the log's last complaint.
 */

import type { DeploymentEvent, DeploymentLog } from './store/deployments.ts'
import type { State } from './mender/states.ts'
import type { Attributes } from './store/inventory.ts'

export interface Cause {
  /** Stable; absent where the device told none. */
  readonly code: string | undefined
  readonly fr: string
  readonly en: string
}

export interface Told {
  readonly state: State
  readonly events: readonly DeploymentEvent[]
  readonly log: DeploymentLog | undefined
  readonly inventory: Attributes
}

/** Words of an update's codes; one that isn't here is shown as it is. */
const WORDS: Readonly<Record<string, readonly [fr: string, en: string]>> = {
  SERVICE_FAILED: ['le service DRIMbox ne démarre pas dans cette version', 'the DRIMbox service does not start in this version'],
  GATEWAY_SILENT: ['la passerelle ne répond pas dans cette version', 'the gateway does not answer in this version'],
  FRONT_SILENT: ['l\'accès HTTPS ne répond pas dans cette version', 'HTTPS does not answer in this version'],
  SIGNER_SILENT: ['le signataire ne répond pas dans cette version', 'the signer does not answer in this version'],
  VAR_READONLY: ['la partition de données n\'est pas inscriptible', 'the data partition cannot be written'],
  TRIES_SPENT: ['la nouvelle version n\'a pas démarré ; retour à l\'ancienne', 'the new version did not start; back on the old one'],
  SIGNATURE_WRONG: ['signature de la version refusée par l\'équipement', 'the device refused the release\'s signature'],
  RELEASE_OLD: ['version plus ancienne que le minimum permis', 'release older than the lowest that is allowed'],
  DEVICE_TYPE_WRONG: ['version destinée à un autre type d\'équipement', 'release made for another device type'],
  PAYLOAD_TRUNCATED: ['version tronquée à l\'arrivée', 'the release arrived truncated'],
  PAYLOAD_WRONG: ['version altérée à l\'arrivée', 'the release arrived altered'],
  DISK_FULL: ['disque plein', 'disk full']
}

/** `code=SERVICE_FAILED` in a line of the log, as the module writes it. */
const CODE = /\b(?:code|cause)[=:]\s*"?([A-Z][A-Z0-9_]{2,40})\b/
/** An inventory attribute that holds the code of the last update. */
const ATTRIBUTE = 'drimbox_update_code'

/** @returns undefined where nothing went wrong */
export function causeOf ({ state, events, log, inventory }: Told): Cause | undefined {
  if (state === 'aborted') return { code: undefined, fr: 'abandonné par un opérateur', en: 'aborted by an operator' }
  const substate = events.at(-1)?.substate
  if (state === 'incompatible') return { code: undefined, fr: `non destiné à cet équipement : ${substate ?? ''}`, en: `not made for this device: ${substate ?? ''}` }
  if (state !== 'failure') return undefined
  const code = codeIn(log) ?? codeIn({ messages: [{ timestamp: '', level: '', message: substate ?? '' }] }) ?? codeOf(inventory)
  const words = code === undefined ? undefined : WORDS[code]
  if (words !== undefined) return { code, fr: words[0], en: words[1] }
  const line = substate ?? lastComplaint(log)
  if (line === undefined) return { code, fr: 'échec, sans explication de l\'équipement', en: 'failed, and the device did not say why' }
  return { code, fr: `l'équipement dit : ${line}`, en: `the device says: ${line}` }
}

/** The last code: what came first may only have been tried. */
function codeIn (log: Pick<DeploymentLog, 'messages'> | undefined): string | undefined {
  return log?.messages.map(({ message }) => CODE.exec(message)?.[1]).findLast(code => code !== undefined)
}

function codeOf (inventory: Attributes): string | undefined {
  const code = inventory[ATTRIBUTE]
  return typeof code === 'string' && /^[A-Z][A-Z0-9_]{2,40}$/.test(code) ? code : undefined
}

function lastComplaint (log: DeploymentLog | undefined): string | undefined {
  return log?.messages.findLast(({ level }) => /^(error|fatal|warning|warn)$/i.test(level))?.message.slice(0, 500)
}
