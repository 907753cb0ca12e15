/**
 * Files as a power cut leaves them, where no disk can be made to lose its power: what was never forced to
 * it has any of its pages, or none; the index's log ends anywhere.
 */

import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import type { Random } from './kills.ts'
import { packFiles } from './on-disk.ts'

const PAGE_BYTES = 4096

/** @param cache the folder of a box that is dead */
export function tear (cache: string, random: Random): void {
  const log = join(cache, 'index.sqlite-wal')
  // SQLite doesn't force its log to the disk at each commit (synchronous = NORMAL), only before it is emptied.
  if (existsSync(log) && random(2) === 0) truncateSync(log, random(statSync(log).size + 1))
  const forced = forcedFiles(cache)
  for (const path of packFiles(cache)) {
    if (!forced.has(path)) tearFile(path, random)
  }
}

function tearFile (path: string, random: Random): void {
  const bytes = readFileSync(path)
  const pages = Math.ceil(bytes.length / PAGE_BYTES)
  switch (random(5)) {
    case 0: return
    case 1:
      rmSync(path)
      return
    case 2:
      truncateSync(path, random(bytes.length + 1))
      return
    case 3:
      // Its length came to the disk before its last pages did.
      bytes.fill(0, random(pages + 1) * PAGE_BYTES)
      break
    default:
      for (let page = 0; page < pages; page++) {
        if (random(4) === 0) bytes.fill(0, page * PAGE_BYTES, Math.min(bytes.length, (page + 1) * PAGE_BYTES))
      }
  }
  writeFileSync(path, bytes)
}

/** Files that the index, as the next box will find it, speaks of: they were forced to the disk before it did. */
function forcedFiles (cache: string): Set<string> {
  const folder = mkdtempSync(join(tmpdir(), 'drimbox-index-'))
  try {
    for (const suffix of ['', '-wal']) {
      if (existsSync(join(cache, `index.sqlite${suffix}`))) cpSync(join(cache, `index.sqlite${suffix}`), join(folder, `index.sqlite${suffix}`))
    }
    const db = new Database(join(folder, 'index.sqlite'))
    try {
      const rows = db.prepare('SELECT DISTINCT study_uid, series_uid, segment FROM instance').all() as { study_uid: string, series_uid: string, segment: number }[]
      return new Set(rows.map(row => join(cache, row.study_uid, row.series_uid, `${String(row.segment).padStart(6, '0')}.pack`)))
    } catch {
      // Killed before there were tables.
      return new Set()
    } finally {
      db.close()
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
