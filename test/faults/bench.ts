/**
 * What stands around one cell of the fault matrix: a simulated PACS, a box, and relays on the two
 * wires between them. Afterwards it proves that nothing was left behind.
 */

import { readdirSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import { objectBytes } from '#sim/object-bytes.ts'
import type { PacsControl } from '#sim/pacs-control.ts'
import type { GeneratedStudy } from '#sim/studies.ts'
import { EXPLICIT_LE, IMPLICIT_LE, RLE_LOSSLESS } from '#standards/dicom/transfer-syntax.ts'
import { openAssociation, type Association } from '#standards/dimse/association.ts'
import type { Proposal } from '#standards/dimse/proposal.ts'
import { store } from '#standards/dimse/store.ts'
import { ask, codeOf, hasClosingDelimiter, objectOf, partsOf, untrue, type Answer, type ReadObject } from '#test/fixtures/answer.ts'
import { openRelay, type Relay } from '#test/fixtures/relay.ts'
import { isQuiet, openRooms, type Rooms, type RoomsOptions } from '#test/fixtures/rooms.ts'
import { filesOf, post, storeRequest, verdicts } from '#test/fixtures/store-request.ts'
import { instancesOf, smallStudy } from '#test/fixtures/small-studies.ts'

/** What is going on while the fault happens: a column of the matrix. */
export const OPERATIONS = ['find', 'move', 'get', 'store', 'warm', 'transcoding', 'stow'] as const
export type Operation = typeof OPERATIONS[number]

/** Twelve objects of 64 KB: wires can be cut in the middle of one. */
const OBJECT_BYTES = 64 << 10
export const STUDY = smallStudy('fault matrix', { series: [4, 5, 3], pixelBytes: OBJECT_BYTES, modality: 'US' })
/** Their list is a search long enough to be cut in the middle. */
const OTHERS = Array.from({ length: 30 }, (_, place) => smallStudy(`fault matrix, other ${place}`, { series: [1] }))
const STUDIES: readonly GeneratedStudy[] = [...OTHERS, STUDY]
/** What comes after a fault must have come by then, in milliseconds. */
const QUIET_MS = 30_000

export interface BenchOptions extends RoomsOptions {
  /** All that the PACS holds, in place of {@link STUDY}. */
  readonly study?: GeneratedStudy
}

export class Bench {
  readonly operation: Operation
  /** The wire on which the box calls the PACS, and the one on which the PACS calls the box. */
  readonly toPacs: Relay
  readonly toBox: Relay
  readonly study: GeneratedStudy
  readonly #options: BenchOptions
  #scope = new Scope()
  #rooms: Rooms | undefined
  #occupied: Association | undefined

  constructor (operation: Operation, options: BenchOptions, toPacs: Relay, toBox: Relay) {
    this.operation = operation
    this.study = options.study ?? STUDY
    this.#options = options
    this.toPacs = toPacs
    this.toBox = toBox
  }

  get rooms (): Rooms { return this.#rooms as Rooms }

  async open (more: RoomsOptions = {}): Promise<void> {
    const options = { ...this.#options, ...more }
    const { operation, toBox, toPacs } = this
    const held = operation === 'stow' ? OTHERS : this.study === STUDY ? STUDIES : [this.study]
    this.#rooms = await openRooms(this.#scope, held, {
      ...options,
      stow: operation === 'stow' ? {} : undefined,
      pacs: { port: toPacs.port, method: operation === 'get' ? 'get' : 'move', connectSeconds: 10, responseSeconds: 20, retriesMax: 1, ...options.pacs },
      // A warm read is counted again, so that what is wrong with the PACS matters to it.
      freshness: { oldSecondsMax: operation === 'warm' ? 0 : 86400, ...options.freshness },
      destinations: title => title === 'DRIMBOX' ? { host: '127.0.0.1', port: toBox.port } : undefined
    })
  }

  async close (): Promise<void> {
    await this.#scope.end()
  }

  /** The box and its PACS start anew, with other settings, or upon another disk. */
  async reopen (more: RoomsOptions, between: () => void = () => {}): Promise<void> {
    await this.close()
    between()
    this.#scope = new Scope()
    await this.open(more)
  }

  get control (): PacsControl { return this.rooms.sim.control }

  /** What the caller of this operation asks for. */
  get url (): string {
    return this.operation === 'find' || this.operation === 'stow' ? `${this.rooms.url}/studies` : `${this.rooms.url}/studies/${this.study.studyUid}`
  }

  get headers (): Record<string, string> {
    return this.operation === 'transcoding' ? { accept: `multipart/related; type="application/dicom"; transfer-syntax=${RLE_LOSSLESS}` } : {}
  }

  async ask (): Promise<string> {
    if (this.operation === 'stow') return await this.offer(await filesOf(this.study))
    return await this.judge(await ask(this.url, this.headers, { agent: false }).catch(() => undefined))
  }

  /**
   * What a caller was told: `200` for all of it, byte for byte; `200 cut`; `206` or an error with its
   * code; `cut` where not even a status came.
   */
  async judge (answer: Answer | undefined, expected = this.operation === 'find' ? STUDIES.map(({ studyUid }) => studyUid) : instancesOf(this.study)): Promise<string> {
    if (answer === undefined) return 'cut'
    const { status, headers, whole } = answer
    if (status >= 400) return `${status} ${codeOf(answer) ?? 'without a code'}`
    const given = this.operation === 'find' ? rowsOf(answer) : await this.#objectsOf(answer)
    if (typeof given === 'string') return given
    const said = headers.warning === undefined ? `${status}` : `${status} ${/\(([A-Z_]+)\)/.exec(String(headers.warning))?.[1] ?? 'with a warning'}`
    if (!whole) return `${said} cut`
    const missing = expected.filter(uid => !given.includes(uid))
    const unasked = given.filter(uid => !expected.includes(uid))
    if (unasked.length > 0) return `${said} with ${unasked.length} that nobody asked for`
    return missing.length > 0 && status === 200 ? `200 as if whole, without ${missing.length}` : said
  }

  /** Has these files stored in the PACS. @returns `200`, `202` or a failure, where the PACS holds what is said to be stored */
  async offer (files: readonly Buffer[], url = this.url): Promise<string> {
    const answer = await post(url, storeRequest(files), { connection: 'close' }).catch(() => undefined)
    if (answer === undefined) return 'cut'
    if (codeOf(answer) !== undefined) return `${answer.status} ${codeOf(answer)}`
    const { stored, failed } = verdicts(answer)
    const uids = Object.keys(stored)
    const missing = instancesOf(this.study).filter(uid => !uids.includes(uid) && failed[uid] === undefined)
    const untold = await this.inPacs(uids)
    if (untold.length > 0) return `${answer.status}, and ${untold.length} said to be stored are not`
    return answer.status === 200 && missing.length > 0 ? `200 without ${missing.length}` : `${answer.status}`
  }

  /** Of these, the ones that the PACS doesn't hold as they were sent. */
  async inPacs (uids: readonly string[]): Promise<string[]> {
    const wrong: string[] = []
    for (const { series, instance } of this.study.series.flatMap(series => series.instances.map(instance => ({ series, instance })))) {
      const held = await this.rooms.sim.datasetOf(instance.sopInstanceUid)
      if (uids.includes(instance.sopInstanceUid) && held?.equals(await objectBytes(this.study, series, instance)) !== true) wrong.push(instance.sopInstanceUid)
    }
    return wrong
  }

  /** Takes a place among the associations that the box bears. */
  async occupy (): Promise<void> {
    this.#occupied = await this.#associate([{ abstractSyntax: '1.2.840.10008.1.1', transferSyntaxes: [IMPLICIT_LE] }])
  }

  /** Sends every object of the study, as the PACS, beside whatever the PACS sends. */
  async push (): Promise<void> {
    const association = await this.#associate([{ abstractSyntax: this.study.series[0].instances[0].sopClassUid, transferSyntaxes: [EXPLICIT_LE] }])
    for (const series of this.study.series) {
      for (const instance of series.instances) await store(association, { ...instance, dataset: await objectBytes(this.study, series, instance) })
    }
    await association.release()
  }

  async #associate (proposals: readonly Proposal[]): Promise<Association> {
    return await openAssociation({ host: '127.0.0.1', port: this.rooms.pacs.port, calledTitle: 'DRIMBOX', callingTitle: this.rooms.sim.aeTitle }, proposals)
  }

  /** @throws when it doesn't come about in time */
  async until (holds: () => boolean): Promise<void> {
    if (!await within(QUIET_MS, holds)) throw new Error('it did not come about')
  }

  /** The PACS is healthy again, and so are the wires. */
  async heal (): Promise<void> {
    this.#occupied?.abort()
    this.control.reset()
    await this.toPacs.heal()
    await this.toBox.heal()
  }

  /** Resolves when nothing is under way; else says what is. */
  async rest (): Promise<string> {
    const { sim, pacs } = this.rooms
    const idle = (): boolean => isQuiet(this.rooms) && this.toBox.open === 0 && this.toPacs.open === pacs.slots.state.idle && sim.control.seen.associationsOpen === pacs.slots.state.idle
    if (await within(QUIET_MS, idle)) return ''
    return JSON.stringify({ retrieves: pacs.supply.active, slots: pacs.slots.state, toBox: this.toBox.open, toPacs: this.toPacs.open, associations: sim.control.seen.associationsOpen, quiet: isQuiet(this.rooms) })
  }

  /** SOP Instance UIDs; or, in words, what is wrong with one of them. */
  async #objectsOf (answer: Answer): Promise<string[] | string> {
    const parts = answer.whole ? await partsOf(answer) : await partsBeforeTheCut(answer)
    if (answer.whole && !hasClosingDelimiter(answer)) return 'whole without a closing delimiter'
    if (!answer.whole && hasClosingDelimiter(answer)) return 'cut behind a closing delimiter'
    const objects = parts.map(({ bytes }) => objectOf(bytes))
    const wrong = this.operation === 'transcoding' ? this.#wronglyCoded(objects) : await untrue(this.rooms.sim, objects)
    if (wrong.length > 0) return `${wrong.length} objects that are not what the PACS holds`
    const uids = objects.map(({ sopInstanceUid }) => sopInstanceUid)
    return new Set(uids).size === uids.length ? uids : 'an object twice'
  }

  /** Those whose pixels aren't, in RLE, what {@link smallStudy} made: every byte the instance's number. */
  #wronglyCoded (objects: readonly ReadObject[]): string[] {
    const values = new Map(this.study.series.flatMap(({ instances }) => instances.map(({ sopInstanceUid }, place) => [sopInstanceUid, place + 1])))
    return objects.filter(({ sopInstanceUid, transferSyntaxUid, dataset }) => {
      const pixels = transferSyntaxUid === RLE_LOSSLESS ? unpack(dataset) : Buffer.alloc(0)
      return pixels.length === 0 || pixels.length % OBJECT_BYTES !== 0 || pixels.some(byte => byte !== values.get(sopInstanceUid))
    }).map(({ sopInstanceUid }) => sopInstanceUid)
  }
}

