/**
 * From what was seen on the way back to the setting that is missing: a pure function, the heart of the proof.
 *
 * Source: DICOM PS3.4 Table C.4-2 (statuses of C-MOVE).
 */

import { STATUS, statusText } from '#standards/dimse/status.ts'
import type { MoveResult } from '#standards/dimse/query-retrieve.ts'
import { found, type Finding } from './step.ts'

/** Something at our door while the C-MOVE was under way. */
export type Knock =
  | { readonly type: 'request', readonly callingTitle: string, readonly calledTitle: string, readonly address: string, readonly offered: readonly string[] }
  | { readonly type: 'accepted', readonly address: string, readonly contexts: number }
  | { readonly type: 'rejected', readonly callingTitle: string, readonly calledTitle: string, readonly address: string, readonly why: string }
  | { readonly type: 'tls-failed', readonly address: string, readonly why: string }
  | { readonly type: 'ended', readonly address: string, readonly why: string }

/** Refused: Move Destination unknown. */
const DESTINATION_UNKNOWN = 0xa801

/** @param result undefined when no final response came */
export function judgeMove (result: MoveResult | undefined, knocks: readonly Knock[], ourTitle: string): Finding[] {
  const facts = result === undefined
    ? {}
    : { status: statusText(result.status), comment: result.errorComment, completed: result.completed, failed: result.failed }
  if (result?.status === DESTINATION_UNKNOWN) return [found('move-title-unknown', facts)]
  const wrong = knocks.find(knock => knock.type === 'rejected')
  if (wrong !== undefined && wrong.calledTitle !== ourTitle) {
    return [found('return-title-wrong', { ...facts, calledTitle: wrong.calledTitle, callingTitle: wrong.callingTitle, address: wrong.address })]
  }
  const insecure = knocks.find(knock => knock.type === 'tls-failed')
  if (insecure !== undefined) return [found('return-tls-failed', { ...facts, address: insecure.address, reason: insecure.why })]
  const mute = knocks.find(knock => knock.type === 'accepted' && knock.contexts === 0)
  if (mute !== undefined) return [found('return-nothing-agreed', { ...facts, address: mute.address })]
  const broken = knocks.find(knock => knock.type === 'ended')
  if (broken !== undefined) return [found('return-broken', { ...facts, address: broken.address, reason: broken.why })]
  if (result === undefined) return [found('move-silent')]
  // It tried, and did not get through to us.
  if ((result.failed ?? 0) > 0) return [found('move-unreachable', facts)]
  return [found(result.status === STATUS.success ? 'move-elsewhere' : 'move-refused', facts)]
}
