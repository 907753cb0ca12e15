import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'
import { artifact, vendor } from '#test/fixtures/artifact.ts'
import { FakeDevice, json, send } from '#test/fixtures/fleet.ts'
import { freePort, selfSigned, skipWithout, temporaryFolder } from '#test/fixtures/peer.ts'
import { openFleetDesk } from '../../os-image/qemu/fleet-desk.ts'

test('the desk beside a virtual machine lets it in, offers a release, and follows each step over TLS', { skip: skipWithout('openssl') }, async t => {
  const folder = temporaryFolder(t)
  const keys = join(folder, 'keys')
  mkdirSync(keys)
  const { key, cert } = await selfSigned(folder, 'fleet')
  copyFileSync(key, join(keys, 'fleet.key'))
  copyFileSync(cert, join(keys, 'fleet.crt'))
  const by = vendor()
  writeFileSync(join(keys, 'artifact.pub'), by.public)
  writeFileSync(join(folder, 'update.mender'), artifact(by))
  const port = await freePort()
  const desk = await openFleetDesk({ port, folder: join(folder, 'fleet'), keys })
  t.teardown(async () => { await desk.close() })
  t.equal(desk.url, `https://10.0.2.2:${port}`, 'as the guest calls it')
  await t.rejects(desk.accept(0), /no device has asked/)

  const earlier = new FakeDevice({ fleet: { address: `https://127.0.0.1:${port}` } }, { tpm_ek: 'abc' })
  t.equal((await earlier.authenticate()).status, 401)
  const id = await desk.accept(1)
  const letIn = desk.accept(10)
  t.equal((await earlier.authenticate()).status, 200)
  t.equal(await letIn, id, 'one that is in asks again')
  const device = new FakeDevice({ fleet: { address: `https://127.0.0.1:${port}` } }, { tpm_ek: 'abc' })
  const again = desk.accept(10)
  t.equal((await device.authenticate()).status, 401, 'with the key of an earlier day it is not known')
  t.equal(await again, id)
  t.equal((await device.authenticate()).status, 200, 'and is let in once more')
  const deployment = desk.deploy(await desk.release(join(folder, 'update.mender')), id)
  const steps = desk.follow(deployment, 20)
  t.match((await steps.next()).value, { state: 'pending' })
  const offer = json(await device.next())
  t.ok(offer.artifact.source.uri.startsWith(`${desk.url}/`))
  await device.tell(deployment, 'downloading')
  t.match((await steps.next()).value, { state: 'downloading' })
  await send('GET', offer.artifact.source.uri.replace('10.0.2.2', '127.0.0.1'))
  t.equal((await desk.until(deployment, ['downloading'], 1)).download?.bytes, artifact(by).length)
  await device.tell(deployment, 'failure')
  t.match((await steps.next()).value, { state: 'failure' })
  t.match(await steps.next(), { done: true, value: { state: 'failure', cause: { fr: 'échec, sans explication de l\'équipement' } } })
  await t.rejects(desk.cause(deployment, 0), /no reason/)
  const told = desk.cause(deployment, 10)
  const messages = [{ timestamp: new Date().toISOString(), level: 'error', message: 'drimbox: GATE_GATEWAY_FAILED: the gateway has ended' }]
  t.equal((await device.ask('PUT', `/api/devices/v1/deployments/device/deployments/${deployment}/log`, { messages })).status, 204)
  t.match(await told, { code: 'GATE_GATEWAY_FAILED' }, 'its log comes after its last word')
  t.same(desk.states(deployment), ['pending', 'downloading', 'failure'])
  await t.rejects(desk.until(deployment, ['success'], 1), /pending, downloading, failure instead of success/)
})
