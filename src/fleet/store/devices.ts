/**
 * Devices and the keys that they have shown.
 *
 * A device is its identity (a text that it tells itself). Whoever shows that identity with another key is
 * somebody else until a person says otherwise: the new key waits, the accepted one stays.
 */

import { randomUUID } from 'node:crypto'
import type Database from 'better-sqlite3'
import { FleetError } from '../errors.ts'

export type Standing = 'pending' | 'accepted' | 'rejected'

export interface DeviceKey {
  /** SHA-256 of its SubjectPublicKeyInfo, in hexadecimal. */
  readonly fingerprint: string
  /** `ed25519`, `rsa-3072`, `p-256` */
  readonly kind: string
  readonly pem: string
}

export interface KeyRow extends Omit<DeviceKey, 'pem'> {
  readonly standing: Standing
  readonly seenAt: number
}

export interface Device {
  readonly id: string
  /** Canonical JSON. */
  readonly identity: string
  readonly createdAt: number
  /** Milliseconds since 1970, as all times here. */
  readonly seenAt: number | undefined
  readonly deviceType: string | undefined
  readonly artifactName: string | undefined
  /** Accepted beforehand, and not seen yet. */
  readonly isExpected: boolean
  readonly keys: readonly KeyRow[]
}

/** Keys that nobody has decided on, of one device: an attacker makes them for nothing. */
const KEYS_PENDING_MAX = 10
/** When someone whose request can't be taken now may come again: after a person had time to look. */
const PENDING_RETRY_SECONDS = 3600

interface RawDevice { id: string, identity: string, expects_key: number, expected_fingerprint: string | null, created_at: number, seen_at: number | null, device_type: string | null, artifact_name: string | null }
interface RawKey { fingerprint: string, kind: string, standing: Standing, seen_at: number }

export class DeviceTable {
  readonly #db: Database.Database
  readonly #now: () => number

  constructor (db: Database.Database, now: () => number) {
    this.#db = db
    this.#now = now
  }

  /**
   * Somebody has shown an identity and proved that he holds a key.
   *
   * @throws FleetError TOO_MANY when nobody more may wait
   */
  introduce (identity: string, key: DeviceKey, { pendingMax }: { readonly pendingMax: number }): { readonly id: string, readonly standing: Standing } {
    return this.#db.transaction(() => {
      const at = this.#now()
      const known = this.#db.prepare('SELECT * FROM device WHERE identity = ?').get(identity) as RawDevice | undefined
      if (known === undefined && this.#unaccepted() >= pendingMax) throw tooMany('too many devices wait to be accepted')
      const id = known?.id ?? this.#add(identity, false, undefined)
      const shown = this.#db.prepare('SELECT * FROM device_key WHERE device_id = ? AND fingerprint = ?').get(id, key.fingerprint) as RawKey | undefined
      if (shown !== undefined) {
        this.#db.prepare('UPDATE device_key SET seen_at = ? WHERE device_id = ? AND fingerprint = ?').run(at, id, key.fingerprint)
        return { id, standing: shown.standing }
      }
      const isExpected = known?.expects_key === 1 && (known.expected_fingerprint ?? key.fingerprint) === key.fingerprint
      const standing: Standing = isExpected ? 'accepted' : 'pending'
      if (isExpected) this.#db.prepare('UPDATE device SET expects_key = 0, expected_fingerprint = NULL WHERE id = ?').run(id)
      else if (this.#keys(id).filter(one => one.standing === 'pending').length >= KEYS_PENDING_MAX) throw tooMany('too many keys of this device wait to be accepted')
      this.#db.prepare('INSERT INTO device_key VALUES (?, ?, ?, ?, ?, ?)').run(id, key.fingerprint, key.kind, key.pem, standing, at)
      return { id, standing }
    })()
  }

  /** Whether this key of this device is (still) accepted. */
  isAccepted (id: string, fingerprint: string): boolean {
    return this.#db.prepare('SELECT 1 FROM device_key WHERE device_id = ? AND fingerprint = ? AND standing = \'accepted\'').get(id, fingerprint) !== undefined
  }

  /** What a device says of itself when it asks for updates. */
  noteProvides (id: string, { deviceType, artifactName }: { readonly deviceType: string, readonly artifactName: string }): void {
    this.#db.prepare('UPDATE device SET seen_at = ?, device_type = ?, artifact_name = ? WHERE id = ?').run(this.#now(), deviceType, artifactName, id)
  }

  /**
   * Accepts an identity beforehand.
   *
   * @param fingerprint absent: whichever key is shown first
   * @throws FleetError DEVICE_KNOWN
   */
  expect (identity: string, fingerprint: string | undefined): Device {
    return this.#db.transaction(() => {
      if (this.#db.prepare('SELECT 1 FROM device WHERE identity = ?').get(identity) !== undefined) throw new FleetError('DEVICE_KNOWN', 'the device is known already: accept its key')
      return this.get(this.#add(identity, true, fingerprint))
    })()
  }

