/** Every sentence of `drimbox fleet`, in English. */

import type { DeploymentStory, DeploymentView } from '#fleet/desk.ts'
import type { State } from '#fleet/mender/states.ts'
import type { Device } from '#fleet/store/devices.ts'
import type { DeploymentEvent } from '#fleet/store/deployments.ts'
import type { Release } from '#fleet/store/releases.ts'
import type { FleetWords } from './words-fr.ts'

const moment = new Intl.DateTimeFormat('en-GB', { dateStyle: 'short', timeStyle: 'medium' })
const at = (time: number | undefined): string => time === undefined ? '–' : moment.format(time)
const size = new Intl.NumberFormat('en-GB', { maximumFractionDigits: 1 })

const states: Readonly<Record<State, string>> = {
  pending: 'waiting for the device',
  downloading: 'downloading',
  pause_before_installing: 'paused before installing',
  installing: 'installing',
  pause_before_rebooting: 'paused before rebooting',
  rebooting: 'rebooting',
  pause_before_committing: 'paused before committing',
  success: 'succeeded',
  failure: 'failed, back on the version before',
  'already-installed': 'already there',
  incompatible: 'not made for this device',
  aborted: 'aborted'
}
const standings = { pending: 'waiting', accepted: 'accepted', rejected: 'rejected' }

export const fleetEnglish: FleetWords = {
  help: `drimbox fleet: the fleet server that runs on this machine

  drimbox fleet release add FILE           adds a signed release (.mender)
  drimbox fleet release list               releases that can be offered
  drimbox fleet release remove NAME        takes away a release that was never deployed
  drimbox fleet device list                devices, and their keys that wait
  drimbox fleet device show DEVICE         one device and its inventory
  drimbox fleet device expect IDENTITY [KEY.pem]
                                           accepts an identity (JSON) beforehand; without a key, the first that is shown
  drimbox fleet device accept DEVICE [FINGERPRINT]
                                           accepts the key that waits; the one before is out
  drimbox fleet device reject DEVICE [FINGERPRINT]
                                           rejects a key, or all of them
  drimbox fleet deploy RELEASE DEVICE      offers a release to a device
  drimbox fleet deployment list            deployments, the newest first
  drimbox fleet deployment show DEPLOYMENT steps, cause of a failure, the device's log
  drimbox fleet deployment abort DEPLOYMENT
  drimbox fleet watch                      steps as they come; Ctrl-C ends it

DEVICE and FINGERPRINT: how they begin is enough.

  --config=FILE      settings of the server, which name its socket (default /var/lib/drimbox-fleet/fleet.json)
  --socket=PATH      admin socket of the server
  --json             an answer for a program
  --lang=fr|en       language (default: that of the environment, else French)
  --help             this help

Exit codes: 0 done, 1 failed, 2 wrong command line.`,
  releaseHeadings: ['Release', 'Size', 'For', 'Added', 'SHA-256'],
  releaseRow: ({ name, bytes, deviceTypes, addedAt, sha256 }: Release): string[] => [name, `${size.format(bytes / 1e6)} MB`, deviceTypes.join(', '), at(addedAt), sha256.slice(0, 16)],
  deviceHeadings: ['Device', 'Identity', 'Release', 'Seen', 'Keys'],
  deviceRow: ({ id, identity, artifactName, seenAt, keys, isExpected }: Device): string[] => [
    id.slice(0, 8), identity, artifactName ?? '–', at(seenAt),
    isExpected ? 'expected' : keys.map(({ fingerprint, standing, kind }) => `${fingerprint.slice(0, 8)} ${standings[standing]} (${kind})`).join(', ')
  ],
  attributeHeadings: ['Attribute', 'Value'],
  deploymentHeadings: ['Deployment', 'Device', 'Release', 'State', 'Since', 'Cause'],
  deploymentRow: ({ id, deviceId, release, state, updatedAt, cause, download }: DeploymentView): string[] => [id, deviceId.slice(0, 8), release, states[state] + (state === 'downloading' && download !== undefined ? ` ${Math.floor(100 * download.sentBytes / download.bytes)} %` : ''), at(updatedAt), cause === undefined ? '' : cause.en],
  story: ({ release, deviceId, state, events, cause, log }: DeploymentStory): string => [
    `${release} on ${deviceId}: ${states[state]}`,
    ...cause === undefined ? [] : [`Cause: ${cause.en}${cause.code === undefined ? '' : ` (${cause.code})`}`],
    '',
    ...events.map(event => `  ${at(event.at)}  ${states[event.state]}${event.substate === undefined ? '' : ` (${event.substate})`}`),
    ...log === undefined ? [] : ['', `Log of the device${log.isWhole ? '' : ' (incomplete)'}:`, ...log.messages.map(({ timestamp, level, message }) => `  ${timestamp} ${level} ${message}`)]
  ].join('\n'),
  event: ({ at: time, deploymentId, state, substate }: DeploymentEvent): string => `${at(time)}  ${deploymentId.slice(0, 8)}  ${states[state]}${substate === undefined ? '' : ` (${substate})`}`,
  added: ({ name }: Release): string => `Release ${name} added.`,
  removed: ({ name }: Release): string => `Release ${name} removed.`,
  deployed: ({ id, release }: DeploymentView): string => `Deployment ${id}: ${release} will be offered when the device asks next.`,
  notSet: 'adminSocket is not set in the server\'s settings: give --socket=PATH'
}
