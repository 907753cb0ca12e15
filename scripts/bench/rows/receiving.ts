/**
 * Receiving alone: 1300 objects from a sender that never waits, into the pack and into what others
 * write.
 */

import { mkdir, open, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { segmentName } from '#box/cache/pack.ts'
import { scanPack } from '#box/cache/scan.ts'
import { NODE_ENVIRONMENT, NODE_FLAGS } from '#core/runtime.ts'
import { blast } from '../blast.ts'
import { Comparison } from '../compare.ts'
import type { Sample } from '../data.ts'
import { atMost, timesFaster } from '../goals.ts'
import { cpuSeconds, peakBytes, resetPeak } from '../measure.ts'
import { startStoreScp } from '../peers/storescp.ts'
import { freePort, NODE, start, type Started } from '../processes.ts'
import { quiet } from '../quiet.ts'
import { rounds, type Variant } from '../rounds.ts'
import type { Row } from '../row.ts'

/** A receiver under test. */
interface Receiver {
  readonly name: string
  readonly note: string
  readonly process: Started
  readonly port: number
  readonly title: string
  readonly empty: () => Promise<void>
  readonly roundsMax?: number
  /** Absent where nothing is kept. */
  readonly compare?: (comparison: Comparison) => Promise<void>
}

export const receiving: Row = {
  name: 'receiving',
  title: 'Receiving alone (C-STORE into the pack)',
  async measure (bench) {
    const { ct } = bench.data
    const receivers = await startReceivers(join(bench.folder, 'receiving'))
    try {
      const { variants, marked } = await rounds(receivers.map(receiver => variantOf(receiver, ct)), bench.rounds, bench.tell)
      const [ours, noDelay, , , , streaming] = variants
      const measure = 'receiving alone'
      return {
        title: this.title,
        about: 'One association, one sender for all: each C-STORE-RQ leaves in one write, the next follows the answer to the last. The clock runs from the first byte of the first object to the answer to the last one.',
        variants,
        marked,
        goals: [
          atMost(measure, 'seconds', ours!, noDelay!, 0.35),
          atMost(measure, 'cpuSeconds', ours!, noDelay!, 0.35),
          timesFaster(measure, ours!, streaming!, 7)
        ],
        notes: []
      }
    } finally {
      await Promise.all(receivers.map(async receiver => { await receiver.process.stop() }))
    }
  }
}

function variantOf (receiver: Receiver, sample: Sample): Variant {
  const { name, note, process: { pid }, port, title, compare } = receiver
  return {
    name,
    note,
    roundsMax: receiver.roundsMax,
    before: async () => {
      await receiver.empty()
      await quiet(pid)
    },
    async run () {
      resetPeak(pid)
      const cpu = cpuSeconds(pid)
      const seconds = await blast(sample, port, title)
      return { seconds, cpuSeconds: cpuSeconds(pid) - cpu, peakBytes: peakBytes(pid) }
    },
    after: async () => { await quiet(pid) },
    ...compare !== undefined && {
      async check () {
        await receiver.empty()
        await blast(sample, port, title)
        await quiet(pid)
        const comparison = await Comparison.with(sample)
        await compare(comparison)
        return comparison.say()
      }
    }
  }
}

async function startReceivers (folder: string): Promise<Receiver[]> {
  const asFiles = async (name: string, note: string, started: Promise<Awaited<ReturnType<typeof startStoreScp>>>): Promise<Receiver> => {
    const peer = await started
    return {
      name,
      note,
      process: peer,
      port: peer.port,
      title: peer.title,
      empty: peer.empty,
      compare: async comparison => { for (const path of await peer.files()) await comparison.addFile(path) }
    }
  }
  const shipped = await asFiles('storescp as shipped', 'DCMTK `storescp`, a file for each instance', startStoreScp(join(folder, 'shipped'), 'STORESCP'))
  const noDelay = await asFiles('storescp', 'the same with `TCP_NODELAY=1`', startStoreScp(join(folder, 'nodelay'), 'STORESCP', { noDelay: true }))
  const tuned = await asFiles('storescp, tuned', '`TCP_NODELAY=1`, `--max-pdu 131072`, `--bit-preserving`', startStoreScp(join(folder, 'tuned'), 'STORESCP', { noDelay: true, args: ['--max-pdu', '131072', '--bit-preserving'] }))
  const ignore = await asFiles('storescp --ignore', '`TCP_NODELAY=1`; writes nothing', startStoreScp(join(folder, 'ignore'), 'STORESCP', { noDelay: true, args: ['--ignore'] }))
  return [
    await startPack(join(folder, 'pack')),
    noDelay,
    tuned,
    // Forty milliseconds for each object: once is enough, and without the run that checks.
    { ...shipped, roundsMax: 1, compare: undefined },
    { ...ignore, compare: undefined },
    await startDcmjs('dcmjs-dimse, streaming', 'its two streaming hooks, a file for each instance', join(folder, 'dcmjs-streaming'), ['--streaming']),
    await startDcmjs('dcmjs-dimse', 'its default path: parsed, then written', join(folder, 'dcmjs'), [])
  ]
}

async function startPack (folder: string): Promise<Receiver> {
  const port = await freePort()
  const process = await start('pack receiver', NODE, [...NODE_FLAGS, join(import.meta.dirname, '../receivers/pack.ts'), `--folder=${folder}`, `--port=${port}`], { ready: /listening/, env: NODE_ENVIRONMENT })
  return {
    name: 'ours, into the pack',
    note: 'the listening side and the packs of the box, as a process of its own',
    process,
    port,
    title: 'PACK',
    empty: async () => {
      const emptied = (): number => process.output().split('emptied').length
      const before = emptied()
      globalThis.process.kill(process.pid, 'SIGUSR2')
      while (emptied() === before) await sleep(20)
      await quiet(process.pid)
    },
    compare: async comparison => { await comparePacks(folder, comparison) }
  }
}

async function startDcmjs (name: string, note: string, folder: string, args: readonly string[]): Promise<Receiver> {
  const port = await freePort()
  const empty = async (): Promise<void> => {
    await rm(folder, { recursive: true, force: true })
    await mkdir(folder, { recursive: true })
  }
  await empty()
  const process = await start(name, NODE, [join(import.meta.dirname, '../receivers/dcmjs-dimse.ts'), `--folder=${folder}`, `--port=${port}`, ...args], { ready: port })
  return {
    name,
    note,
    process,
    port,
    title: 'DCMJS',
    empty,
    compare: async comparison => { for (const file of await readdir(folder)) await comparison.addFile(join(folder, file)) }
  }
}

/** Reads the packs as a start after a power cut would, without their index. */
async function comparePacks (folder: string, comparison: Comparison): Promise<void> {
  const folders = (await readdir(folder, { withFileTypes: true })).filter(entry => entry.isDirectory())
  for (const { name: studyUid } of folders) {
    for (const seriesUid of await readdir(join(folder, studyUid))) {
      const series = join(folder, studyUid, seriesUid)
      const { instances } = await scanPack(series, studyUid, seriesUid)
      for (const { segment, offset, length } of instances) {
        const file = await open(join(series, segmentName(segment)))
        try {
          const { buffer } = await file.read(Buffer.alloc(length), 0, length, offset)
          comparison.add(buffer)
        } finally {
          await file.close()
        }
      }
    }
  }
}
