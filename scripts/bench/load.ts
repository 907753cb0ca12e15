/**
 * Many small requests over several connections at once, picked at random from a list: made by wrk,
 * which takes so little CPU that the server is what is measured.
 */

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { cpuSeconds } from './measure.ts'
import { run } from './processes.ts'
import type { Reading } from './rounds.ts'

/** Picks from a file of paths; the same choice in each run. Prints one line of JSON at the end. */
const SCRIPT = `
local requests = {}
function init(args)
  for path in io.lines(args[1]) do requests[#requests + 1] = wrk.format("GET", path, { ["Accept"] = args[2] }) end
  math.randomseed(tonumber(args[3]))
end
function request() return requests[math.random(#requests)] end
function done(summary, latency)
  local errors = summary.errors
  io.write(string.format('{"requests":%d,"microseconds":%d,"bytes":%d,"p50":%d,"p95":%d,"failed":%d}\\n',
    summary.requests, summary.duration, summary.bytes, latency:percentile(50), latency:percentile(95),
    errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
`

export interface Load {
  /** Root that the paths go behind. */
  readonly url: string
  readonly paths: readonly string[]
  readonly accept: string
  readonly connections: number
  readonly seconds: number
  /** Of the server. */
  readonly pid: number
  /** Where script and list are written. */
  readonly folder: string
}

interface Done { readonly requests: number, readonly microseconds: number, readonly bytes: number, readonly p50: number, readonly p95: number, readonly failed: number }

/** @throws Error when a request failed: what isn't answered isn't fast */
export async function load ({ url, paths, accept, connections, seconds, pid, folder }: Load, seed = 1): Promise<Reading> {
  const { origin, pathname } = new URL(url)
  const prefix = pathname.replace(/\/$/, '')
  const script = join(folder, 'load.lua')
  const list = join(folder, 'load.txt')
  await writeFile(script, SCRIPT)
  await writeFile(list, paths.map(path => `${prefix}${path}\n`).join(''))
  const cpu = cpuSeconds(pid)
  const { output } = await run('wrk', ['--threads', '1', '--connections', String(connections), '--duration', `${seconds}s`, '--timeout', '30s', '--script', script, origin, '--', list, accept, String(seed)])
  const done = JSON.parse(/^\{.*\}$/m.exec(output)?.[0] ?? 'null') as Done | null
  if (done === null || done.requests === 0) throw new Error(`wrk says ${output}`)
  if (done.failed > 0) throw new Error(`${done.failed} of ${done.requests} requests failed`)
  const took = done.microseconds / 1e6
  return {
    requestsPerSecond: done.requests / took,
    p50Ms: done.p50 / 1000,
    p95Ms: done.p95 / 1000,
    megabitsPerSecond: done.bytes * 8 / 1e6 / took,
    cpuSeconds: cpuSeconds(pid) - cpu
  }
}

/** Why a server doesn't give this: its status and words; undefined when it does. */
export async function refusal (url: string, accept: string): Promise<string | undefined> {
  const answer = await fetch(url, { headers: { accept } })
  if (answer.status === 200) {
    await answer.body?.cancel()
    return undefined
  }
  const text = await answer.text()
  // A problem of ours says it with its code (RFC 9457).
  const code = /"code":\s*"([A-Z_]+)"/.exec(text)?.[1]
  return `the server answers ${answer.status} ${code ?? text.replace(/\s+/g, ' ').replaceAll('|', '/').slice(0, 80)}`
}
