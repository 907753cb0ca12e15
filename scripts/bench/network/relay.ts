/**
 * A long cable in user space, for kernels without `tc netem`: everything that comes in is handed on
 * later, however much it is.
 *
 *     node scripts/bench/network/relay.ts --added-ms=10 --listen=HOST:PORT --to=HOST:PORT
 *
 * Long delays are split between the directions; one of less than two timer ticks is spent in one, since
 * a timer can't tell half a millisecond. What it doesn't show: TCP ends here on both sides, so that a
 * sender's window opens at the pace of the short way (no slow start, no ACK clocking over the long one),
 * and a delayed ACK costs its forty milliseconds without the way back. Each turn of a protocol above
 * TCP, which is what is looked at, costs what it would cost.
 */

import { connect, createServer, type Socket } from 'node:net'
import { parseArgs } from 'node:util'

/** Under way in one direction: more than 10 Gbit/s hold in 10 ms. Beyond it the sender waits. */
const UNDER_WAY_BYTES_MAX = 32 << 20
/** A timer of Node is exact to a millisecond. */
const SPLIT_MS_MIN = 4

const { values } = parseArgs({ options: { 'added-ms': { type: 'string', default: '0' }, listen: { type: 'string', default: '' }, to: { type: 'string', default: '' } } })
const addedMs = Number(values['added-ms'])
const [host, port] = place(values.to)

const server = createServer({ noDelay: true, allowHalfOpen: true, pauseOnConnect: true }, caller => {
  const called = connect({ host, port, noDelay: true, allowHalfOpen: true })
  const [outMs, backMs] = addedMs < SPLIT_MS_MIN ? [addedMs, 0] : [addedMs / 2, addedMs / 2]
  later(caller, called, outMs)
  later(called, caller, backMs)
  caller.resume()
})
server.listen({ host: place(values.listen)[0], port: place(values.listen)[1] }, () => { console.log('listening') })
process.on('SIGTERM', () => { process.exit(0) })

/** Hands on what `from` says, and that it ends, after so many milliseconds. */
function later (from: Socket, to: Socket, ms: number): void {
  const waiting: { readonly due: number, readonly chunk: Buffer | undefined }[] = []
  let bytes = 0
  let timer: NodeJS.Timeout | undefined
  const hand = (chunk: Buffer | undefined): void => {
    if (chunk === undefined) to.end()
    else to.write(chunk)
  }
  const look = (): void => {
    timer = undefined
    const now = performance.now()
    to.cork()
    while (waiting.length > 0 && waiting[0]!.due <= now) {
      const { chunk } = waiting.shift()!
      bytes -= chunk?.length ?? 0
      hand(chunk)
    }
    to.uncork()
    if (from.isPaused() && bytes + to.writableLength < UNDER_WAY_BYTES_MAX) from.resume()
    if (waiting.length > 0) timer = setTimeout(look, waiting[0]!.due - now)
  }
  const take = (chunk: Buffer | undefined): void => {
    if (ms === 0) {
      hand(chunk)
    } else {
      bytes += chunk?.length ?? 0
      waiting.push({ due: performance.now() + ms, chunk })
      timer ??= setTimeout(look, ms)
    }
    if (bytes + to.writableLength > UNDER_WAY_BYTES_MAX) from.pause()
  }
  from.on('data', take)
  from.on('end', () => { take(undefined) })
  from.on('error', () => { to.destroy() })
  from.on('close', hadError => { if (hadError) to.destroy() })
  to.on('drain', () => { if (from.isPaused()) from.resume() })
}

function place (text: string): [string, number] {
  const at = text.lastIndexOf(':')
  return [text.slice(0, at), Number(text.slice(at + 1))]
}
