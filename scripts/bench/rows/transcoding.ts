/**
 * The whole study in another transfer syntax than it is held in: streamed by the box, against DCMTK's
 * tools on the same files, a process for each core.
 */

import { mkdir, readdir, rm } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { basename, join } from 'node:path'
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
import { rounds, type Variant } from '../rounds.ts'
import type { Row } from '../row.ts'
import { pathOf } from './single.ts'

const RATIO_MAX = 1.2
const FIRST_BYTE_MS_MAX = 60
/** A minute each, and they don't vary. */
const OPPONENT_ROUNDS = 1

const TARGETS = [
  { name: 'explicit little endian', syntax: EXPLICIT_LE, tool: 'dcmdjpls', commands: 'exec dcmdjpls "$0" "$1/$2"' },
  // dcmcjpeg reads no JPEG-LS, so it comes second; 8 bits, by the window of the image.
  { name: 'JPEG, 8 bits', syntax: JPEG_BASELINE, tool: 'dcmdjpls and dcmcjpeg', commands: 'dcmdjpls "$0" "$1/$2.raw" && dcmcjpeg +eb +Wi 1 "$1/$2.raw" "$1/$2" && rm "$1/$2.raw"' }
] as const

export const transcoding: Row = {
  name: 'transcoding',
  title: 'Transcoding of the whole study from JPEG-LS',
  secondsMax: 900,
  async measure (bench) {
    const site = await bench.site()
    const ct = await bench.data.ct()
    const box = await site.box()
    await fill(box, ct.studyUid)
    const { variants, marked } = await rounds(TARGETS.flatMap(({ name, syntax, tool, commands }): Variant[] => {
      const accept = `multipart/related; type="application/dicom"; transfer-syntax=${syntax}`
      const url = `${box.dicomweb}/studies/${ct.studyUid}`
      return [
        {
          name: `box, to ${name}`,
          skip: async () => await refusal(`${box.dicomweb}${pathOf(ct, ct.files[0]!)}`, accept),
          before: async () => { await quiet(box.pid) },
          async run () {
            resetPeak(box.pid)
            const cpu = cpuSeconds(box.pid)
            const { seconds, firstByteMs } = await read(url, { accept })
            return { seconds, firstByteMs, cpuSeconds: cpuSeconds(box.pid) - cpu, peakBytes: peakBytes(box.pid) }
          },
          check: async () => await allIn(syntax, url, accept, ct)
        },
        opponent(`${tool}, to ${name}`, commands, ct, join(bench.folder, basename(tool)))
      ]
    }), bench.rounds, bench.tell)
    return {
      about: `${ct.files.length} objects. The box streams them as one multipart answer, from packs in JPEG-LS; peaks are those of the whole process, its worker threads included. DCMTK's tools read files and write files, one call for each file, ${availableParallelism()} at the same time.`,
      variants,
      marked,
      goals: TARGETS.flatMap(({ name }, index) => {
        const [ours, theirs] = variants.slice(index * 2)
        return [
          atMost({ measure: `transcoding to ${name}, time`, figure: 'seconds', ours, theirs }, RATIO_MAX),
          below(`transcoding to ${name}, first byte`, 'request sent', ours, 'firstByteMs', FIRST_BYTE_MS_MAX)
        ]
      }),
      notes: [],
      charts: [{ figure: 'seconds', ours: TARGETS.map(({ name }) => `box, to ${name}`), ...goalLine(medianOf(variants[1], 'seconds')) }]
    }
  }
}

function goalLine (theirs: number | undefined): { goal?: { value: number, label: string } } {
  return theirs === undefined ? {} : { goal: { value: RATIO_MAX * theirs, label: `${RATIO_MAX} × dcmdjpls` } }
}

function opponent (name: string, commands: string, { files }: Sample, folder: string): Variant {
  return {
    name,
    note: 'files to files',
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
async function allIn (syntax: string, url: string, accept: string, { files }: Sample): Promise<string> {
  const uids = new Set<string>()
  const objects = new MultipartObjects(file => {
    const { sopInstanceUid, transferSyntaxUid } = readPart10Head(file)
    if (transferSyntaxUid !== syntax) throw new Error(`${sopInstanceUid} came in ${transferSyntaxUid}`)
    uids.add(sopInstanceUid)
  })
  await read(url, { accept, onBody: piece => { objects.take(piece) } })
  objects.end()
  if (uids.size < files.length) throw new Error(`${uids.size} of ${files.length} objects arrived`)
  return `all ${uids.size} in ${syntax}`
}
