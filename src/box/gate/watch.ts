/**
 * How long one waits for a good start: as long as there is progress, and no longer than a limit.
 *
 * A clock alone would judge a slow machine: the first start under load has taken a *good* version's
 * tries away. So what counts is that something that failed before is well now.
 */

import { setTimeout as delay } from 'node:timers/promises'
import type { Finding, Probe } from './probes.ts'

export interface Patience {
  /** In all: the slowest first boot seen, emulated and on a loaded machine, took 114 s. Seconds. */
  readonly seconds: number
  /** Without anything new. Seconds. */
  readonly standstillSeconds: number
}

/** Between two rounds, in milliseconds: a starting machine has better things to do. */
const PAUSE_MS = 2000

/**
 * Asks until all is well, until waiting can't help, or until patience ends.
 *
 * @param tell called with each finding when it is new
 * @returns the first finding left, or undefined when all is well
 */
export async function watch (probes: readonly Probe[], patience: Patience, tell: (finding: Finding) => void, pauseMs = PAUSE_MS): Promise<Finding | undefined> {
  const began = performance.now()
  let movedAt = began
  let last = ''
  for (;;) {
    const findings = (await Promise.all(probes.map(async probe => await probe()))).filter(finding => finding !== undefined)
    const [first] = findings
    if (first === undefined) return undefined
    const final = findings.find(({ isFinal }) => isFinal === true)
    if (final !== undefined) return final
    const now = performance.now()
    const state = findings.map(({ code, detail }) => `${code} ${detail}`).join()
    if (state !== last) {
      movedAt = now
      last = state
      findings.forEach(tell)
    }
    if (now - began > patience.seconds * 1000 || now - movedAt > patience.standstillSeconds * 1000) return first
    await delay(pauseMs)
  }
}
