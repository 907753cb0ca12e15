/** Every sentence of the status page, in English: the shape of words-fr.ts, checked by the compiler. */

import type { FactName } from './facts.ts'
import type { State } from './report.ts'
import type { Words } from './words-fr.ts'

const number = new Intl.NumberFormat('en-GB', { maximumFractionDigits: 1 })
const bytes = (value: number): string => value < 1e9 ? `${number.format(value / 1e6)} MB` : `${number.format(value / 1e9)} GB`
const gap = (seconds: number): string => Math.abs(seconds) < 0.001 ? 'less than 1 ms' : `${small.format(Math.abs(seconds))} s`
const small = new Intl.NumberFormat('en-GB', { maximumFractionDigits: 3 })
const moment = new Intl.DateTimeFormat('en-GB', { dateStyle: 'long', timeStyle: 'short', timeZone: 'Europe/Paris' })
const day = new Intl.DateTimeFormat('en-GB', { dateStyle: 'long', timeZone: 'Europe/Paris' })

const facts: Readonly<Record<FactName, string>> = {
  disk: 'data disk',
  tpm: 'TPM',
  key: 'key of the box',
  stick: 'USB stick with settings',
  update: 'update',
  gate: 'check after the start',
  time: 'clock'
}

const states: Readonly<Record<State, string>> = {
  ready: 'In service',
  starting: 'Starting',
  degraded: 'In service, with a problem',
  closed: 'Out of service: the data stay closed'
}

const stateHelp: Readonly<Record<State, string>> = {
  ready: 'The box does all of its work.',
  starting: 'A first start may take several minutes. Do not cut the power.',
  degraded: 'The box works, but something needs your attention; see below.',
  closed: 'No exam is served. Nothing is lost; the reason is given below.'
}

const problems: Readonly<Record<string, string>> = {
  TPM_ABSENT: 'The security chip (TPM) does not answer. Check that it is enabled in the firmware, then restart the box.',
  TPM_LOCKOUT: 'The security chip (TPM) refuses to answer after too many failures. Leave the box on: it forgets one failure every ten minutes.',
  TPM_FAILED: 'The security chip (TPM) refuses. Restart the box; if that does not help, call support.',
  TPM_TIMEOUT: 'The security chip (TPM) no longer answers. Restart the box.',
  DISK_FOREIGN: 'The data disk belongs to another box, or the boot keys have changed. Its data stay encrypted; call support.',
  DISK_FAILED: 'The data disk could not be made. Call support.',
  DISK_DAMAGED: 'The data disk is damaged. Call support.',
  DISK_FULL: 'The data disk is nearly full.',
  DISK_CLOSED: 'The data disk is closed; a temporary key serves this page alone.',
  KEY_FAILED: 'The key of the box could not be made in the TPM; a temporary key serves this page alone.',
  KEY_UNUSABLE: 'The TPM no longer takes the key of the box; a temporary key serves this page alone. Call support.',
  CERTIFICATE_MISSING: 'The certificate of the box cannot be found.',
  CERTIFICATE_EXPIRED: 'The certificate of the box has expired.',
  CERTIFICATE_EXPIRES: 'The certificate of the box expires in less than 24 hours.',
  SECURE_BOOT_OFF: 'Secure Boot is disabled. Enable it again in the firmware.',
  SETTINGS_ABSENT: 'The USB stick holds no settings (drimbox-settings.json).',
  SETTINGS_UNSIGNED: 'The settings on the USB stick are not signed; they were not taken.',
  SETTINGS_SIGNATURE: 'The signature of the settings on the USB stick is not valid; they were not taken.',
  SETTINGS_TOO_LARGE: 'The settings on the USB stick are too large; they were not taken.',
  SETTINGS_INVALID: 'The settings on the USB stick have an error; they were not taken.',
  SETTINGS_OLD: 'The settings on the USB stick are older than those in force; they were not taken.',
  TIME_UNKNOWN: 'The state of the clock is unknown.',
  TIME_UNSYNCHRONISED: 'No time server sets the clock. Check that the network lets NTP through.',
  TIME_OFF: 'The clock is more than two seconds off.',
  GATEWAY_ABSENT: 'The gateway is not running.',
  GATEWAY_SILENT: 'The gateway does not answer.',
  GATEWAY_BROKEN: 'The gateway answers in a way that cannot be understood.',
  GATEWAY_DEGRADED: 'The gateway says that it is degraded.',
  PACS_UNREACHABLE: 'The PACS cannot be reached. Check that it is on, its address and its port.',
  PACS_REJECTED: 'The PACS refuses the box. Check the AE titles declared on both sides.',
  PACS_ABORTED: 'The PACS breaks off exchanges.',
  PACS_TIMEOUT: 'The PACS does not answer fast enough.',
  PACS_STATUS: 'The PACS reports a failure.',
  PACS_CONTEXT: 'The PACS does not offer a service that is needed.',
  PACS_INCOMPLETE: 'The PACS sends fewer images than it has.',
  PACS_RESTING: 'The PACS is being left in peace for a while.',
  STORE_FAILED: 'The local storage refuses to read or write.',
  STORE_FULL: 'The local storage is full.',
  UPDATE_MANIFEST_INVALID: 'The update received is malformed; it was refused.',
  UPDATE_OLDER_RELEASE: 'The release offered is older than those already committed; it was refused.',
  UPDATE_NOT_STARTED: 'The new version did not start; the one before took over.',
  UPDATE_FELL_BACK: 'The committed version no longer starts; the one before took over.',
  GATE_GATEWAY_FAILED: 'The gateway ended several times after the start.',
  GATE_GATEWAY_SILENT: 'The gateway did not answer after the start.',
  GATE_FRONT_SILENT: 'The HTTPS service did not answer after the start.',
  GATE_FRONT_KEY: 'The HTTPS service does not present the certificate of this box.',
  GATE_SIGNER_SILENT: 'The signer did not answer after the start.',
  GATE_DISK_CLOSED: 'The data disk did not open.',
  GATE_BROKEN: 'The check after the start could not be made.',
  GATE_DISK_READ_ONLY: 'The data disk refuses to be written.'
}

