/**
 * Presentation contexts: what is proposed, and what stands.
 *
 * Source: DICOM PS3.8 §7.1.1.13, §9.3.2.2; PS3.7 §D.3.3.4 (role selection), §D.3.3.5 (extended negotiation).
 */

import type { ProposedContext } from './associate.ts'

export interface Proposal {
  readonly abstractSyntax: string
  readonly transferSyntaxes: readonly string[]
  /** We are ready to be the SCP of this class on an association that we ask for: the stores of a C-GET. */
  readonly scpRole?: boolean
  /** Service class application information, for example relational queries (PS3.4 §C.5.1.1). */
  readonly extended?: Uint8Array
}

/** An accepted one. */
export interface Context {
  readonly id: number
  readonly abstractSyntax: string
  readonly transferSyntax: string
}

/** Odd numbers from 1 to 255. */
const CONTEXTS_MAX = 128

/**
 * One context for each transfer syntax, so that the peer can send each object as it has it instead of choosing
 * one syntax for all. First come the first choices of every class; what goes beyond 128 contexts is left out.
 */
export function oneContextPerSyntax (proposals: readonly Proposal[]): Proposal[] {
  const ranks = Math.max(0, ...proposals.map(({ transferSyntaxes }) => transferSyntaxes.length))
  const expanded: Proposal[] = []
  for (let rank = 0; rank < ranks; rank++) {
    for (const proposal of proposals) {
      const transferSyntax = proposal.transferSyntaxes[rank]
      if (transferSyntax !== undefined) expanded.push({ ...proposal, transferSyntaxes: [transferSyntax] })
    }
  }
  return expanded.slice(0, CONTEXTS_MAX)
}

export function numberContexts (proposals: readonly Proposal[]): ProposedContext[] {
  return proposals.slice(0, CONTEXTS_MAX).map(({ abstractSyntax, transferSyntaxes }, index) => ({ id: 2 * index + 1, abstractSyntax, transferSyntaxes }))
}
