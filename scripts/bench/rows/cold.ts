/**
 * A study that the box doesn't have, asked for over DICOMweb: through the box, with its packs
 * written, against the PACS sending the same to a storescp that writes files; on loopback, and with the
 * PACS at the far end of a cable.
 */

import { Comparison } from '../compare.ts'
import type { Sample } from '../data.ts'
import { atMost, below, medianOf } from '../goals.ts'
import { read } from '../http-read.ts'
import { cpuSeconds, peakBytes, resetPeak } from '../measure.ts'
import { MultipartObjects } from '../multipart-objects.ts'
import { layCable, type Cable, type Place } from '../network/own-network.ts'
import type { BoxPeer } from '../peers/box.ts'
import type { PacsPeer } from '../peers/orthanc.ts'
import type { StoreScp } from '../peers/storescp.ts'
import { NO_DELAY, run, stopAll } from '../processes.ts'
import { quiet } from '../quiet.ts'
import { rounds, type Variant, type VariantResult } from '../rounds.ts'
import type { Bench, Goal, Row, RowResult } from '../row.ts'
import { SLOTS, type Site } from '../site.ts'
import { ADDED_MS, sayCable } from './cable.ts'

/** Of the first byte, in milliseconds. */
const FIRST_BYTE_MS_MAX = 25
const RATIO_MAX = 0.40
const RATIO_IN_PARALLEL_MAX = 0.30

const HOW = `Both archives run with \`TCP_NODELAY=1\` unless said. The cache is emptied before each run, associations to the PACS stand. The clock runs from the request sent to the last byte of the multipart answer; every C-STORE is answered once its bytes are in the pack. For storescp it runs as long as movescu does. In parallel: ${SLOTS} associations, ${SLOTS} series at the same time.`

/** One archive, the boxes before it, and what they are called. */
interface Side {
  readonly name: string
  readonly pacs: PacsPeer
  readonly box: BoxPeer
  readonly inParallel: BoxPeer
}

async function sidesOf (site: Site): Promise<Side[]> {
  return [
    { name: 'Orthanc', pacs: await site.orthanc(), box: await site.box(), inParallel: await site.boxInParallel() },
    { name: 'dcmqrscp', pacs: await site.dcmqrscp(), box: await site.boxOfDcmqrscp(), inParallel: await site.boxOfDcmqrscpInParallel() }
  ]
}

const nameOf = {
  box: (side: string): string => `box, PACS ${side}`,
  inParallel: (side: string): string => `box in parallel, PACS ${side}`,
  files: (side: string): string => `movescu → storescp, PACS ${side}`,
  shipped: (side: string): string => `movescu → storescp as shipped, PACS ${side}`
}

export const cold: Row = {
  name: 'cold',
  title: 'Cold WADO-RS of the study through the box',
  secondsMax: 900,
  async measure (bench) {
    const site = await bench.site()
    const sides = await sidesOf(site)
    const ct = await bench.data.ct()
    const { variants, marked } = await rounds((await Promise.all(sides.map(async side => [
      ...await variantsOf(site, side, ct),
      { ...asFiles(nameOf.shipped(side.name), 'once: forty milliseconds of Nagle and delayed ACK for each object', side.pacs, side.pacs, await site.filesAsShipped(), ct, {}), roundsMax: 1, check: undefined }
    ]))).flat(), bench.rounds, bench.tell)
    const reference = medianOf(variants.find(({ name }) => name === nameOf.files('Orthanc')), 'seconds')
    return {
      about: HOW,
      variants,
      marked,
      goals: sides.flatMap(({ name }) => goalsOf(name, '', variants, RATIO_MAX)),
      notes: [],
      charts: [{
        figure: 'seconds',
        ours: oursOf(sides, ''),
        without: sides.map(({ name }) => nameOf.shipped(name)),
        ...reference !== undefined && { goal: { value: RATIO_MAX * reference, label: `${RATIO_MAX} of storescp's (Orthanc)` } }
      }, { figure: 'firstByteMs', ours: oursOf(sides, ''), goal: { value: FIRST_BYTE_MS_MAX, label: `${FIRST_BYTE_MS_MAX} ms` } }]
    }
  }
}

