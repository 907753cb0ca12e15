/**
 * Presentation contexts for the stores of a C-GET: one for each syntax, so that the PACS can send every object as
 * it holds it, as long as there is room for that.
 *
 * Source: DICOM PS3.8 §7.1.1.13, PS3.7 §D.3.3.4.
 */

import { STORAGE_CLASSES } from '#standards/dicom/sop-class.ts'
import { oneContextPerSyntax, type Proposal } from '#standards/dimse/proposal.ts'

/** 128 in an association, less the one of the C-GET itself. */
const CONTEXTS_MAX = 127

/** @param classes as C-FIND named them; where it named none, the storage classes that there are */
export function storeProposals (classes: readonly (string | undefined)[], transferSyntaxes: readonly string[]): Proposal[] {
  const named = [...new Set(classes.filter(uid => uid !== undefined))]
  const proposals = (named.length > 0 ? named : [...STORAGE_CLASSES.keys()]).map(abstractSyntax => ({ abstractSyntax, transferSyntaxes, scpRole: true }))
  return proposals.length * transferSyntaxes.length <= CONTEXTS_MAX ? oneContextPerSyntax(proposals) : proposals.slice(0, CONTEXTS_MAX)
}
