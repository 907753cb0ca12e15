/**
 * Deployments: one release for one device, each step that was told, and the device's own log.
 *
 * Events are numbered over all deployments, so that whoever watches asks for those after the last one
 * that he saw.
 */

import { randomUUID } from 'node:crypto'
import type Database from 'better-sqlite3'
import { FleetError } from '../errors.ts'
import { STATES, type State } from '../mender/states.ts'

export interface Deployment {
  readonly id: string
  readonly deviceId: string
  readonly releaseId: string
  readonly createdAt: number
  readonly state: State
  readonly isFinal: boolean
  readonly updatedAt: number
}

export interface DeploymentEvent {
  readonly number: number
  readonly deploymentId: string
  readonly state: State
  readonly substate: string | undefined
  readonly at: number
}

export interface LogMessage {
  readonly timestamp: string
  readonly level: string
  readonly message: string
}

export interface DeploymentLog {
  readonly messages: readonly LogMessage[]
  /** False when it came cut, or was cut here. */
  readonly isWhole: boolean
  readonly at: number
}

interface RawDeployment { id: string, device_id: string, release_id: string, created_at: number, state: State, is_final: number, updated_at: number }
interface RawEvent { number: number, deployment_id: string, state: State, substate: string | null, at: number }
interface RawLog { messages: string, is_whole: number, at: number }

/** Answered to one question for events. */
const EVENTS_MAX = 1000

export class DeploymentTable {
  readonly #db: Database.Database
  readonly #now: () => number

  constructor (db: Database.Database, now: () => number) {
    this.#db = db
    this.#now = now
  }

  /** @throws FleetError DEPLOYMENT_ACTIVE: one at a time for each device */
  create (deviceId: string, releaseId: string): Deployment {
    return this.#db.transaction(() => {
      const active = this.active(deviceId)
      if (active !== undefined) throw new FleetError('DEPLOYMENT_ACTIVE', 'the device has a deployment already', { facts: { deployment: active.id, state: active.state } })
      const id = randomUUID()
      const at = this.#now()
      this.#db.prepare('INSERT INTO deployment VALUES (?, ?, ?, ?, ?, ?, ?)').run(id, deviceId, releaseId, at, 'pending', 0, at)
      this.#note(id, 'pending', undefined, at)
      return this.get(id)
    })()
  }

  /** The one that this device shall do, or is doing. */
  active (deviceId: string): Deployment | undefined {
    const row = this.#db.prepare('SELECT * FROM deployment WHERE device_id = ? AND is_final = 0').get(deviceId) as RawDeployment | undefined
    return row && toDeployment(row)
  }

  /**
   * A step that was told. The same step again changes nothing: the answer to it may have been lost.
   *
   * @throws FleetError DEPLOYMENT_ABORTED, DEPLOYMENT_FINISHED
   */
  report (id: string, state: State, substate?: string): Deployment {
    return this.#db.transaction(() => {
      const before = this.get(id)
      if (before.state === 'aborted' && state !== 'aborted') throw new FleetError('DEPLOYMENT_ABORTED', 'the deployment was aborted')
      if (before.isFinal && before.state !== state) throw new FleetError('DEPLOYMENT_FINISHED', 'the deployment has ended', { facts: { state: before.state } })
      const last = this.events(id).at(-1)
      if (last?.state === state && last.substate === substate) return before
      const at = this.#now()
      this.#db.prepare('UPDATE deployment SET state = ?, is_final = ?, updated_at = ? WHERE id = ?').run(state, STATES[state].isFinal ? 1 : 0, at, id)
      this.#note(id, state, substate, at)
      return this.get(id)
    })()
  }

  /** Replaces what was sent before. */
  putLog (id: string, messages: readonly LogMessage[], isWhole: boolean): void {
    this.#db.prepare('INSERT OR REPLACE INTO deployment_log VALUES (?, ?, ?, ?)').run(id, JSON.stringify(messages), isWhole ? 1 : 0, this.#now())
  }

  log (id: string): DeploymentLog | undefined {
    const row = this.#db.prepare('SELECT * FROM deployment_log WHERE deployment_id = ?').get(id) as RawLog | undefined
    return row && { messages: JSON.parse(row.messages) as LogMessage[], isWhole: row.is_whole === 1, at: row.at }
  }

  /** @throws FleetError DEPLOYMENT_UNKNOWN */
  get (id: string): Deployment {
    const row = this.#db.prepare('SELECT * FROM deployment WHERE id = ?').get(id) as RawDeployment | undefined
    if (row === undefined) throw new FleetError('DEPLOYMENT_UNKNOWN', 'no such deployment')
    return toDeployment(row)
  }

  /** Only the device's own. @throws FleetError DEPLOYMENT_UNKNOWN */
  ofDevice (id: string, deviceId: string): Deployment {
    const deployment = this.get(id)
    if (deployment.deviceId !== deviceId) throw new FleetError('DEPLOYMENT_UNKNOWN', 'no such deployment')
    return deployment
  }

  /** The newest first. */
  list (): Deployment[] {
    return (this.#db.prepare('SELECT * FROM deployment ORDER BY created_at DESC, id').all() as RawDeployment[]).map(toDeployment)
  }

  events (id: string): DeploymentEvent[] {
    return (this.#db.prepare('SELECT * FROM deployment_event WHERE deployment_id = ? ORDER BY number').all(id) as RawEvent[]).map(toEvent)
  }

  /** Of all deployments, in the order in which they came. */
  eventsAfter (number: number): DeploymentEvent[] {
    return (this.#db.prepare('SELECT * FROM deployment_event WHERE number > ? ORDER BY number LIMIT ?').all(number, EVENTS_MAX) as RawEvent[]).map(toEvent)
  }

  #note (id: string, state: State, substate: string | undefined, at: number): void {
    this.#db.prepare('INSERT INTO deployment_event (deployment_id, state, substate, at) VALUES (?, ?, ?, ?)').run(id, state, substate ?? null, at)
  }
}

function toDeployment (row: RawDeployment): Deployment {
  return { id: row.id, deviceId: row.device_id, releaseId: row.release_id, createdAt: row.created_at, state: row.state, isFinal: row.is_final === 1, updatedAt: row.updated_at }
}

function toEvent (row: RawEvent): DeploymentEvent {
  return { number: row.number, deploymentId: row.deployment_id, state: row.state, substate: row.substate ?? undefined, at: row.at }
}
