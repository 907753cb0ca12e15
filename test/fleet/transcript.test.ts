/**
 * Mender's documented device API, pair by pair: what a client sends, what a Mender server answers, and so
 * do we. Requests are those of clients 3.4.0 and 5.1.0; answers those of the OpenAPI documents of Mender's
 * server (authentication v1, deployments v1 and v2, inventory v1).
 */

import { createPublicKey, verify } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'
import { artifact, sha256 } from '#test/fixtures/artifact.ts'
import { acceptedDevice, chunks, FakeDevice, json, openSite, send, type KeyKind } from '#test/fixtures/fleet.ts'

const DEPLOYMENTS = '/api/devices/v1/deployments/device/deployments'
const ATTRIBUTES = '/api/devices/v1/inventory/device/attributes'

for (const kind of ['ed25519', 'rsa', 'p-256'] as const satisfies KeyKind[]) {
  test(`a device with a key of ${kind} waits until a person accepts it, then has a token`, async t => {
    const site = await openSite(t)
    const device = new FakeDevice(site, { mac: '02:00:00:00:00:01' }, kind)
    const first = await device.authenticate()
    t.equal(first.status, 401)
    t.match(json(first), { error: String, request_id: String, code: 'DEVICE_PENDING' })
    const [known] = site.fleet.desk.devices()
    t.match(known, { identity: device.identity, keys: [{ standing: 'pending', fingerprint: device.fingerprint }] })
    site.fleet.desk.accept(known!.id.slice(0, 8))
    const second = await device.authenticate()
    t.equal(second.status, 200)
    t.equal(second.headers['content-type'], 'application/jwt')
    const [header, claims, signature] = device.token.split('.') as [string, string, string]
    const decoded = (part: string): unknown => JSON.parse(Buffer.from(part, 'base64url').toString())
    t.same(decoded(header), { alg: 'ES256', typ: 'JWT' })
    t.match(decoded(claims), { sub: known!.id, iss: 'drimbox-fleet', exp: site.clock.ms / 1000 + 7 * 86400, 'mender.device': true })
    // With the server's public key, by other means than its own check.
    const key = createPublicKey(readFileSync(join(site.folder, 'fleet/keys/token.key')))
    t.ok(verify('sha256', Buffer.from(`${header}.${claims}`), { key, dsaEncoding: 'ieee-p1363' }, Buffer.from(signature, 'base64url')))
    site.fleet.desk.reject(known!.id)
    t.match(json(await device.authenticate()), { code: 'DEVICE_REJECTED' })
    t.equal((await device.next()).status, 401, 'and its token is worth nothing at once')
  })
}

test('an update from the first question to success', async t => {
  const site = await openSite(t)
  const file = artifact(site.vendor)
  const release = await site.fleet.desk.addRelease(chunks(file))
  const device = await acceptedDevice(site)

  const nothing = await device.next()
  t.equal(nothing.status, 204)
  t.equal(nothing.body.length, 0)
  const { id } = site.fleet.desk.deploy('drimbox-0.2.0', device.id)

  const offered = await device.next()
  t.equal(offered.status, 200)
  t.match(json(offered), {
    id,
    artifact: {
      id: release.id,
      artifact_name: 'drimbox-0.2.0',
      device_types_compatible: ['drimbox-x86-64'],
      source: { uri: new RegExp(`^${site.fleet.address}/`), expire: '2026-11-30T00:00:00.000Z' }
    }
  })
  // The older question has the same answer.
  const v1 = json(await device.ask('GET', `${DEPLOYMENTS}/next?artifact_name=drimbox-0.1.0&device_type=drimbox-x86-64`))
  t.same(v1, json(offered))

  t.equal((await device.tell(id, 'downloading')).status, 204)
  // No token there: a client sends none to where an artifact lies.
  const download = await send('GET', v1.artifact.source.uri)
  t.equal(download.status, 200)
  t.match(download.headers, { 'content-type': 'application/vnd.mender-artifact', 'content-length': String(file.length), 'accept-ranges': 'bytes', etag: `"${sha256(file)}"` })
  t.ok(download.body.equals(file))
  t.same(site.fleet.desk.deployment(id).download, { sentBytes: file.length, bytes: file.length })
  for (const state of ['installing', 'rebooting', 'installing', 'installing', 'success']) t.equal((await device.tell(id, state)).status, 204, state)
  t.same(site.fleet.desk.deployment(id).events.map(({ state }) => state), ['pending', 'downloading', 'installing', 'rebooting', 'installing', 'success'])
  t.equal((await device.next({ artifact_name: 'drimbox-0.2.0' })).status, 204)

  t.equal((await device.tell(id, 'success')).status, 204, 'the answer to the last one may have been lost')
  const late = await device.tell(id, 'failure')
  t.equal(late.status, 409)
  t.match(json(late), { code: 'DEPLOYMENT_FINISHED' })
  t.equal((await send('GET', v1.artifact.source.uri)).status, 409, 'what has ended isn\'t downloaded again')
})

test('every state that the documents name is taken, and no other', async t => {
  const site = await openSite(t)
  await site.fleet.desk.addRelease(chunks(artifact(site.vendor)))
  const device = await acceptedDevice(site)
  const { id } = site.fleet.desk.deploy('drimbox-0.2.0', device.id)
  for (const state of ['downloading', 'pause_before_installing', 'installing', 'pause_before_rebooting', 'rebooting', 'pause_before_committing']) t.equal((await device.tell(id, state, 'more')).status, 204, state)
  for (const state of ['pending', 'aborted', 'incompatible', 'done', '', '__proto__', 'constructor']) {
    const answer = await device.tell(id, state)
    t.equal(answer.status, 400, state)
    t.match(json(answer), { code: 'STATE_UNKNOWN', error: String, request_id: String })
  }
  t.equal((await device.tell(id, 'failure')).status, 204)
})

