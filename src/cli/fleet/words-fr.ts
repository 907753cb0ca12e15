/** Every sentence of `drimbox fleet`, in French; the English ones have the same shape. */

import type { DeploymentStory, DeploymentView } from '#fleet/desk.ts'
import type { State } from '#fleet/mender/states.ts'
import type { Device } from '#fleet/store/devices.ts'
import type { DeploymentEvent } from '#fleet/store/deployments.ts'
import type { Release } from '#fleet/store/releases.ts'

const moment = new Intl.DateTimeFormat('fr-FR', { dateStyle: 'short', timeStyle: 'medium' })
const at = (time: number | undefined): string => time === undefined ? '–' : moment.format(time)
const size = new Intl.NumberFormat('fr-FR', { maximumFractionDigits: 1 })

const states: Readonly<Record<State, string>> = {
  pending: 'en attente de l\'équipement',
  downloading: 'téléchargement',
  pause_before_installing: 'en pause avant l\'installation',
  installing: 'installation',
  pause_before_rebooting: 'en pause avant le redémarrage',
  rebooting: 'redémarrage',
  pause_before_committing: 'en pause avant la validation',
  success: 'réussi',
  failure: 'échoué, version précédente en place',
  'already-installed': 'déjà en place',
  incompatible: 'non destiné à cet équipement',
  aborted: 'abandonné'
}
const standings = { pending: 'en attente', accepted: 'acceptée', rejected: 'refusée' }

export const fleetFrench = {
  help: `drimbox fleet : le serveur de flotte qui tourne sur cette machine

  drimbox fleet release add FICHIER        ajoute une version signée (.mender)
  drimbox fleet release list               versions proposées
  drimbox fleet release remove NOM         retire une version jamais déployée
  drimbox fleet device list                équipements, et leurs clés en attente
  drimbox fleet device show ÉQUIPEMENT     un équipement et son inventaire
  drimbox fleet device expect IDENTITÉ [CLÉ.pem]
                                           accepte d'avance une identité (JSON) ; sans clé, la première qui se présente
  drimbox fleet device accept ÉQUIPEMENT [EMPREINTE]
                                           accepte la clé en attente ; la précédente est écartée
  drimbox fleet device reject ÉQUIPEMENT [EMPREINTE]
                                           refuse une clé, ou toutes
  drimbox fleet deploy VERSION ÉQUIPEMENT  propose une version à un équipement
  drimbox fleet deployment list            déploiements, le plus récent d'abord
  drimbox fleet deployment show DÉPLOIEMENT
                                           étapes, cause d'échec et journal de l'équipement
  drimbox fleet deployment abort DÉPLOIEMENT
  drimbox fleet watch                      étapes au fil de l'eau ; Ctrl-C pour finir

ÉQUIPEMENT et EMPREINTE : leur début suffit.

  --config=FICHIER   paramètres du serveur, où est écrit le socket (par défaut /var/lib/drimbox-fleet/fleet.json)
  --socket=CHEMIN    socket d'administration du serveur
  --json             réponse pour un programme
  --lang=fr|en       langue (par défaut celle de l'environnement, sinon français)
  --help             cette aide

Codes de sortie : 0 réussi, 1 échoué, 2 ligne de commande incorrecte.`,
  releaseHeadings: ['Version', 'Taille', 'Pour', 'Ajoutée', 'SHA-256'],
  releaseRow: ({ name, bytes, deviceTypes, addedAt, sha256 }: Release): string[] => [name, `${size.format(bytes / 1e6)} Mo`, deviceTypes.join(', '), at(addedAt), sha256.slice(0, 16)],
  deviceHeadings: ['Équipement', 'Identité', 'Version', 'Vu', 'Clés'],
  deviceRow: ({ id, identity, artifactName, seenAt, keys, isExpected }: Device): string[] => [
    id.slice(0, 8), identity, artifactName ?? '–', at(seenAt),
    isExpected ? 'attendu' : keys.map(({ fingerprint, standing, kind }) => `${fingerprint.slice(0, 8)} ${standings[standing]} (${kind})`).join(', ')
  ],
  attributeHeadings: ['Attribut', 'Valeur'],
  deploymentHeadings: ['Déploiement', 'Équipement', 'Version', 'État', 'Depuis', 'Cause'],
  deploymentRow: ({ id, deviceId, release, state, updatedAt, cause, download }: DeploymentView): string[] => [id, deviceId.slice(0, 8), release, states[state] + (state === 'downloading' && download !== undefined ? ` ${Math.floor(100 * download.sentBytes / download.bytes)} %` : ''), at(updatedAt), cause === undefined ? '' : cause.fr],
  story: ({ release, deviceId, state, events, cause, log }: DeploymentStory): string => [
    `${release} sur ${deviceId} : ${states[state]}`,
    ...cause === undefined ? [] : [`Cause : ${cause.fr}${cause.code === undefined ? '' : ` (${cause.code})`}`],
    '',
    ...events.map(event => `  ${at(event.at)}  ${states[event.state]}${event.substate === undefined ? '' : ` (${event.substate})`}`),
    ...log === undefined ? [] : ['', `Journal de l'équipement${log.isWhole ? '' : ' (incomplet)'} :`, ...log.messages.map(({ timestamp, level, message }) => `  ${timestamp} ${level} ${message}`)]
  ].join('\n'),
  event: ({ at: time, deploymentId, state, substate }: DeploymentEvent): string => `${at(time)}  ${deploymentId.slice(0, 8)}  ${states[state]}${substate === undefined ? '' : ` (${substate})`}`,
  added: ({ name }: Release): string => `Version ${name} ajoutée.`,
  removed: ({ name }: Release): string => `Version ${name} retirée.`,
  deployed: ({ id, release }: DeploymentView): string => `Déploiement ${id} : ${release} sera proposée à la prochaine demande de l'équipement.`,
  notSet: 'adminSocket n\'est pas renseigné dans les paramètres du serveur : donner --socket=CHEMIN'
}

export type FleetWords = typeof fleetFrench
