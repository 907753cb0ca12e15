/**
 * Debian's real mender-client 3.4.0, over TLS, from the first request to an update, a broken one, and a
 * download that is cut and resumed.
 */

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { pino } from 'pino'
import { test } from 'tap'
import { parseFleetConfig } from '#fleet/config.ts'
import { openFleet } from '#fleet/fleet.ts'
import { artifact, vendor } from '#test/fixtures/artifact.ts'
import { chunks } from '#test/fixtures/fleet.ts'
import { MenderClient, skipWithoutMenderClient } from '#test/fixtures/mender-client.ts'
import { selfSigned, skipWithout, temporaryFolder } from '#test/fixtures/peer.ts'
import { Relay } from '#test/fixtures/relay.ts'

const WITHIN_MS = 90_000

test('mender-client 3.4.0 is let in, updates, and comes back from a broken version with its reason', { skip: skipWithout('openssl', 'unshare', 'mount') || skipWithoutMenderClient(), timeout: 300_000 }, async t => {
  const folder = temporaryFolder(t)
  const tls = await selfSigned(folder, 'localhost')
  const by = vendor()
  const artifactKey = join(folder, 'artifact.pub')
  writeFileSync(artifactKey, by.public)
  const other = vendor()
  writeFileSync(join(folder, 'other.pub'), other.public)
  let fleetPort = 0
  const relay = new Relay(() => fleetPort)
  await relay.listen()
  t.teardown(async () => { await relay.close() })
  const url = `https://127.0.0.1:${relay.port}`
  const fleet = await openFleet(parseFleetConfig({
    folder: join(folder, 'fleet'),
    http: { port: 0, tls: { certFile: tls.cert, keyFile: tls.key }, publicUrl: url },
    artifacts: { publicKeyFiles: [artifactKey, join(folder, 'other.pub')] },
    devices: { requestsPerMinute: 1000, authRequestsPerMinute: 1000 }
  }), { log: pino({ level: 'silent' }) })
  t.teardown(async () => { await fleet.close() })
  fleetPort = Number(new URL(fleet.address).port)
  const { desk } = fleet
  const client = new MenderClient(t, join(folder, 'device'), { url, certificate: tls.cert, artifactKey, mac: '02:00:00:00:00:01' })
  const until = async (is: () => boolean, what: string): Promise<void> => {
    const deadline = Date.now() + WITHIN_MS
    while (!is()) {
      if (Date.now() > deadline) throw new Error(`no ${what}: ${client.said}`)
      await delay(50)
    }
  }

  await until(() => desk.devices().length === 1, 'device')
  const { id } = desk.devices()[0]!
  t.match(desk.device(id), { identity: '{"mac":"02:00:00:00:00:01"}', keys: [{ kind: 'rsa-3072', standing: 'pending' }] })
  desk.accept(id)
  await until(() => desk.device(id).inventory.answer !== undefined, 'inventory')
  t.match(desk.device(id).inventory, { answer: '42', device_type: 'drimbox-x86-64', artifact_name: 'drimbox-0.1.0' })

  const root = Buffer.alloc(3 << 20, 'a root that is long enough to be cut in the middle ')
  await desk.addRelease(chunks(artifact(by, { payload: [['root.erofs', root]] })))
  relay.cutAfter(1 << 20)
  const good = desk.deploy('drimbox-0.2.0', id).id
  await until(() => desk.deployment(good).isFinal, 'end of the update')
  t.match(desk.deployment(good), { state: 'success', cause: undefined })
  t.same(desk.deployment(good).events.map(({ state }) => state), ['pending', 'downloading', 'installing', 'success'])
  t.equal(relay.cuts, 1, 'the download was cut, and resumed')
  t.ok(client.read('installed').equals(root))
  await until(() => desk.device(id).artifactName === 'drimbox-0.2.0', 'new name')

  writeFileSync(join(client.folder, 'broken'), '')
  await desk.addRelease(chunks(artifact(by, { name: 'drimbox-0.3.0' })))
  const bad = desk.deploy('drimbox-0.3.0', id).id
  await until(() => desk.deployment(bad).isFinal && desk.deployment(bad).log !== undefined, 'failure and its log')
  t.match(desk.deployment(bad), { state: 'failure', cause: { code: 'GATE_GATEWAY_FAILED', fr: 'La passerelle s\'est arrêtée plusieurs fois' } })
  t.ok(client.has('rolled-back'))
  await until(() => desk.device(id).artifactName === 'drimbox-0.2.0', 'old name')

  // One that the server takes, and this device doesn't.
  await desk.addRelease(chunks(artifact(other, { name: 'drimbox-0.4.0' })))
  const foreign = desk.deploy('drimbox-0.4.0', id).id
  await until(() => desk.deployment(foreign).isFinal && desk.deployment(foreign).log !== undefined, 'refusal')
  t.match(desk.deployment(foreign), { state: 'failure', cause: { code: 'ARTIFACT_SIGNATURE_WRONG' } })

  const stray = desk.deploy('drimbox-0.2.0', id).id
  await until(() => desk.deployment(stray).isFinal, 'answer to what is there already')
  t.equal(desk.deployment(stray).state, 'already-installed')
  desk.reject(id)
  const seenAt = (): number => desk.device(id).seenAt ?? 0
  await delay(1500)
  const before = seenAt()
  await delay(3000)
  t.equal(seenAt(), before, 'once rejected it is not served')
})
