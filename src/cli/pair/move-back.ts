/**
 * The way back itself: a C-MOVE of one object to our own title, with our own listener at the other end.
 *
 * Source: DICOM PS3.4 §C.4.2.
 */

import { setTimeout as after } from 'node:timers/promises'
import type { Config } from '#box/config.ts'
import { Senders } from '#box/pacs/senders.ts'
import { PeerError, SettingError } from '#core/errors.ts'
import { withAssociation } from '#standards/dimse/association.ts'
import { move } from '#standards/dimse/move.ts'
import type { MoveResult } from '#standards/dimse/query-retrieve.ts'
import { STATUS, statusText } from '#standards/dimse/status.ts'
import { MOVE_PROPOSAL, portion } from '../questions.ts'
import { openCatcher, type Arrival, type Catcher } from './catcher.ts'
import { judgeMove } from './judge.ts'
import { refusal, type Reach } from './reach.ts'
import type { SmallObject } from './small-object.ts'
import { found, type Finding, type Outcome } from './step.ts'

const PORT_FINDINGS: Readonly<Record<string, Finding['name']>> = { EADDRINUSE: 'port-taken', EACCES: 'port-forbidden' }

/** Some PACS name the class of an object only when they send it. */
export interface MovedBack extends Outcome { readonly sopClassUid?: string }

/** @param lateSeconds how long an object may come after the PACS has said that all is sent */
export async function moveBack (config: Config, reach: Reach, object: SmallObject, lateSeconds: number): Promise<MovedBack> {
  if (config.dimse.port === 0) return { mark: 'failed', findings: [found('port-random')] }
  let catcher: Catcher
  try {
    catcher = await openCatcher(config, object.sopInstanceUid)
  } catch (error) {
    if (!(error instanceof SettingError)) throw error
    const reason = String(error.facts.reason)
    return { mark: 'failed', findings: [found(PORT_FINDINGS[reason] ?? 'port-failed', { reason, host: config.dimse.host })] }
  }
  try {
    return await caughtBack(config, reach, object, catcher, lateSeconds)
  } finally {
    await catcher.close()
  }
}

async function caughtBack (config: Config, { peer, timers, signal }: Reach, object: SmallObject, catcher: Catcher, lateSeconds: number): Promise<MovedBack> {
  const began = performance.now()
  let result: MoveResult | undefined
  try {
    result = await withAssociation(peer, [MOVE_PROPOSAL], { signal, timers }, async association => await move(association, {
      identifier: portion(object.studyUid, object.seriesUid, object.sopInstanceUid), destination: config.dimse.aeTitle, signal
    }))
  } catch (error) {
    // Silence after the request may still have brought the object; anything else is an answer of its own.
    if (!(error instanceof PeerError) || error.code !== 'PACS_TIMEOUT') return { mark: 'failed', findings: [refusal(error)] }
  }
  // Some say that all is sent while they still send it.
  if (catcher.arrival === undefined && result?.status === STATUS.success) {
    await Promise.race([catcher.arrived, after(lateSeconds * 1000, undefined, { signal, ref: false }).catch(() => {})])
  }
  const { arrival, knocks } = catcher
  const request = knocks.find(knock => knock.type === 'request' && (arrival === undefined || knock.address === arrival.address))
  const facts = {
    ...result !== undefined && { status: statusText(result.status), comment: result.errorComment },
    ...request?.type === 'request' && { offeredSyntaxes: request.offered }
  }
  if (arrival === undefined) return { mark: 'failed', facts, findings: judgeMove(result, knocks, config.dimse.aeTitle) }
  const findings = [...await strangers(config, arrival), ...result === undefined ? [found('move-silent')] : []]
  return { mark: findings.length > 0 ? 'failed' : 'passed', sopClassUid: arrival.sopClassUid, facts: { ...facts, ...arrivalFacts(arrival, began) }, findings }
}

/** The box is stricter than this proof: would it have let this caller in? */
async function strangers (config: Config, { callingTitle, address }: Arrival): Promise<Finding[]> {
  const senders = new Senders(config.pacs)
  await senders.refresh()
  senders.close()
  return senders.admits(callingTitle, address) ? [] : [found('sender-not-admitted', { callingTitle, address })]
}

export function arrivalFacts (arrival: Arrival, began: number): NonNullable<Outcome['facts']> {
  const { callingTitle, address, transferSyntaxUid, bytes, transferMilliseconds, at } = arrival
  return {
    callingTitle,
    fromAddress: address,
    transferSyntaxUid,
    bytes,
    arrivedMilliseconds: Math.round(at - began),
    ...transferMilliseconds >= 1 && { bytesPerSecond: Math.round(bytes / transferMilliseconds * 1000) }
  }
}
