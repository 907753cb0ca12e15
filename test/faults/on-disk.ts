/**
 * What lies in the cache's folder, read without any of the cache's own code: the index by SQL, packs by
 * their bytes. Written from the layout that docs/architecture.md and box/cache/record.ts describe.
 */

import { existsSync, openSync, closeSync, readSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { readPart10Head } from '#standards/dicom/part10.ts'
import type { GeneratedStudy } from '#sim/studies.ts'

const RECORD_HEAD_BYTES = 64

interface SeriesRow { study_uid: string, series_uid: string, instances: number, bytes: number, complete: number }
interface InstanceRow { study_uid: string, series_uid: string, sop_instance_uid: string, segment: number, offset: number, length: number }

/** What the PACS holds. */
export interface Truth {
  readonly studies: readonly GeneratedStudy[]
  /** Data sets by SOP Instance UID. */
  readonly datasets: ReadonlyMap<string, Buffer>
}

export interface Examined {
  /** In words; empty when everything is as it should be. */
  readonly wrong: readonly string[]
  /** Instances that are held. */
  readonly instances: number
}

/**
 * Compares index, packs and PACS, of a box that is open and idle.
 *
 * @param everyFile also that no pack file is there without the index knowing
 */
export function examine (folder: string, { studies, datasets }: Truth, everyFile: boolean): Examined {
  const wrong: string[] = []
  const db = new Database(join(folder, 'index.sqlite'), { readonly: true })
  const series = db.prepare('SELECT * FROM series').all() as SeriesRow[]
  const instances = db.prepare('SELECT * FROM instance').all() as InstanceRow[]
  const complete = db.prepare('SELECT study_uid FROM study WHERE complete = 1').all() as { study_uid: string }[]
  db.close()
  const known = new Set<string>()
  for (const row of instances) {
    const path = join(folder, row.study_uid, row.series_uid, `${String(row.segment).padStart(6, '0')}.pack`)
    known.add(path)
    const bytes = bytesAt(path, row.offset, row.length)
    const dataset = datasets.get(row.sop_instance_uid)
    if (bytes === undefined) wrong.push(`${path} has no ${row.length} bytes at ${row.offset}`)
    else if (dataset?.equals(bytes.subarray(headBytes(bytes))) !== true) wrong.push(`${row.sop_instance_uid} is not what the PACS sent`)
  }
  for (const row of series) {
    const own = instances.filter(one => one.series_uid === row.series_uid)
    const expected = studies.flatMap(study => study.series).find(one => one.seriesUid === row.series_uid)?.instances.length
    if (own.length !== row.instances) wrong.push(`a row says ${row.instances} instances and has ${own.length}`)
    if (own.reduce((sum, { length }) => sum + RECORD_HEAD_BYTES + length, 0) !== row.bytes) wrong.push('a row says other bytes than its instances have')
    if (new Set(own.map(one => one.sop_instance_uid)).size !== own.length) wrong.push('an instance twice')
    if (row.complete === 1 && own.length !== expected) wrong.push(`called complete with ${own.length} of ${expected}`)
  }
  for (const { study_uid: uid } of complete) {
    const expected = studies.find(one => one.studyUid === uid)?.series.length
    const whole = series.filter(row => row.study_uid === uid && row.complete === 1).length
    if (whole !== expected) wrong.push(`a study called complete with ${whole} of ${expected} series`)
  }
  for (const path of everyFile ? packFiles(folder) : []) {
    if (!known.has(path)) wrong.push(`${path} is in no row`)
  }
  for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    if (name.includes('~')) wrong.push(`${name} was to be removed`)
  }
  return { wrong, instances: instances.length }
}

/** Pack files below the cache's folder. */
export function packFiles (folder: string): string[] {
  if (!existsSync(folder)) return []
  return readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter(name => name.endsWith('.pack')).map(name => join(folder, name))
}

function headBytes (bytes: Buffer): number {
  try {
    return readPart10Head(bytes).datasetOffset
  } catch {
    return bytes.length
  }
}

function bytesAt (path: string, offset: number, length: number): Buffer | undefined {
  if (!existsSync(path)) return undefined
  const file = openSync(path, 'r')
  try {
    const bytes = Buffer.alloc(length)
    return readSync(file, bytes, 0, length, offset) === length ? bytes : undefined
  } finally {
    closeSync(file)
  }
}
