import { generateKeyPairSync } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { once } from 'node:events'
import { join } from 'node:path'
import { test } from 'tap'
import { artifact, sha256 } from '#test/fixtures/artifact.ts'
import { acceptedDevice, chunks, FakeDevice, json, openSite, send } from '#test/fixtures/fleet.ts'

const DEPLOYMENTS = '/api/devices/v1/deployments/device/deployments'
const AUTH = '/api/devices/v1/authentication/auth_requests'

test('nobody comes in, or leaves a trace, with a signature that isn\'t his', async t => {
  const site = await openSite(t)
  const device = new FakeDevice(site, { mac: '02:00:00:00:00:01' })
  const other = new FakeDevice(site, { mac: '02:00:00:00:00:02' })
  const body = JSON.stringify({ id_data: device.identity, pubkey: device.pem })
  for (const [what, signature] of Object.entries({ none: undefined, empty: '', another: other.sign(body), ofOtherBody: device.sign(`${body} `), noBase64: '!!', short: 'AAAA', long: 'A'.repeat(4000) })) {
    const answer = await device.authenticate({ body, signature })
    t.equal(answer.status, 401, what)
    t.match(json(answer), { code: 'SIGNATURE_REFUSED' }, what)
  }
  t.same(site.fleet.desk.devices(), [])
  const pem = (type: 'rsa' | 'ec', options: object): string => generateKeyPairSync(type as 'rsa', options as { modulusLength: number }).publicKey.export({ type: 'spki', format: 'pem' }) as string
  for (const [what, pubkey] of Object.entries({ rsa1024: pem('rsa', { modulusLength: 1024 }), p384: pem('ec', { namedCurve: 'P-384' }), text: 'key', private: device.key.export({ type: 'pkcs8', format: 'pem' }) as string })) {
    t.match(json(await device.authenticate({ body: JSON.stringify({ id_data: device.identity, pubkey }) })), { code: 'KEY_UNSUPPORTED' }, what)
  }
  for (const identity of ['xx', '[]', '{}', '{"a":1}', '{"a":{}}', '{"a b":"c"}', JSON.stringify({ a: 'x'.repeat(300) })]) {
    t.match(json(await device.authenticate({ body: JSON.stringify({ id_data: identity, pubkey: device.pem }) })), { code: 'IDENTITY_INVALID' }, identity)
  }
  for (const bad of ['', '{', '[]', '{"id_data":{},"pubkey":1}', 'null']) t.match(json(await device.authenticate({ body: bad })), { code: 'BODY_MALFORMED' }, bad)
  t.same(site.fleet.desk.devices(), [])
})

test('the same identity with another key waits, and the accepted key stays', async t => {
  const site = await openSite(t)
  const device = await acceptedDevice(site, { mac: 'a', serial: '7' })
  // Told in another order, it is the same identity.
  const thief = new FakeDevice(site, { serial: '7', mac: 'a' })
  t.match(json(await thief.authenticate()), { code: 'DEVICE_PENDING', facts: { device: device.id, fingerprint: thief.fingerprint } })
  t.equal((await device.authenticate()).status, 200)
  t.equal((await device.next()).status, 204)
  t.equal((await thief.next()).status, 401)
  // A board was changed: a person says so, and the former key is out.
  site.fleet.desk.accept(device.id, thief.fingerprint.slice(0, 12))
  t.equal((await thief.authenticate()).status, 200)
  t.equal((await device.next()).status, 401)
  t.match(json(await device.authenticate()), { code: 'DEVICE_REJECTED' })
})

test('an identity that is expected with a key takes no other', async t => {
  const site = await openSite(t)
  const device = new FakeDevice(site, { serial: '1' })
  const thief = new FakeDevice(site, { serial: '1' })
  const { id } = site.fleet.desk.preauthorise(device.identity, device.pem)
  t.throws(() => site.fleet.desk.preauthorise(device.identity), { code: 'DEVICE_KNOWN' })
  t.equal((await thief.authenticate()).status, 401)
  t.equal((await device.authenticate()).status, 200)
  t.match(site.fleet.desk.device(id).keys.map(({ standing }) => standing).sort(), ['accepted', 'pending'])
})

