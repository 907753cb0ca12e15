/**
 * Which packs must go, so that the disk never fills and nothing is kept longer than agreed.
 *
 * Pure arithmetic over what the cache holds; the cache does the removing.
 */

export interface EvictLimits {
  /** All packs together, in bytes. */
  readonly bytesMax: number
  /** Since a series was received, in seconds, whether it is read or not. */
  readonly ageSecondsMax: number
  /** What the disk must keep free for everything else, in bytes. */
  readonly diskFreeBytesMin: number
}

export interface Held {
  readonly bytes: number
  /** Milliseconds since 1970. */
  readonly createdAt: number
  readonly usedAt: number
  /** Being read or filled: must stay. */
  readonly inUse: boolean
}

export interface Disk {
  readonly freeBytes: number
  /** What is likely to arrive before we look again, in bytes. */
  readonly forecastBytes: number
}

/** @returns what must go, the longest unread first; what is in use stays even when that isn't enough */
export function chooseEvicted<T extends Held> (all: Iterable<T>, limits: EvictLimits, disk: Disk, now: number): T[] {
  const byUse = [...all].sort((a, b) => a.usedAt - b.usedAt)
  const evicted: T[] = []
  let held = byUse.reduce((sum, one) => sum + one.bytes, 0)
  let free = disk.freeBytes
  const freeMin = limits.diskFreeBytesMin + disk.forecastBytes
  for (const one of byUse) {
    // A clock that was set back must not keep anything for years.
    const tooOld = Math.abs(now - one.createdAt) > limits.ageSecondsMax * 1000
    const tooMuch = held + disk.forecastBytes > limits.bytesMax || free < freeMin
    if (one.inUse || !(tooOld || tooMuch)) continue
    evicted.push(one)
    held -= one.bytes
    free += one.bytes
  }
  return evicted
}

/** The next quarter of an hour is taken to bring as much as the busiest of the last four did. */
const WINDOW_MS = 15 * 60_000
const WINDOWS = 4

/** Counts what arrives, to say what is likely to arrive next. */
export class Forecast {
  readonly #windows = new Map<number, number>()

  add (bytes: number, now: number): void {
    const window = Math.floor(now / WINDOW_MS)
    this.#windows.set(window, (this.#windows.get(window) ?? 0) + bytes)
    for (const old of this.#windows.keys()) {
      // Windows yet to come are those of a clock that has been set back.
      if (old <= window - WINDOWS || old > window) this.#windows.delete(old)
    }
  }

  /** Bytes likely to arrive within the next quarter of an hour. */
  bytes (now: number): number {
    const window = Math.floor(now / WINDOW_MS)
    let most = 0
    for (const [at, bytes] of this.#windows) {
      if (at > window - WINDOWS && at <= window) most = Math.max(most, bytes)
    }
    return most
  }
}
