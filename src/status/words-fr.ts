/**
 * Every sentence of the status page, in French. The English catalogue has the same shape, checked by the compiler.
 *
 * Codes stay as they are: one searches for them, and support asks for them. Spaces before « : ; ? ! » are
 * ordinary ones here; the page puts in those that don't break.
 */

import type { FactName } from './facts.ts'
import type { State } from './report.ts'

const number = new Intl.NumberFormat('fr-FR', { maximumFractionDigits: 1 })
const bytes = (value: number): string => value < 1e9 ? `${number.format(value / 1e6)} Mo` : `${number.format(value / 1e9)} Go`
const gap = (seconds: number): string => Math.abs(seconds) < 0.001 ? 'moins de 1 ms' : `${small.format(Math.abs(seconds))} s`
const small = new Intl.NumberFormat('fr-FR', { maximumFractionDigits: 3 })
const moment = new Intl.DateTimeFormat('fr-FR', { dateStyle: 'long', timeStyle: 'short', timeZone: 'Europe/Paris' })
const day = new Intl.DateTimeFormat('fr-FR', { dateStyle: 'long', timeZone: 'Europe/Paris' })

const facts: Readonly<Record<FactName, string>> = {
  disk: 'disque de données',
  tpm: 'TPM',
  key: 'clé du boîtier',
  stick: 'clé USB de paramètres',
  update: 'mise à jour',
  gate: 'contrôle après démarrage',
  time: 'horloge'
}

const states: Readonly<Record<State, string>> = {
  ready: 'En service',
  starting: 'Démarrage en cours',
  degraded: 'En service, avec une anomalie',
  closed: 'Hors service : les données restent fermées'
}

const stateHelp: Readonly<Record<State, string>> = {
  ready: 'Le boîtier fait tout son travail.',
  starting: 'Le premier démarrage peut durer plusieurs minutes. Ne coupez pas l’alimentation.',
  degraded: 'Le boîtier fonctionne, mais quelque chose demande votre attention ; voyez ci-dessous.',
  closed: 'Aucun examen n’est servi. Rien n’est perdu ; la raison est donnée ci-dessous.'
}

