/**
 * The index of the packs, in SQLite: which series are here, how complete they are, and where each of
 * their instances lies.
 *
 * A convenience, not the truth: it is written when a series has settled, and can be made again from
 * the packs if it is lost. WAL, so that a reader never waits for a writer; NORMAL, since what a power
 * cut takes from it is found again by the scan.
 */

import { existsSync, renameSync, rmSync, statfsSync } from 'node:fs'
import { dirname } from 'node:path'
import Database from 'better-sqlite3'
import type { Stored } from './stored.ts'

/** Raised when the tables change; an index of another version is set aside and made again. */
const SCHEMA_VERSION = 2

const SCHEMA = `
  CREATE TABLE series (
    study_uid TEXT NOT NULL,
    series_uid TEXT NOT NULL,
    instances INTEGER NOT NULL,
    segments INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    complete INTEGER NOT NULL,
    expected INTEGER,
    reason TEXT,
    created_at INTEGER NOT NULL,
    checked_at INTEGER NOT NULL,
    used_at INTEGER NOT NULL,
    PRIMARY KEY (study_uid, series_uid)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE instance (
    study_uid TEXT NOT NULL,
    series_uid TEXT NOT NULL,
    place INTEGER NOT NULL,
    sop_instance_uid TEXT NOT NULL,
    sop_class_uid TEXT NOT NULL,
    transfer_syntax_uid TEXT NOT NULL,
    segment INTEGER NOT NULL,
    "offset" INTEGER NOT NULL,
    length INTEGER NOT NULL,
    dataset_offset INTEGER NOT NULL,
    pixel_offset INTEGER NOT NULL,
    crc INTEGER NOT NULL,
    received_at INTEGER NOT NULL,
    PRIMARY KEY (study_uid, series_uid, place)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE study (
    study_uid TEXT PRIMARY KEY,
    complete INTEGER NOT NULL,
    checked_at INTEGER NOT NULL,
    study_date TEXT
  ) STRICT, WITHOUT ROWID;
`

export interface SeriesRow {
  readonly studyUid: string
  readonly seriesUid: string
  readonly instances: number
  /** Pack files that it has had, hence the number of the next one. */
  readonly segments: number
  readonly bytes: number
  readonly complete: boolean
  readonly expected: number | undefined
  readonly reason: string | undefined
  /** Milliseconds since 1970, as all times here. */
  readonly createdAt: number
  /** When the PACS last said how many there are. */
  readonly checkedAt: number
  readonly usedAt: number
}

/** What is known of a study as a whole, from the last time that the PACS was asked. */
export interface StudyRow {
  readonly studyUid: string
  /** Every series that the PACS had then is here, whole. */
  readonly complete: boolean
  readonly checkedAt: number
  /** YYYYMMDD, of the images. */
  readonly studyDate: string | undefined
}

/** One pack file, and the bytes that the index finds in it. */
export interface Extent {
  readonly studyUid: string
  readonly seriesUid: string
  readonly segment: number
  readonly bytes: number
}

interface RawExtent { study_uid: string, series_uid: string, segment: number, bytes: number }
interface RawSeries { study_uid: string, series_uid: string, instances: number, segments: number, bytes: number, complete: number, expected: number | null, reason: string | null, created_at: number, checked_at: number, used_at: number }
interface RawInstance { sop_instance_uid: string, sop_class_uid: string, transfer_syntax_uid: string, segment: number, offset: number, length: number, dataset_offset: number, pixel_offset: number, crc: number, received_at: number }
interface RawStudy { study_uid: string, complete: number, checked_at: number, study_date: string | null }

export class IndexStore {
  readonly #db: Database.Database
  /** Asked with every request for a study or series. */
  readonly #study: Database.Statement
  /** True when there was no usable index: the packs must be scanned. */
  readonly isNew: boolean

  constructor (path: string) {
    const found = openOrSetAside(path)
    this.#db = found.db
    this.#study = this.#db.prepare('SELECT * FROM study WHERE study_uid = ?')
    this.isNew = found.isNew
  }