test('a flood of unknown devices and keys ends at the limit, and an accepted device still comes in', async t => {
  const site = await openSite(t, { devices: { pendingMax: 3, authRequestsPerMinute: 1000 } })
  const device = await acceptedDevice(site)
  for (let n = 0; n < 3; n += 1) t.equal((await new FakeDevice(site, { serial: String(n) }).authenticate()).status, 401)
  const full = await new FakeDevice(site, { serial: '3' }).authenticate()
  t.equal(full.status, 429)
  t.equal(full.headers['retry-after'], '3600')
  for (let n = 0; n < 10; n += 1) t.equal((await new FakeDevice(site, JSON.parse(device.identity)).authenticate()).status, 401)
  t.equal((await new FakeDevice(site, JSON.parse(device.identity)).authenticate()).status, 429)
  t.equal((await device.authenticate()).status, 200)
})

test('who asks too often is told when to come back', async t => {
  const site = await openSite(t, { devices: { requestsPerMinute: 3, authRequestsPerMinute: 4 } })
  const device = await acceptedDevice(site)
  for (let n = 0; n < 3; n += 1) t.equal((await device.next()).status, 204)
  const refused = await device.next()
  t.equal(refused.status, 429)
  t.equal(refused.headers['retry-after'], '20')
  site.clock.ms += 20_000
  t.equal((await device.next()).status, 204)
  for (let n = 0; n < 4; n += 1) t.equal((await device.authenticate()).status, 200)
  t.equal((await device.authenticate()).status, 429, 'before the signature is looked at')
})

test('a token that is expired, of another server, changed, or without a signature is refused', async t => {
  const site = await openSite(t)
  const device = await acceptedDevice(site)
  const other = await acceptedDevice(await openSite(t))
  const [header, claims, signature] = device.token.split('.') as [string, string, string]
  const encode = (object: object): string => Buffer.from(JSON.stringify(object)).toString('base64url')
  const changed = encode({ ...JSON.parse(Buffer.from(claims, 'base64url').toString()), sub: other.id })
  const good = device.token
  for (const token of ['', other.token, `${header}.${changed}.${signature}`, `${header}.${claims}.`, `${encode({ alg: 'none', typ: 'JWT' })}.${claims}.`, `${header}.${claims}`, `${good}.x`, 'x'.repeat(5000)]) {
    device.token = token
    const answer = await device.next()
    t.equal(answer.status, 401, token.slice(0, 40))
    t.match(json(answer), { code: 'TOKEN_REFUSED' })
  }
  device.token = good
  site.clock.ms += 7 * 86400_000 - 1000
  t.equal((await device.next()).status, 204)
  site.clock.ms += 1000
  t.equal((await device.next()).status, 401)
  await device.authenticate()
  t.equal((await device.next()).status, 204)
})

test('bodies have ends: longer ones are refused before they are read', async t => {
  const site = await openSite(t, { devices: { logBytesMax: 2000 } })
  await site.fleet.desk.addRelease(chunks(artifact(site.vendor)))
  const device = await acceptedDevice(site)
  const { id } = site.fleet.desk.deploy('drimbox-0.2.0', device.id)
  const long = (bytes: number): string => `{"a":"${'x'.repeat(bytes)}"}`
  for (const [method, path, bytes] of [
    ['POST', AUTH, 20_000],
    ['POST', '/api/devices/v2/deployments/device/deployments/next', 70_000],
    ['PUT', `${DEPLOYMENTS}/${id}/status`, 20_000],
    ['PUT', `${DEPLOYMENTS}/${id}/log`, 2000],
    ['PUT', '/api/devices/v1/inventory/device/attributes', 300_000]
  ] as const) {
    const answer = await device.ask(method, path, long(bytes))
    t.equal(answer.status, 413, path)
    t.match(json(answer), { code: 'BODY_TOO_LARGE' })
    t.equal((await device.ask(method, path, '{}', { 'content-type': 'text/plain' })).status, 415, path)
    t.equal((await device.ask(method, path)).status, 400, path)
  }
  t.match(json(await device.ask('GET', '/api/devices/v1/nothing')), { code: 'ROUTE_UNKNOWN' })
  t.equal((await device.ask('GET', `${DEPLOYMENTS}/next?artifact_name=a`)).status, 400)
  t.equal((await device.ask('GET', `${DEPLOYMENTS}/next?artifact_name=a&artifact_name=b&device_type=c`)).status, 400)
})

