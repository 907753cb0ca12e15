/**
 * How much of a series or study we have, told honestly.
 */

export interface Completeness {
  /** `filling` while it arrives; `partial` when the PACS has, or may have, more than it sent. */
  readonly state: 'filling' | 'complete' | 'partial'
  /** Instances that we hold. */
  readonly held: number
  /** Instances that the PACS says it has; undefined when it wouldn't say. */
  readonly expected?: number
  /** Why it is partial: a code of core/errors.ts. */
  readonly reason?: string
}

/** `complete`, or `312 of 320 (PACS_INCOMPLETE)`. */
export function sayCompleteness ({ state, held, expected, reason }: Completeness): string {
  if (state === 'complete') return 'complete'
  const count = expected === undefined ? `${held}` : `${held} of ${expected}`
  return reason === undefined ? count : `${count} (${reason})`
}
