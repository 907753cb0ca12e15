/**
 * In which transfer syntax an object leaves: bytes as stored wherever the caller bears them, another
 * coding only where the Accept demands it.
 *
 * Source: RFC 9110 §12.5.1, DICOM PS3.18 §8.7.3.5.2 and §8.7.8; docs/decisions/0021-which-syntax-leaves.md.
 */

import { transferSyntax } from '#standards/dicom/transfer-syntax.ts'
import type { ObjectAccept } from './accept.ts'

/** A weight above this means "gladly", as the national demonstrator reads it: no work is done for more. */
export const GLADLY = 0.7

/**
 * All that may leave, the best first; the stored syntax among them if it is acceptable. Empty when
 * nothing is: a 406.
 *
 * - The stored syntax comes first when it is accepted gladly, or when nothing is liked more.
 * - What has been stored with loss isn't coded without loss for a higher weight: nothing is won.
 * - A coding that loses something is made only for a caller who named it.
 *
 * @param makeable what this object can be made into, ours first among equals
 * @param loses whether something is lost by making this one
 */
export function rankSyntaxes (accept: ObjectAccept, stored: string, makeable: readonly string[], loses: (transferSyntaxUid: string) => boolean): readonly string[] {
  const storedWeight = accept.accepts(stored)
  const named = new Set(accept.preference)
  const made = makeable
    .filter(uid => uid !== stored && accept.accepts(uid) > 0 && (!loses(uid) || named.has(uid)))
    .sort((a, b) => accept.accepts(b) - accept.accepts(a))
  if (storedWeight === 0) return made
  const isLossy = transferSyntax(stored).lossy
  const better = storedWeight > GLADLY ? [] : made.filter(uid => accept.accepts(uid) > storedWeight && (!isLossy || loses(uid)))
  // Behind the stored one stands nothing: it can always be given.
  return [...better, stored]
}
