/**
 * Everything that receives C-STORE, ready to be measured: our packs, DCMTK's storescp in several
 * settings, dcmjs-dimse in both its ways.
 */

import { mkdir, open, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { segmentName } from '#box/cache/pack.ts'
import { scanPack } from '#box/cache/scan.ts'
import { NODE_ENVIRONMENT, NODE_FLAGS } from '#core/runtime.ts'
import type { Comparison } from './compare.ts'
import type { Cable, Place } from './network/own-network.ts'
import { startStoreScp, type StoreScpOptions } from './peers/storescp.ts'
import { freePort, NODE, start, type Started } from './processes.ts'
import { quiet } from './quiet.ts'

/** A receiver under test. */
export interface Receiver {
  readonly name: string
  readonly note: string
  readonly process: Started
  /** Where it is reached from here. */
  readonly place: Place
  readonly title: string
  readonly empty: () => Promise<void>
  readonly roundsMax?: number
  /** Absent where nothing is kept. */
  readonly compare?: (comparison: Comparison) => Promise<void>
}

export const RECEIVERS = {
  pack: { name: 'ours, into the pack', note: 'the listening side and the packs of the box, as a process of its own' },
  storescp: { name: 'storescp', note: 'DCMTK, a file for each instance; `TCP_NODELAY=1`' },
  tuned: { name: 'storescp, tuned', note: '`TCP_NODELAY=1`, `--max-pdu 131072`, `--bit-preserving`' },
  shipped: { name: 'storescp as shipped', note: 'forty milliseconds of Nagle and delayed ACK for each object' },
  ignore: { name: 'storescp --ignore', note: '`TCP_NODELAY=1`; writes nothing' },
  streaming: { name: 'dcmjs-dimse, streaming', note: 'its two streaming hooks, a file for each instance' },
  parsing: { name: 'dcmjs-dimse', note: 'its default path: parsed, then written' }
} as const

export type ReceiverName = keyof typeof RECEIVERS

/** @param cable they listen at its far end; on loopback where there is none */
export async function startReceivers (folder: string, names: readonly ReceiverName[], cable?: Cable): Promise<Receiver[]> {
  const where: Where = cable === undefined ? { host: '127.0.0.1' } : { host: cable.farHost, within: cable.farSide }
  const receivers: Receiver[] = []
  for (const name of names) {
    const own = join(folder, name)
    const port = await freePort()
    const place = cable === undefined ? { host: where.host, port } : await cable.toFar(port)
    const common = { ...RECEIVERS[name], place }
    if (name === 'pack') receivers.push({ ...common, ...await startPack(own, port, where) })
    else if (name === 'streaming' || name === 'parsing') receivers.push({ ...common, ...await startDcmjs(name, own, port, where) })
    else receivers.push({ ...common, ...await startFiles(name, own, port, where) })
  }
  return receivers
}

interface Where { readonly host: string, readonly within?: readonly string[] }
type Made = Omit<Receiver, 'name' | 'note' | 'place'>

const STORESCP: Readonly<Record<'storescp' | 'tuned' | 'shipped' | 'ignore', StoreScpOptions>> = {
  storescp: { noDelay: true },
  tuned: { noDelay: true, args: ['--max-pdu', '131072', '--bit-preserving'] },
  shipped: {},
  ignore: { noDelay: true, args: ['--ignore'] }
}

async function startFiles (name: keyof typeof STORESCP, folder: string, port: number, where: Where): Promise<Made> {
  const peer = await startStoreScp(folder, 'STORESCP', { ...STORESCP[name], ...where, port })
  return {
    process: peer,
    title: peer.title,
    empty: peer.empty,
    // Once is enough of a minute, and without the run that checks.
    ...name === 'shipped' && { roundsMax: 1 },
    ...(name === 'storescp' || name === 'tuned') && { compare: async comparison => { for (const path of await peer.files()) await comparison.addFile(path) } }
  }
}

async function startPack (folder: string, port: number, { host, within }: Where): Promise<Made> {
  const process = await start('pack receiver', NODE, [...NODE_FLAGS, join(import.meta.dirname, 'receivers/pack.ts'), `--folder=${folder}`, `--host=${host}`, `--port=${port}`], { within, ready: { host, port }, env: NODE_ENVIRONMENT })
  return {
    process,
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

async function startDcmjs (name: 'streaming' | 'parsing', folder: string, port: number, { host, within }: Where): Promise<Made> {
  const empty = async (): Promise<void> => {
    await rm(folder, { recursive: true, force: true })
    await mkdir(folder, { recursive: true })
  }
  await empty()
  const process = await start(RECEIVERS[name].name, NODE, [join(import.meta.dirname, 'receivers/dcmjs-dimse.ts'), `--folder=${folder}`, `--port=${port}`, ...name === 'streaming' ? ['--streaming'] : []], { within, ready: { host, port } })
  return {
    process,
    title: 'DCMJS',
    empty,
    // Ten times as slow as the others, and no goal hangs on it.
    ...name === 'parsing' && { roundsMax: 2 },
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
