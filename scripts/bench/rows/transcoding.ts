/**
 * The whole study in another transfer syntax than it is held in: streamed by the box, against DCMTK's
 * tools on the same files, a process for each core.
 */

import { mkdir, readdir, rm } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { readPart10Head } from '#standards/dicom/part10.ts'
import { EXPLICIT_LE, JPEG_BASELINE } from '#standards/dicom/transfer-syntax.ts'
import type { Sample } from '../data.ts'
import { atMost, below, medianOf } from '../goals.ts'
import { read } from '../http-read.ts'
import { refusal } from '../load.ts'
import { cpuSeconds, peakBytes, resetPeak } from '../measure.ts'
import { MultipartObjects } from '../multipart-objects.ts'
import { run } from '../processes.ts'
import { quiet } from '../quiet.ts'
import { fill } from '../reader.ts'
import { rounds, type Variant, type VariantResult } from '../rounds.ts'
import type { Row } from '../row.ts'
import { pathOf } from './single.ts'

/** Of a JPEG file (ISO 10918-1 Table B.1). */
const START_OF_IMAGE = 0xffd8

const RATIO_MAX = 1.2
const FIRST_BYTE_MS_MAX = 60
/** A minute each, and they don't vary. */
const OPPONENT_ROUNDS = 1
/** A quarter of a minute each. */
const ROUNDS_MAX = 3

const OBJECTS = (syntax: string): string => `multipart/related; type="application/dicom"; transfer-syntax=${syntax}`
const PICTURES = 'multipart/related; type="image/jpeg"'

const NAMES = {
  native: 'box, to explicit little endian',
  nativeTool: 'dcmdjpls, to explicit little endian',
  baseline: 'box, objects in JPEG baseline',
  pictures: 'box, to JPEG, 8 bits',
  picturesTool: 'dcmdjpls and dcmcjpeg, to JPEG, 8 bits'
} as const

export const transcoding: Row = {
  name: 'transcoding',
  title: 'Transcoding of the whole study from JPEG-LS',
  secondsMax: 900,
  async measure (bench) {
    const site = await bench.site()
    const ct = await bench.data.ct()
    const box = await site.box()
    await fill(box, ct.studyUid)
    const study = `${box.dicomweb}/studies/${ct.studyUid}`
    const first = `${box.dicomweb}${pathOf(ct, ct.files[0]!)}`
    let turn = 0
    // Another width each time, so that no picture is one that was kept.
    const pictures = (): string => `${study}/rendered?window=40,${400 + turn++},linear&quality=90`
    const ours = (name: string, urlOf: () => string, accept: string, probe: [string, string], check: () => Promise<string>, note?: string): Variant => ({
      name,
      note,
      roundsMax: ROUNDS_MAX,
      skip: async () => await refusal(...probe),
      before: async () => { await quiet(box.pid) },
      async run () {
        resetPeak(box.pid)
        const cpu = cpuSeconds(box.pid)
        const { seconds, firstByteMs } = await read(urlOf(), { accept })
        return { seconds, firstByteMs, cpuSeconds: cpuSeconds(box.pid) - cpu, peakBytes: peakBytes(box.pid) }
      },
      check
    })
    const { variants, marked } = await rounds([
      ours(NAMES.native, () => study, OBJECTS(EXPLICIT_LE), [first, OBJECTS(EXPLICIT_LE)], async () => await allIn(EXPLICIT_LE, study, ct)),
      opponent(NAMES.nativeTool, 'dcmdjpls "$0" "$1/$2"', ct, join(bench.folder, 'native')),
      ours(NAMES.baseline, () => study, OBJECTS(JPEG_BASELINE), [first, OBJECTS(JPEG_BASELINE)], async () => await allIn(JPEG_BASELINE, study, ct), 'twelve bits don\'t fit in eight: an object would lose what it was made for'),
      ours(NAMES.pictures, pictures, PICTURES, [`${first}/rendered`, 'image/jpeg'], async () => await allPictures(pictures(), ct), '`/rendered` of the study: windowed'),
      // It reads no JPEG-LS, so it comes second.
      opponent(NAMES.picturesTool, 'dcmdjpls "$0" "$1/$2.raw" && dcmcjpeg +eb +Wi 1 "$1/$2.raw" "$1/$2" && rm "$1/$2.raw"', ct, join(bench.folder, 'jpeg'), 'windowed')
    ], bench.rounds, bench.tell)
    const by = (name: string): VariantResult | undefined => variants.find(variant => variant.name === name)
    const pairs = [
      { what: 'explicit little endian', ours: by(NAMES.native), theirs: by(NAMES.nativeTool) },
      { what: 'JPEG, 8 bits', ours: by(NAMES.pictures), theirs: by(NAMES.picturesTool) }
    ]
    return {
      about: `${ct.files.length} objects. The box streams them as one multipart answer, from packs in JPEG-LS; peaks are those of the whole process, its worker threads included. DCMTK's tools read files and write files, one call for each file, ${availableParallelism()} at the same time.`,
      variants,
      marked,
      goals: pairs.flatMap(({ what, ours, theirs }) => [
        atMost({ measure: `transcoding to ${what}, time`, figure: 'seconds', ours, theirs }, RATIO_MAX),
        below(`transcoding to ${what}, first byte`, 'request sent', ours, 'firstByteMs', FIRST_BYTE_MS_MAX)
      ]),
      notes: [],
      charts: [{ figure: 'seconds', ours: [NAMES.native, NAMES.pictures], ...goalLine(medianOf(by(NAMES.nativeTool), 'seconds')) }]
    }
  }
}

