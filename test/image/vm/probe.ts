/**
 * Asks a running test image for what only its inside knows, over the virtio port of test/image/over/probe.
 * No shipped image has that program.
 */

import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'

export interface Answer {
  /** Exit code; a word where it was killed or could not be started. */
  readonly code: number | string
  readonly out: string
  readonly error: string
}

/** QEMU's arguments for the port; `socket` is where the host finds it. */
export function probeArguments (socket: string): string[] {
  return [
    '-device', 'virtio-serial-pci',
    '-chardev', `socket,id=probe,path=${socket},server=on,wait=off`,
    '-device', 'virtserialport,chardev=probe,name=drimbox.probe'
  ]
}

/** One question, 60 s: an emulated machine is slow. */
const ANSWER_SECONDS = 60

export class Probe {
  readonly #path: string
  #socket: Socket | undefined
  readonly #waiting = new Map<number, (answer: Answer) => void>()
  #last = 0

  constructor (path: string) {
    this.#path = path
  }

  /** @throws when the machine does not answer within `seconds` */
  async run (argv: readonly string[], seconds: number = ANSWER_SECONDS): Promise<Answer> {
    const deadline = Date.now() + seconds * 1000
    while (Date.now() < deadline) {
      const answer = await this.#ask(argv, Math.min(5000, deadline - Date.now()), deadline)
      if (answer !== undefined) return answer
      await delay(500)
    }
    throw new Error(`the machine doesn't answer: ${argv.join(' ')}`)
  }

  /** Standard output of a command. @throws when it fails */
  async text (...argv: readonly string[]): Promise<string> {
    const { code, out, error } = await this.run(argv)
    if (code !== 0) throw new Error(`${argv.join(' ')}: ${code} ${error}`)
    return out.trim()
  }

  async shell (script: string, seconds?: number): Promise<Answer> {
    return await this.run(['/bin/sh', '-c', script], seconds)
  }

  close (): void {
    this.#socket?.destroy()
    this.#socket = undefined
  }

  /** The port forgets what is said before its reader is there, so a first word is waited for. */
  async #ask (argv: readonly string[], firstWordMs: number, deadline: number): Promise<Answer | undefined> {
    const socket = await this.#connected()
    if (socket === undefined) return undefined
    if (await this.#put(socket, ['/bin/true'], firstWordMs) === undefined) return undefined
    return await this.#put(socket, argv, deadline - Date.now())
  }

  async #put (socket: Socket, argv: readonly string[], ms: number): Promise<Answer | undefined> {
    const id = ++this.#last
    const answered = new Promise<Answer>(resolve => { this.#waiting.set(id, resolve) })
    socket.write(`${JSON.stringify({ id, argv, seconds: ms / 1000 })}\n`)
    const answer = await Promise.race([answered, delay(ms, undefined, { ref: false })])
    this.#waiting.delete(id)
    return answer
  }

  async #connected (): Promise<Socket | undefined> {
    if (this.#socket !== undefined && !this.#socket.destroyed) return this.#socket
    const socket = connect(this.#path)
    try {
      await once(socket, 'connect')
    } catch {
      return undefined
    }
    socket.on('error', () => {})
    createInterface({ input: socket }).on('line', line => {
      try {
        const { id, ...answer } = JSON.parse(line) as Answer & { id: number }
        this.#waiting.get(id)?.(answer)
      } catch {}
    }).on('error', () => {})
    this.#socket = socket
    return socket
  }
}
