/**
 * C-GET, asked: what matches comes back on the same association, to the `onStore` that was given when it was opened.
 *
 * Source: DICOM PS3.7 §9.1.3, PS3.4 §C.4.3. The storage classes must have been proposed with `scpRole`.
 */

import { encodeDataset } from '#standards/dicom/dataset.ts'
import type { Association } from './association.ts'
import { COMMAND } from './command.ts'
import type { MoveRequest } from './move.ts'
import { QUERY_RETRIEVE, moveResult, subOperations, type MoveResult } from './query-retrieve.ts'

export type GetRequest = Omit<MoveRequest, 'destination'>

/**
 * Resolves with whatever final status comes, failure and warning included.
 *
 * @throws PeerError PACS_CONTEXT, and what {@link Association.perform} throws: there was no final response
 */
export async function get (association: Association, request: GetRequest): Promise<MoveResult> {
  const { identifier, model = 'study', priority = 0, messageId, signal, onPending } = request
  const context = association.context(QUERY_RETRIEVE[model].get)
  const response = await association.perform({
    context,
    command: { AffectedSOPClassUID: context.abstractSyntax, CommandField: COMMAND.get, Priority: priority },
    messageId,
    identifier: encodeDataset(identifier, context.transferSyntax),
    signal,
    onPending: pending => onPending?.(subOperations(pending.command))
  })
  return moveResult(response, context.transferSyntax)
}
