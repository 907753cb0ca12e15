/** `/metadata` of the whole study: made already, made while it comes from the PACS, and Orthanc's. */

import { atMost, medianOf } from '../goals.ts'
import { read } from '../http-read.ts'
import { cpuSeconds } from '../measure.ts'
import { quiet } from '../quiet.ts'
import { fill } from '../reader.ts'
import { rounds, type Variant } from '../rounds.ts'
import type { Row } from '../row.ts'

const WARM_RATIO_MAX = 0.2
const COLD_RATIO_MAX = 0.5
const JSON_TYPE = 'application/dicom+json'

export const metadata: Row = {
  name: 'metadata',
  title: '`/metadata` of the whole study',
  async measure (bench) {
    const site = await bench.site()
    const ct = await bench.data.ct()
    const [box, coldBox, orthanc] = [await site.box(), await site.boxInParallel(), await site.orthanc()]
    const path = `/studies/${ct.studyUid}/metadata`
    await fill(box, ct.studyUid)
    const variant = (name: string, pid: number, url: string, headers: Record<string, string> = {}, note?: string): Variant => ({
      name,
      note,
      before: async () => { await quiet(pid) },
      async run () {
        const cpu = cpuSeconds(pid)
        const { seconds, firstByteMs } = await read(url, { accept: JSON_TYPE, headers, isOneFile: true })
        return { seconds, firstByteMs, cpuSeconds: cpuSeconds(pid) - cpu }
      },
      ...headers['accept-encoding'] === undefined && { check: async () => await described(url, ct.files.length) }
    })
    const cold = variant('box, cold', coldBox.pid, `${coldBox.dicomweb}${path}`, {}, 'the study comes from the PACS meanwhile, four series at the same time')
    const { variants, marked } = await rounds([
      variant('box, warm', box.pid, `${box.dicomweb}${path}`),
      variant('box, warm, gzip', box.pid, `${box.dicomweb}${path}`, { 'accept-encoding': 'gzip' }, 'as browsers ask'),
      {
        ...cold,
        before: async () => {
          await coldBox.empty(ct.studyUid)
          await box.leftPacs()
          await coldBox.warmAssociations(ct.studyUid)
          await quiet(coldBox.pid)
        },
        after: async () => { await coldBox.quiet() }
      },
      {
        ...variant('box, held, not described yet', box.pid, `${box.dicomweb}${path}`, {}, 'the study lies in the packs, its metadata are made now'),
        before: async () => {
          await box.forgetMetadata()
          await quiet(box.pid)
        }
      },
      variant('Orthanc', orthanc.pid, `${orthanc.dicomweb}${path}`)
    ], bench.rounds, bench.tell)
    const [warm, , fresh, held, theirs] = variants
    const reference = medianOf(theirs, 'seconds')
    return {
      about: `DICOM JSON of ${ct.files.length} instances in one answer, to its last byte, not compressed unless said.`,
      variants,
      marked,
      goals: [
        atMost({ measure: '/metadata, warm, time', figure: 'seconds', ours: warm, theirs }, WARM_RATIO_MAX),
        atMost({ measure: '/metadata, cold, time', figure: 'seconds', ours: fresh, theirs }, COLD_RATIO_MAX),
        atMost({ measure: '/metadata, held, not described yet, time', figure: 'seconds', ours: held, theirs }, COLD_RATIO_MAX)
      ],
      notes: [],
      charts: [{ figure: 'seconds', ours: ['box, warm', 'box, warm, gzip', 'box, cold', 'box, held, not described yet'], ...reference !== undefined && { goal: { value: WARM_RATIO_MAX * reference, label: `${WARM_RATIO_MAX} of Orthanc (warm)` } } }]
    }
  }
}

/** @throws Error when instances are missing in it */
async function described (url: string, expected: number): Promise<string> {
  const pieces: Buffer[] = []
  await read(url, { accept: JSON_TYPE, isOneFile: true, onBody: piece => { pieces.push(Buffer.from(piece)) } })
  const instances = JSON.parse(Buffer.concat(pieces).toString()) as Record<string, { Value?: unknown[] }>[]
  const uids = new Set(instances.map(instance => instance['00080018']?.Value?.[0]))
  if (uids.size !== expected) throw new Error(`${uids.size} of ${expected} instances are described`)
  const attributes = instances.reduce((sum, instance) => sum + Object.keys(instance).length, 0)
  return `all ${uids.size} instances, ${(attributes / uids.size).toFixed(0)} attributes each`
}
