import { rmSync } from 'node:fs'
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http'
import { request } from 'node:https'
import { once } from 'node:events'
import { join } from 'node:path'
import { connect, type TLSSocket } from 'node:tls'
import { test } from 'tap'
import { SCRIPTS } from '#test/fixtures/appliance.ts'
import { freePort, run, skipWithout, startProcess, temporaryFolder, type Test } from '#test/fixtures/peer.ts'

const skip = skipWithout('haproxy', 'openssl')

interface Echo { readonly who: string, readonly url: string, readonly headers: IncomingHttpHeaders }

/** The real front with a key in a file, and two services that tell what reached them. */
async function front (t: Test, { gateway = true } = {}) {
  const folder = temporaryFolder(t)
  const { code, output } = await run('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2', '-subj', '/CN=drimbox', '-keyout', join(folder, 'front.key'), '-out', join(folder, 'front.crt')])
  if (code !== 0) throw new Error(output)
  await echo(t, join(folder, 'status.sock'), 'status')
  if (gateway) await echo(t, join(folder, 'gateway.sock'), 'gateway')
  const port = await freePort()
  await startProcess(t, 'haproxy', ['-W', '-f', join(SCRIPTS, 'haproxy.cfg')], {
    port,
    env: { FRONT_PORT: String(port), FRONT_TLS: folder, FRONT_GATEWAY: join(folder, 'gateway.sock'), FRONT_STATUS: join(folder, 'status.sock') }
  })
  return {
    port,
    async get (path: string, headers: Record<string, string> = {}): Promise<{ status: number | undefined, headers: IncomingHttpHeaders, body: string }> {
      const asked = request({ host: '127.0.0.1', port, path, headers, agent: false, rejectUnauthorized: false }).end()
      const [response] = await once(asked, 'response')
      let body = ''
      for await (const chunk of response) body += String(chunk)
      return { status: response.statusCode, headers: response.headers, body }
    },
    /** One connection, its greeting read to the end; undefined when it was refused. */
    async shake (session?: Buffer, version: 'TLSv1.2' | 'TLSv1.3' = 'TLSv1.3'): Promise<{ session: Buffer | undefined, reused: boolean } | undefined> {
      return await new Promise(resolve => {
        let kept = session
        let reused = false
        const socket: TLSSocket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false, session, minVersion: version, maxVersion: version, servername: 'drimbox' }, () => {
          reused = socket.isSessionReused()
          socket.write('GET /status HTTP/1.1\r\nhost: drimbox\r\nconnection: close\r\n\r\n')
        })
        socket.on('session', given => { kept = given }).on('error', () => { resolve(undefined) }).resume()
        socket.once('close', () => { resolve({ session: kept, reused }) })
      })
    }
  }
}

async function echo (t: Test, path: string, who: string): Promise<Server> {
  const server = createServer((asked, answer) => {
    answer.setHeader('content-type', 'application/json')
    answer.setHeader('server', 'secret/1.0')
    answer.end(JSON.stringify({ who, url: asked.url, headers: asked.headers }))
  })
  rmSync(path, { force: true })
  server.listen(path)
  await once(server, 'listening')
  t.teardown(() => { server.closeAllConnections(); server.close() })
  return server
}

test('the status page has its paths, the gateway all others', { skip }, async t => {
  const { get } = await front(t)
  const who = async (path: string): Promise<string> => (JSON.parse((await get(path)).body) as Echo).who
  for (const path of ['/', '/status', '/status.json', '/status/facts', '/status?language=fr']) t.equal(await who(path), 'status', path)
  for (const path of ['/dicom-web/studies', '/dicom-web', '/fhir/metadata', '/statusx', '/Status', '/dicom-web/status']) t.equal(await who(path), 'gateway', path)
})

test('what only the front may say, no caller can', { skip }, async t => {
  const { get } = await front(t)
  const forged = {
    'X-Drimbox-Client-Verify': '0',
    'X-Drimbox-Client-Subject': 'CN=doctor',
    'x-ssl-client-cert': 'forged',
    'SSL-Client-Cert': 'forged',
    'X-Client-Verify': 'SUCCESS',
    'X-ARR-ClientCert': 'forged',
    'Client-Cert': 'forged',
    'Client-Cert-Chain': 'forged',
    'X-Forwarded-For': '198.51.100.1',
    'X-Forwarded-Host': 'evil.example',
    'X-Forwarded-Proto': 'http',
    'X-Real-IP': '198.51.100.1',
    Forwarded: 'for=198.51.100.1',
    Authorization: 'Bearer kept'
  }
  const { headers, body } = await get('/dicom-web', forged)
  const { headers: arrived } = JSON.parse(body) as Echo
  const names = Object.keys(arrived).filter(name => !['host', 'connection', 'authorization'].includes(name)).sort()
  t.same(names, ['x-drimbox-tls-resumed', 'x-forwarded-for', 'x-forwarded-proto'])
  t.match(arrived, { 'x-forwarded-for': '127.0.0.1', 'x-forwarded-proto': 'https', authorization: 'Bearer kept' })
  t.equal(headers.server, undefined, 'nothing says what answers inside')
})

test('a gateway that is away is told as a problem with a code', { skip }, async t => {
  const { get } = await front(t, { gateway: false })
  const { status, headers, body } = await get('/dicom-web/studies')
  t.equal(status, 503)
  t.equal(headers['content-type'], 'application/problem+json')
  t.match(JSON.parse(body), { code: 'GATEWAY_ABSENT', status: 503 })
  t.equal((await get('/status')).status, 200, 'and the status page still answers')
})

for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
  test(`a session is resumed without the key, ${version}`, { skip }, async t => {
    const { shake } = await front(t)
    const first = await shake(undefined, version)
    t.equal(first?.reused, false)
    let session = first?.session
    for (let again = 0; again < 60; again++) {
      const next = await shake(session, version)
      if (next?.reused !== true) t.fail(`connection ${again} is not a resumed one`)
      session = next?.session
    }
    t.pass('sixty in a row, and none was refused')
  })
}

test('a peer that never resumes is refused before it can use up the TPM', { skip }, async t => {
  const { shake } = await front(t)
  let whole = 0
  for (let n = 0; n < 80; n++) if (await shake() !== undefined) whole++
  t.ok(whole >= 35 && whole <= 60, `${whole} of 80 whole handshakes`)
})

test('neither is one that hangs up in the middle of a handshake', { skip }, async t => {
  const { port, shake } = await front(t)
  const { Socket } = await import('node:net')
  for (let n = 0; n < 60; n++) {
    const socket = new Socket()
    socket.on('error', () => {}).connect(port, '127.0.0.1')
    await once(socket, 'connect').catch(() => {})
    socket.destroy()
  }
  t.equal(await shake(), undefined)
})

test('TLS 1.1 and weak ciphers are not spoken', { skip }, async t => {
  const { port } = await front(t)
  for (const options of [['-tls1_1', '-cipher', 'ALL:@SECLEVEL=0'], ['-tls1_2', '-cipher', 'AES128-SHA:AES256-SHA:ECDHE-ECDSA-AES128-SHA']]) {
    const { code } = await run('openssl', ['s_client', '-connect', `127.0.0.1:${port}`, ...options])
    t.not(code, 0, options.join(' '))
  }
})