test('a deployment belongs to its device alone', async t => {
  const site = await openSite(t)
  await site.fleet.desk.addRelease(chunks(artifact(site.vendor)))
  await site.fleet.desk.addRelease(chunks(artifact(site.vendor, { name: 'drimbox-0.3.0' })))
  const [one, two] = [await acceptedDevice(site, { serial: '1' }), await acceptedDevice(site, { serial: '2' })]
  const first = site.fleet.desk.deploy('drimbox-0.2.0', one.id).id
  t.throws(() => site.fleet.desk.deploy('drimbox-0.3.0', one.id), { code: 'DEPLOYMENT_ACTIVE' })
  const second = site.fleet.desk.deploy('drimbox-0.3.0', two.id).id
  const offers = await Promise.all([one.next(), two.next(), one.next(), two.next()])
  t.same(offers.map(answer => json(answer).id), [first, second, first, second])
  for (const id of [first, 'nothing', '..%2f..', 'a'.repeat(90)]) {
    t.match(json(await two.tell(id, 'success')), { code: 'DEPLOYMENT_UNKNOWN' }, id)
    t.equal((await two.ask('PUT', `${DEPLOYMENTS}/${id}/log`, { messages: [] })).status, 404, id)
  }
  t.equal(site.fleet.desk.deployment(first).state, 'pending')
  t.equal((await two.tell(second, 'success')).status, 204)
  site.fleet.desk.deploy('drimbox-0.2.0', two.id)
  t.throws(() => site.fleet.desk.deploy('nothing', two.id), { code: 'RELEASE_UNKNOWN' })
  t.throws(() => site.fleet.desk.deploy('drimbox-0.2.0', 'nobody'), { code: 'DEVICE_UNKNOWN' })
  t.throws(() => site.fleet.desk.deploy('drimbox-0.2.0', ''), { code: 'DEVICE_UNKNOWN' })
})

test('a restart in the middle keeps the deployment, its id, the token and the link', async t => {
  const site = await openSite(t)
  const file = artifact(site.vendor)
  await site.fleet.desk.addRelease(chunks(file))
  const device = await acceptedDevice(site)
  const { id } = site.fleet.desk.deploy('drimbox-0.2.0', device.id)
  const link = new URL(json(await device.next()).artifact.source.uri as string)
  await device.tell(id, 'downloading')
  await site.restart()
  const again = json(await device.next())
  t.equal(again.id, id)
  const rest = await send('GET', `${site.fleet.address}${link.pathname}${link.search}`, { range: 'bytes=1000-', 'if-range': `"${sha256(file)}"` })
  t.equal(rest.status, 206)
  t.ok(rest.body.equals(file.subarray(1000)))
  t.equal((await device.tell(id, 'success')).status, 204)
  t.same(site.fleet.desk.deployment(id).events.map(({ state }) => state), ['pending', 'downloading', 'success'])
  t.same(site.fleet.desk.eventsAfter(2).map(({ number, state }) => [number, state]), [[3, 'success']])
})

test('a download goes on where it broke, by the exact byte', async t => {
  const site = await openSite(t)
  const file = artifact(site.vendor)
  await site.fleet.desk.addRelease(chunks(file))
  const device = await acceptedDevice(site)
  site.fleet.desk.deploy('drimbox-0.2.0', device.id)
  const { uri } = json(await device.next()).artifact.source as { uri: string }
  const etag = `"${sha256(file)}"`
  const size = file.length
  for (const [range, from, end] of [['bytes=0-', 0, size], ['bytes=0-0', 0, 1], [`bytes=${size - 1}-`, size - 1, size], ['bytes=-10', size - 10, size], ['bytes=5-999999999', 5, size], ['bytes=100-199', 100, 200]] as const) {
    const part = await send('GET', uri, { range })
    t.equal(part.status, 206, range)
    t.equal(part.headers['content-range'], `bytes ${from}-${end - 1}/${size}`)
    t.equal(part.headers['content-length'], String(end - from))
    t.ok(part.body.equals(file.subarray(from, end)), range)
  }
  for (const [headers, why] of [[{ range: 'bytes=0-1,5-9' }, 'several'], [{ range: 'lines=1-2' }, 'another unit'], [{ range: 'bytes=9-5' }, 'backwards'], [{ range: 'bytes=x' }, 'unreadable'], [{ range: 'bytes=5-', 'if-range': '"other"' }, 'another state'], [{ range: 'bytes=5-', 'if-range': `W/${etag}` }, 'a weak tag']] as const) {
    const whole = await send('GET', uri, headers as Record<string, string>)
    t.equal(whole.status, 200, why)
    t.ok(whole.body.equals(file), why)
  }
  for (const range of [`bytes=${size}-`, 'bytes=-0', `bytes=${size + 5}-${size + 9}`]) {
    const beyond = await send('GET', uri, { range })
    t.equal(beyond.status, 416, range)
    t.equal(beyond.headers['content-range'], `bytes */${size}`)
  }
  t.equal((await send('GET', uri, { 'if-none-match': etag })).status, 304)
  t.equal((await send('GET', uri, { 'if-match': '"other"' })).status, 412)
  const head = await send('HEAD', uri, { range: 'bytes=5-' })
  t.equal(head.status, 200)
  t.equal(head.headers['content-length'], String(size))
})

