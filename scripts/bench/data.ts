/**
 * What is sent and read: one study of 1300 CT in JPEG-LS, the shape of the national performance set;
 * some of it uncompressed, a study of twenty series, a list of a thousand studies, objects of one and
 * of four gigabytes. Generated once, the same on every machine.
 */

import { existsSync } from 'node:fs'
import { mkdir, open, readFile, readdir, rename, rm, stat, writeFile } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { basename, join } from 'node:path'
import { generateStudies } from '#sim/studies.ts'
import { writeHugeObject, writeStudyFiles } from '#sim/study-files.ts'
import { HeadReader } from '#standards/dicom/head.ts'
import { readPart10Head } from '#standards/dicom/part10.ts'
import { run } from './processes.ts'

/** More than any head that we generate. */
const HEAD_BYTES = 64 << 10

/** One Part 10 file, and where its data set begins. */
export interface ObjectFile {
  readonly path: string
  readonly sopClassUid: string
  readonly sopInstanceUid: string
  readonly transferSyntaxUid: string
  readonly datasetOffset: number
  readonly bytes: number
  readonly seriesUid: string
}

/** A sample of one object that is too long to be sent into an archive. */
export interface LongSample extends Sample {
  /** What its UIDs are made of: a small object under the same ones can be made of it. */
  readonly seed: number
}

export interface Sample {
  readonly studyUid: string
  readonly files: readonly ObjectFile[]
  /** Of all files together. */
  readonly bytes: number
}

/** How much of everything: as the goals ask for, or little, for a run that only shows that all works. */
export interface Sizes {
  readonly ctImages: number
  /** Of {@link ctImages}, also uncompressed. */
  readonly rawImages: number
  readonly listedStudies: number
  readonly hugeBytes: number
  readonly longestBytes: number
}

export const WHOLE: Sizes = { ctImages: 1300, rawImages: 500, listedStudies: 1000, hugeBytes: 2 ** 30, longestBytes: 2 ** 32 - 2 ** 19 }
export const LITTLE: Sizes = { ctImages: 80, rawImages: 20, listedStudies: 40, hugeBytes: 2 ** 26, longestBytes: 2 ** 27 }

/** Thumbnails are asked for so many series. */
export const SERIES_OF_MANY = 20

/** Each sample is made when it is first asked for, once on each machine. */
export class Data {
  readonly sizes: Sizes
  readonly #folder: string
  readonly #tell: (line: string) => void
  readonly #made = new Map<string, Promise<Sample>>()

  /** @param folder kept between runs */
  constructor (folder: string, sizes: Sizes, tell: (line: string) => void) {
    this.#folder = folder
    this.sizes = sizes
    this.#tell = tell
  }

