/**
 * What is sent and read: one study of 1300 CT in JPEG-LS, the shape of the national performance set,
 * and one object of a gigabyte. Generated once, the same on every machine.
 */

import { existsSync } from 'node:fs'
import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { generateStudies } from '#sim/studies.ts'
import { writeHugeObject, writeStudyFiles } from '#sim/study-files.ts'
import { HeadReader } from '#standards/dicom/head.ts'
import { readPart10Head } from '#standards/dicom/part10.ts'

const HUGE_PIXEL_BYTES = 2 ** 30
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
}

export interface Sample {
  readonly studyUid: string
  readonly files: readonly ObjectFile[]
  /** Of all files together. */
  readonly bytes: number
}

export interface Data {
  readonly ct: Sample
  readonly huge: Sample
}

/** @param folder kept between runs; whatever is missing in it is made */
export async function prepareData (folder: string, tell: (line: string) => void): Promise<Data> {
  await once(join(folder, 'ct'), async unfinished => {
    tell('drawing 1300 CT images and compressing them in JPEG-LS, once')
    const study = generateStudies({ today: new Date(0) }).find(({ name }) => name === 'ct')
    await writeStudyFiles(study!, unfinished)
  })
  await once(join(folder, 'huge'), async unfinished => {
    tell('writing one object of 1 GB, once')
    await mkdir(unfinished, { recursive: true })
    await writeHugeObject(join(unfinished, 'huge.dcm'), HUGE_PIXEL_BYTES)
  })
  return { ct: await sampleOf(join(folder, 'ct')), huge: await sampleOf(join(folder, 'huge')) }
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
    if (studyUid === '') {
      const reader = new HeadReader(meta.transferSyntaxUid)
      reader.push(head.subarray(meta.datasetOffset))
      studyUid = reader.studyUid ?? ''
    }
    files.push({ path, ...meta, bytes: (await stat(path)).size })
  }
  return { studyUid, files, bytes: files.reduce((sum, { bytes }) => sum + bytes, 0) }
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