test('a link serves its deployment until it expires, and nothing else', async t => {
  const site = await openSite(t)
  await site.fleet.desk.addRelease(chunks(artifact(site.vendor)))
  const [one, two] = [await acceptedDevice(site, { serial: '1' }), await acceptedDevice(site, { serial: '2' })]
  site.fleet.desk.deploy('drimbox-0.2.0', one.id)
  const second = site.fleet.desk.deploy('drimbox-0.2.0', two.id).id
  const uri = new URL(json(await one.next()).artifact.source.uri as string)
  const changed = (change: (url: URL) => void): string => {
    const url = new URL(uri)
    change(url)
    return url.href
  }
  for (const url of [
    changed(url => { url.pathname = url.pathname.replace(/[^/]+$/, second) }),
    changed(url => { url.searchParams.set('x-men-expire', '2099-01-01T00:00:00.000Z') }),
    changed(url => { url.searchParams.set('x-men-signature', 'A'.repeat(43)) }),
    changed(url => { url.searchParams.append('x-men-expire', '2099-01-01T00:00:00.000Z') }),
    changed(url => { url.search = '' })
  ]) t.match(json(await send('GET', url)), { code: 'LINK_REFUSED' })
  site.clock.ms += 86400_000
  const late = await send('GET', uri.href)
  t.equal(late.status, 403)
  t.match(json(late), { code: 'LINK_EXPIRED' })
})

test('more downloads than may be at once are asked to come back, and a slow one doesn\'t count for ever', async t => {
  const site = await openSite(t, { downloads: { atOnceMax: 1, retrySeconds: 30 } })
  await site.fleet.desk.addRelease(chunks(artifact(site.vendor, { payload: [['root.erofs', Buffer.alloc(20 << 20, 'x')]] })))
  const device = await acceptedDevice(site)
  site.fleet.desk.deploy('drimbox-0.2.0', device.id)
  const { uri } = json(await device.next()).artifact.source as { uri: string }
  const slow = request(uri).end()
  const [answer] = await once(slow, 'response')
  const refused = await send('GET', uri)
  t.equal(refused.status, 429)
  t.match(refused.headers, { 'retry-after': '30', 'content-type': /json/ })
  t.match(json(refused), { code: 'TOO_MANY' })
  slow.on('error', () => {})
  answer.destroy()
  for (let n = 0; ; n += 1) {
    const again = await send('GET', uri, { range: 'bytes=0-9' })
    if (again.status === 206) break
    t.ok(n < 100, 'the place is free again')
    await new Promise(resolve => { setTimeout(resolve, 20) })
  }
})

test('a database of a later release is left alone, and a damaged key is no reason for a new one', async t => {
  const site = await openSite(t)
  await site.fleet.close()
  const { default: Database } = await import('better-sqlite3')
  const db = new Database(join(site.folder, 'fleet/fleet.sqlite'))
  const version = db.pragma('user_version', { simple: true }) as number
  const key = join(site.folder, 'fleet/keys/token.key')
  db.pragma(`user_version = ${version + 1}`)
  await t.rejects(site.restart(), { code: 'SETTING_INVALID' })
  db.pragma(`user_version = ${version}`)
  db.close()
  await site.restart()
  await site.fleet.close()
  writeFileSync(key, 'cut')
  await t.rejects(site.restart(), { code: 'SETTING_INVALID' })
  t.equal(readFileSync(key, 'utf8'), 'cut')
})
