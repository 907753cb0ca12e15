/**
 * Releases: what the server can offer. Their files lie beside the database, named for their digest.
 */

import { randomUUID } from 'node:crypto'
import type Database from 'better-sqlite3'
import { FleetError } from '../errors.ts'

export interface Release {
  readonly id: string
  /** The artifact's name: `drimbox-0.2.0`. */
  readonly name: string
  readonly sha256: string
  readonly bytes: number
  readonly deviceTypes: readonly string[]
  readonly payloadTypes: readonly (string | null)[]
  readonly provides: Readonly<Record<string, string>>
  readonly depends: Readonly<Record<string, readonly string[]>>
  readonly signedBy: string
  readonly addedAt: number
}

interface RawRelease { id: string, name: string, sha256: string, bytes: number, device_types: string, payload_types: string, provides: string, depends: string, signed_by: string, added_at: number }

export class ReleaseTable {
  readonly #db: Database.Database
  readonly #now: () => number

  constructor (db: Database.Database, now: () => number) {
    this.#db = db
    this.#now = now
  }

  /**
   * The same file twice is the same release.
   *
   * @throws FleetError RELEASE_EXISTS when another file has this name: devices tell releases apart by it
   */
  add (release: Omit<Release, 'id' | 'addedAt'>): Release {
    return this.#db.transaction(() => {
      const known = this.#byName(release.name)
      if (known !== undefined) {
        if (known.sha256 === release.sha256) return known
        throw new FleetError('RELEASE_EXISTS', 'another file has this name', { facts: { name: release.name, sha256: known.sha256 } })
      }
      const { name, sha256, bytes, deviceTypes, payloadTypes, provides, depends, signedBy } = release
      this.#db.prepare('INSERT INTO release VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)').run(randomUUID(), name, sha256, bytes,
        JSON.stringify(deviceTypes), JSON.stringify(payloadTypes), JSON.stringify(provides), JSON.stringify(depends), signedBy, this.#now())
      return this.find(name)
    })()
  }

  list (): Release[] {
    return (this.#db.prepare('SELECT * FROM release ORDER BY added_at, name').all() as RawRelease[]).map(toRelease)
  }

  /** @throws FleetError RELEASE_UNKNOWN */
  find (name: string): Release {
    const release = this.#byName(name)
    if (release === undefined) throw new FleetError('RELEASE_UNKNOWN', 'no such release', { facts: { name } })
    return release
  }

  get (id: string): Release {
    return toRelease(this.#db.prepare('SELECT * FROM release WHERE id = ?').get(id) as RawRelease)
  }

  /** @throws FleetError RELEASE_UNKNOWN; RELEASE_IN_USE when a deployment names it, ended or not */
  remove (name: string): Release {
    return this.#db.transaction(() => {
      const release = this.find(name)
      if (this.#db.prepare('SELECT 1 FROM deployment WHERE release_id = ?').get(release.id) !== undefined) throw new FleetError('RELEASE_IN_USE', 'a deployment names this release', { facts: { name } })
      this.#db.prepare('DELETE FROM release WHERE id = ?').run(release.id)
      return release
    })()
  }

  #byName (name: string): Release | undefined {
    const row = this.#db.prepare('SELECT * FROM release WHERE name = ?').get(name) as RawRelease | undefined
    return row && toRelease(row)
  }
}

function toRelease (row: RawRelease): Release {
  return {
    id: row.id,
    name: row.name,
    sha256: row.sha256,
    bytes: row.bytes,
    deviceTypes: JSON.parse(row.device_types),
    payloadTypes: JSON.parse(row.payload_types),
    provides: JSON.parse(row.provides),
    depends: JSON.parse(row.depends),
    signedBy: row.signed_by,
    addedAt: row.added_at
  }
}
