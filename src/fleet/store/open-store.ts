/**
 * What the fleet server knows, in SQLite: devices and their keys, releases, deployments, inventory.
 *
 * This is the truth, not an index of it: WAL with FULL, so that what was answered to a device or an
 * operator is on the disk, power cut or not.
 */

import Database from 'better-sqlite3'
import { SettingError } from '#core/errors.ts'
import { DeploymentTable } from './deployments.ts'
import { DeviceTable } from './devices.ts'
import { InventoryTable } from './inventory.ts'
import { ReleaseTable } from './releases.ts'

/** Each takes the database one version further (`user_version`); none is ever changed once released. */
const MIGRATIONS: readonly string[] = [`
  CREATE TABLE device (
    id TEXT PRIMARY KEY,
    identity TEXT NOT NULL UNIQUE,
    -- The first key that proves itself is accepted; with a fingerprint, only that one.
    expects_key INTEGER NOT NULL,
    expected_fingerprint TEXT,
    created_at INTEGER NOT NULL,
    seen_at INTEGER,
    device_type TEXT,
    artifact_name TEXT
  ) STRICT;
  CREATE TABLE device_key (
    device_id TEXT NOT NULL REFERENCES device ON DELETE CASCADE,
    fingerprint TEXT NOT NULL,
    kind TEXT NOT NULL,
    pem TEXT NOT NULL,
    standing TEXT NOT NULL CHECK (standing IN ('pending', 'accepted', 'rejected')),
    seen_at INTEGER NOT NULL,
    PRIMARY KEY (device_id, fingerprint)
  ) STRICT, WITHOUT ROWID;
  CREATE UNIQUE INDEX one_accepted_key ON device_key (device_id) WHERE standing = 'accepted';
  CREATE TABLE release (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    sha256 TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    device_types TEXT NOT NULL,
    payload_types TEXT NOT NULL,
    provides TEXT NOT NULL,
    depends TEXT NOT NULL,
    signed_by TEXT NOT NULL,
    added_at INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE deployment (
    id TEXT PRIMARY KEY,
    device_id TEXT NOT NULL REFERENCES device ON DELETE CASCADE,
    release_id TEXT NOT NULL REFERENCES release,
    created_at INTEGER NOT NULL,
    state TEXT NOT NULL,
    is_final INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
  ) STRICT;
  CREATE UNIQUE INDEX one_active_deployment ON deployment (device_id) WHERE is_final = 0;
  CREATE INDEX deployment_by_release ON deployment (release_id);
  CREATE TABLE deployment_event (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    deployment_id TEXT NOT NULL REFERENCES deployment ON DELETE CASCADE,
    state TEXT NOT NULL,
    substate TEXT,
    at INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX event_by_deployment ON deployment_event (deployment_id);
  CREATE TABLE deployment_log (
    deployment_id TEXT PRIMARY KEY REFERENCES deployment ON DELETE CASCADE,
    messages TEXT NOT NULL,
    is_whole INTEGER NOT NULL,
    at INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE inventory (
    device_id TEXT NOT NULL REFERENCES device ON DELETE CASCADE,
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (device_id, name)
  ) STRICT, WITHOUT ROWID;
`]

export interface Store {
  readonly devices: DeviceTable
  readonly releases: ReleaseTable
  readonly deployments: DeploymentTable
  readonly inventory: InventoryTable
  close (): void
}

/**
 * @param now in milliseconds since 1970
 * @throws SettingError when the file is damaged, or of a later release of this server
 */
export function openStore (path: string, now: () => number): Store {
  const db = new Database(path)
  try {
    db.pragma('journal_mode = WAL')
    db.pragma('synchronous = FULL')
    db.pragma('foreign_keys = ON')
    if (db.pragma('quick_check', { simple: true }) !== 'ok') throw new Error('the database is damaged')
    migrate(db)
    return {
      devices: new DeviceTable(db, now),
      releases: new ReleaseTable(db, now),
      deployments: new DeploymentTable(db, now),
      inventory: new InventoryTable(db, now),
      close: () => { db.close() }
    }
  } catch (error) {
    db.close()
    throw new SettingError('the database of the fleet cannot be used', { cause: error, facts: { path } })
  }
}

function migrate (db: Database.Database): void {
  const version = db.pragma('user_version', { simple: true }) as number
  if (version > MIGRATIONS.length) throw new Error(`written by a later release of this server (version ${version})`)
  for (const [place, sql] of MIGRATIONS.entries()) {
    if (place < version) continue
    db.transaction(() => {
      db.exec(sql)
      db.pragma(`user_version = ${place + 1}`)
    })()
  }
}