  series (): SeriesRow[] {
    return (this.#db.prepare('SELECT * FROM series ORDER BY used_at').all() as RawSeries[]).map(toSeries)
  }

  instances (studyUid: string, seriesUid: string): Stored[] {
    const rows = this.#db.prepare('SELECT * FROM instance WHERE study_uid = ? AND series_uid = ? ORDER BY place').all(studyUid, seriesUid) as RawInstance[]
    return rows.map(row => ({
      studyUid,
      seriesUid,
      sopInstanceUid: row.sop_instance_uid,
      sopClassUid: row.sop_class_uid,
      transferSyntaxUid: row.transfer_syntax_uid,
      segment: row.segment,
      offset: row.offset,
      length: row.length,
      datasetOffset: row.dataset_offset,
      pixelOffset: row.pixel_offset,
      crc: row.crc,
      receivedAt: row.received_at
    }))
  }

  /** How far each pack file must reach for its rows to be true. */
  * extents (): Generator<Extent> {
    const rows = this.#db.prepare('SELECT study_uid, series_uid, segment, max("offset" + length) AS bytes FROM instance GROUP BY study_uid, series_uid, segment')
    for (const row of rows.iterate() as Iterable<RawExtent>) yield { studyUid: row.study_uid, seriesUid: row.series_uid, segment: row.segment, bytes: row.bytes }
  }

  study (studyUid: string): StudyRow | undefined {
    const row = this.#study.get(studyUid) as RawStudy | undefined
    return row && { studyUid, complete: row.complete === 1, checkedAt: row.checked_at, studyDate: row.study_date ?? undefined }
  }

  putStudy (study: StudyRow): void {
    this.#db.prepare('INSERT OR REPLACE INTO study VALUES (?, ?, ?, ?)')
      .run(study.studyUid, study.complete ? 1 : 0, study.checkedAt, study.studyDate ?? null)
  }

  /** Replaces what was known of a series, its instances included, in one transaction. */
  putSeries (row: SeriesRow, instances: Iterable<Stored>): void {
    const insert = this.#db.prepare('INSERT INTO instance VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)')
    this.#db.transaction(() => {
      this.#forgetSeries(row.studyUid, row.seriesUid)
      this.#db.prepare('INSERT INTO series VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)')
        .run(row.studyUid, row.seriesUid, row.instances, row.segments, row.bytes, row.complete ? 1 : 0, row.expected ?? null, row.reason ?? null, row.createdAt, row.checkedAt, row.usedAt)
      let place = 0
      for (const one of instances) {
        insert.run(row.studyUid, row.seriesUid, place++, one.sopInstanceUid, one.sopClassUid, one.transferSyntaxUid,
          one.segment, one.offset, one.length, one.datasetOffset, one.pixelOffset, one.crc, one.receivedAt)
      }
    })()
  }

  /** Writes when these were last used and last checked. */
  putTimes (rows: Iterable<SeriesRow>): void {
    const update = this.#db.prepare('UPDATE series SET used_at = ?, checked_at = ? WHERE study_uid = ? AND series_uid = ?')
    this.#db.transaction(() => {
      for (const row of rows) update.run(row.usedAt, row.checkedAt, row.studyUid, row.seriesUid)
    })()
  }

  removeSeries (studyUid: string, seriesUid: string): void {
    this.#db.transaction(() => {
      this.#forgetSeries(studyUid, seriesUid)
      this.#db.prepare('UPDATE study SET complete = 0 WHERE study_uid = ?').run(studyUid)
      this.#db.prepare('DELETE FROM study WHERE study_uid = ? AND NOT EXISTS (SELECT 1 FROM series WHERE series.study_uid = study.study_uid)').run(studyUid)
    })()
  }

  /** @throws when it can't be read */
  check (): void {
    this.#db.prepare('SELECT count(*) FROM study').get()
  }

  close (): void {
    this.#db.close()
  }

  #forgetSeries (studyUid: string, seriesUid: string): void {
    this.#db.prepare('DELETE FROM instance WHERE study_uid = ? AND series_uid = ?').run(studyUid, seriesUid)
    this.#db.prepare('DELETE FROM series WHERE study_uid = ? AND series_uid = ?').run(studyUid, seriesUid)
  }
}

function toSeries (row: RawSeries): SeriesRow {
  return {
    studyUid: row.study_uid,
    seriesUid: row.series_uid,
    instances: row.instances,
    segments: row.segments,
    bytes: row.bytes,
    complete: row.complete === 1,
    expected: row.expected ?? undefined,
    reason: row.reason ?? undefined,
    createdAt: row.created_at,
    checkedAt: row.checked_at,
    usedAt: row.used_at
  }
}

/** Opening takes some pages and 32 kB of shared memory. With less than this, it is the disk that failed. */
const ROOM_BYTES = 1 << 20

function openOrSetAside (path: string): { db: Database.Database, isNew: boolean } {
  try {
    return openAt(path)
  } catch {
    if (roomBeside(path) < ROOM_BYTES) return openWithoutRoom(path)
    // Kept for whoever wants to know why; the next one replaces it.
    if (existsSync(path)) renameSync(path, `${path}.damaged`)
    // A write-ahead log left behind would be replayed into the new file.
    for (const suffix of ['-wal', '-shm']) rmSync(path + suffix, { force: true })
    return openAt(path)
  }
}

function roomBeside (path: string): number {
  const { bavail, bsize } = statfsSync(dirname(path))
  return bavail * bsize
}

/**
 * A full disk must not keep the box from answering: what can be made again from the packs goes, and where even
 * that is not enough, memory stands in. The cache makes room as soon as it is open; the next start scans again.
 */
function openWithoutRoom (path: string): { db: Database.Database, isNew: boolean } {
  for (const suffix of ['', '-wal', '-shm', '.damaged']) rmSync(path + suffix, { force: true })
  try {
    return openAt(path)
  } catch {
    for (const suffix of ['', '-wal', '-shm']) rmSync(path + suffix, { force: true })
    return openAt(':memory:')
  }
}

function openAt (path: string): { db: Database.Database, isNew: boolean } {
  const db = new Database(path)
  try {
    db.pragma('journal_mode = WAL')
    db.pragma('synchronous = NORMAL')
    const version = db.pragma('user_version', { simple: true })
    if (version === SCHEMA_VERSION) {
      if (db.pragma('quick_check', { simple: true }) !== 'ok') throw new Error('index is damaged')
      return { db, isNew: false }
    }
    const tables = db.prepare('SELECT count(*) AS n FROM sqlite_schema').get() as { n: number }
    if (tables.n > 0) throw new Error('index of another version')
    db.exec(SCHEMA)
    db.pragma(`user_version = ${SCHEMA_VERSION}`)
    return { db, isNew: true }
  } catch (error) {
    db.close()
    throw error
  }
}
