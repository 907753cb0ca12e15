/**
 * The fault matrix: what goes wrong, during what, and what the caller is told then.
 *
 * One row for each fault, one column for each operation. docs/standards/faults.md is written from
 * this table, and matrix.test.ts runs it.
 */

import { once } from 'node:events'
import { request } from 'node:http'
import { statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { REJECTIONS, type Gate } from '#sim/pacs-control.ts'
import type { GeneratedStudy } from '#sim/studies.ts'
import { ask, begin } from '#test/fixtures/answer.ts'
import { adjustableClock } from '#test/fixtures/clock.ts'
import { failingDisk, skipWithoutLoop } from '#test/fixtures/failing-disk.ts'
import { skipWithoutMount, smallDisk } from '#test/fixtures/small-disk.ts'
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

export interface Row {
  readonly fault: string
  /** What happens, in a sentence of the page. */
  readonly what: string
  /** A string is the reason why there is no such cell. */
  readonly cells: Readonly<Record<Operation, Cell | string>>
  /** For tap's `skip` option. */
  readonly skip?: string | false
}

type Strike = (bench: Bench) => Promise<void> | void

const MIB = 1 << 20
const OBJECT_BYTES = 64 << 10
const DAY_MS = 86_400_000
/** One object that memory doesn't hold whole. */
const LARGE = smallStudy('fault matrix, large', { series: [1], pixelBytes: 12 * MIB })

/** For a PACS that says nothing more: so long nobody waits for it. */
const impatient = (): BenchOptions => ({ pacs: { connectSeconds: 2, responseSeconds: 2 } })

/** The fault is there before anybody asks. */
function before (answer: string, strike: Strike, more: Partial<Cell> = {}): Cell {
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
function amid (answer: string, strike: Strike, more: Partial<Cell> = {}): Cell {
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

function pause ({ operation, control }: Bench): Gate {
  return operation === 'find' || operation === 'stow' ? control.pauseAnswers(AFTER[operation]) : control.pauseSubOperations(AFTER[operation])
}

/** What the PACS does wrong doesn't matter to whoever reads what is held. */
const held = (strike: Strike, more: Partial<Cell> = {}): Cell => before('200', strike, more)

const ofRetrieves = (cell: () => Cell): Pick<Row['cells'], 'move' | 'get' | 'transcoding'> => ({ move: cell(), get: cell(), transcoding: cell() })

/** With bytes of one object on the wire. */
const MID_OBJECT = 5 * OBJECT_BYTES + 20_000
/** In the middle of a list of matches: some have 250 bytes, the association's acceptance as many. */
const MID_LIST = 3000

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

function fullDisk (answer: string): Cell {
  const { prepare, fill, heal } = disk(6 * MIB)
  return before(answer, () => { fill() }, { prepare, heal })
}

/** The disk fills while one object, larger than memory should hold, is on its way to it. */
function fullDiskAmidObject (answer: string): Cell {
  const { prepare, fill, heal } = disk(24 * MIB)
  return before(answer, () => { fill(7 * MIB) }, { prepare: scope => ({ ...prepare(scope), study: LARGE }), heal })
}

function readOnlyDisk (answer: string, study?: GeneratedStudy): Cell {
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
function clockJump (strikeAt: typeof before | typeof amid): Cell {
  let set: (milliseconds: number) => void = () => {}
  return strikeAt('200', () => { set(365 * DAY_MS) }, {
    prepare: scope => {
      set = adjustableClock(scope)
      return {}
    },
    heal: () => { set(-365 * DAY_MS) }
  })
}

export const MATRIX: readonly Row[] = [
  {
    fault: 'refuse: association',
    what: 'A-ASSOCIATE-RJ; for *store*, ours to the PACS, whose title we don\'t know',
    cells: {
      find: before('502 PACS_REJECTED', ({ control }) => { control.refuseAssociations() }),
      ...ofRetrieves(() => before('502 PACS_REJECTED', ({ control }) => { control.refuseAssociations() })),
      store: before('502 PACS_STATUS', () => {}, {
        prepare: () => ({ pacs: { senders: [{ title: 'ANOTHER' }] } }),
        heal: async bench => { await bench.reopen({ pacs: { senders: [] } }) },
        note: 'until the setting is mended'
      }),
      warm: held(({ control }) => { control.refuseAssociations() }),
      stow: before('502 PACS_REJECTED', ({ control }) => { control.refuseAssociations() })
    }
  },
  {
    fault: 'refuse: connection',
    what: 'nobody listens (ECONNREFUSED); for *store*, where the PACS calls us',
    cells: {
      find: before('503 PACS_UNREACHABLE', async ({ toPacs }) => { await toPacs.refuse() }),
      ...ofRetrieves(() => before('503 PACS_UNREACHABLE', async ({ toPacs }) => { await toPacs.refuse() })),
      store: before('502 PACS_STATUS', async ({ toBox }) => { await toBox.refuse() }),
      warm: held(async ({ toPacs }) => { await toPacs.refuse() }),
      stow: before('503 PACS_UNREACHABLE', async ({ toPacs }) => { await toPacs.refuse() })
    }
  },
  {
    fault: 'slow',
    what: 'every answer and every object late, each within `pacs.responseSeconds`',
    cells: {
      find: before('200', ({ control }) => { control.delayAnswers(20) }),
      ...ofRetrieves(() => before('200', ({ control }) => { control.delayAnswers(20); control.delaySubOperations(50) })),
      store: before('200', ({ toBox }) => { toBox.delay(15) }),
      warm: held(({ toPacs }) => { toPacs.delay(15) }),
      stow: before('200', ({ control }) => { control.delayAnswers(20) })
    }
  },
  {
    fault: 'silent: from the start',
    what: 'bytes are taken and nothing comes back',
    cells: {
      find: before('504 PACS_TIMEOUT', ({ control }) => { control.neverAnswer('find') }, { prepare: impatient }),
      ...ofRetrieves(() => before('504 PACS_TIMEOUT', ({ toPacs }) => { toPacs.silence() }, { prepare: impatient })),
      store: before('504 PACS_TIMEOUT', ({ toBox }) => { toBox.silence() }, { prepare: impatient }),
      warm: held(({ toPacs }) => { toPacs.silence() }, { prepare: impatient }),
      stow: before('504 PACS_TIMEOUT', ({ control }) => { control.neverAnswer('store') }, { prepare: impatient })
    }
  },
  {
    fault: 'silent: in the middle',
    what: 'after five matches, or one instance of each retrieve; for *store*, in the middle of an object',
    cells: {
      find: {
        answer: '200 cut',
        run: async bench => {
          bench.control.pauseAnswers(5)
          return await bench.ask()
        },
        prepare: impatient
      },
      ...ofRetrieves(() => ({
        answer: '200 cut',
        run: async bench => {
          bench.control.pauseSubOperations(1)
          return await bench.ask()
        },
        prepare: impatient
      })),
      store: before('200 cut', ({ toBox }) => { toBox.silence(MID_OBJECT, 'forth') }, { prepare: impatient }),
      warm: {
        answer: '200',
        run: async bench => {
          bench.control.pauseAnswers(1)
          return await bench.ask()
        },
        prepare: impatient
      },
      stow: before('202', ({ toPacs }) => { toPacs.silence(MID_OBJECT, 'forth') }, { prepare: impatient, note: 'the rest failed, each named' })
    }
  },
  {
    fault: 'cut after N bytes: closed',
    what: 'the connection ends (FIN) in the middle of a PDU',
    cells: {
      find: before('200 cut', ({ toPacs }) => { toPacs.cutAfter(MID_LIST) }),
      move: before('200', ({ toPacs }) => { toPacs.cutAfter(800) }, { note: 'the rest is asked for again' }),
      transcoding: before('200', ({ toPacs }) => { toPacs.cutAfter(800) }, { note: 'the rest is asked for again' }),
      get: before('200', ({ toPacs }) => { toPacs.cutAfter(MID_OBJECT) }, { note: 'the rest is asked for again' }),
      store: before('200', ({ toBox }) => { toBox.cutAfter(MID_OBJECT, 'forth') }, { note: 'the rest is asked for again' }),
      warm: held(({ toPacs }) => { toPacs.cutAfter(300) }),
      stow: before('200', ({ toPacs }) => { toPacs.cutAfter(MID_OBJECT, 'forth') }, { note: 'what had no answer is sent again' })
    }
  },
  {
    fault: 'cut after N bytes: reset',
    what: 'the same with a reset (RST), as a host that has restarted answers',
    cells: {
      find: before('200 cut', ({ toPacs }) => { toPacs.cutAfter(MID_LIST, 'back', 'reset') }),
      move: before('200', ({ toPacs }) => { toPacs.cutAfter(800, 'back', 'reset') }, { note: 'the rest is asked for again' }),
      transcoding: before('200', ({ toPacs }) => { toPacs.cutAfter(800, 'back', 'reset') }, { note: 'the rest is asked for again' }),
      get: before('200', ({ toPacs }) => { toPacs.cutAfter(MID_OBJECT, 'back', 'reset') }, { note: 'the rest is asked for again' }),
      store: before('200', ({ toBox }) => { toBox.cutAfter(MID_OBJECT, 'forth', 'reset') }, { note: 'the rest is asked for again' }),
      warm: held(({ toPacs }) => { toPacs.cutAfter(300, 'back', 'reset') }),
      stow: before('200', ({ toPacs }) => { toPacs.cutAfter(MID_OBJECT, 'forth', 'reset') }, { note: 'what had no answer is sent again' })
    }
  },
  {
    fault: 'cut between instances',
    what: 'between two matches, or two objects',
    cells: {
      find: amid('200 cut', ({ toPacs }) => { toPacs.reset() }),
      ...ofRetrieves(() => before('200', ({ control }) => { control.cutAfterInstances(2) }, { note: 'the rest is asked for again' })),
      store: amid('200', ({ toBox }) => { toBox.reset() }, { note: 'the rest is asked for again' }),
      warm: {
        answer: '200',
        run: async bench => {
          const gate = bench.control.pauseAnswers(1)
          const asking = bench.ask()
          await gate.reached
          bench.toPacs.reset()
          gate.release()
          return await asking
        }
      },
      stow: amid('200', ({ toPacs }) => { toPacs.reset() }, { note: 'what had no answer is sent again' })
    }
  },
  {
    fault: 'half-closed',
    what: 'the other side says that it will send no more (FIN), and still listens',
    cells: {
      find: amid('200 cut', ({ toPacs }) => { toPacs.halfClose() }),
      ...ofRetrieves(() => amid('200', ({ toPacs }) => { toPacs.halfClose() }, { note: 'the rest is asked for again' })),
      store: amid('200', ({ toBox }) => { toBox.halfClose() }, { note: 'the rest is asked for again' }),
      warm: {
        answer: '200',
        run: async bench => {
          const gate = bench.control.pauseAnswers(1)
          const asking = bench.ask()
          await gate.reached
          bench.toPacs.halfClose()
          gate.release()
          return await asking
        }
      },
      stow: amid('200', ({ toPacs }) => { toPacs.halfClose() }, { note: 'what had no answer is sent again' })
    }
  },
  {
    fault: 'wrong instance: of another study',
    what: 'a match, or an object, of a patient that nobody asked for',
    cells: {
      find: {
        answer: '200',
        note: 'the stranger is left out',
        run: async bench => {
          bench.control.answerForeign()
          return await bench.judge(await ask(`${bench.url}?StudyInstanceUID=${bench.study.studyUid}`), [bench.study.studyUid])
        }
      },
      ...ofRetrieves(() => before('200', ({ control }) => { control.sendForeignInstance() }, { note: 'it is refused' })),
      store: before('200', ({ control }) => { control.sendForeignInstance(); control.answerForeign() }, { note: 'it is refused' }),
      warm: held(({ control }) => { control.answerForeign() }, { note: 'nor is it counted' }),
      stow: {
        answer: '409',
        note: 'where the path names a study',
        run: async bench => await bench.offer(await filesOf(bench.study), `${bench.url}/2.25.404`)
      }
    }
  },
  {
    fault: 'wrong instance: another than announced',
    what: 'a data set whose SOP Instance UID isn\'t that of its command',
    cells: {
      find: 'a match has no announcement',
      ...ofRetrieves(() => before('200 cut', ({ control }) => { control.mislabel(2) }, { note: 'it is refused, each time' })),
      transcoding: before('206 PACS_STATUS or 200 cut', ({ control }) => { control.mislabel(2) }, { note: 'by whether the PACS is done before the first is coded' }),
      store: 'it is what the PACS does wrong in *move* and *get*',
      warm: 'nothing is sent',
      stow: 'what is announced is read from the data set itself'
    }
  },
  {
    fault: 'duplicate',
    what: 'each match, or object, twice',
    cells: {
      find: before('200', ({ control }) => { control.answerTwice() }, { note: 'each row twice, as the PACS says it' }),
      ...ofRetrieves(() => before('200', ({ control }) => { control.sendTwice(12); control.answerTwice() }, { note: 'each once' })),
      store: {
        answer: '200',
        note: 'each once',
        prepare: () => ({ pacs: { associationsMax: 4 } }),
        run: async bench => {
          const gate = bench.control.pauseSubOperations(5)
          const asking = bench.ask()
          await gate.reached
          const pushed = bench.push()
          gate.release()
          await pushed
          return await asking
        }
      },
      warm: held(({ control }) => { control.answerTwice() }),
      stow: {
        answer: '200',
        run: async bench => {
          const files = await filesOf(bench.study)
          return await bench.offer([...files, ...files])
        }
      }
    }
  },
  {
    fault: 'failure status: at once',
    what: 'C001, unable to process',
    cells: {
      find: before('502 PACS_STATUS', ({ control }) => { control.endFindsWith(0xc001) }),
      ...ofRetrieves(() => before('502 PACS_STATUS', ({ control }) => { control.endRetrievesWith(0xc001) })),
      store: 'the status of a C-STORE is ours: full disk, wrong instance',
      warm: held(({ control }) => { control.endFindsWith(0xc001) }),
      stow: before('409', ({ control }) => { control.answerStoresWith(0xc001) }, { note: 'each with the PACS\'s reason' })
    }
  },
  {
    fault: 'failure status: in the middle',
    what: 'C001 after five matches or instances; for *store*, sub-operations that fail each time',
    cells: {
      find: before('200 cut', ({ control }) => { control.endFindsWith(0xc001, 5) }),
      ...ofRetrieves(() => before('200', ({ control }) => { control.endRetrievesWith(0xc001, 5) }, { note: 'the rest is asked for again' })),
      store: before('200 cut', ({ control }) => { control.failSubOperations(3) }),
      warm: held(({ control }) => { control.endFindsWith(0xc001, 1) }),
      stow: before('202', ({ control }) => { control.answerStoresWith(0xc001, 5) }, { note: 'each that failed with the PACS\'s reason' })
    }
  },
  {
    fault: 'warning status',
    what: 'FF01, keys not known; B000, all sent and something coerced',
    cells: {
      find: before('200', ({ control }) => { control.hideCounts() }),
      ...ofRetrieves(() => before('200', ({ control }) => { control.endRetrievesWith(0xb000, 12); control.hideCounts() })),
      store: 'the status of a C-STORE is ours, and we warn of nothing',
      warm: held(({ control }) => { control.hideCounts() }),
      stow: before('202', ({ control }) => { control.answerStoresWith(0xb000) }, { note: 'stored, each with the PACS\'s warning' })
    }
  },
  {
    fault: 'out of resources',
    what: 'A700 or A702 from the PACS; for *store*, all our places for associations taken',
    cells: {
      find: before('502 PACS_STATUS', ({ control }) => { control.endFindsWith(0xa700) }),
      ...ofRetrieves(() => before('502 PACS_STATUS', ({ control }) => { control.endRetrievesWith(0xa702) })),
      store: before('502 PACS_STATUS', async bench => { await bench.occupy() }, { prepare: () => ({ dimse: { associationsMax: 1 } }) }),
      warm: held(({ control }) => { control.refuseAssociations(REJECTIONS.localLimit) }),
      stow: before('409', ({ control }) => { control.answerStoresWith(0xa700) }, { note: 'each with the PACS\'s reason' })
    }
  },
  {
    fault: 'full disk',
    what: 'not a byte left where the packs lie; for *store*, in the middle of an object of 12 MB',
    skip: skipWithoutMount,
    cells: {
      find: fullDisk('200'),
      ...ofRetrieves(() => fullDisk('507 STORE_FULL')),
      store: fullDiskAmidObject('507 STORE_FULL'),
      warm: fullDisk('200'),
      stow: fullDiskAmidObject('409')
    }
  },
  {
    fault: 'read-only disk',
    what: 'ext4 finds an error and refuses every write from then on; the next request after a check and a restart',
    skip: skipWithoutLoop,
    cells: {
      find: readOnlyDisk('200'),
      ...ofRetrieves(() => readOnlyDisk('500 STORE_FAILED')),
      store: 'the same as *move*',
      warm: readOnlyDisk('200'),
      stow: readOnlyDisk('409', LARGE)
    }
  },
  {
    fault: 'clock jump',
    what: 'the clock of the machine a year ahead in the middle, then two years back',
    cells: {
      find: clockJump(amid),
      ...ofRetrieves(() => clockJump(amid)),
      store: 'the same as *move*',
      warm: clockJump(before),
      stow: clockJump(amid)
    }
  },
  {
    fault: 'the caller leaves',
    what: 'in the middle of the answer; what another then asks for is answered',
    cells: {
      find: leaving(),
      ...ofRetrieves(() => leaving()),
      store: 'the same as *move*',
      warm: leaving(),
      stow: leavingOffer()
    }
  }
]

/** Run by killed.test.ts, with a box in a process of its own. */
export const KILLED = {
  what: 'the box, by SIGKILL, once the head of the answer has come (for *stow*, with half of the objects taken); the next request after a restart',
  answers: { find: '200 cut', move: '200 cut', get: '200 cut', store: '200 cut', warm: '200 cut', transcoding: '200 cut', stow: 'cut' }
} as const satisfies { what: string, answers: Record<Operation, string> }

/** Nobody is told anything; the PACS is told to stop. */
function leaving (): Cell {
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
function leavingOffer (): Cell {
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
