/**
 * How the fleet server fails: one code per cause, told with the same code to a device, to an operator
 * and in the log.
 *
 * A code is a promise, as in core/errors: never renamed. `facts` may be logged and shown to anyone.
 * Owns statuses and titles. Leaves sending to http/server.ts.
 */

import type { Details, Facts } from '#core/errors.ts'

/** Stops compiling when a code has no status or no title. */
const TABLE = {
  // A device, or whoever says that it is one.
  SIGNATURE_REFUSED: [401, 'Signature de la demande absente ou fausse', 'Request signature missing or wrong'],
  DEVICE_PENDING: [401, 'Équipement en attente d\'acceptation', 'Device waits to be accepted'],
  DEVICE_REJECTED: [401, 'Équipement refusé', 'Device rejected'],
  TOKEN_REFUSED: [401, 'Jeton absent, expiré ou retiré', 'Token missing, expired or withdrawn'],
  KEY_UNSUPPORTED: [400, 'Clé publique illisible ou d\'un type non admis', 'Public key unreadable, or of a kind that is not taken'],
  IDENTITY_INVALID: [400, 'Identité d\'équipement invalide', 'Invalid device identity'],
  BODY_MALFORMED: [400, 'Corps de la demande mal formé', 'Malformed request body'],
  BODY_TOO_LARGE: [413, 'Corps de la demande trop long', 'Request body too large'],
  MEDIA_UNSUPPORTED: [415, 'Type de contenu non pris en charge', 'Unsupported media type'],
  REQUEST_UNREADABLE: [400, 'Demande illisible', 'Unreadable request'],
  STATE_UNKNOWN: [400, 'État de déploiement inconnu', 'Unknown deployment state'],
  ROUTE_UNKNOWN: [404, 'Ressource inconnue', 'Unknown resource'],
  DEPLOYMENT_UNKNOWN: [404, 'Déploiement inconnu', 'Unknown deployment'],
  DEPLOYMENT_ABORTED: [409, 'Déploiement abandonné', 'Deployment aborted'],
  DEPLOYMENT_FINISHED: [409, 'Déploiement déjà terminé', 'Deployment already finished'],
  LINK_REFUSED: [403, 'Lien de téléchargement refusé', 'Download link refused'],
  LINK_EXPIRED: [403, 'Lien de téléchargement expiré', 'Download link expired'],
  PRECONDITION_FAILED: [412, 'Condition préalable non remplie', 'Precondition failed'],
  RANGE_UNSATISFIABLE: [416, 'Plage d\'octets hors limites', 'Byte range beyond the end'],
  TOO_MANY: [429, 'Trop de demandes', 'Too many requests'],
  // An operator.
  DEVICE_UNKNOWN: [404, 'Équipement inconnu', 'Unknown device'],
  DEVICE_AMBIGUOUS: [409, 'Plusieurs équipements portent ce début d\'identifiant', 'Several devices begin like this'],
  DEVICE_KNOWN: [409, 'Équipement déjà connu', 'Device already known'],
  DEVICE_NOT_ACCEPTED: [409, 'Équipement non accepté', 'Device not accepted'],
  DEVICE_TYPE_WRONG: [409, 'Version destinée à un autre type d\'équipement', 'Release made for another device type'],
  KEY_UNKNOWN: [404, 'Clé d\'équipement inconnue', 'Unknown device key'],
  KEY_AMBIGUOUS: [409, 'Plusieurs clés possibles : en nommer une', 'Several keys possible: name one'],
  RELEASE_UNKNOWN: [404, 'Version inconnue', 'Unknown release'],
  RELEASE_EXISTS: [409, 'Une autre version porte déjà ce nom', 'Another release has this name already'],
  RELEASE_IN_USE: [409, 'Version en cours de déploiement', 'Release being deployed'],
  DEPLOYMENT_ACTIVE: [409, 'Un déploiement est déjà en cours sur cet équipement', 'The device has a deployment already'],
  // A release that someone wants to add.
  ARTIFACT_MALFORMED: [422, 'Fichier de version mal formé', 'Malformed artifact'],
  ARTIFACT_TRUNCATED: [422, 'Fichier de version tronqué', 'Truncated artifact'],
  ARTIFACT_UNSUPPORTED: [422, 'Fichier de version d\'une forme non admise', 'Artifact of a form that is not taken'],
  ARTIFACT_UNSIGNED: [422, 'Fichier de version non signé', 'Unsigned artifact'],
  ARTIFACT_SIGNATURE_WRONG: [422, 'Signature de la version fausse, ou d\'un autre éditeur', 'Artifact signature wrong, or of another vendor'],
  ARTIFACT_CHECKSUM_WRONG: [422, 'Contenu de la version altéré', 'Artifact content altered'],
  ARTIFACT_TOO_LARGE: [413, 'Fichier de version trop grand', 'Artifact too large'],
  INTERNAL: [500, 'Erreur interne', 'Internal error']
} as const satisfies Record<string, readonly [status: number, fr: string, en: string]>

export type FleetCode = keyof typeof TABLE

/** All of them, for the manual and its test. */
export const FLEET_STATUS = Object.fromEntries(Object.entries(TABLE).map(([code, [status]]) => [code, status])) as Readonly<Record<FleetCode, number>>

export class FleetError extends Error {
  override readonly name = 'FleetError'
  readonly code: FleetCode
  readonly facts: Facts

  constructor (code: FleetCode, message: string, details: Details = {}) {
    super(message, details.cause === undefined ? {} : { cause: details.cause })
    this.code = code
    this.facts = details.facts ?? {}
  }

  get status (): number {
    return FLEET_STATUS[this.code]
  }
}

export function titleOf (code: FleetCode, language: 'fr' | 'en'): string {
  return TABLE[code][language === 'en' ? 2 : 1]
}
