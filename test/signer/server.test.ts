import { createHash, createPublicKey, verify, X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { pino } from 'pino'
import t from 'tap'
import { Keys } from '#signer/keys.ts'
import { signerServer } from '#signer/server.ts'
import { Tpm } from '#signer/tpm2/tpm.ts'
import { ask, type Told } from '#test/fixtures/activated.ts'
import { run, skipWithout, temporaryFolder, type Test } from '#test/fixtures/peer.ts'
import { startSoftwareTpm, SWTPM_PROGRAMS, tctiOf } from '#test/fixtures/swtpm.ts'

const skip = skipWithout(...SWTPM_PROGRAMS, 'openssl')
const text = Buffer.from('a report')
const digest = createHash('sha256').update(text).digest('hex')

interface Signer {
  readonly socket: string
  readonly folder: string
  ask (method: string, path: string, body?: unknown, headers?: Readonly<Record<string, string>>): Promise<Told>
}

async function signer (t: Test, tcti: string): Promise<Signer> {
  const folder = temporaryFolder(t)
  const workFolder = join(folder, 'work')
  mkdirSync(workFolder)
  const tpm = new Tpm({ tcti, workFolder, rootFile: join(folder, 'signer.root') })
  const server = signerServer({ tpm, keys: new Keys(folder, tpm), log: pino({ level: 'silent' }) })
  const socket = join(folder, 'signer.sock')
  server.listen(socket)
  await once(server, 'listening')
  t.teardown(() => { server.close(); server.closeAllConnections() })
  return { socket, folder, ask: async (...asked) => await ask(socket, ...asked) }
}

t.test('a key is made once, told, and signs', { skip }, async t => {
  const tpm = await startSoftwareTpm(t)
  const signer1 = await signer(t, tpm.tcti)
  t.same((await signer1.ask('GET', '/keys')).json, { keys: [] })
  for (const [id, type] of [['sign', 'P-256'], ['legal', 'RSA-2048']] as const) {
    const made = await signer1.ask('PUT', `/keys/${id}`, { type })
    t.equal(made.status, 201)
    const again = await signer1.ask('PUT', `/keys/${id}`, { type })
    t.equal(again.status, 200)
    t.same(again.json, made.json, 'asking twice gives one key')
    const signed = await signer1.ask('POST', `/keys/${id}/sign`, { digest })
    t.equal(signed.status, 200)
    t.ok(verify('sha256', text, createPublicKey(made.json.publicKey), Buffer.from(signed.json.signature, 'base64')))
    t.equal(statSync(join(signer1.folder, `signer.${id}.key`)).mode & 0o777, 0o600)
  }
  const { keys } = (await signer1.ask('GET', '/keys')).json
  t.same(keys.map(({ id, type }: { id: string, type: string }) => [id, type]), [['legal', 'RSA-2048'], ['sign', 'P-256']])
  const spki = createPublicKey(keys[1].publicKey).export({ format: 'der', type: 'spki' })
  t.equal(keys[1].fingerprint, createHash('sha256').update(spki).digest('hex'))
  t.match((await signer1.ask('PUT', '/keys/sign', { type: 'RSA-2048' })).json, { status: 409, code: 'KEY_EXISTS' })
})

t.test('a certification request that OpenSSL verifies and reads back', { skip }, async t => {
  const tpm = await startSoftwareTpm(t)
  const { folder, ask } = await signer(t, tpm.tcti)
  for (const [id, type] of [['ec', 'P-256'], ['rsa', 'RSA-2048']] as const) {
    const key = (await ask('PUT', `/keys/${id}`, { type })).json
    const { status, json } = await ask('POST', `/keys/${id}/csr`, {
      subject: { commonName: 'Centre d’imagerie Été', organizationalUnit: '0002 123456789', organization: 'Imagerie & Fils', country: 'FR' },
      names: ['drimbox.centre.example', '*.centre.example'],
      addresses: ['192.0.2.10', '2001:db8::10', '::ffff:192.0.2.1']
    })
    t.equal(status, 200)
    const file = join(folder, `${id}.csr`)
    writeFileSync(file, json.csr)
    const { code, output } = await run('openssl', ['req', '-in', file, '-verify', '-noout', '-text', '-nameopt', 'utf8,sep_comma_plus,-esc_msb'])
    t.equal(code, 0)
    t.match(output, /verify OK/)
    const told = Buffer.from(output, 'latin1').toString('utf8')
    t.match(told, 'Subject: C=FR,O=Imagerie & Fils,OU=0002 123456789,CN=Centre d’imagerie Été')
    t.match(told, /DNS:drimbox\.centre\.example, DNS:\*\.centre\.example, IP Address:192\.0\.2\.10, IP Address:2001:DB8:0:0:0:0:0:10, IP Address:0:0:0:0:0:FFFF:C000:201/)
    const { stdout } = await run('openssl', ['req', '-in', file, '-pubkey', '-noout'])
    t.equal(stdout.toString(), key.publicKey)

    const plain = await ask('POST', `/keys/${id}/csr`, { subject: { commonName: 'box' } })
    writeFileSync(file, plain.json.csr)
    t.match(await run('openssl', ['req', '-in', file, '-verify', '-noout', '-subject']), { code: 0, output: /subject=CN ?= ?box/ })
    // A certificate authority that takes it: the key in the certificate is the TPM's.
    const ca = await run('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-subj', '/CN=ca', '-days', '2', '-keyout', join(folder, 'ca.key'), '-out', join(folder, 'ca.crt')])
    t.equal(ca.code, 0)
    const issued = await run('openssl', ['x509', '-req', '-in', file, '-CA', join(folder, 'ca.crt'), '-CAkey', join(folder, 'ca.key'), '-days', '2', '-CAcreateserial'])
    t.equal(new X509Certificate(issued.stdout).publicKey.export({ format: 'pem', type: 'spki' }), key.publicKey)
  }
})

