/**
 * A network of the bench's own: the whole bench runs once more inside a network namespace, whose
 * loopback nobody else uses; and a cable in it, a veth pair with MTU 1500, whose far end is a
 * second namespace with the PACS.
 *
 * Source: namespaces(7), network_namespaces(7), veth(4), unshare(1), nsenter(1). Both namespaces live
 * as long as a process in them: nothing is left behind, even by a bench that was killed.
 */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readlinkSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort, NODE, run, start, type Started } from '../processes.ts'

/** Set for the bench that runs inside. */
const MARK = 'DRIMBOX_BENCH_NETWORK'
const NEAR = { device: 'bench0', address: '10.77.0.1' }
const FAR = { device: 'bench1', address: '10.77.0.2' }
const MTU = 1500
const HOLDER_READY_MS = 5000

/** Whether this process has a network of its own already. */
export function isInOwnNetwork (): boolean {
  return process.env[MARK] !== undefined
}

/**
 * Runs this program once more, in a network of its own, to its end.
 *
 * @returns its exit code; undefined where the machine gives no namespace: then there is no cable
 */
export async function againInOwnNetwork (): Promise<number | undefined> {
  const unshare = ['--net', ...process.getuid?.() === 0 ? [] : ['--map-root-user']]
  if (await run('unshare', [...unshare, 'ip', 'link', 'set', 'lo', 'up']).then(() => false, () => true)) return undefined
  const inner = spawn('unshare', [...unshare, 'setpriv', '--pdeathsig', 'TERM', NODE, ...process.execArgv, ...process.argv.slice(1)], {
    stdio: 'inherit',
    env: { ...process.env, [MARK]: '1' }
  })
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => { inner.kill(signal) })
  const [code] = await once(inner, 'exit')
  return code as number | null ?? 1
}

export async function raiseLoopback (): Promise<void> {
  await run('ip', ['link', 'set', 'lo', 'up'])
}

export interface Place {
  readonly host: string
  readonly port: number
}

/** How a round trip is made longer. */
export type DelayMethod = 'none' | 'netem' | 'relay'

export interface Cable {
  /** Added to each round trip, in milliseconds. */
  readonly addedMs: number
  readonly method: DelayMethod
  /** In front of a command that is to run at the far end. */
  readonly farSide: readonly string[]
  /** Of the far end itself, whatever the delay: what is ready is asked there. */
  readonly farHost: string
  /** Where the near end, the box's, is reached from the far one, the PACS's; and the other way round. */
  toNear (port: number): Promise<Place>
  toFar (port: number): Promise<Place>
}

/** Lays the cable. It is gone once every process that was started is stopped. @throws Error where the machine gives none */
export async function layCable (addedMs: number): Promise<Cable> {
  if (!isInOwnNetwork()) throw new Error('no network namespace on this machine: run as root, or allow unprivileged user namespaces')
  const holder = await startHolder()
  const farSide = ['nsenter', '--target', String(holder.pid), '--net']
  const far = async (...args: string[]): Promise<void> => { await run(farSide[0]!, [...farSide.slice(1), ...args]) }
  await run('ip', ['link', 'delete', NEAR.device]).catch(() => { /* there was none before */ })
  await run('ip', ['link', 'add', NEAR.device, 'mtu', String(MTU), 'type', 'veth', 'peer', 'name', FAR.device, 'mtu', String(MTU), 'netns', String(holder.pid)])
  await run('ip', ['address', 'add', `${NEAR.address}/24`, 'dev', NEAR.device])
  await run('ip', ['link', 'set', NEAR.device, 'up'])
  await far('ip', 'link', 'set', 'lo', 'up')
  await far('ip', 'address', 'add', `${FAR.address}/24`, 'dev', FAR.device)
  await far('ip', 'link', 'set', FAR.device, 'up')
  const near = (port: number): Place => ({ host: NEAR.address, port })
  const farPlace = (port: number): Place => ({ host: FAR.address, port })
  if (addedMs === 0) return { addedMs, method: 'none', farSide, farHost: FAR.address, toNear: async port => near(port), toFar: async port => farPlace(port) }
  const netem = ['root', 'netem', 'limit', '100000', 'delay', `${addedMs / 2}ms`]
  try {
    await run('tc', ['qdisc', 'add', 'dev', NEAR.device, ...netem])
    await far('tc', 'qdisc', 'add', 'dev', FAR.device, ...netem)
    return { addedMs, method: 'netem', farSide, farHost: FAR.address, toNear: async port => near(port), toFar: async port => farPlace(port) }
  } catch {
    // A kernel built without sch_netem. The relay stands at the near end, on the way in both directions.
    return { addedMs, method: 'relay', farSide, farHost: FAR.address, toNear: async port => await relay(addedMs, near(port)), toFar: async port => await relay(addedMs, farPlace(port)) }
  }
}

async function startHolder (): Promise<Started> {
  const holder = await start('far end', 'unshare', ['--net', 'sleep', 'infinity'], { ready: /^/ })
  const ours = readlinkSync('/proc/self/ns/net')
  const until = performance.now() + HOLDER_READY_MS
  while (readlinkSync(`/proc/${holder.pid}/ns/net`) === ours) {
    if (performance.now() > until) throw new Error('the far end of the cable has no network of its own')
    await sleep(5)
  }
  return holder
}

async function relay (addedMs: number, to: Place): Promise<Place> {
  const at = { host: NEAR.address, port: await freePort() }
  await start('relay', NODE, [join(import.meta.dirname, 'relay.ts'), `--added-ms=${addedMs}`, `--listen=${at.host}:${at.port}`, `--to=${to.host}:${to.port}`], { ready: /listening/ })
  return at
}
