/**
 * A failure as a person at a terminal reads it: the stable code first, then what it means in his language, the
 * facts, and what to do about it where we know.
 */

import { DrimboxError, type Facts } from '#core/errors.ts'
import { problem } from '#standards/dicomweb/problem.ts'
import type { BoxRefusal } from './admin.ts'
import { printable } from './table.ts'
import type { Words } from './words.ts'

/** A setting's name and a cause's are the same in every language, and so is a message of settings. */
export function tellFailure (error: unknown, words: Words): string {
  if (!(error instanceof DrimboxError)) return `INTERNAL: ${error instanceof Error ? error.stack ?? error.message : String(error)}`
  const { body } = problem(error, words.language)
  const lines = [`${error.code}: ${body.title} (${error.message})`]
  const facts = factsLine(error.facts)
  if (facts !== '') lines.push(`  ${facts}`)
  const cause = error.cause instanceof Error ? error.cause.message : undefined
  if (cause !== undefined) lines.push(`  ${cause}`)
  const advice = typeof error.facts.reason === 'string' ? words.advice[error.facts.reason] : typeof error.facts.why === 'string' ? words.advice[error.facts.why] : undefined
  if (advice !== undefined) lines.push(`  → ${advice}`)
  return lines.map(printable).join('\n')
}

/** What another process of ours refused, in its words. */
export function tellRefusal ({ code, message, facts }: BoxRefusal): string {
  return [`${code}: ${message}`, ...Object.keys(facts).length === 0 ? [] : [`  ${factsLine(facts)}`]].map(printable).join('\n')
}

export function factsLine (facts: Facts): string {
  return Object.entries(facts)
    .filter(([, value]) => value !== undefined && value !== '')
    .map(([name, value]) => `${name}=${Array.isArray(value) ? value.join(',') : String(value)}`)
    .join(' ')
}