/** What each code means, and what to do. */
const problems: Readonly<Record<string, string>> = {
  TPM_ABSENT: 'La puce de sécurité (TPM) ne répond pas. Vérifiez qu’elle est activée dans le micrologiciel, puis redémarrez le boîtier.',
  TPM_LOCKOUT: 'La puce de sécurité (TPM) refuse de répondre après trop d’échecs. Laissez le boîtier allumé : elle oublie un échec toutes les dix minutes.',
  TPM_FAILED: 'La puce de sécurité (TPM) refuse l’opération. Redémarrez le boîtier ; si cela persiste, appelez le support.',
  TPM_TIMEOUT: 'La puce de sécurité (TPM) ne répond plus. Redémarrez le boîtier.',
  DISK_FOREIGN: 'Le disque de données appartient à un autre boîtier, ou les clés de démarrage ont changé. Ses données restent chiffrées ; appelez le support.',
  DISK_FAILED: 'Le disque de données n’a pas pu être créé. Appelez le support.',
  DISK_DAMAGED: 'Le disque de données est endommagé. Appelez le support.',
  DISK_FULL: 'Le disque de données est presque plein.',
  DISK_CLOSED: 'Le disque de données est fermé ; une clé provisoire sert seulement cette page.',
  KEY_FAILED: 'La clé du boîtier n’a pas pu être créée dans le TPM ; une clé provisoire sert seulement cette page.',
  KEY_UNUSABLE: 'Le TPM n’accepte plus la clé du boîtier ; une clé provisoire sert seulement cette page. Appelez le support.',
  CERTIFICATE_MISSING: 'Le certificat du boîtier est introuvable.',
  CERTIFICATE_EXPIRED: 'Le certificat du boîtier a expiré.',
  CERTIFICATE_EXPIRES: 'Le certificat du boîtier expire dans moins de 24 heures.',
  SECURE_BOOT_OFF: 'Le démarrage sécurisé (Secure Boot) est désactivé. Réactivez-le dans le micrologiciel.',
  SETTINGS_ABSENT: 'La clé USB ne contient pas de paramètres (drimbox-settings.json).',
  SETTINGS_UNSIGNED: 'Les paramètres de la clé USB ne sont pas signés ; ils n’ont pas été pris.',
  SETTINGS_SIGNATURE: 'La signature des paramètres de la clé USB n’est pas valable ; ils n’ont pas été pris.',
  SETTINGS_TOO_LARGE: 'Les paramètres de la clé USB sont trop volumineux ; ils n’ont pas été pris.',
  SETTINGS_INVALID: 'Les paramètres de la clé USB comportent une erreur ; ils n’ont pas été pris.',
  SETTINGS_OLD: 'Les paramètres de la clé USB sont plus anciens que ceux en vigueur ; ils n’ont pas été pris.',
  TIME_UNKNOWN: 'L’état de l’horloge est inconnu.',
  TIME_UNSYNCHRONISED: 'L’horloge n’est réglée par aucun serveur de temps. Vérifiez que le réseau laisse passer NTP.',
  TIME_OFF: 'L’horloge s’écarte de plus de deux secondes de l’heure exacte.',
  GATEWAY_ABSENT: 'La passerelle est arrêtée.',
  GATEWAY_SILENT: 'La passerelle ne répond pas.',
  GATEWAY_BROKEN: 'La passerelle répond de façon incompréhensible.',
  GATEWAY_DEGRADED: 'La passerelle signale un fonctionnement dégradé.',
  PACS_UNREACHABLE: 'Le PACS est injoignable. Vérifiez qu’il est allumé, son adresse et son port.',
  PACS_REJECTED: 'Le PACS refuse le boîtier. Vérifiez les AE titles déclarés des deux côtés.',
  PACS_ABORTED: 'Le PACS interrompt les échanges.',
  PACS_TIMEOUT: 'Le PACS ne répond pas assez vite.',
  PACS_STATUS: 'Le PACS signale un échec.',
  PACS_CONTEXT: 'Le PACS ne propose pas un service nécessaire.',
  PACS_INCOMPLETE: 'Le PACS transmet moins d’images qu’il n’en a.',
  PACS_RESTING: 'Le PACS est momentanément laissé au repos.',
  STORE_FAILED: 'Le stockage local refuse une lecture ou une écriture.',
  STORE_FULL: 'Le stockage local est plein.',
  UPDATE_MANIFEST_INVALID: 'La mise à jour reçue est mal formée ; elle a été refusée.',
  UPDATE_OLDER_RELEASE: 'La version proposée est plus ancienne que celles déjà validées ; elle a été refusée.',
  UPDATE_NOT_STARTED: 'La nouvelle version n’a pas démarré ; la précédente a repris.',
  UPDATE_FELL_BACK: 'La version validée ne démarre plus ; la précédente a repris.',
  GATE_GATEWAY_FAILED: 'La passerelle s’est arrêtée plusieurs fois après le démarrage.',
  GATE_GATEWAY_SILENT: 'La passerelle n’a pas répondu après le démarrage.',
  GATE_FRONT_SILENT: 'Le service HTTPS n’a pas répondu après le démarrage.',
  GATE_FRONT_KEY: 'Le service HTTPS ne présente pas le certificat de ce boîtier.',
  GATE_SIGNER_SILENT: 'Le signataire n’a pas répondu après le démarrage.',
  GATE_DISK_CLOSED: 'Le disque de données ne s’est pas ouvert.',
  GATE_BROKEN: 'Le contrôle après démarrage n’a pas pu se faire.',
  GATE_DISK_READ_ONLY: 'Le disque de données refuse l’écriture.'
}

/** What facts say of themselves, where no code is needed. */
const words: Readonly<Record<string, string>> = {
  new: 'créé à ce démarrage',
  open: 'ouvert',
  closed: 'fermé',
  ready: 'prêt',
  absent: 'absent',
  lockout: 'bloqué après des échecs',
  temporary: 'provisoire, jusqu’au prochain démarrage',
  none: 'aucune',
  downloading: 'téléchargement',
  installed: 'installée, au prochain démarrage',
  'on-trial': 'à l’essai',
  committed: 'validée',
  'rolled-back': 'annulée, version précédente reprise',
  refused: 'refusée',
  taken: 'pris en compte',
  reset: 'remise à zéro demandée',
  integrity: 'intégrité',
  confidentiality: 'confidentialité'
}

