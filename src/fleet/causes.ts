/**
 * Why a deployment ended as it did, in words: from the codes that the update module and the health gate
 * write into the device's log and inventory, else from the log's last complaint.
 */

import type { DeploymentEvent, DeploymentLog, LogMessage } from './store/deployments.ts'
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

/** Words of the codes that appliance/update tells; the same as there. One that isn't here is shown as it is. */
const WORDS: Readonly<Record<string, readonly [fr: string, en: string]>> = {
  UPDATE_MANIFEST_INVALID: ['La mise à jour ne se décrit pas comme il faut', 'The update does not describe itself as it should'],
  UPDATE_PAYLOAD_INVALID: ['La mise à jour ne contient pas les fichiers attendus', 'The update does not hold the files that it should'],
  UPDATE_ALREADY_RUNNING: ['Cette image est celle qui fonctionne déjà', 'This very image is already running'],
  UPDATE_SAME_VERSION: ['Une autre image porte la version qui fonctionne', 'Another image bears the version that is running'],
  UPDATE_OLDER_RELEASE: ['La version est plus ancienne que celles déjà validées sur cet appareil', 'The release is older than those already committed on this box'],
  UPDATE_FLOOR_UNKNOWN: ['Le TPM ne dit pas jusqu\'où l\'on peut revenir', 'The TPM does not tell how far back one may go'],
  UPDATE_TRUNCATED: ['La mise à jour est arrivée incomplète', 'The update arrived cut short'],
  UPDATE_CHECKSUM: ['Le contenu reçu n\'est pas celui annoncé', 'What was received is not what was announced'],
  UPDATE_NO_SPACE: ['La place manque pour cette mise à jour', 'There is no room for this update'],
  UPDATE_WRITE_FAILED: ['L\'écriture de la mise à jour a échoué', 'The update could not be written'],
  UPDATE_SLOT_UNKNOWN: ['L\'emplacement en fonction n\'a pas été reconnu', 'The running slot could not be recognised'],
  UPDATE_INTERRUPTED: ['La mise à jour a été interrompue', 'The update was interrupted'],
  UPDATE_NOT_STARTED: ['La nouvelle version n\'a pas démarré', 'The new version did not start'],
  UPDATE_NOT_COMMITTED: ['La nouvelle version a démarré, mais n\'a pas été validée', 'The new version started, but was not committed'],
  UPDATE_FELL_BACK: ['La version validée ne démarre plus ; la précédente a pris le relais', 'The committed version no longer starts; the one before took over'],
  GATE_DISK_CLOSED: ['Le disque de données ne s\'ouvre pas', 'The data disk does not open'],
  GATE_DISK_READ_ONLY: ['Le disque de données refuse l\'écriture', 'The data disk refuses to be written'],
  GATE_GATEWAY_FAILED: ['La passerelle s\'est arrêtée plusieurs fois', 'The gateway has ended several times'],
  GATE_GATEWAY_SILENT: ['La passerelle ne répond pas', 'The gateway does not answer'],
  GATE_FRONT_SILENT: ['Le frontal HTTPS ne répond pas', 'The HTTPS front does not answer'],
  GATE_FRONT_KEY: ['Le frontal HTTPS ne présente pas le certificat de cet appareil', 'The HTTPS front does not present this box\'s certificate'],
  GATE_SIGNER_SILENT: ['Le signataire ne répond pas', 'The signer does not answer'],
  GATE_BROKEN: ['Le contrôle de démarrage n\'a pas pu se faire', 'The check after the start could not be made'],
  ARTIFACT_SIGNATURE_WRONG: ['L\'équipement ne reconnaît pas la signature de cette version', 'The device does not accept the signature of this release'],
  DEVICE_TYPE_WRONG: ['L\'équipement dit que cette version n\'est pas faite pour lui', 'The device says that this release is not made for it']
}

/** `drimbox: GATE_GATEWAY_FAILED: The gateway …`, as the update module writes it to the log. */
const CODE = /\bdrimbox: ((?:UPDATE|GATE)_[A-Z_]{2,40}):/
/** An inventory attribute that holds the code of the last update. */
const ATTRIBUTE = 'update_code'
/** What Mender's client itself refuses, before any module is asked: 3.4.0 and 5.1.0. */
const REFUSALS: readonly (readonly [said: RegExp, code: string])[] = [
  [/signature.*(invalid|verif|fail|wrong)|(invalid|verif|fail).*signature|expecting signed artifact/i, 'ARTIFACT_SIGNATURE_WRONG'],
  [/not compatible with device|device type.*(incompatible|not compatible|not match)/i, 'DEVICE_TYPE_WRONG']
]

/** @returns undefined where nothing went wrong */
export function causeOf ({ state, events, log, inventory }: Told): Cause | undefined {
  if (state === 'aborted') return { code: undefined, fr: 'abandonné par un opérateur', en: 'aborted by an operator' }
  const substate = events.at(-1)?.substate
  if (state === 'incompatible') return { code: undefined, fr: `non destiné à cet équipement : ${substate ?? ''}`, en: `not made for this device: ${substate ?? ''}` }
  if (state !== 'failure') return undefined
  const code = codeIn(log) ?? refusalIn(log) ?? codeOf(inventory)
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

function refusalIn (log: DeploymentLog | undefined): string | undefined {
  const complaints = log?.messages.filter(isComplaint) ?? []
  return REFUSALS.find(([said]) => complaints.some(({ message }) => said.test(message)))?.[1]
}

function isComplaint ({ level }: LogMessage): boolean {
  return /^(error|fatal|warning|warn)$/i.test(level)
}

function codeOf (inventory: Attributes): string | undefined {
  const code = inventory[ATTRIBUTE]
  return typeof code === 'string' && /^[A-Z][A-Z0-9_]{2,40}$/.test(code) ? code : undefined
}

function lastComplaint (log: DeploymentLog | undefined): string | undefined {
  return log?.messages.findLast(isComplaint)?.message.slice(0, 500)
}
