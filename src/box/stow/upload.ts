/**
 * The body of a request, as it comes, from a caller who has to keep coming.
 */

import type { IncomingMessage } from 'node:http'
import { RequestError } from '#core/errors.ts'

/** A caller who sends nothing for so long has gone, whatever their socket says. In milliseconds. */
const SILENT_MS = 30_000
/** Slower than this in the mean, after the first half minute, nobody uploads images. In bytes per second. */
const BYTES_PER_SECOND_MIN = 1024

/** @throws RequestError DATA_MALFORMED when it stops, or becomes too slow; whatever the socket throws */
export async function * upload (body: IncomingMessage, silentMs: number = SILENT_MS): AsyncGenerator<Buffer> {
  // The answer still has to leave by the same socket, so that stays as it is.
  const source = body.iterator({ destroyOnReturn: false }) as AsyncIterator<Buffer, undefined, undefined>
  let bytes = 0
  // Only what we wait for the caller counts, not what the caller waits for the PACS.
  let waitedMs = 0
  try {
    while (true) {
      const patienceMs = Math.min(silentMs, silentMs + bytes / BYTES_PER_SECOND_MIN * 1000 - waitedMs)
      const began = performance.now()
      const next = await within(source.next(), patienceMs)
      if (next === undefined) throw new RequestError('DATA_MALFORMED', 'the body of the request stopped coming')
      if (next.done === true) return
      waitedMs += performance.now() - began
      bytes += next.value.length
      yield next.value
    }
  } finally {
    void source.return?.(undefined).catch(() => {})
  }
}

/** Undefined when it takes longer. */
async function within<T> (promise: Promise<T>, ms: number): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<undefined>(resolve => { timer = setTimeout(() => { resolve(undefined) }, Math.max(0, ms)) })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}
