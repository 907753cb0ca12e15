/**
 * The fault matrix: what goes wrong, during what, and what the caller is told then.
 *
 * One row for each fault, one column for each operation. docs/standards/faults.md is written from
 * this table, and matrix.test.ts runs it.
 */

import { REJECTIONS } from '#sim/pacs-control.ts'
import { ask } from '#test/fixtures/answer.ts'
import { skipWithoutLoop } from '#test/fixtures/failing-disk.ts'
import { skipWithoutMount } from '#test/fixtures/small-disk.ts'
import { filesOf } from '#test/fixtures/store-request.ts'
import type { Operation } from './bench.ts'
import { amid, amidCount, before, clockJump, fullDisk, fullDiskAmidObject, held, impatient, LARGE, leaving, leavingOffer, MID_LIST, MID_OBJECT, ofRetrieves, readOnlyDisk, type Cell } from './cells.ts'

export interface Row {
  readonly fault: string
  /** What happens, in a sentence of the page. */
  readonly what: string
  /** A string is the reason why there is no such cell. */
  readonly cells: Readonly<Record<Operation, Cell | string>>
  /** For tap's `skip` option. */
  readonly skip?: string | false
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
      warm: amidCount(({ toPacs }) => { toPacs.reset() }),
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
      warm: amidCount(({ toPacs }) => { toPacs.halfClose() }),
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