t.test('what is asked wrongly is refused by name, and the TPM never hears of it', { skip }, async t => {
  const { socket, ask } = await signer(t, tctiOf(1))
  const refused: ReadonlyArray<readonly [string, number, string, string, unknown?]> = [
    ['DATA_MALFORMED', 400, 'POST', '/keys/a/sign', { digest: digest.slice(2) }],
    ['DATA_MALFORMED', 400, 'POST', '/keys/a/sign', { digest: `${digest}00` }],
    ['DATA_MALFORMED', 400, 'POST', '/keys/a/sign', { digest: `${digest.slice(1)}g` }],
    ['DATA_MALFORMED', 400, 'POST', '/keys/a/sign', { digest: [digest] }],
    ['DATA_MALFORMED', 400, 'POST', '/keys/a/sign', { digest, also: 1 }],
    ['DATA_MALFORMED', 400, 'POST', '/keys/a/sign', `{"digest":"${digest}","__proto__":{}}`],
    ['DATA_MALFORMED', 400, 'POST', '/keys/a/sign', [digest]],
    ['DATA_MALFORMED', 400, 'POST', '/keys/a/sign', 'null'],
    ['DATA_MALFORMED', 400, 'POST', '/keys/a/sign', '{"digest":'],
    ['DATA_MALFORMED', 400, 'POST', '/keys/a/sign', `"${'x'.repeat(5000)}"`],
    ['DATA_MALFORMED', 400, 'PUT', '/keys/a', { type: 'RSA-4096' }],
    ['DATA_MALFORMED', 400, 'PUT', '/keys/a', { type: 'constructor' }],
    ['DATA_MALFORMED', 400, 'PUT', '/keys/a', {}],
    ['DATA_MALFORMED', 400, 'POST', '/keys/a/csr', { subject: { commonName: '' } }],
    ['DATA_MALFORMED', 400, 'POST', '/keys/a/csr', { subject: { commonName: 'a\u0000b' } }],
    ['DATA_MALFORMED', 400, 'POST', '/keys/a/csr', '{"subject":{"commonName":"\\ud800"}}'],
    ['DATA_MALFORMED', 400, 'POST', '/keys/a/csr', { subject: { commonName: 'x'.repeat(65) } }],
    ['DATA_MALFORMED', 400, 'POST', '/keys/a/csr', { subject: { commonName: 'a', country: 'fr' } }],
    ['DATA_MALFORMED', 400, 'POST', '/keys/a/csr', { subject: { commonName: 'a' }, names: ['a b'] }],
    ['DATA_MALFORMED', 400, 'POST', '/keys/a/csr', { subject: { commonName: 'a' }, names: Array(9).fill('a') }],
    ['DATA_MALFORMED', 400, 'POST', '/keys/a/csr', { subject: { commonName: 'a' }, addresses: ['fe80::1%eth0'] }],
    ['DATA_MALFORMED', 400, 'POST', '/keys/a/csr', { names: ['a'] }],
    ['KEY_UNKNOWN', 404, 'POST', '/keys/a/sign', { digest }],
    ['KEY_UNKNOWN', 404, 'POST', '/keys/..%2fa/sign', { digest }],
    ['KEY_UNKNOWN', 404, 'POST', '/keys/../sign', { digest }],
    ['KEY_UNKNOWN', 404, 'PUT', '/keys/A', { type: 'P-256' }],
    ['KEY_UNKNOWN', 404, 'PUT', `/keys/${'a'.repeat(33)}`, { type: 'P-256' }],
    ['METHOD_REFUSED', 405, 'GET', '/keys/a/sign'],
    ['METHOD_REFUSED', 405, 'DELETE', '/keys/a'],
    ['METHOD_REFUSED', 405, 'POST', '/health', {}],
    ['ROUTE_UNKNOWN', 404, 'POST', '/keys/a/decrypt', { digest }],
    ['ROUTE_UNKNOWN', 404, 'GET', '/'],
    ['ROUTE_UNKNOWN', 404, 'GET', '/keys/a/sign/more']
  ]
  for (const [code, status, method, path, body] of refused) {
    const told = await ask(method, path, body)
    t.match({ status: told.status, code: told.json.code, type: told.headers['content-type'] }, { status, code, type: 'application/problem+json' }, `${method} ${path} ${JSON.stringify(body) ?? ''}`.slice(0, 100))
  }
  t.match((await ask('POST', '/keys/a/sign', JSON.stringify({ digest }), { 'content-type': 'text/plain' })).json, { status: 415, code: 'MEDIA_UNSUPPORTED' })

  const raw = connect(socket)
  raw.end('\x16\x03\x01 not HTTP at all\r\n\r\n')
  const [answer] = await once(raw, 'data')
  t.match(answer.toString(), /^HTTP\/1\.1 400 /)
})

