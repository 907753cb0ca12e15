/**
 * A network of its own for one virtual machine: its forwarded ports and the servers it talks to are
 * on that network's loopback, so machines and tests never meet on a port.
 *
 * Source: network_namespaces(7), unshare(1), nsenter(1). Lives as long as its holder process.
 */

import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'

const run = promisify(execFile)

export class Namespace {
  readonly #holder: ChildProcess

  private constructor (holder: ChildProcess) {
    this.#holder = holder
  }

  static async open (): Promise<Namespace> {
    // Ends with this process, whatever way that ends.
    const holder = spawn('setpriv', ['--pdeathsig', 'KILL', 'unshare', '--net', 'sleep', 'infinity'], { stdio: 'ignore' })
    const namespace = new Namespace(holder)
    // unshare(1) needs a moment before its network is another than ours.
    for (let tries = 0; tries < 100; tries++) {
      const links = await run('nsenter', namespace.prefix('ip', '-o', 'link').slice(1)).then(({ stdout }) => stdout, () => '')
      if (links !== '' && !/^\d+: (?!lo)[a-z]+\d+[:@].*state UP/m.test(links)) {
        await run('nsenter', namespace.prefix('ip', 'link', 'set', 'lo', 'up').slice(1))
        return namespace
      }
      await delay(50)
    }
    holder.kill('SIGKILL')
    throw new Error('no network namespace could be made (root?)')
  }

  /** The command line that runs `argv` on this network. */
  prefix (...argv: readonly string[]): string[] {
    return ['nsenter', '--target', String(this.#holder.pid), '--net', '--', ...argv]
  }

  close (): void {
    this.#holder.kill('SIGKILL')
  }
}
