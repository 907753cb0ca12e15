/**
 * What the service takes in memory, whatever is asked of it: one process through every kind of
 * work, with its peak at each step. Threads share one resident set, so workers are told apart by what
 * is asked: first everything that wakes none of them, then what does.
 */

import { EXPLICIT_LE } from '#standards/dicom/transfer-syntax.ts'
import type { Sample } from '../data.ts'
import { bound } from '../goals.ts'
import { read, type ReadOptions } from '../http-read.ts'
import { refusal } from '../load.ts'
import { peakBytes, resetPeak, residentBytes, threads } from '../measure.ts'
import type { BoxPeer } from '../peers/box.ts'
import { within } from '../processes.ts'
import { sayError, type Reading, type VariantResult } from '../rounds.ts'
import type { Bench, Row } from '../row.ts'
import { pathOf } from './single.ts'

const SLOW_READERS = 20
/** Of each: a line of 80 Mbit/s. */
const SLOW_BYTES_PER_SECOND = 10e6
const MEGABYTE = 1e6
const MEGABYTES_MAX = 200
const STEP_SECONDS_MAX = 240

/** Explicit little endian, for what is held in JPEG-LS. */
const OTHER_SYNTAX = `multipart/related; type="application/dicom"; transfer-syntax=${EXPLICIT_LE}`

interface Step {
  readonly name: string
  readonly times: number
  readonly run: () => Promise<void>
  readonly skip?: () => Promise<string | undefined>
}

export const memory: Row = {
  name: 'memory',
  title: 'Resident memory of the service',
  secondsMax: 1200,
  async measure (bench) {
    const site = await bench.site()
    const box = await site.box()
    const main = await walk(await mainSteps(box, bench), box, bench)
    const atRest = residentBytes(box.pid)
    const threadsBefore = threads(box.pid)
    const workers = await walk(await workerSteps(box, bench), box, bench)
    const threadsAfter = threads(box.pid)
    const rest = residentBytes(box.pid)
    const longBox = await site.boxOfLong()
    const long = await walk(await longSteps(longBox, bench), longBox, bench)
    const peaks = [...main, ...long].flatMap(({ readings }) => readings.map(reading => reading.peakBytes! / MEGABYTE))
    const withWorkers = workers.flatMap(({ readings }) => readings.map(reading => reading.peakBytes! / MEGABYTE))
    const failed = [...main, ...long].find(variant => variant.failed !== undefined)
    // A step that failed may have been the one that takes most.
    const highest = failed === undefined ? Math.max(...peaks) : undefined
    return {
      about: 'One process, one step after the other; the peak is taken anew at each step (VmHWM). Memory must not follow the size of an object, nor the number or slowness of readers. Long objects come from an archive of uncompressed ones, through a box of its own.',
      variants: [...main, ...long, ...workers],
      marked: [],
      goals: [bound(`resident memory: ${SLOW_READERS} slow readers, objects of 1 GB and 4 GB`, 'the highest peak', highest, `${highest?.toFixed(0)} MB`, MEGABYTES_MAX, `≤ ${MEGABYTES_MAX} MB`, failed?.failed)],
      notes: [
        `At rest, before any worker was woken: ${(atRest / MEGABYTE).toFixed(0)} MB, ${threadsBefore} threads.`,
        withWorkers.length === 0
          ? 'No step woke a worker.'
          : `With workers at most ${Math.max(...withWorkers).toFixed(0)} MB, and ${(rest / MEGABYTE).toFixed(0)} MB at rest afterwards, ${threadsAfter} threads. Worker threads share the process's resident set: what they add is the difference from before.`
      ],
      charts: [{ figure: 'peakBytes', ours: [...main, ...long].map(({ name }) => name), goal: { value: MEGABYTES_MAX * MEGABYTE, label: `${MEGABYTES_MAX} MB` } }]
    }
  }
}

