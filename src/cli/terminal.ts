/**
 * What a verb sees of the world: lines out, lines of complaint, one line of progress that comes and goes, and the
 * words of the reader's language. Handed in, so that a test reads what a person would.
 */

import type { Words } from './words.ts'

export interface Terminal {
  readonly words: Words
  /** Fires on Ctrl-C. */
  readonly signal: AbortSignal
  /** A line, or several, of the answer. */
  out (text: string): void
  /** A line for people, beside the answer. */
  err (text: string): void
  /** Replaces the line of progress; nothing where nobody watches. Undefined wipes it. */
  progress (text: string | undefined): void
}

/** Exit codes, documented in each `--help`. */
export const EXIT = { ok: 0, failed: 1, usage: 2 } as const

/** One verb of the command line. @returns the exit code */
export type Verb = (args: readonly string[], terminal: Terminal) => Promise<number>

/** Progress is drawn at most this often, in milliseconds. */
const PROGRESS_EVERY_MS = 100

export function openTerminal (words: Words, signal: AbortSignal): Terminal {
  const { stdout, stderr } = process
  let isDrawn = false
  let drawnAt = 0
  const wipe = (): void => {
    if (isDrawn) stderr.write('\r\x1b[2K')
    isDrawn = false
  }
  return {
    words,
    signal,
    out (text) {
      wipe()
      stdout.write(`${text}\n`)
    },
    err (text) {
      wipe()
      stderr.write(`${text}\n`)
    },
    progress (text) {
      if (!stderr.isTTY) return
      if (text === undefined) {
        wipe()
        return
      }
      const now = performance.now()
      if (isDrawn && now - drawnAt < PROGRESS_EVERY_MS) return
      drawnAt = now
      stderr.write(`\r\x1b[2K${text.slice(0, (stderr.columns ?? 80) - 1)}`)
      isDrawn = true
    }
  }
}
