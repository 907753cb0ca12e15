/** The program as it ships: from its settings, killed, and started again. */

import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { Readable } from 'node:stream'
import { test } from 'tap'
import { askSocket } from '#cli/admin.ts'
import type { DeploymentStory, DeploymentView } from '#fleet/desk.ts'
import type { Device } from '#fleet/store/devices.ts'
import { artifact, vendor } from '#test/fixtures/artifact.ts'
import { chunks, FakeDevice, json } from '#test/fixtures/fleet.ts'
import { temporaryFolder, type Test } from '#test/fixtures/peer.ts'

const PROGRAM = join(import.meta.dirname, '../../src/fleet.ts')

interface Started { readonly child: ChildProcess, readonly address: string }

async function start (t: Test, config: string): Promise<Started> {
  const child = spawn(process.execPath, [PROGRAM, `--config=${config}`], { stdio: ['ignore', 'pipe', 'inherit'] })
  t.teardown(() => { child.kill('SIGKILL') })
  for await (const line of createInterface({ input: child.stdout! })) {
    const { address } = JSON.parse(line) as { address?: string }
    if (address !== undefined) return { child, address }
  }
  throw new Error('the fleet server did not open')
}

test('killed at any step, the server knows afterwards what it had answered', async t => {
  const folder = temporaryFolder(t)
  const by = vendor()
  const config = join(folder, 'fleet.json')
  const socket = join(folder, 'admin.sock')
  writeFileSync(join(folder, 'vendor.pub'), by.public)
  writeFileSync(config, JSON.stringify({ folder: join(folder, 'data'), http: { port: 0 }, artifacts: { publicKeyFiles: [join(folder, 'vendor.pub')] }, adminSocket: socket }))
  const admin = async (method: 'GET' | 'POST', path: string, body?: object): Promise<unknown> => await askSocket(socket, {
    method, path, language: 'fr', signal: AbortSignal.timeout(20_000), whom: 'fleet', ...body !== undefined && { body: { type: 'application/json', content: Readable.from([Buffer.from(JSON.stringify(body))]) } }
  })
  let running = await start(t, config)
  const kill = async (): Promise<void> => {
    const ended = once(running.child, 'exit')
    running.child.kill('SIGKILL')
    await ended
    running = await start(t, config)
  }
  const device = new FakeDevice({ fleet: { get address () { return running.address } } }, { serial: '1' })

  t.equal((await device.authenticate()).status, 401)
  await kill()
  const [{ id }] = await admin('GET', '/devices') as [Device]
  await admin('POST', `/devices/${id}/accept`, {})
  await kill()
  t.equal((await device.authenticate()).status, 200)
  const file = artifact(by)
  await askSocket(socket, { method: 'POST', path: '/releases', language: 'fr', signal: AbortSignal.timeout(20_000), whom: 'fleet', body: { type: 'application/vnd.mender-artifact', content: Readable.from(chunks(file)) } })
  await kill()
  const deployment = (await admin('POST', '/deployments', { release: 'drimbox-0.2.0', device: id }) as DeploymentView).id
  for (const state of ['downloading', 'installing', 'rebooting', 'success']) {
    await kill()
    if (state !== 'success') t.equal(json(await device.next()).id, deployment, `before ${state}, with the token from before`)
    t.equal((await device.tell(deployment, state)).status, 204)
  }
  await kill()
  const { events } = await admin('GET', `/deployments/${deployment}`) as DeploymentStory
  t.same(events.map(({ state }) => state), ['pending', 'downloading', 'installing', 'rebooting', 'success'])
  const ended = once(running.child, 'exit')
  running.child.kill('SIGTERM')
  t.same(await ended, [0, null], 'told to end, it ends in good order')
})

test('wrong settings are named, all at once', async t => {
  const folder = temporaryFolder(t)
  const config = join(folder, 'fleet.json')
  writeFileSync(config, JSON.stringify({ folder: '', http: { port: 70_000 }, artifacts: { publicKeyFiles: [] } }))
  const child = spawn(process.execPath, [PROGRAM, `--config=${config}`], { stdio: ['ignore', 'ignore', 'pipe'] })
  let said = ''
  child.stderr.on('data', (chunk: Buffer) => { said += chunk.toString() })
  const [code] = await once(child, 'close')
  t.equal(code, 1)
  for (const part of ['SETTING_INVALID', '/folder', '/http/port', '/artifacts/publicKeyFiles']) t.match(said, part)
})