async function walk (steps: readonly Step[], box: BoxPeer, { tell }: Bench): Promise<VariantResult[]> {
  const variants: VariantResult[] = []
  for (const { name, times, run, skip } of steps) {
    const readings: Reading[] = []
    let failed: string | undefined
    let skipped: string | undefined
    try {
      skipped = await skip?.()
      const runs = skipped === undefined ? times : 0
      for (let time = 0; time < runs; time++) {
        resetPeak(box.pid)
        const from = performance.now()
        await within(STEP_SECONDS_MAX, name, run())
        const reading = { seconds: (performance.now() - from) / 1000, peakBytes: peakBytes(box.pid) }
        readings.push(reading)
        tell(`  ${name}: ${reading.seconds.toFixed(2)} s, peak ${(reading.peakBytes / MEGABYTE).toFixed(0)} MB`)
      }
    } catch (error) {
      failed = sayError(error)
    }
    if (skipped !== undefined) tell(`  ${name}: skipped: ${skipped}`)
    if (failed !== undefined) tell(`  ${name}: FAILED: ${failed}`)
    variants.push({ name, readings, skipped, failed })
  }
  return variants
}

async function mainSteps (box: BoxPeer, { data, rounds }: Bench): Promise<Step[]> {
  const ct = await data.ct()
  const study = `${box.dicomweb}/studies/${ct.studyUid}`
  const slowly = async (): Promise<void> => {
    await Promise.all(Array.from({ length: SLOW_READERS }, async () => await read(study, { bytesPerSecondMax: SLOW_BYTES_PER_SECOND })))
  }
  return [
    { name: 'cold study', times: rounds, run: async () => { await retrieve(box, study, ct.studyUid) } },
    { name: 'warm study', times: rounds, run: async () => { await read(study) } },
    { name: 'metadata of the study', times: 2, run: async () => { await read(`${study}/metadata`, { accept: 'application/dicom+json', isOneFile: true }) } },
    { name: 'QIDO-RS of every study', times: 2, run: async () => { await read(`${box.dicomweb}/studies`, { accept: 'application/dicom+json', isOneFile: true }) } },
    { name: `${SLOW_READERS} slow readers of the study at once`, times: 1, run: slowly },
    {
      name: `${SLOW_READERS} slow readers while it arrives`,
      times: 1,
      run: async () => {
        await box.empty(ct.studyUid)
        await slowly()
        await box.quiet()
      }
    },
    { name: 'cold study again', times: 2, run: async () => { await retrieve(box, study, ct.studyUid) } }
  ]
}

async function workerSteps (box: BoxPeer, { data }: Bench): Promise<Step[]> {
  const ct = await data.ct()
  const study = `${box.dicomweb}/studies/${ct.studyUid}`
  const first = `${box.dicomweb}${pathOf(ct, ct.files[0]!)}`
  const pictures = ct.files.slice(0, 200).map(file => `${box.dicomweb}${pathOf(ct, file)}/rendered`)
  const jpeg: ReadOptions = { accept: 'image/jpeg', isOneFile: true }
  return [
    { name: 'workers: the study in explicit little endian', times: 2, skip: async () => await refusal(first, OTHER_SYNTAX), run: async () => { await read(study, { accept: OTHER_SYNTAX }) } },
    {
      name: 'workers: 200 pictures, 16 at a time',
      times: 2,
      skip: async () => await refusal(`${first}/rendered`, 'image/jpeg'),
      run: async () => {
        const left = [...pictures]
        await Promise.all(Array.from({ length: 16 }, async () => {
          for (let url = left.pop(); url !== undefined; url = left.pop()) await read(url, jpeg)
        }))
      }
    }
  ]
}

/** From an archive that holds uncompressed objects. */
async function longSteps (box: BoxPeer, { data }: Bench): Promise<Step[]> {
  const [raw, huge, longest] = [await data.raw(), await data.huge(), await data.longest()]
  const urlOf = ({ studyUid }: Sample): string => `${box.dicomweb}/studies/${studyUid}`
  const cold = (name: string, sample: Sample, times: number): Step => ({ name: `cold ${name}`, times, run: async () => { await retrieve(box, urlOf(sample), sample.studyUid) } })
  const warm = (name: string, sample: Sample, times: number): Step => ({ name: `warm ${name}`, times, run: async () => { await read(urlOf(sample)) } })
  const sized = (sample: Sample): string => `object of ${(sample.bytes / 1e9).toFixed(1)} GB`
  return [
    cold('uncompressed study', raw, 2),
    cold(sized(huge), huge, 2),
    warm(sized(huge), huge, 2),
    cold(sized(longest), longest, 1),
    warm(sized(longest), longest, 1),
    cold('uncompressed study again', raw, 2)
  ]
}

async function retrieve (box: BoxPeer, url: string, studyUid: string): Promise<void> {
  await box.empty(studyUid)
  await read(url)
  await box.quiet()
}
