/** C-MOVE, asked: the peer sends what matches to a title that it knows. Source: DICOM PS3.7 §9.1.4, PS3.4 §C.4.2. */

import { encodeDataset } from '#standards/dicom/dataset.ts'
import type { DicomJson } from '#standards/dicom/json.ts'
import type { Association } from './association.ts'
import { COMMAND } from './command.ts'
import { QUERY_RETRIEVE, moveResult, subOperations, type Model, type MoveResult, type SubOperations } from './query-retrieve.ts'

export interface MoveRequest {
  /** Query/Retrieve Level (0008,0052) and the unique keys of that level and above. */
  readonly identifier: DicomJson
  /** AE title to send to: the peer must have its address. */
  readonly destination: string
  /** Study Root unless told. */
  readonly model?: Model
  /** 0 medium, 1 high, 2 low. */
  readonly priority?: number
  /** What the stores will name as their originator's; see nextMessageId. */
  readonly messageId?: number
  /** Sends C-CANCEL; the final response, if it still comes in time, says what was done. */
  readonly signal?: AbortSignal
  readonly onPending?: (progress: SubOperations) => void
}

/**
 * Resolves with whatever final status comes, failure and warning included.
 *
 * @throws PeerError PACS_CONTEXT, and what {@link Association.perform} throws: there was no final response
 */
export async function move (association: Association, request: MoveRequest): Promise<MoveResult> {
  const { identifier, destination, model = 'study', priority = 0, messageId, signal, onPending } = request
  const context = association.context(QUERY_RETRIEVE[model].move)
  const response = await association.perform({
    context,
    command: { AffectedSOPClassUID: context.abstractSyntax, CommandField: COMMAND.move, MoveDestination: destination, Priority: priority },
    messageId,
    identifier: encodeDataset(identifier, context.transferSyntax),
    signal,
    onPending: pending => onPending?.(subOperations(pending.command))
  })
  return moveResult(response, context.transferSyntax)
}
