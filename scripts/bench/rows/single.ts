/**
 * One instance, one frame: picked at random, sixteen at a time. From our packs, from Orthanc by DICOMweb
 * and as its files, and from nginx with a file for each.
 */

import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { HeadReader } from '#standards/dicom/head.ts'
import { readPart10Head } from '#standards/dicom/part10.ts'
import type { ObjectFile, Sample } from '../data.ts'
import { atLeast, atLeastTimes, medianOf } from '../goals.ts'
import { load, refusal } from '../load.ts'
import type { Orthanc } from '../peers/orthanc.ts'
import { quiet } from '../quiet.ts'
import { fill } from '../reader.ts'
import { rounds, type Variant } from '../rounds.ts'
import type { Row } from '../row.ts'

export const CONNECTIONS = 16

const TIMES_ORTHANC_MIN = 10
const NGINX_RATIO_MIN = 0.6

const INSTANCE = 'multipart/related; type="application/dicom"; transfer-syntax=*'
const FRAME = 'multipart/related; type="image/jls"; transfer-syntax=1.2.840.10008.1.2.4.80'
/** As PS3.18 called it until 2013, and Orthanc does. */
const FRAME_OF_OLD = 'multipart/related; type="image/x-jls"; transfer-syntax=1.2.840.10008.1.2.4.80'

export const single: Row = {
  name: 'single',
  title: `Single instances and frames, ${CONNECTIONS} connections`,
  async measure (bench) {
    const site = await bench.site()
    const ct = await bench.data.ct()
    const [box, orthanc, nginx] = [await site.box(), await site.orthanc(), await site.nginx()]
    await fill(box, ct.studyUid)
    const named = await namedByOrthanc(orthanc, ct)
    await layOut(ct, nginx.root)
    const instances = ct.files.map(file => pathOf(ct, file))
    const frames = instances.map(path => `${path}/frames/1`)
    const orthancFrame = await refusal(`${orthanc.dicomweb}${frames[0]}`, FRAME) === undefined ? FRAME : FRAME_OF_OLD
    let turn = 0
    const variant = (name: string, { pid }: { pid: number }, url: string, paths: readonly string[], accept: string, connections = CONNECTIONS, note?: string): Variant => ({
      name,
      note,
      skip: async () => await refusal(`${url}${paths[0]}`, accept),
      before: async () => { await quiet(pid) },
      run: async () => await load({ url, paths, accept, connections, seconds: bench.loadSeconds, pid, folder: bench.folder }, ++turn)
    })
    const { variants, marked } = await rounds([
      variant('box, instances', box, box.dicomweb, instances, INSTANCE),
      variant('Orthanc DICOMweb, instances', orthanc, orthanc.dicomweb, instances, INSTANCE),
      variant('Orthanc /instances/…/file', orthanc, orthanc.rest, named.map(id => `/instances/${id}/file`), '*/*'),
      variant('nginx, file per instance', nginx, nginx.url, ct.files.map(({ sopInstanceUid }) => `/instances/${sopInstanceUid}`), '*/*'),
      variant('box, frames', box, box.dicomweb, frames, FRAME),
      variant('Orthanc DICOMweb, frames', orthanc, orthanc.dicomweb, frames, orthancFrame),
      variant('nginx, file per frame', nginx, nginx.url, ct.files.map(({ sopInstanceUid }) => `/frames/${sopInstanceUid}`), '*/*'),
      variant('box, one frame at a time', box, box.dicomweb, frames, FRAME, 1, 'one connection')
    ], bench.rounds, bench.tell)
    const [ours, dicomweb, file, nginxFile, ourFrames, dicomwebFrames, nginxFrames] = variants
    const figure = 'requestsPerSecond'
    const reference = medianOf(nginxFile, figure)
    return {
      about: `Each request another of ${ct.files.length} instances, picked at random, over ${CONNECTIONS} connections that stay open, for ${bench.loadSeconds} s. A frame is the JPEG-LS codestream as stored.`,
      variants,
      marked,
      goals: [
        atLeastTimes({ measure: 'single instances, requests/s', figure, ours, theirs: dicomweb }, TIMES_ORTHANC_MIN),
        atLeast({ measure: 'single instances, requests/s', figure, ours, theirs: file }, 1),
        atLeast({ measure: 'single instances, requests/s', figure, ours, theirs: nginxFile }, NGINX_RATIO_MIN),
        atLeastTimes({ measure: 'single frames, requests/s', figure, ours: ourFrames, theirs: dicomwebFrames }, TIMES_ORTHANC_MIN),
        atLeast({ measure: 'single frames, requests/s', figure, ours: ourFrames, theirs: file }, 1),
        atLeast({ measure: 'single frames, requests/s', figure, ours: ourFrames, theirs: nginxFrames }, NGINX_RATIO_MIN)
      ],
      notes: [],
      charts: [{ figure, ours: ['box, instances', 'box, frames'], without: ['box, one frame at a time'], ...reference !== undefined && { goal: { value: NGINX_RATIO_MIN * reference, label: `${NGINX_RATIO_MIN} of nginx (instances)` } } }]
    }
  }
}

/** Below the DICOMweb root. */
export function pathOf ({ studyUid }: Sample, { seriesUid, sopInstanceUid }: ObjectFile): string {
  return `/studies/${studyUid}/series/${seriesUid}/instances/${sopInstanceUid}`
}

/** Orthanc's own names of a study's instances, in the order of the sample. */
export async function namedByOrthanc ({ rest }: Orthanc, { studyUid, files }: Sample): Promise<string[]> {
  const found = await (await fetch(`${rest}/tools/find`, {
    method: 'POST',
    body: JSON.stringify({ Level: 'Instance', Query: { StudyInstanceUID: studyUid }, Expand: true })
  })).json() as { ID: string, MainDicomTags: { SOPInstanceUID: string } }[]
  const names = new Map(found.map(({ ID, MainDicomTags }) => [MainDicomTags.SOPInstanceUID, ID]))
  return files.map(({ sopInstanceUid }) => {
    const name = names.get(sopInstanceUid)
    if (name === undefined) throw new Error(`Orthanc doesn't have ${sopInstanceUid}`)
    return name
  })
}

async function layOut ({ files }: Sample, root: string): Promise<void> {
  await mkdir(join(root, 'instances'))
  await mkdir(join(root, 'frames'))
  for (const file of files) {
    await copyFile(file.path, join(root, 'instances', file.sopInstanceUid))
    await writeFile(join(root, 'frames', file.sopInstanceUid), frameOf(await readFile(file.path)))
  }
}

/** The one fragment behind the offset table (PS3.5 §A.4): what our generator writes. */
function frameOf (file: Buffer): Buffer {
  const { datasetOffset, transferSyntaxUid } = readPart10Head(file)
  const reader = new HeadReader(transferSyntaxUid)
  reader.push(file.subarray(datasetOffset))
  const table = datasetOffset + reader.pixelOffset! + 12
  const item = table + 8 + file.readUInt32LE(table + 4)
  return file.subarray(item + 8, item + 8 + file.readUInt32LE(item + 4))
}