test('a deployment that an operator has withdrawn answers 409, and is not offered', async t => {
  const site = await openSite(t)
  await site.fleet.desk.addRelease(chunks(artifact(site.vendor)))
  const device = await acceptedDevice(site)
  const { id } = site.fleet.desk.deploy('drimbox-0.2.0', device.id)
  const { artifact: { source } } = json(await device.next())
  await device.tell(id, 'downloading')
  site.fleet.desk.abort(id)
  t.match(json(await device.tell(id, 'installing')), { code: 'DEPLOYMENT_ABORTED' })
  t.equal((await device.tell(id, 'failure')).status, 409)
  t.equal((await send('GET', source.uri)).status, 409)
  t.equal((await device.next()).status, 204)
  t.match(site.fleet.desk.deployment(id), { state: 'aborted', cause: { fr: 'abandonné par un opérateur' } })
})

test('a failure comes with its log, and the cause is told in words', async t => {
  const site = await openSite(t)
  await site.fleet.desk.addRelease(chunks(artifact(site.vendor)))
  const device = await acceptedDevice(site)
  const { id } = site.fleet.desk.deploy('drimbox-0.2.0', device.id)
  await device.tell(id, 'failure')
  const message = (text: string): object => ({ timestamp: '2026-11-29T13:03:17.063493443Z', level: 'ERROR', message: text })
  const log = { messages: [message('Update module output: drimbox: GATE_GATEWAY_FAILED: The gateway has ended several times. Error: x'), message('Process exited with status 1')] }
  t.equal((await device.ask('PUT', `${DEPLOYMENTS}/${id}/log`, log)).status, 204)
  t.match(site.fleet.desk.deployment(id), { log: { ...log, isWhole: true }, cause: { code: 'GATE_GATEWAY_FAILED', fr: 'La passerelle s\'est arrêtée plusieurs fois' } })
  // Clients have been seen to send it cut.
  t.equal((await device.ask('PUT', `${DEPLOYMENTS}/${id}/log`, JSON.stringify({ messages: [message('a "}]} b'), message('cut')] }).slice(0, -20))).status, 204)
  t.match(site.fleet.desk.deployment(id), { log: { messages: [{ message: 'a "}]} b' }], isWhole: false }, cause: { fr: 'l\'équipement dit : a "}]} b' } })
  for (const bad of ['', 'x', '[]', '{}', '{"messages":{}}']) t.equal((await device.ask('PUT', `${DEPLOYMENTS}/${id}/log`, bad)).status, 400, bad)
})

test('inventory: PUT replaces, PATCH adds', async t => {
  const site = await openSite(t)
  const device = await acceptedDevice(site)
  const inventory = (): unknown => site.fleet.desk.device(device.id).inventory
  t.equal((await device.ask('PUT', ATTRIBUTES, [{ name: 'ip_addr', value: '1.2.3.4', description: 'IP address' }, { name: 'mac_addr', value: ['00.01', '00.02'] }])).status, 200)
  t.same(inventory(), { ip_addr: '1.2.3.4', mac_addr: ['00.01', '00.02'] })
  t.equal((await device.ask('PATCH', ATTRIBUTES, [{ name: 'ip_addr', value: '1.2.3.5' }, { name: '__proto__', value: 7 }])).status, 200)
  t.same(Object.keys(inventory() as object).sort(), ['__proto__', 'ip_addr', 'mac_addr'])
  t.equal((await device.ask('PUT', ATTRIBUTES, [])).status, 200)
  t.same(inventory(), {})
  for (const bad of [{}, [{ name: 'a' }], [{ name: '', value: 1 }], [{ name: 'a', value: { b: 1 } }], 'no json']) t.equal((await device.ask('PUT', ATTRIBUTES, bad)).status, 400)
})

test('what a device runs already is not offered, and a release for others isn\'t either', async t => {
  const site = await openSite(t)
  await site.fleet.desk.addRelease(chunks(artifact(site.vendor)))
  await site.fleet.desk.addRelease(chunks(artifact(site.vendor, { name: 'other-1', deviceTypes: ['drimbox-arm64'] })))
  await site.fleet.desk.addRelease(chunks(artifact(site.vendor, { name: 'step-2', depends: { artifact_name: ['step-1'] } })))
  const device = await acceptedDevice(site)
  const deployed = (name: string): string => site.fleet.desk.deploy(name, device.id).id
  // Nobody knows the type yet: it is found out when the device asks.
  const other = deployed('other-1')
  t.equal((await device.next()).status, 204)
  t.match(site.fleet.desk.deployment(other), { state: 'incompatible', cause: { fr: /drimbox-x86-64 \(drimbox-arm64\)/ } })
  t.throws(() => deployed('other-1'), { code: 'DEVICE_TYPE_WRONG' })
  const same = deployed('drimbox-0.2.0')
  t.equal((await device.next({ artifact_name: 'drimbox-0.2.0' })).status, 204)
  t.equal(site.fleet.desk.deployment(same).state, 'already-installed')
  const step = deployed('step-2')
  t.equal((await device.next()).status, 204)
  t.match(site.fleet.desk.deployment(step), { state: 'incompatible', events: [{}, { substate: 'artifact_name: drimbox-0.1.0 (step-1)' }] })
})