  /** The shape of the national performance set: 1300 CT in JPEG-LS, four series. */
  async ct (): Promise<Sample> {
    const { ctImages } = this.sizes
    return await this.#sample(`ct-${ctImages}`, `${ctImages} CT images, compressed in JPEG-LS`, async unfinished => {
      const study = generateStudies({ today: new Date(0), ctImages }).find(({ name }) => name === 'ct')
      await writeStudyFiles(study!, unfinished)
    })
  }

  /** The first series of it. */
  async ctSeries (): Promise<Sample> {
    const { studyUid, files } = await this.ct()
    const first = files.filter(({ path }) => basename(path).startsWith('1-'))
    return { studyUid, files: first, bytes: sum(first) }
  }

  /** As many of them as said, in Explicit VR Little Endian. */
  async raw (): Promise<Sample> {
    const { rawImages } = this.sizes
    const { files } = await this.ct()
    return await this.#sample(`raw-${rawImages}`, `${rawImages} uncompressed CT images`, async unfinished => {
      await mkdir(unfinished)
      const left = files.slice(0, rawImages)
      await Promise.all(Array.from({ length: availableParallelism() }, async () => {
        for (let file = left.pop(); file !== undefined; file = left.pop()) await run('dcmdjpls', [file.path, join(unfinished, basename(file.path))])
      }))
    })
  }

  /** One study of twenty series, an image each. */
  async manySeries (): Promise<Sample> {
    const { files } = await this.ct()
    return await this.#sample(`series-${this.sizes.ctImages}`, `one study of ${SERIES_OF_MANY} series`, async unfinished => {
      await mkdir(unfinished)
      for (let index = 0; index < SERIES_OF_MANY; index++) {
        await renamed(files[Math.floor(index * files.length / SERIES_OF_MANY)]!.path, join(unfinished, `${index}.dcm`), { study: 1, series: index + 1, instance: index + 1 })
      }
    })
  }

  /** A thousand studies of one small object each. */
  async list (): Promise<Sample> {
    const { listedStudies } = this.sizes
    return await this.#sample(`list-${listedStudies}`, `${listedStudies} studies`, async unfinished => {
      await mkdir(unfinished)
      const report = generateStudies({ today: new Date(0) }).filter(({ name }) => name === 'sr')
      const [path] = await writeStudyFiles(report[0]!, join(unfinished, 'one'))
      for (let index = 0; index < listedStudies; index++) {
        await renamed(path!, join(unfinished, `${index}.dcm`), { study: index + 1, series: index + 1, instance: index + 1 })
      }
      await rm(join(unfinished, 'one'), { recursive: true })
    })
  }

  /** One object of a gigabyte. */
  async huge (): Promise<LongSample> {
    return await this.#object('huge', this.sizes.hugeBytes, 1)
  }

  /** One as long as an element can be (PS3.5 §7.1: 32 bits of length). */
  async longest (): Promise<LongSample> {
    return await this.#object('longest', this.sizes.longestBytes, 2)
  }

  async #object (name: string, bytes: number, seed: number): Promise<LongSample> {
    const sample = await this.#sample(`${name}-${bytes}`, `one object of ${(bytes / 1e9).toFixed(1)} GB`, async unfinished => {
      await mkdir(unfinished)
      await writeHugeObject(join(unfinished, 'huge.dcm'), bytes, seed)
    })
    return { ...sample, seed }
  }

  async #sample (name: string, what: string, make: (unfinished: string) => Promise<void>): Promise<Sample> {
    let made = this.#made.get(name)
    if (made === undefined) this.#made.set(name, made = this.#make(join(this.#folder, name), what, make))
    return await made
  }

  async #make (folder: string, what: string, make: (unfinished: string) => Promise<void>): Promise<Sample> {
    await once(folder, async unfinished => {
      this.#tell(`  making ${what}, once`)
      await make(unfinished)
    })
    return await sampleOf(folder)
  }
}

/**
 * Writes a file again under other UIDs: of the same length, so that nothing else of it changes.
 *
 * @param numbers written over the last digits of each UID; at most 9999
 */
async function renamed (from: string, to: string, numbers: { readonly study: number, readonly series: number, readonly instance: number }): Promise<void> {
  const file = await readFile(from)
  const { sopInstanceUid, datasetOffset, transferSyntaxUid } = readPart10Head(file)
  const reader = new HeadReader(transferSyntaxUid)
  reader.push(file.subarray(datasetOffset))
  for (const [uid, number] of [[reader.studyUid, numbers.study], [reader.seriesUid, numbers.series], [sopInstanceUid, numbers.instance]] as const) {
    const other = uid!.slice(0, -4) + String(number).padStart(4, '0')
    for (let at = file.indexOf(uid!); at >= 0; at = file.indexOf(uid!, at + 1)) file.write(other, at, 'latin1')
  }
  await writeFile(to, file)
}

function sum (files: readonly ObjectFile[]): number {
  return files.reduce((bytes, file) => bytes + file.bytes, 0)
}

/** A folder that exists is whole: it is made under another name and renamed at the end. */
async function once (folder: string, make: (unfinished: string) => Promise<void>): Promise<void> {
  if (existsSync(folder)) return
  const unfinished = `${folder}.unfinished`
  await rm(unfinished, { recursive: true, force: true })
  await make(unfinished)
  await rename(unfinished, folder)
}

async function sampleOf (folder: string): Promise<Sample> {
  const files: ObjectFile[] = []
  let studyUid = ''
  for (const name of (await readdir(folder)).sort()) {
    const path = join(folder, name)
    const head = await beginning(path)
    const meta = readPart10Head(head)
    const reader = new HeadReader(meta.transferSyntaxUid)
    reader.push(head.subarray(meta.datasetOffset))
    studyUid ||= reader.studyUid ?? ''
    files.push({ path, ...meta, seriesUid: reader.seriesUid ?? '', bytes: (await stat(path)).size })
  }
  return { studyUid, files, bytes: sum(files) }
}

async function beginning (path: string): Promise<Buffer> {
  const file = await open(path)
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(HEAD_BYTES), 0, HEAD_BYTES, 0)
    return buffer.subarray(0, bytesRead)
  } finally {
    await file.close()
  }
}
