/**
 * How fast a PACS gives its images: one study brought by C-MOVE or C-GET over so many associations at once, counted
 * and dropped.
 *
 * Source: DICOM PS3.4 §C.4.2, §C.4.3. The measure is DB.SO.102 of the national test set: time to the first image,
 * bytes, throughput.
 */

import { setTimeout as after } from 'node:timers/promises'
import type { Config } from '#box/config.ts'
import { STORE_STATUS } from '#box/pacs/receive.ts'
import { Senders } from '#box/pacs/senders.ts'
import { RECEIVED_SYNTAXES } from '#box/pacs/syntaxes.ts'
import { withAssociation, type Association } from '#standards/dimse/association.ts'
import { get } from '#standards/dimse/get.ts'
import { move } from '#standards/dimse/move.ts'
import { STATUS, statusText } from '#standards/dimse/status.ts'
import type { StoreHandler } from '#standards/dimse/store-provider.ts'
import { listenForPacs } from '../listen-for-pacs.ts'
import { GET_PROPOSAL, MOVE_PROPOSAL, portion } from '../questions.ts'
import { peerOf, timersOf } from '../settings.ts'
import { storeProposals } from '../store-proposals.ts'
import type { ChosenStudy } from './choose-study.ts'

/** Some PACS say that all is sent while they still send it. */
const LATE_SECONDS = 5

export interface PacsMeasure {
  readonly associations: number
  readonly expected: number
  readonly instances: number
  /** Of data sets, as they came over the wire. */
  readonly bytes: number
  /** From the requests to the last byte of the first image; undefined when none came. */
  readonly firstImageMilliseconds: number | undefined
  /** To the last byte of the last one. */
  readonly milliseconds: number
  readonly megabitsPerSecond: number
  readonly instancesPerSecond: number
  /** Given up, since it took as long as it may. */
  readonly isCut: boolean
  /** Final status of each request, where it wasn't success. */
  readonly statuses: readonly string[]
}

export interface MeasureOptions {
  readonly method: 'move' | 'get'
  readonly associations: number
  /** Then it is ended, whatever has come. */
  readonly secondsMax: number
  readonly signal: AbortSignal
  readonly onArrived?: (count: number) => void
}

/** @throws PeerError as associations do, unless time was up; SettingError when our port can't be had */
export async function measurePacs (config: Config, study: ChosenStudy, options: MeasureOptions): Promise<PacsMeasure> {
  const { method, associations, secondsMax, signal, onArrived } = options
  const count = new Count(study, onArrived)
  const time = AbortSignal.timeout(secondsMax * 1000)
  const ends = AbortSignal.any([signal, time])
  const statuses: string[] = []
  try {
    const bring = method === 'move' ? byMove : byGet
    for (const status of await bring(config, study, portions(study, associations), count, ends)) {
      if (status !== STATUS.success) statuses.push(statusText(status))
    }
    if (statuses.length === 0 && !count.isWhole) await Promise.race([count.whole, after(LATE_SECONDS * 1000, undefined, { ref: false })])
  } catch (error) {
    if (!time.aborted || signal.aborted) throw error
  }
  return { ...count.figures, associations, isCut: time.aborted && !count.isWhole, statuses: [...new Set(statuses)] }
}

/** One list of requests for each association. One alone asks for the study whole, as the box does; more share its series. */
function portions ({ instances }: ChosenStudy, associations: number): (string | undefined)[][] {
  if (associations === 1) return [[undefined]]
  const sizes = new Map<string, number>()
  for (const { seriesUid } of instances.values()) sizes.set(seriesUid, (sizes.get(seriesUid) ?? 0) + 1)
  const lists = Array.from({ length: Math.min(associations, sizes.size) }, () => ({ size: 0, series: [] as string[] }))
  for (const [seriesUid, size] of [...sizes].sort(([, a], [, b]) => b - a)) {
    const least = lists.reduce((a, b) => b.size < a.size ? b : a)
    least.series.push(seriesUid)
    least.size += size
  }
  return lists.map(({ series }) => series)
}

/** More associations than series have nothing to do. */
export function seriesIn ({ instances }: ChosenStudy): number {
  return new Set([...instances.values()].map(({ seriesUid }) => seriesUid)).size
}

