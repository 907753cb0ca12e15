/**
 * The whole study when it lies ready: from our packs, from Orthanc's storage by its own WADO-RS, and as
 * one file from nginx; and what it costs to append the INS to every object on its way out.
 */

import { createWriteStream } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { finished } from 'node:stream/promises'
import { atMost, below, medianOf } from '../goals.ts'
import type { ReadOptions } from '../http-read.ts'
import { fill, reader } from '../reader.ts'
import { rounds } from '../rounds.ts'
import type { Row } from '../row.ts'

const ORTHANC_RATIO_MAX = 0.30
const NGINX_RATIO_MAX = 1.2
const FIRST_BYTE_MS_MAX = 5
const INS_RATIO_MAX = 1.5

/** What the outward face asks of its callers; who they are isn't looked into here. */
const OUTWARD: ReadOptions = { headers: { authorization: 'Bearer bench', 'kos-sopinstanceuid': '2.25.1' } }

export const warm: Row = {
  name: 'warm',
  title: 'Warm WADO-RS of the whole study',
  async measure (bench) {
    const site = await bench.site()
    const ct = await bench.data.ct()
    const [box, orthanc, nginx] = [await site.box(), await site.orthanc(), await site.nginx()]
    const path = `/studies/${ct.studyUid}`
    await fill(box, ct.studyUid)
    await concatenated(ct.files.map(file => file.path), join(nginx.root, 'study'))
    const { variants, marked } = await rounds([
      reader('box', `${box.dicomweb}${path}`, box.pid, ct, { compared: 'data set' }),
      reader('Orthanc', `${orthanc.dicomweb}${path}`, orthanc.pid, ct, { compared: 'data set' }),
      reader('nginx', `${nginx.url}/study`, nginx.pid, ct, { note: 'the same bytes as one file', isOneFile: true })
    ], bench.rounds, bench.tell)
    const [ours, theirs, file] = variants
    const reference = medianOf(theirs, 'seconds')
    return {
      about: 'From files that the operating system holds in memory, to one reader on the same machine that only counts. The first byte is that of the first object.',
      variants,
      marked,
      goals: [
        atMost({ measure: 'warm WADO-RS, time', figure: 'seconds', ours, theirs }, ORTHANC_RATIO_MAX),
        atMost({ measure: 'warm WADO-RS, time', figure: 'seconds', ours, theirs: file, against: 'nginx, one file' }, NGINX_RATIO_MAX),
        below('first byte of it', 'request sent', ours, 'firstByteMs', FIRST_BYTE_MS_MAX)
      ],
      notes: [],
      charts: [{ figure: 'seconds', ours: ['box'], ...reference !== undefined && { goal: { value: ORTHANC_RATIO_MAX * reference, label: `${ORTHANC_RATIO_MAX} of Orthanc` } } }]
    }
  }
}

export const ins: Row = {
  name: 'ins',
  title: 'Warm WADO-RS with the INS appended to each object',
  async measure (bench) {
    const site = await bench.site()
    const ct = await bench.data.ct()
    const outward = await site.outward()
    const path = `/studies/${ct.studyUid}`
    await fill(outward, ct.studyUid)
    const { variants, marked } = await rounds([
      reader('with the INS', `${outward.dicomweb}/outward${path}`, outward.pid, ct, { ...OUTWARD, compared: 'pixel data' }),
      reader('without', `${outward.dicomweb}${path}`, outward.pid, ct, { compared: 'data set' })
    ], bench.rounds, bench.tell)
    const [ours, theirs] = variants
    const [spliced, plain] = [medianOf(ours, 'seconds'), medianOf(theirs, 'seconds')]
    return {
      about: 'The same packs through two faces of the same process: the open one, and the one turned to other boxes, which rewrites the head of each object as it leaves.',
      variants,
      marked,
      goals: [atMost({ measure: 'warm WADO-RS with the INS, time', figure: 'seconds', ours, theirs }, INS_RATIO_MAX)],
      notes: spliced === undefined || plain === undefined ? [] : [`The splice costs ${((spliced - plain) / ct.files.length * 1e6).toFixed(0)} µs for each object.`],
      charts: [{ figure: 'seconds', ours: ['with the INS'], ...plain !== undefined && { goal: { value: INS_RATIO_MAX * plain, label: `${INS_RATIO_MAX} × without` } } }]
    }
  }
}

async function concatenated (from: readonly string[], to: string): Promise<void> {
  const file = createWriteStream(to)
  for (const path of from) file.write(await readFile(path))
  file.end()
  await finished(file)
}
