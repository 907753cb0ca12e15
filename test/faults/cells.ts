/**
 * How the faults of the matrix are brought about: before anybody asks, in the middle, by a disk, by a clock.
 */

import { once } from 'node:events'
import { request } from 'node:http'
import { statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Gate } from '#sim/pacs-control.ts'
import type { GeneratedStudy } from '#sim/studies.ts'
import { begin } from '#test/fixtures/answer.ts'
import { adjustableClock } from '#test/fixtures/clock.ts'
import { failingDisk } from '#test/fixtures/failing-disk.ts'
import { smallDisk } from '#test/fixtures/small-disk.ts'
import { instancesOf, smallStudy } from '#test/fixtures/small-studies.ts'
import { filesOf, storeRequest } from '#test/fixtures/store-request.ts'
import type { Bench, BenchOptions, Operation, Scope } from './bench.ts'

export interface Cell {
  /** What the caller is told, in the words of {@link Bench.judge}; ` or ` between those that timing decides. */
  readonly answer: string
  /** How the fault is brought about, and the answer of whoever asked meanwhile. */
  readonly run: (bench: Bench) => Promise<string>
  /** Settings that it needs, and disks. */
  readonly prepare?: (scope: Scope) => BenchOptions
  /** Undoes what {@link Bench.heal} can't. */
  readonly heal?: (bench: Bench) => Promise<void> | void
  /** What the page says beside the answer. */
  readonly note?: string
}

type Strike = (bench: Bench) => Promise<void> | void

const MIB = 1 << 20
const OBJECT_BYTES = 64 << 10
const DAY_MS = 86_400_000
/** One object that memory doesn't hold whole. */
export const LARGE = smallStudy('fault matrix, large', { series: [1], pixelBytes: 12 * MIB })

/** For a PACS that says nothing more: so long nobody waits for it. */
export const impatient = (): BenchOptions => ({ pacs: { connectSeconds: 2, responseSeconds: 2 } })

/** The fault is there before anybody asks. */
export function before (answer: string, strike: Strike, more: Partial<Cell> = {}): Cell {
  return {
    answer,
    run: async bench => {
      await strike(bench)
      return await bench.ask()
    },
    ...more
  }
}

/** Instances of one retrieve before it happens: with C-GET each series, the shortest of three, is a retrieve of its own. */
const AFTER: Readonly<Record<Operation, number>> = { find: 5, move: 5, get: 2, store: 5, warm: 0, stow: 5, transcoding: 5 }

/** It happens once some matches, or some instances, have come. */
export function amid (answer: string, strike: Strike, more: Partial<Cell> = {}): Cell {
  return {
    answer,
    run: async bench => {
      const gate = pause(bench)
      const asking = bench.ask()
      await gate.reached
      await strike(bench)
      gate.release()
      return await asking
    },
    ...more
  }
}

/** It happens once the PACS has begun to say how many instances there are, which whoever reads what is held asks. */
export function amidCount (strike: Strike): Cell {
  return {
    answer: '200',
    run: async bench => {
      const gate = bench.control.pauseAnswers(1)
      const asking = bench.ask()
      await gate.reached
      await strike(bench)
      gate.release()
      return await asking
    }
  }
}

function pause ({ operation, control }: Bench): Gate {
  return operation === 'find' || operation === 'stow' ? control.pauseAnswers(AFTER[operation]) : control.pauseSubOperations(AFTER[operation])
}

/** What the PACS does wrong doesn't matter to whoever reads what is held. */
export const held = (strike: Strike, more: Partial<Cell> = {}): Cell => before('200', strike, more)

export const ofRetrieves = (cell: () => Cell): Record<'move' | 'get' | 'transcoding', Cell> => ({ move: cell(), get: cell(), transcoding: cell() })

/** With bytes of one object on the wire. */
export const MID_OBJECT = 5 * OBJECT_BYTES + 20_000
/** In the middle of a list of matches: some have 250 bytes, the association's acceptance as many. */
export const MID_LIST = 3000

/** A small disk that somebody else fills, but for so many bytes. */
const disk = (bytes: number): { prepare: NonNullable<Cell['prepare']>, fill: (left?: number) => void, heal: () => void } => {
  let path = ''
  const others = (): string => join(path, 'others')
  return {
    prepare: scope => {
      path = smallDisk(scope, bytes)
      return { cache: { folder: join(path, 'cache'), diskFreeBytesMin: 0, bytesMax: 1 << 30 } }
    },
    fill (left = 0) {
      for (let chunk = MIB; chunk >= 4096;) {
        try {
          writeFileSync(others(), Buffer.alloc(chunk), { flag: 'a' })
        } catch {
          chunk >>= 1
        }
      }
      truncateSync(others(), statSync(others()).size - left)
    },
    heal () { truncateSync(others()) }
  }
}

export function fullDisk (answer: string): Cell {
  const { prepare, fill, heal } = disk(6 * MIB)
  return before(answer, () => { fill() }, { prepare, heal })
}

/** The disk fills while one object, larger than memory should hold, is on its way to it. */
export function fullDiskAmidObject (answer: string): Cell {
  const { prepare, fill, heal } = disk(24 * MIB)
  return before(answer, () => { fill(7 * MIB) }, { prepare: scope => ({ ...prepare(scope), study: LARGE }), heal })
}

export function readOnlyDisk (answer: string, study?: GeneratedStudy): Cell {
  let fail: () => void = () => {}
  let repair: () => void = () => {}
  return before(answer, () => { fail() }, {
    prepare: scope => {
      const { path, failToReadOnly, repair: mend } = failingDisk(scope)
      fail = failToReadOnly
      repair = mend
      return { ...study && { study }, cache: { folder: join(path, 'cache'), diskFreeBytesMin: 0, bytesMax: 1 << 30 } }
    },
    heal: async bench => { await bench.reopen({}, repair) }
  })
}

/** The clock is set a year ahead, then a year back, in the middle of everything. */
export function clockJump (strikeAt: typeof before | typeof amid): Cell {
  let set: (milliseconds: number) => void = () => {}
  return strikeAt('200', () => { set(365 * DAY_MS) }, {
    prepare: scope => {
      set = adjustableClock(scope)
      return {}
    },
    heal: () => { set(-365 * DAY_MS) }
  })
}

/** Nobody is told anything; the PACS is told to stop. */
export function leaving (): Cell {
  return {
    answer: 'cut',
    run: async bench => {
      const isWarm = bench.operation === 'warm'
      const gate = isWarm ? undefined : pause(bench)
      const answer = await begin(bench.url, {}, { agent: false })
      await gate?.reached
      answer.destroy()
      if (!answer.closed) await once(answer, 'close')
      gate?.release()
      return answer.complete ? 'whole' : 'cut'
    }
  }
}

/** Of what the caller was still sending the PACS has nothing; of the rest, only what is whole. */
export function leavingOffer (): Cell {
  return {
    answer: 'cut',
    run: async bench => {
      const { type, body } = storeRequest(await filesOf(bench.study))
      const sent = request(bench.url, { method: 'POST', headers: { 'content-type': type, 'content-length': body.length }, agent: false })
      sent.on('error', () => {})
      sent.write(body.subarray(0, MID_OBJECT))
      await bench.until(() => bench.control.seen.stores === 5)
      sent.destroy()
      const wrong = await bench.inPacs(instancesOf(bench.study).filter(uid => bench.rooms.sim.datasetOf(uid) !== undefined))
      return wrong.length > 0 ? `${wrong.length} in the PACS that are not whole` : 'cut'
    }
  }
}
