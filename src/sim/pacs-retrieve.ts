/**
 * One retrieve of the simulated PACS: its sub-operations one after the other, their counts, and
 * how it ends.
 *
 * Source: DICOM PS3.4 §C.4.2 (C-MOVE) and §C.4.3 (C-GET), Tables C.4-2 and C.4-3 for the statuses.
 */

import { once } from 'node:events'
import type { PacsControl } from './pacs-control.ts'
import type { Cut, MoveOriginator, Sender } from './pacs-send.ts'
import type { Held } from './pacs-store.ts'
import { seededUid } from './seeded.ts'

export const STATUS = {
  success: 0x0000,
  pending: 0xff00,
  cancelled: 0xfe00,
  destinationUnknown: 0xa801,
  subOperationsRefused: 0xa702,
  identifierMismatch: 0xa900,
  someFailed: 0xb000
} as const

export interface Counts { remaining: number, completed: number, failed: number, warning: number }

export interface Outcome {
  readonly status: number
  readonly counts: Counts
  readonly failedUids: readonly string[]
  readonly comment?: string
}

export interface RetrieveParts {
  readonly control: PacsControl
  readonly plan: ReturnType<PacsControl['planRetrieve']>
  /** What {@link PacsControl.sendForeignInstance} slips in. */
  readonly foreign: Held | undefined
  readonly cut: Cut | undefined
  /** Fires when whoever asked is gone. */
  readonly signal: AbortSignal
  readonly isCancelled: () => boolean
  readonly originator?: MoveOriginator
  readonly onPending: (counts: Counts) => Promise<void>
}

/**
 * Sends `objects` in order.
 *
 * @throws when whoever asked is gone: there is nobody to answer. A lost destination is an outcome.
 */
export async function retrieve (objects: readonly Held[], sender: Sender, parts: RetrieveParts): Promise<Outcome> {
  const { control, plan, foreign, cut, signal, isCancelled, originator, onPending } = parts
  const counts: Counts = { remaining: objects.length, completed: 0, failed: 0, warning: 0 }
  const failedUids: string[] = []
  const ended = (sent: number): Outcome | undefined => plan.ending !== undefined && sent >= plan.ending.afterInstances
    ? { status: plan.ending.status, counts, failedUids, comment: plan.ending.comment }
    : undefined

  try {
    if (plan.foreign && foreign !== undefined) await sender.store(foreign, originator)
    for (const [sent, held] of objects.entries()) {
      const early = ended(sent)
      if (early !== undefined) return early
      await control.beforeSubOperation(sent, signal)
      if (isCancelled()) return { status: STATUS.cancelled, counts, failedUids }
      const status = await subOperation(held, sent)
      counts.remaining--
      if (status === STATUS.success) counts.completed++
      else if ((status & 0xf000) === 0xb000) counts.warning++
      else {
        counts.failed++
        failedUids.push(held.sopInstanceUid)
      }
      if (plan.cut?.instances === sent + 1) {
        cut?.now()
        await aborted(signal)
      }
      if (counts.remaining > 0) await onPending(counts)
    }
  } catch (error) {
    signal.throwIfAborted()
    const lost = objects.slice(objects.length - counts.remaining).map(held => held.sopInstanceUid)
    const all = { ...counts, remaining: 0, failed: counts.failed + counts.remaining }
    return finalOutcome(all, [...failedUids, ...lost], error instanceof Error ? error.message : undefined)
  }
  return ended(objects.length) ?? finalOutcome(counts, failedUids)

  async function subOperation (held: Held, sent: number): Promise<number> {
    if (plan.failing !== undefined && sent < plan.failing.instances) return plan.failing.status
    if (sent >= objects.length - plan.skipped) return STATUS.success
    const announced = sent < plan.mislabelled ? { ...held, sopInstanceUid: seededUid(held.sopInstanceUid, 'mislabelled') } : held
    const status = await sender.store(announced, originator)
    if (sent < plan.duplicated) await sender.store(held, originator)
    return status
  }
}

/** A retrieve of which nothing could be sent. */
export function refusedOutcome (objects: readonly Held[], comment: string): Outcome {
  return finalOutcome({ remaining: 0, completed: 0, failed: objects.length, warning: 0 }, objects.map(held => held.sopInstanceUid), comment)
}

/** @throws the reason, once the signal has fired */
async function aborted (signal: AbortSignal): Promise<void> {
  signal.throwIfAborted()
  await once(signal, 'abort')
  signal.throwIfAborted()
}

function finalOutcome (counts: Counts, failedUids: readonly string[], comment?: string): Outcome {
  const bad = counts.failed + counts.warning
  const status = bad === 0 ? STATUS.success : counts.failed > 0 && counts.completed + counts.warning === 0 ? STATUS.subOperationsRefused : STATUS.someFailed
  return { status, counts, failedUids, comment }
}