function duration (seconds: number): string {
  const [days, hours, minutes] = [Math.floor(seconds / 86400), Math.floor(seconds / 3600) % 24, Math.floor(seconds / 60) % 60]
  if (days > 0) return `${days} j ${hours} h`
  return hours > 0 ? `${hours} h ${minutes} min` : minutes > 0 ? `${minutes} min` : `${Math.floor(seconds)} s`
}

export const french = {
  language: 'fr',
  title: (state: string): string => `${state} – État du boîtier DRIMbox`,
  heading: 'État du boîtier DRIMbox',
  skip: 'Aller au contenu',
  otherLanguage: 'English',
  otherLanguageTag: 'en',
  states,
  stateHelp,
  facts,
  problems,
  word: (state: string): string => words[state] ?? state,
  unknownCode: (code: string): string => `Anomalie ${code}. Donnez ce code au support.`,
  factMissing: (name: string): string => `L’information « ${name} » manque : le démarrage ne s’est pas déroulé comme prévu.`,
  updateNotKept: (version: string | undefined, cause: string) => `La mise à jour${version === undefined ? '' : ` ${version}`} n’a pas été gardée : ${cause}`,
  factBroken: (name: string): string => `L’information « ${name} » est illisible.`,
  refreshing: (seconds: number): string => `Cette page s’actualise toutes les ${seconds} secondes.`,
  stopRefresh: 'Arrêter l’actualisation',
  startRefresh: 'Actualiser automatiquement',
  reload: 'Actualiser',
  sections: { problems: 'À signaler', service: 'Service', identity: 'Identité', boot: 'Démarrage', machine: 'Machine' },
  noProblem: 'Rien à signaler.',
  code: 'Code :',
  rows: {
    gateway: 'Passerelle DICOMweb',
    disk: 'Disque de données',
    update: 'Dernière mise à jour',
    stick: 'Paramètres par clé USB',
    certificate: 'Certificat',
    fingerprint: 'Empreinte SHA-256 du certificat',
    key: 'Clé',
    tpm: 'Puce de sécurité (TPM)',
    version: 'Version',
    slot: 'Emplacement',
    secureBoot: 'Démarrage sécurisé',
    lockdown: 'Noyau verrouillé',
    verity: 'Système vérifié',
    entry: 'Entrée de démarrage',
    addresses: 'Adresses',
    time: 'Horloge',
    uptime: 'En marche depuis',
    memory: 'Mémoire'
  },
  answering: 'répond',
  notAnswering: 'ne répond pas',
  selfSigned: 'signé par le boîtier lui-même, en attendant l’enrôlement. Comparez l’empreinte ci-dessous avec celle que montre votre navigateur.',
  issued: (notAfter: string): string => `émis par une autorité, valable jusqu’au ${notAfter}`,
  keyInTpm: 'dans le TPM, dont elle ne sort jamais',
  on: 'actif',
  off: 'inactif',
  yes: 'oui',
  no: 'non',
  unknown: 'inconnu',
  noAddress: 'aucune',
  release: (version: string, release: number | null): string => release === null ? version : `${version} (n° ${release})`,
  versionOf: (state: string, version: string): string => `${state} (version ${version})`,
  synchronised: (offset: number | null): string => offset === null ? 'à l’heure' : `à l’heure (écart : ${gap(offset)})`,
  unsynchronised: (offset: number | null): string => offset === null ? 'non réglée' : `décalée de ${gap(offset)}`,
  memory: (available: number, total: number): string => `${bytes(available)} libres sur ${bytes(total)}`,
  duration,
  moment: (iso: string): string => moment.format(new Date(iso)),
  day: (iso: string): string => day.format(new Date(iso)),
  footer: (at: string): string => `État au ${at}.`,
  forPrograms: 'Les mêmes informations pour un programme :',
  notFound: 'Cette page n’existe pas.',
  backHome: 'Retour à l’état du boîtier'
}

type Widened<T> = T extends (...asked: infer A) => string ? (...asked: A) => string
  : T extends string ? string
    : T extends object ? { readonly [K in keyof T]: Widened<T[K]> } : T

export type Words = Widened<typeof french>
