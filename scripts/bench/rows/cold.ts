/**
 * A study that the box doesn't have, asked for over DICOMweb: through the box, with its packs
 * written, against the PACS sending the same to a storescp that writes files.
 */

import { Comparison } from '../compare.ts'
import type { Data } from '../data.ts'
import { atMost, below, medianOf } from '../goals.ts'
import { read } from '../http-read.ts'
import { cpuSeconds, peakBytes, resetPeak } from '../measure.ts'
import { MultipartObjects } from '../multipart-objects.ts'
import type { BoxPeer } from '../peers/box.ts'
import type { PacsPeer } from '../peers/orthanc.ts'
import type { StoreScp } from '../peers/storescp.ts'
import { NO_DELAY, run } from '../processes.ts'
import { quiet } from '../quiet.ts'
import { rounds, type Variant } from '../rounds.ts'
import type { Goal, Row } from '../row.ts'

/** Of the first byte, in milliseconds. */
const FIRST_BYTE_MS_MAX = 25
const RATIO_MAX = 0.40

export const cold: Row = {
  name: 'cold',
  title: 'Cold WADO-RS of the study through the box',
  async measure ({ data, site, rounds: count, tell }) {
    const { orthanc, dcmqrscp, box, boxOfDcmqrscp, files, filesAsShipped } = await site()
    const sides = [
      { pacs: orthanc, of: box, name: 'Orthanc' },
      { pacs: dcmqrscp, of: boxOfDcmqrscp, name: 'dcmqrscp' }
    ]
    const { variants, marked } = await rounds(sides.flatMap(({ pacs, of, name }) => [
      throughBox(`box, PACS ${name}`, of, data),
      asFiles(`movescu → storescp, PACS ${name}`, '`TCP_NODELAY=1`', pacs, files, data, NO_DELAY),
      { ...asFiles(`movescu → storescp as shipped, PACS ${name}`, 'once: forty milliseconds of Nagle and delayed ACK for each object', pacs, filesAsShipped, data, {}), roundsMax: 1, check: undefined }
    ]), count, tell)
    const goals: Goal[] = sides.flatMap(({ name }, side) => {
      const [ours, theirs] = variants.slice(side * 3)
      return [
        atMost(`cold WADO-RS, PACS ${name}`, 'seconds', ours!, theirs!, RATIO_MAX),
        below(`first byte of it, PACS ${name}`, 'request sent', medianOf(ours!, 'firstByteMs'), FIRST_BYTE_MS_MAX, 'ms')
      ]
    })
    return {
      title: this.title,
      about: 'Both archives run with `TCP_NODELAY=1`. The cache is emptied before each run, associations to the PACS stand. The clock runs from the request sent to the last byte of the multipart answer; every C-STORE is answered once its bytes are in the pack. For storescp it runs as long as movescu does.',
      variants,
      marked,
      goals,
      notes: []
    }
  }
}

function throughBox (name: string, box: BoxPeer, { ct }: Data): Variant {
  const url = `${box.dicomweb}/studies/${ct.studyUid}`
  const before = async (): Promise<void> => {
    await box.empty(ct.studyUid)
    await box.warmAssociations(ct.studyUid)
    await quiet(box.pid)
  }
  return {
    name,
    before,
    async run () {
      resetPeak(box.pid)
      const cpu = cpuSeconds(box.pid)
      const { seconds, firstByteMs } = await read(url)
      return { seconds, firstByteMs, cpuSeconds: cpuSeconds(box.pid) - cpu, peakBytes: peakBytes(box.pid) }
    },
    after: async () => { await box.quiet() },
    async check () {
      await before()
      const comparison = await Comparison.with(ct)
      const objects = new MultipartObjects(file => { comparison.add(file) })
      await read(url, { onBody: piece => { objects.take(piece) } })
      objects.end()
      await box.quiet()
      return comparison.say()
    }
  }
}

function asFiles (name: string, note: string, pacs: PacsPeer, receiver: StoreScp, { ct }: Data, env: Readonly<Record<string, string>>): Variant {
  const move = async (): Promise<number> => {
    const { seconds } = await run('movescu', [
      '--study', '--aetitle', 'BENCH', '--move', receiver.title, '--call', pacs.title,
      '--key', 'QueryRetrieveLevel=STUDY', '--key', `StudyInstanceUID=${ct.studyUid}`, '127.0.0.1', String(pacs.port)
    ], env)
    return seconds
  }
  return {
    name,
    note,
    before: async () => {
      await receiver.empty()
      await quiet(receiver.pid)
    },
    async run () {
      resetPeak(receiver.pid)
      const cpu = cpuSeconds(receiver.pid)
      const seconds = await move()
      return { seconds, cpuSeconds: cpuSeconds(receiver.pid) - cpu, peakBytes: peakBytes(receiver.pid) }
    },
    async check () {
      await receiver.empty()
      await move()
      const comparison = await Comparison.with(ct)
      for (const path of await receiver.files()) await comparison.addFile(path)
      return comparison.say()
    }
  }
}
