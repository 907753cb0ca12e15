/** In which language we speak: French unless the reader asks for English. All sentences lie in words-fr.ts and words-en.ts. */

import { english } from './words-en.ts'
import { french, type Words } from './words-fr.ts'

export type { Words }

/** What was asked for, else what the environment says; anything but English is French. */
export function wordsFor (asked: string | undefined, env: Readonly<Record<string, string | undefined>>): Words {
  const language = asked ?? [env.LC_ALL, env.LC_MESSAGES, env.LANG].find(value => value !== undefined && value !== '') ?? ''
  return /^en/i.test(language) ? english : french
}
