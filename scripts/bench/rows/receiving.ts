/**
 * Receiving alone: objects from a sender that never waits, into the pack and into what others write;
 * on loopback, and over a cable.
 */

import { blast } from '../blast.ts'
import { Comparison } from '../compare.ts'
import type { Sample } from '../data.ts'
import { atMost, lessThan, medianOf, timesFaster } from '../goals.ts'
import { cpuSeconds, peakBytes, resetPeak } from '../measure.ts'
import { layCable } from '../network/own-network.ts'
import { stopAll } from '../processes.ts'
import { quiet } from '../quiet.ts'
import { RECEIVERS, startReceivers, type Receiver, type ReceiverName } from '../receivers.ts'
import { rounds, type Variant, type VariantResult } from '../rounds.ts'
import type { Bench, Chart, Goal, Row, RowResult } from '../row.ts'
import { ADDED_MS, sayCable } from './cable.ts'

/** Of storescp's time, and of its CPU time. */
const RATIO_MAX = 0.35
const TIMES_DCMJS_MIN = 7

const HOW = 'One association, one sender for all: each C-STORE-RQ leaves in one write, the next follows the answer to the last. The clock runs from the first byte of the first object to the answer to the last one.'

export const receiving: Row = {
  name: 'receiving',
  title: 'Receiving alone (C-STORE into the pack), JPEG-LS',
  measure: async bench => await alone(bench, await bench.data.ct(), 'receiving alone, JPEG-LS', true)
}

export const receivingRaw: Row = {
  name: 'receiving-raw',
  title: 'Receiving alone, uncompressed',
  measure: async bench => await alone(bench, await bench.data.raw(), 'receiving alone, uncompressed', false)
}

async function alone (bench: Bench, sample: Sample, measure: string, isJpegLs: boolean): Promise<Omit<RowResult, 'name' | 'title'>> {
  const names: ReceiverName[] = ['pack', 'storescp', 'tuned', ...isJpegLs ? ['shipped'] as const : [], 'ignore', 'streaming', 'parsing']
  const { variants, marked } = await rounds((await startReceivers(bench.folder, names)).map(receiver => variantOf(receiver, sample)), bench.rounds, bench.tell)
  const by = (name: ReceiverName): VariantResult => variants[names.indexOf(name)]!
  const [ours, storescp] = [by('pack'), by('storescp')]
  const goals: Goal[] = [
    atMost({ measure: `${measure}, time`, figure: 'seconds', ours, theirs: storescp }, RATIO_MAX),
    atMost({ measure: `${measure}, CPU time`, figure: 'cpuSeconds', ours, theirs: storescp }, RATIO_MAX),
    ...isJpegLs ? [lessThan({ measure: `${measure}, time`, figure: 'seconds', ours, theirs: by('ignore') })] : [],
    timesFaster({ measure: `${measure}, time`, figure: 'seconds', ours, theirs: by('streaming') }, TIMES_DCMJS_MIN)
  ]
  return {
    about: `${sample.files.length} objects, ${(sample.bytes / 1e6).toFixed(0)} MB. ${HOW}`,
    variants,
    marked,
    goals,
    notes: [],
    charts: [chart('seconds', storescp), chart('cpuSeconds', storescp)]
  }
}

function chart (figure: 'seconds' | 'cpuSeconds', storescp: VariantResult): Chart {
  const theirs = medianOf(storescp, figure)
  return {
    figure,
    ours: [RECEIVERS.pack.name],
    without: [RECEIVERS.shipped.name],
    ...theirs !== undefined && { goal: { value: RATIO_MAX * theirs, label: `${RATIO_MAX} of storescp` } }
  }
}

export const receivingOverCable: Row = {
  name: 'receiving-cable',
  title: 'Receiving alone, over a cable',
  async measure (bench) {
    const sample = await bench.data.ctSeries()
    const results: VariantResult[] = []
    const marked: number[] = []
    const notes: string[] = []
    for (const addedMs of ADDED_MS) {
      const cable = await layCable(addedMs)
      const names: ReceiverName[] = ['pack', 'storescp', 'shipped', 'ignore', 'streaming']
      const receivers = await startReceivers(`${bench.folder}/${addedMs}`, names, cable)
      bench.tell(`  ${addedMs} ms added (${cable.method})`)
      const measured = await rounds(receivers.map(receiver => named(variantOf(receiver, sample), addedMs)), bench.rounds, bench.tell)
      results.push(...measured.variants)
      marked.push(...measured.marked)
      notes.push(await sayCable(cable, receivers[0]!.place, receivers[0]!.title))
      await stopAll()
    }
    return {
      about: `One series of ${sample.files.length} objects, ${(sample.bytes / 1e6).toFixed(0)} MB; sender and receiver in two network namespaces. ${HOW} One association waits a round trip for each object, whoever receives: what differs is what the receiver adds, above all one that answers in two small writes (as shipped).`,
      variants: results,
      marked,
      goals: [],
      notes,
      charts: [{ figure: 'seconds', ours: ADDED_MS.map(ms => labelled(RECEIVERS.pack.name, ms)), without: ADDED_MS.map(ms => labelled(RECEIVERS.shipped.name, ms)) }]
    }
  }
}

function named (variant: Variant, addedMs: number): Variant {
  return { ...variant, name: labelled(variant.name, addedMs) }
}

function labelled (name: string, addedMs: number): string {
  return `${addedMs} ms: ${name}`
}

function variantOf (receiver: Receiver, sample: Sample): Variant {
  const { name, note, process: { pid }, place, title, compare } = receiver
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
      const seconds = await blast(sample, place, title)
      return { seconds, cpuSeconds: cpuSeconds(pid) - cpu, peakBytes: peakBytes(pid) }
    },
    after: async () => { await quiet(pid) },
    ...compare !== undefined && {
      async check () {
        await receiver.empty()
        await blast(sample, place, title)
        await quiet(pid)
        const comparison = await Comparison.with(sample)
        await compare(comparison)
        return comparison.say()
      }
    }
  }
}
