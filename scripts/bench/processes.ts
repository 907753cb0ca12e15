/**
 * Peers as child processes on free loopback ports: whatever is started here is stopped on any way
 * out, even when the bench itself is killed.
 */

import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { connect, createServer, type AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

/** Node with the project's own version, whatever `node` means in the shell. */
export const NODE = process.execPath

/**
 * Turns Nagle's algorithm off in everything built on DCMTK, Orthanc included. As shipped they write
 * a message in two small pieces, of which the second waits for a delayed ACK.
 */
export const NO_DELAY = { TCP_NODELAY: '1' }

const READY_MS = 60_000
const STOP_MS = 10_000
const OUTPUT_MAX = 16_384

export interface Started {
  readonly name: string
  readonly pid: number
  /** The last of what it wrote. */
  output (): string
  stop (): Promise<void>
}

export interface StartOptions {
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
  /** Put in front of the command: where it runs. */
  readonly within?: readonly string[]
  /** It is ready when it has written this, or when this port (of this machine, if it says no other) answers. */
  readonly ready: RegExp | number | { readonly host: string, readonly port: number }
}

const running = new Set<ChildProcess>()

/** @throws Error with its last words when it ends before it is ready */
export async function start (name: string, command: string, args: readonly string[], { env = {}, cwd, within = [], ready }: StartOptions): Promise<Started> {
  const [program, ...rest] = [...within, command, ...args]
  const child = launch(program!, rest, env, cwd)
  let output = ''
  const heard = (piece: Buffer): void => { output = (output + piece.toString()).slice(-OUTPUT_MAX) }
  child.stdout!.on('data', heard)
  child.stderr!.on('data', heard)
  const from = performance.now()
  while (!(ready instanceof RegExp ? ready.test(output) : await answers(typeof ready === 'number' ? { host: '127.0.0.1', port: ready } : ready))) {
    if (!running.has(child)) throw new Error(`${name} ended at once: ${output}`)
    if (performance.now() - from > READY_MS) throw new Error(`${name} is not ready: ${output}`)
    await sleep(20)
  }
  return { name, pid: child.pid!, output: () => output, stop: async () => { await stop(child) } }
}

/** Runs a program to its end. @throws Error with its last words when it fails */
export async function run (command: string, args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<{ seconds: number, output: string }> {
  const from = performance.now()
  const child = launch(command, args, env)
  let output = ''
  const heard = (piece: Buffer): void => { output = (output + piece.toString()).slice(-OUTPUT_MAX) }
  child.stdout!.on('data', heard)
  child.stderr!.on('data', heard)
  const [code] = await once(child, 'exit')
  const seconds = (performance.now() - from) / 1000
  if (code !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${code}: ${output}`)
  return { seconds, output }
}

export async function stopAll (): Promise<void> {
  await Promise.all([...running].map(stop))
}

/** So that a program which may never end doesn't hold the bench: it is ended, and its row with it. @throws Error that names what took so long */
export async function within<T> (seconds: number, name: string, work: Promise<T>): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => { reject(new Error(`${name} takes longer than ${seconds} s`)) }, seconds * 1000)
  try {
    return await Promise.race([work, promise])
  } finally {
    clearTimeout(timer)
  }
}

/** Ends everything when a signal comes. */
export function stopOnSignals (): void {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, () => { void stopAll().finally(() => { process.exit(130) }) })
  }
  process.on('exit', () => {
    for (const child of running) kill(child, 'SIGKILL')
  })
}

/** A port that nobody has; taken at once by whom it is meant for. */
export async function freePort (): Promise<number> {
  const server = createServer()
  server.listen(0, '0.0.0.0')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

function launch (command: string, args: readonly string[], env: Readonly<Record<string, string>>, cwd?: string): ChildProcess {
  // A group of its own, since some of them fork; and none outlives a bench that was killed.
  const child = spawn('setpriv', ['--pdeathsig', 'TERM', command, ...args], {
    detached: true, cwd, env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe']
  })
  running.add(child)
  child.once('exit', () => { running.delete(child) })
  child.once('error', () => { running.delete(child) })
  return child
}

async function stop (child: ChildProcess): Promise<void> {
  if (!running.has(child)) return
  const gone = once(child, 'exit')
  kill(child, 'SIGTERM')
  const killer = setTimeout(() => { kill(child, 'SIGKILL') }, STOP_MS)
  await gone
  clearTimeout(killer)
}

function kill (child: ChildProcess, signal: NodeJS.Signals): void {
  try {
    process.kill(-child.pid!, signal)
  } catch {
    // It has just ended by itself.
  }
}

async function answers (place: { host: string, port: number }): Promise<boolean> {
  const socket = connect(place)
  const answered = await new Promise<boolean>(resolve => {
    socket.once('connect', () => { resolve(true) }).once('error', () => { resolve(false) })
  })
  socket.destroy()
  return answered
}
