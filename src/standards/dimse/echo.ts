/** C-ECHO, asked: is anybody there who speaks DICOM with us? Source: DICOM PS3.7 §9.1.5, PS3.4 Annex A. */

import { PeerError } from '#core/errors.ts'
import type { Association } from './association.ts'
import { COMMAND } from './command.ts'
import { STATUS, statusText } from './status.ts'

export const VERIFICATION = '1.2.840.10008.1.1'

/** @throws PeerError PACS_STATUS when the answer is not success, PACS_CONTEXT, and what {@link Association.perform} throws */
export async function echo (association: Association, signal?: AbortSignal): Promise<void> {
  const { status, command } = await association.perform({
    context: association.context(VERIFICATION),
    command: { AffectedSOPClassUID: VERIFICATION, CommandField: COMMAND.echo },
    signal
  })
  if (status !== STATUS.success) {
    throw new PeerError('PACS_STATUS', 'the echo failed', { facts: { status: statusText(status), errorComment: command.ErrorComment } })
  }
}
