/**
 * Why an association was refused or aborted, in the standard's words.
 *
 * Source: DICOM PS3.8 Table 9-18 (A-ASSOCIATE-AC), Table 9-21 (A-ASSOCIATE-RJ), Table 9-26 (A-ABORT).
 */

import { PeerError } from '#core/errors.ts'

/** A-ASSOCIATE-RJ: result, source and reason, as numbers on the wire. */
export interface Rejection {
  readonly result: number
  readonly source: number
  readonly reason: number
}

export const REJECTIONS = {
  noReason: { result: 1, source: 1, reason: 1 },
  applicationContext: { result: 1, source: 1, reason: 2 },
  callingTitle: { result: 1, source: 1, reason: 3 },
  calledTitle: { result: 1, source: 1, reason: 7 },
  protocolVersion: { result: 1, source: 2, reason: 2 },
  congestion: { result: 2, source: 3, reason: 1 },
  localLimit: { result: 2, source: 3, reason: 2 }
} as const satisfies Record<string, Rejection>

const REJECTION_WORDS: Readonly<Record<number, Readonly<Record<number, string>>>> = {
  1: { 1: 'no-reason-given', 2: 'application-context-name-not-supported', 3: 'calling-AE-title-not-recognized', 7: 'called-AE-title-not-recognized' },
  2: { 1: 'no-reason-given', 2: 'protocol-version-not-supported' },
  3: { 1: 'temporary-congestion', 2: 'local-limit-exceeded' }
}

/** The words of Table 9-21, for example 'called-AE-title-not-recognized'. */
export function rejectionWords ({ source, reason }: Rejection): string {
  return REJECTION_WORDS[source]?.[reason] ?? 'reserved'
}

/** A-ABORT, source 2 (service-provider): the reason on the wire. */
export const ABORT = {
  notSpecified: 0,
  unrecognizedPdu: 1,
  unexpectedPdu: 2,
  unrecognizedParameter: 4,
  unexpectedParameter: 5,
  invalidParameter: 6
} as const

export type AbortReason = typeof ABORT[keyof typeof ABORT]

const ABORT_WORDS: Readonly<Record<number, string>> = {
  0: 'reason-not-specified',
  1: 'unrecognized-PDU',
  2: 'unexpected-PDU',
  4: 'unrecognized-PDU-parameter',
  5: 'unexpected-PDU-parameter',
  6: 'invalid-PDU-parameter-value'
}

/** The words of Table 9-26; a service-user gives none. */
export function abortWords (source: number, reason: number): string {
  return source === 2 ? ABORT_WORDS[reason] ?? 'reserved' : 'service-user'
}

const CONTEXT_WORDS: Readonly<Record<number, string>> = {
  0: 'acceptance',
  1: 'user-rejection',
  2: 'no-reason',
  3: 'abstract-syntax-not-supported',
  4: 'transfer-syntaxes-not-supported'
}

/** The words of Table 9-18 for the result of one presentation context. */
export function contextWords (result: number): string {
  return CONTEXT_WORDS[result] ?? 'reserved'
}

/** The peer broke PS3.8 or PS3.7; carries the reason that our A-ABORT will give. */
export class ProtocolViolation extends PeerError {
  readonly abortReason: AbortReason

  constructor (abortReason: AbortReason, message: string, facts: Record<string, string | number> = {}) {
    super('PROTOCOL_VIOLATION', message, { facts: { ...facts, reason: abortWords(2, abortReason) } })
    this.abortReason = abortReason
  }
}