  /**
   * @param fingerprint, or how it begins; absent: the only key that waits
   * @throws FleetError KEY_UNKNOWN, KEY_AMBIGUOUS
   */
  accept (id: string, fingerprint?: string): Device {
    return this.#db.transaction(() => {
      const key = this.#chosen(id, fingerprint, one => one.standing !== 'accepted')
      // One key at a time: whoever held the former one is out.
      this.#db.prepare('UPDATE device_key SET standing = \'rejected\' WHERE device_id = ? AND standing = \'accepted\'').run(id)
      this.#db.prepare('UPDATE device_key SET standing = \'accepted\' WHERE device_id = ? AND fingerprint = ?').run(id, key.fingerprint)
      this.#db.prepare('UPDATE device SET expects_key = 0, expected_fingerprint = NULL WHERE id = ?').run(id)
      return this.get(id)
    })()
  }

  /**
   * @param fingerprint, or how it begins; absent: every key of the device, and none is expected any more
   * @throws FleetError KEY_UNKNOWN, KEY_AMBIGUOUS
   */
  reject (id: string, fingerprint?: string): Device {
    return this.#db.transaction(() => {
      if (fingerprint === undefined) {
        this.#db.prepare('UPDATE device_key SET standing = \'rejected\' WHERE device_id = ?').run(id)
        this.#db.prepare('UPDATE device SET expects_key = 0, expected_fingerprint = NULL WHERE id = ?').run(id)
      } else {
        const key = this.#chosen(id, fingerprint, () => true)
        this.#db.prepare('UPDATE device_key SET standing = \'rejected\' WHERE device_id = ? AND fingerprint = ?').run(id, key.fingerprint)
      }
      return this.get(id)
    })()
  }

  list (): Device[] {
    return (this.#db.prepare('SELECT * FROM device ORDER BY created_at, id').all() as RawDevice[]).map(row => this.#toDevice(row))
  }

  /** @throws FleetError DEVICE_UNKNOWN */
  get (id: string): Device {
    const row = this.#db.prepare('SELECT * FROM device WHERE id = ?').get(id) as RawDevice | undefined
    if (row === undefined) throw new FleetError('DEVICE_UNKNOWN', 'no such device')
    return this.#toDevice(row)
  }

  /**
   * @param text an id, or how one begins
   * @throws FleetError DEVICE_UNKNOWN, DEVICE_AMBIGUOUS
   */
  find (text: string): Device {
    const rows = this.#db.prepare('SELECT * FROM device WHERE substr(id, 1, length(?)) = ? LIMIT 2').all(text, text) as RawDevice[]
    if (text === '' || rows[0] === undefined) throw new FleetError('DEVICE_UNKNOWN', 'no such device')
    if (rows.length > 1) throw new FleetError('DEVICE_AMBIGUOUS', 'several devices begin like this')
    return this.#toDevice(rows[0])
  }

  #add (identity: string, isExpected: boolean, fingerprint: string | undefined): string {
    const id = randomUUID()
    this.#db.prepare('INSERT INTO device (id, identity, expects_key, expected_fingerprint, created_at) VALUES (?, ?, ?, ?, ?)').run(id, identity, isExpected ? 1 : 0, fingerprint ?? null, this.#now())
    return id
  }

  #chosen (id: string, fingerprint: string | undefined, fits: (key: KeyRow) => boolean): KeyRow {
    const keys = this.#keys(id).filter(key => fingerprint === undefined ? key.standing === 'pending' : key.fingerprint.startsWith(fingerprint) && fits(key))
    const [key, ...others] = keys
    if (key === undefined) throw new FleetError('KEY_UNKNOWN', 'no such key waits')
    if (others.length > 0) throw new FleetError('KEY_AMBIGUOUS', 'several keys wait', { facts: { fingerprints: keys.map(one => one.fingerprint.slice(0, 16)) } })
    return key
  }

  #unaccepted (): number {
    const { n } = this.#db.prepare('SELECT count(*) AS n FROM device WHERE expects_key = 0 AND NOT EXISTS (SELECT 1 FROM device_key WHERE device_id = device.id AND standing = \'accepted\')').get() as { n: number }
    return n
  }

  #keys (id: string): KeyRow[] {
    const rows = this.#db.prepare('SELECT fingerprint, kind, standing, seen_at FROM device_key WHERE device_id = ? ORDER BY seen_at, fingerprint').all(id) as RawKey[]
    return rows.map(({ fingerprint, kind, standing, seen_at: seenAt }) => ({ fingerprint, kind, standing, seenAt }))
  }

  #toDevice (row: RawDevice): Device {
    return {
      id: row.id,
      identity: row.identity,
      createdAt: row.created_at,
      seenAt: row.seen_at ?? undefined,
      deviceType: row.device_type ?? undefined,
      artifactName: row.artifact_name ?? undefined,
      isExpected: row.expects_key === 1,
      keys: this.#keys(row.id)
    }
  }
}

function tooMany (message: string): FleetError {
  return new FleetError('TOO_MANY', message, { facts: { retryAfterSeconds: PENDING_RETRY_SECONDS } })
}