const words: Readonly<Record<string, string>> = {
  new: 'made at this start',
  open: 'open',
  closed: 'closed',
  ready: 'ready',
  absent: 'absent',
  lockout: 'locked after failures',
  temporary: 'temporary, until the next start',
  none: 'none',
  downloading: 'downloading',
  installed: 'installed, from the next start',
  'on-trial': 'on trial',
  committed: 'committed',
  'rolled-back': 'undone, the version before is back',
  refused: 'refused',
  taken: 'taken',
  reset: 'reset ordered',
  integrity: 'integrity',
  confidentiality: 'confidentiality'
}

function duration (seconds: number): string {
  const [days, hours, minutes] = [Math.floor(seconds / 86400), Math.floor(seconds / 3600) % 24, Math.floor(seconds / 60) % 60]
  if (days > 0) return `${days} d ${hours} h`
  return hours > 0 ? `${hours} h ${minutes} min` : minutes > 0 ? `${minutes} min` : `${Math.floor(seconds)} s`
}

export const english: Words = {
  language: 'en',
  title: state => `${state} – DRIMbox status`,
  heading: 'DRIMbox status',
  skip: 'Skip to content',
  otherLanguage: 'Français',
  otherLanguageTag: 'fr',
  states,
  stateHelp,
  facts,
  problems,
  word: state => words[state] ?? state,
  unknownCode: code => `Problem ${code}. Give this code to support.`,
  factMissing: name => `What is known of the ${name} is missing: the start did not go as it should.`,
  updateNotKept: (version, cause) => `The update${version === undefined ? '' : ` ${version}`} was not kept: ${cause}`,
  factBroken: name => `What is known of the ${name} cannot be read.`,
  refreshing: seconds => `This page refreshes every ${seconds} seconds.`,
  stopRefresh: 'Stop refreshing',
  startRefresh: 'Refresh by itself',
  reload: 'Refresh',
  sections: { problems: 'To note', service: 'Service', identity: 'Identity', boot: 'Start', machine: 'Machine' },
  noProblem: 'Nothing to note.',
  code: 'Code:',
  rows: {
    gateway: 'DICOMweb gateway',
    disk: 'Data disk',
    update: 'Last update',
    stick: 'Settings by USB stick',
    certificate: 'Certificate',
    fingerprint: 'SHA-256 fingerprint of the certificate',
    key: 'Key',
    tpm: 'Security chip (TPM)',
    version: 'Version',
    slot: 'Slot',
    secureBoot: 'Secure Boot',
    lockdown: 'Kernel lockdown',
    verity: 'Verified system',
    entry: 'Boot entry',
    addresses: 'Addresses',
    time: 'Clock',
    uptime: 'Running for',
    memory: 'Memory'
  },
  answering: 'answers',
  notAnswering: 'does not answer',
  selfSigned: 'signed by the box itself, until it is enrolled. Compare the fingerprint below with the one that your browser shows.',
  issued: notAfter => `issued by an authority, valid until ${notAfter}`,
  keyInTpm: 'in the TPM, which it never leaves',
  on: 'on',
  off: 'off',
  yes: 'yes',
  no: 'no',
  unknown: 'unknown',
  noAddress: 'none',
  release: (version, release) => release === null ? version : `${version} (no. ${release})`,
  versionOf: (state, version) => `${state} (version ${version})`,
  synchronised: offset => offset === null ? 'on time' : `on time (${gap(offset)} off)`,
  unsynchronised: offset => offset === null ? 'not set' : `${gap(offset)} off`,
  memory: (available, total) => `${bytes(available)} free of ${bytes(total)}`,
  duration,
  moment: iso => moment.format(new Date(iso)),
  day: iso => day.format(new Date(iso)),
  footer: at => `Status on ${at}.`,
  forPrograms: 'The same for a program:',
  notFound: 'There is no such page.',
  backHome: 'Back to the status of the box'
}
