/**
 * What the service takes in memory, whatever is asked of it: one process through every kind of
 * work, with its peak at each step.
 */

import { below } from '../goals.ts'
import { read } from '../http-read.ts'
import { peakBytes, resetPeak, residentBytes } from '../measure.ts'
import type { BoxPeer } from '../peers/box.ts'
import type { Reading } from '../rounds.ts'
import type { Bench, Row } from '../row.ts'

const SLOW_READERS = 20
/** Of each: a line of 80 Mbit/s. */
const SLOW_BYTES_PER_SECOND = 10e6
const MEGABYTE = 1e6
const MEGABYTES_MAX = 200

export const memory: Row = {
  name: 'memory',
  title: 'Resident memory of the service',
  async measure (bench) {
    const { box } = await bench.site()
    const steps = stepsOf(box, bench)
    const readings = new Map<string, Reading[]>()
    for (const { name, times, run } of steps) {
      const list: Reading[] = []
      readings.set(name, list)
      for (let time = 0; time < times; time++) {
        resetPeak(box.pid)
        const from = performance.now()
        await run()
        const reading = { seconds: (performance.now() - from) / 1000, peakBytes: peakBytes(box.pid) }
        list.push(reading)
        bench.tell(`  ${name}: ${reading.seconds.toFixed(2)} s, peak ${(reading.peakBytes / MEGABYTE).toFixed(0)} MB`)
      }
    }
    const variants = [...readings].map(([name, list]) => ({ name, readings: list }))
    const peaks = variants.flatMap(({ readings }) => readings.map(reading => reading.peakBytes!))
    return {
      title: this.title,
      about: 'One process, one step after the other; the peak is taken anew at each step (VmHWM). Memory doesn\'t follow the size of an object, nor the number or slowness of readers.',
      variants,
      marked: [],
      goals: [below('resident memory, 20 slow readers and 1 GB object included', 'the highest peak', Math.max(...peaks) / MEGABYTE, MEGABYTES_MAX, 'MB')],
      notes: [`At rest afterwards: ${(residentBytes(box.pid) / MEGABYTE).toFixed(0)} MB.`]
    }
  }
}

function stepsOf (box: BoxPeer, { data: { ct, huge }, rounds }: Bench): { name: string, times: number, run: () => Promise<void> }[] {
  const study = `${box.dicomweb}/studies/${ct.studyUid}`
  const one = `${box.dicomweb}/studies/${huge.studyUid}`
  const retrieve = async (url: string, studyUid: string): Promise<void> => {
    await box.empty(studyUid)
    await read(url)
    await box.quiet()
  }
  return [
    { name: 'cold study', times: rounds, run: async () => { await retrieve(study, ct.studyUid) } },
    { name: 'warm study', times: rounds, run: async () => { await read(study) } },
    {
      name: `${SLOW_READERS} slow readers of the study at once`,
      times: 1,
      run: async () => { await Promise.all(Array.from({ length: SLOW_READERS }, async () => await read(study, { bytesPerSecondMax: SLOW_BYTES_PER_SECOND }))) }
    },
    {
      name: `${SLOW_READERS} slow readers while it arrives`,
      times: 1,
      run: async () => {
        await box.empty(ct.studyUid)
        await Promise.all(Array.from({ length: SLOW_READERS }, async () => await read(study, { bytesPerSecondMax: SLOW_BYTES_PER_SECOND })))
        await box.quiet()
      }
    },
    { name: 'cold object of 1 GB', times: 2, run: async () => { await retrieve(one, huge.studyUid) } },
    { name: 'warm object of 1 GB', times: 2, run: async () => { await read(one) } },
    { name: 'cold study again', times: 2, run: async () => { await retrieve(study, ct.studyUid) } }
  ]
}
