import { createServer } from 'node:http'
import { once } from 'node:events'
import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { uptime } from 'node:os'
import { test } from 'tap'
import { openHeartbeat } from '#box/heartbeat.ts'
import { temporaryFolder } from '#test/fixtures/peer.ts'

test('a box that answers says so, with the time since the machine started; one that does not falls silent', async t => {
  const folder = temporaryFolder(t)
  const file = join(folder, 'alive')
  const socketPath = join(folder, 'http.sock')
  let answering = true
  let asked = 0
  const server = createServer((_, answer) => {
    asked++
    if (answering) answer.writeHead(503).end()
  })
  server.listen(socketPath)
  await once(server, 'listening')
  const heartbeat = openHeartbeat(file, { socketPath }, 20)
  t.teardown(() => {
    heartbeat.close()
    server.closeAllConnections()
    server.close()
  })
  while (await stat(file).catch(() => undefined) === undefined) await delay(5)
  const beat = Number(await readFile(file, 'utf8'))
  t.ok(Math.abs(beat - uptime()) < 5, 'any answer will do, a 503 too')

  answering = false
  // What was answered before may still be written.
  const before = asked
  await until(() => asked >= before + 2)
  const last = await readFile(file, 'utf8')
  await until(() => asked >= before + 8)
  t.equal(await readFile(file, 'utf8'), last)
})

async function until (isSo: () => boolean): Promise<void> {
  while (!isSo()) await delay(5)
}