/** The only frame of an encapsulated data set in RLE (PS3.5 Annex G), its segments one after the other; empty where it isn't one. */
function unpack (dataset: Buffer): Buffer {
  const item = dataset.indexOf(ITEM, dataset.indexOf(Buffer.from('e07f1000', 'hex')))
  const frame = dataset.indexOf(ITEM, item + 8 + dataset.readUInt32LE(item + 4)) + 8
  if (item < 0 || frame < 8) return Buffer.alloc(0)
  const end = frame + dataset.readUInt32LE(frame - 4)
  const segments = dataset.readUInt32LE(frame)
  const starts = Array.from({ length: segments }, (_, place) => frame + dataset.readUInt32LE(frame + 4 + 4 * place))
  return Buffer.concat(starts.map((start, place) => {
    const pieces: Buffer[] = []
    for (let at = start; at < (starts[place + 1] ?? end) - 1;) {
      const count = dataset.readInt8(at)
      if (count >= 0) pieces.push(dataset.subarray(at + 1, at + 2 + count))
      else if (count > -128) pieces.push(Buffer.alloc(1 - count, dataset[at + 1]))
      at += count >= 0 ? count + 2 : count > -128 ? 2 : 1
    }
    // A segment of odd length is padded (§G.3.1).
    const bytes = Buffer.concat(pieces)
    return bytes.subarray(0, bytes.length - bytes.length % (OBJECT_BYTES / 2))
  }))
}

