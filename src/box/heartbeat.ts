/**
 * Says that the gateway still answers: asks its own HTTP side, as a caller would, and when the answer has
 * come writes the machine's monotonic time into a file. Who watches it (drimbox-alive.service) ends a
 * gateway that has stopped saying so; one that is hung can't say anything itself.
 */

import { rename, writeFile } from 'node:fs/promises'
import { request } from 'node:http'
import { uptime } from 'node:os'

/** Between two beats, in milliseconds; the watcher waits for six of them. */
const BEAT_MS = 15_000
/** An answer that takes longer is none, in milliseconds. */
const ANSWER_MS = 10_000

export interface Heartbeat {
  close (): void
}

/**
 * @param file gets seconds since the machine started, the clock of /proc/uptime
 * @param socket or URL of the HTTP side; any answer counts, a 503 too
 */
export function openHeartbeat (file: string, ask: { readonly socketPath: string } | { readonly host: string, readonly port: number }, everyMs = BEAT_MS): Heartbeat {
  let closed = false
  const beat = async (): Promise<void> => {
    if (!await answers(ask) || closed) return
    // Whole or not at all: the watcher reads while this writes.
    await writeFile(`${file}.new`, `${uptime().toFixed(1)}\n`)
    await rename(`${file}.new`, file)
  }
  // A beat that can't be written is a beat missed, and that is told by its absence.
  const again = (): void => { beat().catch(() => {}) }
  const timer = setInterval(again, everyMs).unref()
  again()
  return {
    close () {
      closed = true
      clearInterval(timer)
    }
  }
}

async function answers (ask: object): Promise<boolean> {
  return await new Promise(resolve => {
    const asked = request({ ...ask, path: '/', method: 'HEAD', agent: false, timeout: ANSWER_MS }, response => {
      response.resume()
      resolve(true)
    })
    asked.once('timeout', () => { asked.destroy() }).once('error', () => { resolve(false) }).end()
  })
}
