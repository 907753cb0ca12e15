/** What each device last said of itself: attributes by name. */

import type Database from 'better-sqlite3'
import { FleetError } from '../errors.ts'

export type Attributes = Readonly<Record<string, unknown>>

/** Of one device. */
const ATTRIBUTES_MAX = 500

export class InventoryTable {
  readonly #db: Database.Database
  readonly #now: () => number

  constructor (db: Database.Database, now: () => number) {
    this.#db = db
    this.#now = now
  }

  /**
   * @param replace whether attributes that aren't told are forgotten
   * @throws FleetError BODY_MALFORMED when there would be too many
   */
  put (deviceId: string, attributes: ReadonlyMap<string, unknown>, { replace }: { readonly replace: boolean }): void {
    this.#db.transaction(() => {
      if (replace) this.#db.prepare('DELETE FROM inventory WHERE device_id = ?').run(deviceId)
      const put = this.#db.prepare('INSERT OR REPLACE INTO inventory VALUES (?, ?, ?, ?)')
      for (const [name, value] of attributes) put.run(deviceId, name, JSON.stringify(value), this.#now())
      const { n } = this.#db.prepare('SELECT count(*) AS n FROM inventory WHERE device_id = ?').get(deviceId) as { n: number }
      if (n > ATTRIBUTES_MAX) throw new FleetError('BODY_MALFORMED', 'too many attributes', { facts: { attributesMax: ATTRIBUTES_MAX } })
    })()
  }

  of (deviceId: string): Attributes {
    const rows = this.#db.prepare('SELECT name, value FROM inventory WHERE device_id = ? ORDER BY name').all(deviceId) as { name: string, value: string }[]
    return Object.fromEntries(rows.map(({ name, value }) => [name, JSON.parse(value) as unknown]))
  }
}