export const coldOverCable: Row = {
  name: 'cold-cable',
  title: 'Cold WADO-RS of the study, the PACS at the far end of a cable',
  secondsMax: 1500,
  async measure (bench) {
    const variants: VariantResult[] = []
    const marked: number[] = []
    const goals: Goal[] = []
    const notes: string[] = []
    for (const addedMs of ADDED_MS) {
      const cable = await layCable(addedMs)
      bench.tell(`  ${addedMs} ms added (${cable.method})`)
      const one = await overCable(bench, cable)
      variants.push(...one.variants)
      marked.push(...one.marked)
      goals.push(...one.goals)
      notes.push(...one.notes)
      await stopAll()
    }
    return {
      about: `${HOW} The PACS is in a network namespace of its own, at the other end of a veth pair with MTU 1500. As shipped, neither the PACS (dcmqrscp) nor storescp set \`TCP_NODELAY\`; what that costs is read from one series.`,
      variants,
      marked,
      goals,
      notes,
      charts: ADDED_MS.map(addedMs => ({
        figure: 'seconds',
        ours: ['Orthanc', 'dcmqrscp'].flatMap(name => [labelled(addedMs, nameOf.box(name)), labelled(addedMs, nameOf.inParallel(name))]),
        without: variants.filter(({ name }) => !name.startsWith(`${addedMs} ms:`) || name.includes('one series')).map(({ name }) => name)
      }))
    }
  }
}

async function overCable (bench: Bench, cable: Cable): Promise<Pick<RowResult, 'variants' | 'marked' | 'goals' | 'notes'>> {
  const { addedMs } = cable
  const site = await bench.site(cable)
  const sides = await sidesOf(site)
  const [ct, series] = [await bench.data.ct(), await bench.data.ctSeries()]
  const shippedPacs = await site.dcmqrscpAsShipped()
  // A minute each when turns are long: their ratio is clear after two.
  const few = addedMs >= 10 ? { roundsMax: 3 } : {}
  const variants = (await Promise.all(sides.map(async side => await variantsOf(site, side, ct)))).flat().map(variant => ({ ...variant, ...few, check: addedMs === 0 ? variant.check : undefined }))
  const shipped: Variant[] = [
    { ...throughBox('box, one series, PACS dcmqrscp as shipped', await site.boxOfDcmqrscpAsShipped(), series, [], series.files[0]!.seriesUid), roundsMax: 1, check: undefined },
    { ...asFiles('movescu → storescp, one series, both as shipped, PACS dcmqrscp', undefined, shippedPacs, await site.placeOf(shippedPacs), await site.filesAsShipped(), series, {}, series.files[0]!.seriesUid), roundsMax: 1, check: undefined },
    { ...asFiles('movescu → storescp, one series, PACS dcmqrscp', undefined, sides[1]!.pacs, await site.placeOf(sides[1]!.pacs), await site.files(), series, NO_DELAY, series.files[0]!.seriesUid), roundsMax: 1, check: undefined }
  ]
  const { variants: measured, marked } = await rounds([...variants, ...shipped].map(variant => ({ ...variant, name: labelled(addedMs, variant.name) })), bench.rounds, bench.tell)
  const prefix = `${addedMs} ms: `
  return {
    variants: measured,
    marked,
    goals: sides.flatMap(({ name }) => addedMs === 10
      ? [atMost({ measure: `cold WADO-RS at ${addedMs} ms round trip, four slots`, figure: 'seconds', ...pairOf(measured, prefix, nameOf.inParallel(name), nameOf.files(name)) }, RATIO_IN_PARALLEL_MAX)]
      : goalsOf(name, prefix, measured, RATIO_MAX)),
    notes: [await sayCable(cable, await site.placeOf(sides[0]!.pacs), sides[0]!.pacs.title)]
  }
}

async function variantsOf (site: Site, { name, pacs, box, inParallel }: Side, ct: Sample): Promise<Variant[]> {
  return [
    throughBox(nameOf.box(name), box, ct, [inParallel]),
    throughBox(nameOf.inParallel(name), inParallel, ct, [box]),
    asFiles(nameOf.files(name), '`TCP_NODELAY=1`', pacs, await site.placeOf(pacs), await site.files(), ct, NO_DELAY, undefined, [box, inParallel])
  ]
}

