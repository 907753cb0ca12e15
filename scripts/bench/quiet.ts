/**
 * Waits until a process has nothing left to do, so that one run's aftermath isn't the next one's cost.
 */

import { setTimeout as sleep } from 'node:timers/promises'
import { cpuSeconds } from './measure.ts'

/** A tick of CPU time is 10 ms: this long without one is rest. */
const REST_MS = 150
const PATIENCE_MS = 30_000

export async function quiet (pid: number): Promise<void> {
  const until = performance.now() + PATIENCE_MS
  for (let before = -1, now = cpuSeconds(pid); now !== before && performance.now() < until; now = cpuSeconds(pid)) {
    before = now
    await sleep(REST_MS)
  }
}