function goalLine (theirs: number | undefined): { goal?: { value: number, label: string } } {
  return theirs === undefined ? {} : { goal: { value: RATIO_MAX * theirs, label: `${RATIO_MAX} × dcmdjpls` } }
}

function opponent (name: string, commands: string, { files }: Sample, folder: string, note = 'as they are'): Variant {
  return {
    name,
    note: `${note}; files to files`,
    roundsMax: OPPONENT_ROUNDS,
    before: async () => {
      await rm(folder, { recursive: true, force: true })
      await mkdir(folder)
    },
    async run () {
      const left = [...files]
      const from = performance.now()
      await Promise.all(Array.from({ length: availableParallelism() }, async () => {
        // One shell for each core, which runs the tool for one file after the other.
        const mine = left.splice(0, Math.ceil(files.length / availableParallelism())).map(({ path }) => path)
        await run('sh', ['-c', `folder="$1"; shift; for path do sh -c '${commands}' "$path" "$folder" "\${path##*/}" || exit 1; done`, 'sh', folder, ...mine])
      }))
      const seconds = (performance.now() - from) / 1000
      const made = (await readdir(folder)).length
      if (made !== files.length) throw new Error(`${made} of ${files.length} files were made`)
      return { seconds }
    }
  }
}

/** @throws Error when an object is missing, or in another syntax */
async function allIn (syntax: string, url: string, { files }: Sample): Promise<string> {
  const uids = new Set<string>()
  const objects = new MultipartObjects(file => {
    const { sopInstanceUid, transferSyntaxUid } = readPart10Head(file)
    if (transferSyntaxUid !== syntax) throw new Error(`${sopInstanceUid} came in ${transferSyntaxUid}`)
    uids.add(sopInstanceUid)
  })
  await read(url, { accept: OBJECTS(syntax), onBody: piece => { objects.take(piece) } })
  objects.end()
  if (uids.size < files.length) throw new Error(`${uids.size} of ${files.length} objects arrived`)
  return `all ${uids.size} in ${syntax}`
}

/** @throws Error when a picture is missing, or isn't a JPEG */
async function allPictures (url: string, { files }: Sample): Promise<string> {
  let pictures = 0
  const objects = new MultipartObjects(picture => { if (picture.readUInt16BE(0) === START_OF_IMAGE) pictures++ })
  await read(url, { accept: PICTURES, onBody: piece => { objects.take(piece) } })
  objects.end()
  if (pictures !== files.length) throw new Error(`${pictures} of ${files.length} pictures arrived`)
  return `all ${pictures} as JPEG`
}