const ITEM = Buffer.from('feff00e0', 'hex')

/** Everything that a cell opened, closed in the reverse order. */
export class Scope {
  readonly #ends: (() => unknown)[] = []

  teardown (end: () => unknown): void {
    this.#ends.push(end)
  }

  async end (): Promise<void> {
    for (const end of this.#ends.splice(0).toReversed()) await end()
  }
}

/** Sets everything up for one operation: for a warm read, with the study in its pack. */
export async function openBench (scope: Scope, operation: Operation, options: BenchOptions = {}): Promise<Bench> {
  const known: { bench?: Bench } = {}
  const toPacs = await openRelay(scope, () => known.bench?.rooms.sim.port ?? 0)
  const toBox = await openRelay(scope, () => known.bench?.rooms.pacs.port ?? 0)
  const bench = known.bench = new Bench(operation, options, toPacs, toBox)
  scope.teardown(async () => { await bench.close() })
  await bench.open()
  if (operation !== 'warm') return bench
  const first = await bench.ask()
  if (first !== '200') throw new Error(`nothing to read warm: ${first}`)
  await bench.rest()
  bench.control.reset()
  return bench
}

/** Names in the cache's folder that are neither a pack, nor its metadata, nor the index: what nobody would ever remove. */
export function strayFiles (folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true }).filter(entry => entry.isFile())
    .map(entry => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .filter(name => !/^index\.sqlite(-wal|-shm)?$|\/\d+(\.\d+)*\/(\d{6}\.pack|metadata\.bin)$/.test(name))
}