async function byMove (config: Config, { studyUid }: ChosenStudy, lists: (string | undefined)[][], count: Count, signal: AbortSignal): Promise<number[]> {
  const senders = new Senders(config.pacs)
  await senders.refresh()
  const scp = await listenForPacs(config, {
    admit: ({ callingTitle, address }) => senders.admits(callingTitle, address) ? 'accept' : 'calling-title-unknown',
    onStore: count.onStore
  })
  try {
    return await together(config, lists, [MOVE_PROPOSAL], count, signal, undefined, async (association, series) =>
      (await move(association, { identifier: portion(studyUid, series), destination: config.dimse.aeTitle, signal })).status)
  } finally {
    senders.close()
    await scp.close()
  }
}

async function byGet (config: Config, { studyUid, instances }: ChosenStudy, lists: (string | undefined)[][], count: Count, signal: AbortSignal): Promise<number[]> {
  const proposals = [GET_PROPOSAL, ...storeProposals([...instances.values()].map(({ sopClassUid }) => sopClassUid), RECEIVED_SYNTAXES)]
  return await together(config, lists, proposals, count, signal, count.onStore, async (association, series) =>
    (await get(association, { identifier: portion(studyUid, series), signal })).status)
}

/** Opens all associations, then starts the clock and all requests. */
async function together (
  config: Config, lists: (string | undefined)[][], proposals: Parameters<typeof withAssociation>[1], count: Count, signal: AbortSignal, onStore: StoreHandler | undefined,
  ask: (association: Association, series: string | undefined) => Promise<number>
): Promise<number[]> {
  const peer = await peerOf(config)
  const ready = Promise.withResolvers<void>()
  let standing = 0
  // One that can't be opened ends them all, rather than wait for ever with the others.
  const failed = new AbortController()
  const ends = AbortSignal.any([signal, failed.signal])
  ends.addEventListener('abort', () => { ready.resolve() }, { once: true })
  const statuses = await Promise.all(lists.map(async series => {
    try {
      return await withAssociation(peer, proposals, { signal: ends, timers: timersOf(config), ...onStore !== undefined && { onStore } }, async association => {
        if (++standing === lists.length) {
          count.start()
          ready.resolve()
        }
        await ready.promise
        const own: number[] = []
        for (const one of series) own.push(await ask(association, one))
        return own
      })
    } catch (error) {
      failed.abort(error)
      throw error
    }
  }))
  return statuses.flat()
}

/** What has come, each object once; nobody else's. */
class Count {
  readonly #expected: ChosenStudy['instances']
  readonly #came = new Set<string>()
  readonly #whole = Promise.withResolvers<void>()
  readonly #onArrived: ((count: number) => void) | undefined
  #bytes = 0
  #began = 0
  #first: number | undefined
  #last = 0

  constructor ({ instances }: ChosenStudy, onArrived: ((count: number) => void) | undefined) {
    this.#expected = instances
    this.#onArrived = onArrived
  }

  start (): void {
    this.#began = performance.now()
  }

  get isWhole (): boolean { return this.#came.size === this.#expected.size }

  get whole (): Promise<void> { return this.#whole.promise }

  readonly onStore: StoreHandler = ({ sopInstanceUid }) => {
    if (!this.#expected.has(sopInstanceUid)) return STORE_STATUS.notAuthorized
    let bytes = 0
    return {
      write (chunk) { bytes += chunk.length },
      end: () => {
        this.#arrived(sopInstanceUid, bytes)
        return STATUS.success
      },
      abort () {}
    }
  }

  #arrived (sopInstanceUid: string, bytes: number): void {
    if (this.#came.has(sopInstanceUid)) return
    this.#came.add(sopInstanceUid)
    this.#bytes += bytes
    this.#last = performance.now()
    this.#first ??= this.#last
    this.#onArrived?.(this.#came.size)
    if (this.isWhole) this.#whole.resolve()
  }

  get figures (): Omit<PacsMeasure, 'associations' | 'isCut' | 'statuses'> {
    const milliseconds = Math.max(0, this.#last - this.#began)
    const seconds = milliseconds / 1000
    return {
      expected: this.#expected.size,
      instances: this.#came.size,
      bytes: this.#bytes,
      firstImageMilliseconds: this.#first === undefined ? undefined : this.#first - this.#began,
      milliseconds,
      megabitsPerSecond: seconds === 0 ? 0 : this.#bytes * 8 / 1e6 / seconds,
      instancesPerSecond: seconds === 0 ? 0 : this.#came.size / seconds
    }
  }
}