t.test('a caller who says nothing, or never ends, is let go', { skip }, async t => {
  const { socket } = await signer(t, tctiOf(1))
  const silent = connect(socket)
  const slow = connect(socket)
  slow.write('POST /keys/a/sign HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 90\r\n\r\n{"dig')
  const started = Date.now()
  await Promise.all([silent, slow].map(async one => { one.on('error', () => {}); one.resume(); await once(one, 'close') }))
  t.ok(Date.now() - started < 8000)
})

t.test('two callers at once make one key and get their own signatures', { skip }, async t => {
  const tpm = await startSoftwareTpm(t)
  const { ask } = await signer(t, tpm.tcti)
  const made = await Promise.all([ask('PUT', '/keys/one', { type: 'P-256' }), ask('PUT', '/keys/one', { type: 'P-256' })])
  t.same(made.map(({ status }) => status).sort(), [200, 201])
  t.equal(made[0]?.json.fingerprint, made[1]?.json.fingerprint)
  const texts = Array.from({ length: 12 }, (_, index) => Buffer.from(`text ${index}`))
  const answers = await Promise.all(texts.map(async text => await ask('POST', '/keys/one/sign', { digest: createHash('sha256').update(text).digest('hex') })))
  for (const [index, text] of texts.entries()) t.ok(verify('sha256', text, createPublicKey(made[0]?.json.publicKey), Buffer.from(answers[index]?.json.signature, 'base64')))
})

t.test('health tells how the TPM is; in lockout the signer goes on', { skip }, async t => {
  const tpm = await startSoftwareTpm(t)
  const { ask } = await signer(t, tpm.tcti)
  await ask('PUT', '/keys/one', { type: 'P-256' })
  t.match(await ask('GET', '/health'), { status: 200, json: { status: 'up', code: null, keys: 1, lockout: { inLockout: false, failuresMax: 3 } } })
  await tpm.lockOut(temporaryFolder(t))
  t.match(await ask('GET', '/health'), { status: 200, json: { status: 'degraded', code: 'TPM_LOCKOUT', lockout: { inLockout: true } } })
  t.equal((await ask('POST', '/keys/one/sign', { digest })).status, 200)
  await tpm.kill()
  t.match(await ask('GET', '/health'), { status: 503, json: { status: 'down', code: 'TPM_ABSENT', keys: 1 } })
  t.match((await ask('POST', '/keys/one/sign', { digest })).json, { status: 503, code: 'TPM_ABSENT' })
  t.match((await ask('GET', '/keys')).json.keys.length, 1, 'public keys need no TPM')
})

t.test('a damaged key is told, a foreign file is nobody, and there is an end to keys', { skip }, async t => {
  const tpm = await startSoftwareTpm(t)
  const { folder, ask } = await signer(t, tpm.tcti)
  await ask('PUT', '/keys/k0', { type: 'P-256' })
  const file = join(folder, 'signer.k0.key')
  const good = readFileSync(file, 'latin1')
  for (const [name, bad] of [['cut', good.slice(0, 200)], ['empty', ''], ['turned', good.replace('A', 'B')], ['long', good + good]] as const) {
    writeFileSync(file, bad)
    const told = await ask('POST', '/keys/k0/sign', { digest })
    t.ok([['KEY_UNREADABLE', 500], ['TPM_FAILED', 502]].some(([code, status]) => told.json.code === code && told.status === status), name)
  }
  t.same((await ask('GET', '/keys')).json.keys.length, 0)
  writeFileSync(file, good)
  writeFileSync(join(folder, 'front.key'), good)
  for (let index = 1; index < 8; index++) t.equal((await ask('PUT', `/keys/k${index}`, { type: 'P-256' })).status, 201)
  t.match((await ask('PUT', '/keys/k8', { type: 'P-256' })).json, { status: 409, code: 'KEY_LIMIT' })
})

t.test('a folder that takes no key is told, and nothing half is left', { skip }, async t => {
  const tpm = await startSoftwareTpm(t)
  const { folder, ask } = await signer(t, tpm.tcti)
  mkdirSync(join(folder, 'signer.one.key.new'))
  t.match((await ask('PUT', '/keys/one', { type: 'P-256' })).json, { status: 500, code: 'STORE_FAILED' })
  t.same((await ask('GET', '/keys')).json, { keys: [] })
})
