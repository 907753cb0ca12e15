/** One answer read from one server, as a variant: time, first byte, CPU and peak of memory. */

import { Comparison } from './compare.ts'
import type { Sample } from './data.ts'
import { read, type ReadOptions } from './http-read.ts'
import { cpuSeconds, peakBytes, resetPeak } from './measure.ts'
import { MultipartObjects } from './multipart-objects.ts'
import { quiet } from './quiet.ts'
import type { Variant } from './rounds.ts'

export interface ReaderOptions extends ReadOptions {
  readonly note?: string
  /** What is compared, once; nothing unless said. */
  readonly compared?: 'data set' | 'pixel data'
}

export function reader (name: string, url: string, pid: number, sample: Sample, { note, compared, ...options }: ReaderOptions = {}): Variant {
  return {
    name,
    note,
    before: async () => { await quiet(pid) },
    async run () {
      resetPeak(pid)
      const cpu = cpuSeconds(pid)
      const { seconds, firstByteMs, bytes } = await read(url, options)
      return { seconds, firstByteMs, megabitsPerSecond: bytes * 8 / 1e6 / seconds, cpuSeconds: cpuSeconds(pid) - cpu, peakBytes: peakBytes(pid) }
    },
    ...compared !== undefined && {
      async check () {
        const comparison = await Comparison.with(sample, compared)
        const objects = new MultipartObjects(file => { comparison.add(file) })
        await read(url, { ...options, onBody: piece => { objects.take(piece) } })
        objects.end()
        return comparison.say()
      }
    }
  }
}

/** Brings a study into the packs, where it isn't yet. */
export async function fill (box: { readonly dicomweb: string, quiet (): Promise<void> }, studyUid: string): Promise<void> {
  await read(`${box.dicomweb}/studies/${studyUid}`)
  await box.quiet()
}
