/** `drimbox fleet …`: what an operator asks of the fleet server on this machine, over its admin socket. */

import { open, readFile } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import { SettingError } from '#core/errors.ts'
import { readFleetConfig } from '#fleet/config.ts'
import type { DeploymentStory, DeploymentView } from '#fleet/desk.ts'
import type { Device } from '#fleet/store/devices.ts'
import type { DeploymentEvent } from '#fleet/store/deployments.ts'
import type { Release } from '#fleet/store/releases.ts'
import { askSocket, type Question } from './admin.ts'
import { BOX_OPTIONS } from './admin-socket.ts'
import { UsageError, readOptions, type Given } from './options.ts'
import { printable, table } from './table.ts'
import { EXIT, type Terminal, type Verb } from './terminal.ts'

const CONFIG_FILE = '/var/lib/drimbox-fleet/fleet.json'
/** The server checks every byte of a release before it answers; in milliseconds. */
const UPLOAD_SILENCE_MS = 300_000
/** Between two questions for new steps, in milliseconds. */
const WATCH_EVERY_MS = 1000

type Ask = (method: Question['method'], path: string, body?: object | Question['body']) => Promise<unknown>

/** One action: how many arguments it takes, and what it does with them. */
interface Action {
  readonly min: number
  readonly max: number
  readonly run: (ask: Ask, args: readonly string[], show: Show, terminal: Terminal) => Promise<void>
}

/** Says an answer: as JSON where that was asked for, else in words. */
type Show = <T>(answer: T, words: (answer: T) => string) => void

const segment = encodeURIComponent

const ACTIONS: Readonly<Record<string, Action>> = {
  'release add': {
    min: 1,
    max: 1,
    async run (ask, [file], show, { words: { fleet } }) {
      // Opened first: a file that isn't there is no fault of the server's.
      const opened = await open(file!)
      show(await ask('POST', '/releases', { type: 'application/vnd.mender-artifact', content: opened.createReadStream() }) as Release, fleet.added)
    }
  },
  'release list': { min: 0, max: 0, run: async (ask, _, show, { words: { fleet } }) => { show(await ask('GET', '/releases') as Release[], list => table(fleet.releaseHeadings, list.map(fleet.releaseRow))) } },
  'release remove': { min: 1, max: 1, run: async (ask, [name], show, { words: { fleet } }) => { show(await ask('DELETE', `/releases/${segment(name!)}`) as Release, fleet.removed) } },
  'device list': { min: 0, max: 0, run: async (ask, _, show, terminal) => { show(await ask('GET', '/devices') as Device[], list => devices(list, terminal)) } },
  'device show': {
    min: 1,
    max: 1,
    async run (ask, [device], show, terminal) {
      show(await ask('GET', `/devices/${segment(device!)}`) as Device & { inventory: object }, found =>
        `${devices([found], terminal)}\n\n${table(terminal.words.fleet.attributeHeadings, Object.entries(found.inventory).map(([name, value]) => [name, String(value)]))}`)
    }
  },
  'device expect': {
    min: 1,
    max: 2,
    async run (ask, [identity, keyFile], show, terminal) {
      const key = keyFile === undefined ? undefined : await readFile(keyFile, 'utf8')
      show(await ask('POST', '/devices', { identity, key }) as Device, device => devices([device], terminal))
    }
  },
  'device accept': { min: 1, max: 2, run: async (ask, [device, fingerprint], show, terminal) => { show(await ask('POST', `/devices/${segment(device!)}/accept`, { fingerprint }) as Device, one => devices([one], terminal)) } },
  'device reject': { min: 1, max: 2, run: async (ask, [device, fingerprint], show, terminal) => { show(await ask('POST', `/devices/${segment(device!)}/reject`, { fingerprint }) as Device, one => devices([one], terminal)) } },
  deploy: { min: 2, max: 2, run: async (ask, [release, device], show, { words: { fleet } }) => { show(await ask('POST', '/deployments', { release, device }) as DeploymentView, fleet.deployed) } },
  'deployment list': { min: 0, max: 0, run: async (ask, _, show, { words: { fleet } }) => { show(await ask('GET', '/deployments') as DeploymentView[], list => table(fleet.deploymentHeadings, list.map(fleet.deploymentRow))) } },
  'deployment show': { min: 1, max: 1, run: async (ask, [id], show, { words: { fleet } }) => { show(await ask('GET', `/deployments/${segment(id!)}`) as DeploymentStory, story => fleet.story(story).split('\n').map(printable).join('\n')) } },
  'deployment abort': { min: 1, max: 1, run: async (ask, [id], show, { words: { fleet } }) => { show(await ask('POST', `/deployments/${segment(id!)}/abort`, {}) as DeploymentView, one => table(fleet.deploymentHeadings, [fleet.deploymentRow(one)])) } },
  watch: {
    min: 0,
    max: 0,
    async run (ask, _, show, { words: { fleet }, signal }) {
      for (let after = 0; !signal.aborted;) {
        const events = await ask('GET', `/events?after=${after}`) as DeploymentEvent[]
        for (const event of events) show(event, one => printable(fleet.event(one)))
        after = events.at(-1)?.number ?? after
        if (events.length === 0) await delay(WATCH_EVERY_MS, undefined, { signal }).catch(() => {})
      }
    }
  }
}

export const fleetVerb: Verb = async (args, terminal) => {
  const { words, signal } = terminal
  const given = readOptions(args, BOX_OPTIONS, words)
  const [first = '', second = ''] = given.positionals
  const name = [first, `${first} ${second}`].find(one => Object.hasOwn(ACTIONS, one))
  if (name === undefined) throw new UsageError(first === '' ? words.usage.missingArgument : words.usage.oneOf(`${first} ${second}`.trim(), Object.keys(ACTIONS)))
  const { min, max, run } = ACTIONS[name]!
  const rest = given.positionals.slice(name.split(' ').length)
  if (rest.length < min) throw new UsageError(words.usage.missingArgument)
  if (rest.length > max) throw new UsageError(words.usage.extraArgument(rest[max]!))
  const socket = await socketOf(given, terminal)
  const ask: Ask = async (method, path, body) => await askSocket(socket, { method, path, language: words.language, signal, whom: 'fleet', silenceMs: UPLOAD_SILENCE_MS, ...body !== undefined && { body: asBody(body) } })
  await run(ask, rest, (answer, inWords) => { terminal.out(given.flag('json') ? JSON.stringify(answer) : inWords(answer)) }, terminal)
  return EXIT.ok
}

function devices (list: readonly Device[], { words: { fleet } }: Terminal): string {
  return table(fleet.deviceHeadings, list.map(fleet.deviceRow))
}

function asBody (body: object): NonNullable<Question['body']> {
  if ('content' in body && body.content instanceof Readable) return body as NonNullable<Question['body']>
  return { type: 'application/json', content: Readable.from([Buffer.from(JSON.stringify(body))]) }
}

async function socketOf (given: Given, { words }: Terminal): Promise<string> {
  const socket = given.text('socket') ?? (await readFleetConfig(given.text('config') ?? CONFIG_FILE)).adminSocket
  if (socket === undefined) throw new SettingError(words.fleet.notSet)
  return socket
}
