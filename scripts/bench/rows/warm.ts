/**
 * The whole study when it lies ready: from our packs, and from Orthanc's storage by its own WADO-RS;
 * and what it costs to append the INS to every object on its way out.
 */

import { Comparison } from '../compare.ts'
import type { Sample } from '../data.ts'
import { atMost, medianOf } from '../goals.ts'
import { read, type ReadOptions } from '../http-read.ts'
import { cpuSeconds, peakBytes, resetPeak } from '../measure.ts'
import { MultipartObjects } from '../multipart-objects.ts'
import { quiet } from '../quiet.ts'
import { rounds, type Variant } from '../rounds.ts'
import type { Row } from '../row.ts'

const RATIO_MAX = 0.35

/** What the outward face asks of its callers; who they are isn't looked into here. */
const OUTWARD: ReadOptions = { headers: { authorization: 'Bearer bench', 'kos-sopinstanceuid': '2.25.1' } }

export const warm: Row = {
  name: 'warm',
  title: 'Warm WADO-RS of the whole study',
  async measure ({ data: { ct }, site, rounds: count, tell }) {
    const { box, orthanc } = await site()
    const path = `/studies/${ct.studyUid}`
    await fill(`${box.dicomweb}${path}`, async () => { await box.quiet() })
    const { variants, marked } = await rounds([
      reader('box', `${box.dicomweb}${path}`, box.pid, ct),
      reader('Orthanc', `${orthanc.dicomweb}${path}`, orthanc.pid, ct)
    ], count, tell)
    const [ours, theirs] = variants
    return {
      title: this.title,
      about: 'Both from files that the operating system holds in memory, to one reader on the same machine that only counts.',
      variants,
      marked,
      goals: [atMost('warm WADO-RS', 'seconds', ours!, theirs!, RATIO_MAX)],
      notes: []
    }
  }
}

export const ins: Row = {
  name: 'ins',
  title: 'Warm WADO-RS with the INS appended to each object',
  async measure ({ data: { ct }, site, rounds: count, tell }) {
    const { outward } = await site()
    const path = `/studies/${ct.studyUid}`
    await fill(`${outward.dicomweb}${path}`, async () => { await outward.quiet() })
    const { variants, marked } = await rounds([
      reader('with the INS', `${outward.dicomweb}/outward${path}`, outward.pid, ct, OUTWARD, 'pixel data'),
      reader('without', `${outward.dicomweb}${path}`, outward.pid, ct)
    ], count, tell)
    const [spliced, plain] = variants
    const each = (medianOf(spliced!, 'seconds') - medianOf(plain!, 'seconds')) / ct.files.length
    return {
      title: this.title,
      about: 'The same packs through two faces of the same process: the open one, and the one turned to other boxes, which rewrites the head of each object as it leaves.',
      variants,
      marked,
      goals: [],
      notes: [`The splice costs ${(each * 1e6).toFixed(0)} µs for each object.`]
    }
  }
}

function reader (name: string, url: string, pid: number, sample: Sample, options: ReadOptions = {}, compared: 'data set' | 'pixel data' = 'data set'): Variant {
  return {
    name,
    before: async () => { await quiet(pid) },
    async run () {
      resetPeak(pid)
      const cpu = cpuSeconds(pid)
      const { seconds, firstByteMs } = await read(url, options)
      return { seconds, firstByteMs, cpuSeconds: cpuSeconds(pid) - cpu, peakBytes: peakBytes(pid) }
    },
    async check () {
      const comparison = await Comparison.with(sample, compared)
      const objects = new MultipartObjects(file => { comparison.add(file) })
      await read(url, { ...options, onBody: piece => { objects.take(piece) } })
      objects.end()
      return comparison.say()
    }
  }
}

/** Brings the study into the packs, where it isn't yet. */
async function fill (url: string, settled: () => Promise<void>): Promise<void> {
  await read(url)
  await settled()
}
