/**
 * The same object by C-GET: on the association that asks, so that nothing has to be declared in the PACS but our
 * right to ask.
 *
 * Source: DICOM PS3.4 §C.4.3.
 */

import { RECEIVED_SYNTAXES } from '#box/pacs/syntaxes.ts'
import { withAssociation } from '#standards/dimse/association.ts'
import { get } from '#standards/dimse/get.ts'
import { statusText } from '#standards/dimse/status.ts'
import { GET_PROPOSAL, portion } from '../questions.ts'
import { storeProposals } from '../store-proposals.ts'
import { catchOne, type Arrival } from './catcher.ts'
import { arrivalFacts } from './move-back.ts'
import { refusal, type Reach } from './reach.ts'
import type { SmallObject } from './small-object.ts'
import { found, type Outcome } from './step.ts'

export async function getBack ({ peer, timers, signal }: Reach, object: SmallObject): Promise<Outcome> {
  const began = performance.now()
  let arrival: Arrival | undefined
  const onStore = catchOne(object.sopInstanceUid, caught => { arrival ??= caught })
  try {
    const proposals = [GET_PROPOSAL, ...storeProposals([object.sopClassUid], RECEIVED_SYNTAXES)]
    return await withAssociation(peer, proposals, { signal, timers, onStore }, async association => {
      const acceptedSyntaxes = [...new Set(association.contexts.filter(({ abstractSyntax }) => abstractSyntax === object.sopClassUid).map(({ transferSyntax }) => transferSyntax))]
      const result = await get(association, { identifier: portion(object.studyUid, object.seriesUid, object.sopInstanceUid), signal })
      const facts = { status: statusText(result.status), comment: result.errorComment, acceptedSyntaxes }
      if (arrival !== undefined) return { facts: { ...facts, ...arrivalFacts(arrival, began) } }
      return { mark: 'failed', facts, findings: [found((result.failed ?? 0) > 0 || result.status !== 0 ? 'get-failed' : 'get-nothing', { ...facts, failed: result.failed })] }
    })
  } catch (error) {
    return { mark: 'failed', findings: [refusal(error)] }
  }
}
