/**
 * What a process has used, what others used meanwhile, and the middle of several readings.
 *
 * Source: proc(5). CPU time counts whole ticks, of children too, ended or not; memory is the peak
 * resident set since the last {@link resetPeak}.
 */

import { readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs'

/** USER_HZ, the same on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100
/** Of one core: beyond this a round is marked. */
export const FOREIGN_CORES_MAX = 0.1

/** CPU seconds, in user and kernel mode, of a process and all that it has ever forked. */
export function cpuSeconds (pid: number): number {
  return ticks(pid) / TICKS_PER_SECOND
}

export function residentBytes (pid: number): number {
  return statusBytes(pid, 'VmRSS')
}

export function peakBytes (pid: number): number {
  return statusBytes(pid, 'VmHWM')
}

/** Of a process, the main one among them. */
export function threads (pid: number): number {
  return Number(/^Threads:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))![1])
}

/** What a process holds open: each descriptor's target, such as `socket:[123]` or a path. */
export function descriptors (pid: number): string[] {
  return readdirSync(`/proc/${pid}/fd`).flatMap(fd => {
    try {
      return [readlinkSync(`/proc/${pid}/fd/${fd}`)]
    } catch {
      return [] // closed meanwhile
    }
  })
}

/** From here on {@link peakBytes} tells of what comes. */
export function resetPeak (pid: number): void {
  writeFileSync(`/proc/${pid}/clear_refs`, '5')
}

/** Cores that were busy with something else than the bench and its peers. */
export class ForeignLoad {
  #at = performance.now()
  #busy = busyTicks()
  #ours = ourTicks()

  /** Since this was made, or last asked. */
  cores (): number {
    const at = performance.now()
    const busy = busyTicks()
    const ours = ourTicks()
    const cores = (busy - this.#busy - (ours - this.#ours)) / TICKS_PER_SECOND / ((at - this.#at) / 1000)
    this.#at = at
    this.#busy = busy
    this.#ours = ours
    return Math.max(0, cores)
  }
}

export interface Spread {
  readonly median: number
  readonly min: number
  readonly max: number
}

export function spread (values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  const median = sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
  return { median, min: sorted[0]!, max: sorted.at(-1)! }
}

function ticks (pid: number): number {
  let stat: string
  let children = ''
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1')
  } catch {
    return 0
  }
  // The name, in brackets, may hold anything.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  // utime, stime, cutime, cstime: fields 14 to 17 of proc(5), of which the name is the second.
  const own = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0)
  return children.split(' ').filter(child => child !== '').reduce((sum, child) => sum + ticks(Number(child)), own)
}

/** The peers are children of this process: they are counted with it. */
function ourTicks (): number {
  return ticks(process.pid)
}

/** user, nice and system of all cores: interrupts belong to nobody. */
function busyTicks (): number {
  const [, user, nice, system] = /^cpu +(\d+) (\d+) (\d+)/.exec(readFileSync('/proc/stat', 'latin1'))!.map(Number)
  return user! + nice! + system!
}

function statusBytes (pid: number, field: string): number {
  const status = readFileSync(`/proc/${pid}/status`, 'latin1')
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(status)![1]) * 1024
}
