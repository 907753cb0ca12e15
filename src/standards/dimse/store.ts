/** C-STORE, asked: sends one object. Source: DICOM PS3.7 §9.1.1, §9.3.1; PS3.4 Annex B. */

import type { Association } from './association.ts'
import { COMMAND } from './command.ts'
import type { ObjectSource } from './send-object.ts'

export interface StoredObject {
  readonly sopClassUid: string
  readonly sopInstanceUid: string
  readonly transferSyntaxUid: string
  readonly dataset: ObjectSource
  /** Where a C-MOVE asked for it: who, and by which message. */
  readonly moveOriginator?: { readonly title: string, readonly messageId: number }
  /** 0 medium, 1 high, 2 low. */
  readonly priority?: number
  /** Ends the association: there is no other way to stop a C-STORE. */
  readonly signal?: AbortSignal
}

export interface StoreResult {
  readonly status: number
  readonly errorComment?: string
}

/**
 * Resolves with whatever the peer answers; a failure is an answer.
 *
 * @throws PeerError PACS_CONTEXT, and what {@link Association.perform} throws; what the source of the data set throws
 */
export async function store (association: Association, object: StoredObject): Promise<StoreResult> {
  const { sopClassUid, sopInstanceUid, transferSyntaxUid, dataset, moveOriginator, priority = 0, signal } = object
  const { status, command } = await association.perform({
    context: association.context(sopClassUid, [transferSyntaxUid]),
    command: {
      AffectedSOPClassUID: sopClassUid,
      CommandField: COMMAND.store,
      Priority: priority,
      AffectedSOPInstanceUID: sopInstanceUid,
      MoveOriginatorApplicationEntityTitle: moveOriginator?.title,
      MoveOriginatorMessageID: moveOriginator?.messageId
    },
    object: dataset,
    signal
  })
  return { status, ...(command.ErrorComment === undefined ? {} : { errorComment: command.ErrorComment }) }
}