function goalsOf (side: string, prefix: string, variants: readonly VariantResult[], ratioMax: number): Goal[] {
  const measure = `${prefix}cold WADO-RS`
  return [
    atMost({ measure, figure: 'seconds', ...pairOf(variants, prefix, nameOf.box(side), nameOf.files(side)) }, ratioMax),
    atMost({ measure: `${measure}, series in parallel`, figure: 'seconds', ...pairOf(variants, prefix, nameOf.inParallel(side), nameOf.files(side)) }, RATIO_IN_PARALLEL_MAX),
    below(`${prefix}first byte of it, PACS ${side}`, 'request sent', variants.find(({ name }) => name === prefix + nameOf.box(side)), 'firstByteMs', FIRST_BYTE_MS_MAX)
  ]
}

function pairOf (variants: readonly VariantResult[], prefix: string, ours: string, theirs: string): { ours: VariantResult | undefined, theirs: VariantResult | undefined, against: string } {
  const by = (name: string): VariantResult | undefined => variants.find(variant => variant.name === prefix + name)
  return { ours: by(ours), theirs: by(theirs), against: theirs }
}

function oursOf (sides: readonly Side[], prefix: string): string[] {
  return sides.flatMap(({ name }) => [prefix + nameOf.box(name), prefix + nameOf.inParallel(name)])
}

function labelled (addedMs: number, name: string): string {
  return `${addedMs} ms: ${name}`
}

/**
 * @param others boxes before the same PACS, which must have left it
 * @param seriesUid one of its series, where that is asked for alone
 */
function throughBox (name: string, box: BoxPeer, sample: Sample, others: readonly BoxPeer[] = [], seriesUid?: string): Variant {
  const { studyUid, bytes } = sample
  const url = `${box.dicomweb}/studies/${studyUid}${seriesUid === undefined ? '' : `/series/${seriesUid}`}`
  const before = async (): Promise<void> => {
    await box.empty(studyUid)
    for (const other of others) await other.leftPacs()
    await box.warmAssociations(studyUid)
    await quiet(box.pid)
  }
  return {
    name,
    before,
    async run () {
      resetPeak(box.pid)
      const cpu = cpuSeconds(box.pid)
      const { seconds, firstByteMs } = await read(url)
      return { seconds, firstByteMs, megabitsPerSecond: bytes * 8 / 1e6 / seconds, cpuSeconds: cpuSeconds(box.pid) - cpu, peakBytes: peakBytes(box.pid) }
    },
    after: async () => { await box.quiet() },
    async check () {
      await before()
      const comparison = await Comparison.with(sample)
      const objects = new MultipartObjects(file => { comparison.add(file) })
      await read(url, { onBody: piece => { objects.take(piece) } })
      objects.end()
      await box.quiet()
      return comparison.say()
    }
  }
}

function asFiles (name: string, note: string | undefined, pacs: PacsPeer, place: Place, receiver: StoreScp, sample: Sample, env: Readonly<Record<string, string>>, seriesUid?: string, boxes: readonly BoxPeer[] = []): Variant {
  const { studyUid, bytes } = sample
  const keys = [`QueryRetrieveLevel=${seriesUid === undefined ? 'STUDY' : 'SERIES'}`, `StudyInstanceUID=${studyUid}`, ...seriesUid === undefined ? [] : [`SeriesInstanceUID=${seriesUid}`]]
  const move = async (): Promise<number> => {
    const { seconds } = await run('movescu', [
      '--study', '--aetitle', 'BENCH', '--move', receiver.title, '--call', pacs.title,
      ...keys.flatMap(key => ['--key', key]), place.host, String(place.port)
    ], env)
    return seconds
  }
  return {
    name,
    note,
    before: async () => {
      await receiver.empty()
      for (const box of boxes) await box.leftPacs()
      await quiet(receiver.pid)
    },
    async run () {
      resetPeak(receiver.pid)
      const cpu = cpuSeconds(receiver.pid)
      const seconds = await move()
      return { seconds, megabitsPerSecond: bytes * 8 / 1e6 / seconds, cpuSeconds: cpuSeconds(receiver.pid) - cpu, peakBytes: peakBytes(receiver.pid) }
    },
    async check () {
      await receiver.empty()
      await move()
      const comparison = await Comparison.with(sample)
      for (const path of await receiver.files()) await comparison.addFile(path)
      return comparison.say()
    }
  }
}
