/**
 * What C-FIND, C-MOVE and C-GET have in common: the two information models that are alive, and the counts of
 * sub-operations.
 *
 * Source: DICOM PS3.4 §C.3, §C.6, Annex C; PS3.7 §9.1.3, §9.1.4.
 */

import { decodeDataset } from '#standards/dicom/dataset.ts'
import type { Response } from './association.ts'
import type { CommandSet } from './command.ts'

/** Study Root or Patient Root. */
export type Model = 'study' | 'patient'

export const QUERY_RETRIEVE = {
  patient: { find: '1.2.840.10008.5.1.4.1.2.1.1', move: '1.2.840.10008.5.1.4.1.2.1.2', get: '1.2.840.10008.5.1.4.1.2.1.3' },
  study: { find: '1.2.840.10008.5.1.4.1.2.2.1', move: '1.2.840.10008.5.1.4.1.2.2.2', get: '1.2.840.10008.5.1.4.1.2.2.3' }
} as const satisfies Record<Model, Record<string, string>>

/** As the peer counts them, where it does. */
export interface SubOperations {
  readonly remaining?: number
  readonly completed?: number
  readonly failed?: number
  readonly warning?: number
}

export interface MoveResult extends SubOperations {
  readonly status: number
  /** SOP Instance UIDs that the peer says it couldn't send. */
  readonly failedUids: readonly string[]
  readonly errorComment?: string
}

const FAILED_SOP_INSTANCE_UID_LIST = '00080058'

export function subOperations (command: CommandSet): SubOperations {
  return {
    ...(command.NumberOfRemainingSuboperations === undefined ? {} : { remaining: command.NumberOfRemainingSuboperations }),
    ...(command.NumberOfCompletedSuboperations === undefined ? {} : { completed: command.NumberOfCompletedSuboperations }),
    ...(command.NumberOfFailedSuboperations === undefined ? {} : { failed: command.NumberOfFailedSuboperations }),
    ...(command.NumberOfWarningSuboperations === undefined ? {} : { warning: command.NumberOfWarningSuboperations })
  }
}

export function moveResult ({ status, command, identifier }: Response, transferSyntax: string): MoveResult {
  return {
    status,
    ...subOperations(command),
    failedUids: identifier === undefined ? [] : failedUids(identifier, transferSyntax),
    ...(command.ErrorComment === undefined ? {} : { errorComment: command.ErrorComment })
  }
}

function failedUids (identifier: Buffer, transferSyntax: string): string[] {
  const list = decodeDataset(identifier, transferSyntax)[FAILED_SOP_INSTANCE_UID_LIST]
  return (list?.Value ?? []).filter(uid => typeof uid === 'string')
}
