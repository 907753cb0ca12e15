/**
 * Options and arguments of one verb, read strictly: what isn't known is told, never passed over.
 */

import { parseArgs } from 'node:util'
import type { Words } from './words.ts'

/** The command line itself is wrong. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

export type OptionKinds = Readonly<Record<string, 'text' | 'flag'>>

export interface Given {
  readonly positionals: readonly string[]
  text (name: string): string | undefined
  flag (name: string): boolean
}

/** Every verb has these. */
const COMMON: OptionKinds = { help: 'flag', lang: 'text' }

/** @throws UsageError */
export function readOptions (args: readonly string[], kinds: OptionKinds, words: Words): Given {
  const known = { ...COMMON, ...kinds }
  const { tokens, positionals } = parseArgs({
    args: [...args],
    strict: false,
    allowPositionals: true,
    tokens: true,
    options: Object.fromEntries(Object.entries(known).map(([name, kind]) => [name, { type: kind === 'text' ? 'string' as const : 'boolean' as const }]))
  })
  const texts = new Map<string, string>()
  const flags = new Set<string>()
  for (const token of tokens) {
    if (token.kind !== 'option') continue
    const kind = Object.hasOwn(known, token.name) ? known[token.name] : undefined
    if (kind === undefined) throw new UsageError(words.usage.unknownOption(token.rawName))
    if (kind === 'flag') {
      if (token.value !== undefined) throw new UsageError(words.usage.noValue(token.rawName))
      flags.add(token.name)
    } else {
      if (token.value === undefined || token.value === '') throw new UsageError(words.usage.needsValue(token.rawName))
      texts.set(token.name, token.value)
    }
  }
  return {
    positionals,
    text: name => texts.get(name),
    flag: name => flags.has(name)
  }
}

/** @throws UsageError when there are more arguments than `max`, or fewer than `min` */
export function assertCount ({ positionals }: Given, min: number, max: number, words: Words): void {
  if (positionals.length < min) throw new UsageError(words.usage.missingArgument)
  if (positionals.length > max) throw new UsageError(words.usage.extraArgument(positionals[max]!))
}

/** @throws UsageError when the option is given and is none of `choices` */
export function choice<T extends string> (given: Given, name: string, choices: readonly T[], words: Words): T | undefined {
  const value = given.text(name)
  if (value === undefined) return undefined
  const found = choices.find(one => one === value)
  if (found === undefined) throw new UsageError(words.usage.oneOf(`--${name}`, choices))
  return found
}

/** @throws UsageError when the option is given and isn't a whole number within bounds */
export function wholeNumber (given: Given, name: string, min: number, max: number, words: Words): number | undefined {
  const value = given.text(name)
  if (value === undefined) return undefined
  const number = /^\d{1,10}$/.test(value) ? Number(value) : NaN
  if (!(number >= min && number <= max)) throw new UsageError(words.usage.between(`--${name}`, min, max))
  return number
}
