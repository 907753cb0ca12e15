/** The bench's own long cable: what it hands on comes whole, in order, and no sooner than said. */

import { spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { connect, createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { test, type Test } from 'tap'
import { freePort } from '#test/fixtures/peer.ts'

const RELAY = join(import.meta.dirname, '../../../scripts/bench/network/relay.ts')
const ADDED_MS = 20
/** Coarse clocks: a timer may come a millisecond early in each direction. */
const EARLY_MS = 2
const BYTES = 40 << 20

/** A server that says back what it hears, behind a relay. @returns the relay's port */
async function echoBehindRelay (t: Test): Promise<number> {
  const server = createServer({ allowHalfOpen: true }, socket => { socket.pipe(socket) }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const port = await freePort()
  const relay = spawn(process.execPath, [RELAY, `--added-ms=${ADDED_MS}`, `--listen=127.0.0.1:${port}`, `--to=127.0.0.1:${(server.address() as AddressInfo).port}`], { stdio: ['ignore', 'pipe', 'inherit'] })
  t.teardown(async () => {
    const gone = once(relay, 'exit')
    relay.kill()
    await gone
    server.close()
  })
  await once(relay.stdout, 'data')
  return port
}

test('each turn over the cable takes as much longer as was said', async t => {
  const socket = connect({ port: await echoBehindRelay(t), host: '127.0.0.1', noDelay: true })
  t.teardown(() => socket.destroy())
  await once(socket, 'connect')
  for (let turn = 0; turn < 5; turn++) {
    const from = performance.now()
    socket.write('ping')
    const [heard] = await once(socket, 'data')
    t.equal(String(heard), 'ping')
    t.ok(performance.now() - from > ADDED_MS - EARLY_MS)
  }
})

test('more than may be under way comes whole and in order, and so does the end', async t => {
  const socket = connect({ port: await echoBehindRelay(t), host: '127.0.0.1', allowHalfOpen: true })
  const sent = randomBytes(BYTES)
  const heard = createHash('sha1')
  socket.end(sent)
  for await (const chunk of socket) heard.update(chunk)
  t.equal(heard.digest('hex'), createHash('sha1').update(sent).digest('hex'))
})
