/**
 * What we answer to the presentation contexts of a peer.
 *
 * Source: DICOM PS3.8 §9.3.3.2, Table 9-18. Of the transfer syntaxes offered for a context we take the first in
 * our own order.
 */

import type { AnsweredContext, ProposedContext } from './associate.ts'
import type { Context } from './proposal.ts'

const ACCEPTANCE = 0
const ABSTRACT_SYNTAX_NOT_SUPPORTED = 3
const TRANSFER_SYNTAXES_NOT_SUPPORTED = 4

export interface Negotiated {
  readonly answers: readonly AnsweredContext[]
  readonly accepted: ReadonlyMap<number, Context>
}

/** Contexts with an even number, or with one that was used before, are passed over. */
export function negotiate (proposed: readonly ProposedContext[], abstractSyntaxes: ReadonlySet<string>, transferSyntaxes: readonly string[]): Negotiated {
  const answers = new Map<number, AnsweredContext>()
  const accepted = new Map<number, Context>()
  for (const { id, abstractSyntax, transferSyntaxes: offered } of proposed) {
    if (id % 2 === 0 || answers.has(id)) continue
    const known = abstractSyntaxes.has(abstractSyntax)
    const transferSyntax = transferSyntaxes.find(syntax => offered.includes(syntax))
    if (known && transferSyntax !== undefined) accepted.set(id, { id, abstractSyntax, transferSyntax })
    answers.set(id, {
      id,
      result: !known ? ABSTRACT_SYNTAX_NOT_SUPPORTED : transferSyntax === undefined ? TRANSFER_SYNTAXES_NOT_SUPPORTED : ACCEPTANCE,
      transferSyntax: transferSyntax ?? offered[0] ?? ''
    })
  }
  return { answers: [...answers.values()], accepted }
}