/** What this process has open: sockets, files by path, pipes, and what keeps it alive. */
export function openThings (): string[] {
  const files = readdirSync('/proc/self/fd').flatMap(fd => {
    try {
      return [readlinkSync(`/proc/self/fd/${fd}`).replace(/^(socket|pipe):.*/, '$1')]
    } catch {
      return []
    }
  })
  return [...files, ...process.getActiveResourcesInfo()].filter(name => !/^\/(proc\/|dev\/null)|Immediate/.test(name)).sort()
}

/** What is open now and wasn't before, once there has been time for it to close. */
export async function leftOpen (before: readonly string[]): Promise<string[]> {
  const left = (): string[] => {
    const rest = [...before]
    return openThings().filter(name => {
      const place = rest.indexOf(name)
      if (place >= 0) rest.splice(place, 1)
      return place < 0
    })
  }
  await within(5000, () => left().length === 0)
  return left()
}

async function within (milliseconds: number, holds: () => boolean): Promise<boolean> {
  const until = performance.now() + milliseconds
  while (!holds()) {
    if (performance.now() > until) return false
    await new Promise(resolve => { setTimeout(resolve, 5) })
  }
  return true
}

function rowsOf ({ body, whole }: Answer): string[] | string {
  try {
    const rows = JSON.parse(body.toString()) as Record<string, { Value: string[] }>[]
    return whole ? [...new Set(rows.map(row => row['0020000D'].Value[0]))] : 'cut behind a list that parses'
  } catch {
    return whole ? 'whole, but not JSON' : []
  }
}

async function partsBeforeTheCut (answer: Answer): Promise<{ bytes: Buffer }[]> {
  const boundary = /boundary="?([^";]+)/.exec(answer.headers['content-type'] ?? '')?.[1] ?? ''
  const pieces = answer.body.toString('latin1').split(`\r\n--${boundary}`).slice(0, -1)
  return pieces.map((piece, place) => ({ bytes: Buffer.from(piece.slice(piece.indexOf('\r\n\r\n') + 4), 'latin1'), place }))
}
