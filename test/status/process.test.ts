import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { SMALL_FLAGS, statusPermissions } from '#core/runtime.ts'
import { ask, startActivated, type Told } from '#test/fixtures/activated.ts'
import { skipWithout, type Test } from '#test/fixtures/peer.ts'
import { statusRoot, type StatusRoot } from '#test/fixtures/status-root.ts'

const skip = skipWithout('openssl')
const TREE = join(import.meta.dirname, '../..')

/** The process as on a box, with no more rights than there. */
async function status (t: Test, root: StatusRoot): Promise<(path: string, headers?: Readonly<Record<string, string>>, method?: string) => Promise<Told>> {
  const { socket } = await startActivated(t, [process.execPath, ...SMALL_FLAGS, ...statusPermissions(TREE, root.folder), join(TREE, 'src/status.ts'), `--root=${root.folder}`])
  return async (path, headers = {}, method = 'GET') => await ask(socket, method, path, undefined, headers)
}

t.test('a box that does its work says so, to a person and to a program', { skip }, async t => {
  const root = await statusRoot(t)
  await root.gateway(t)
  const get = await status(t, root)
  const { status: code, json, headers } = await get('/status.json')
  const certificate = new X509Certificate(readFileSync(join(root.folder, 'run/drimbox-front-tls/front.crt')))
  t.equal(code, 200)
  t.match(headers, { 'content-type': 'application/json', 'cache-control': 'no-store' })
  t.match(json, {
    version: '0.1.0',
    release: 3,
    slot: 'a',
    state: 'ready',
    problems: [],
    boot: { secureBoot: true, lockdown: 'integrity', verity: true, entry: 'drimbox_0.1.0.efi' },
    disk: { state: 'open', code: null, detail: /^volume / },
    tpm: { state: 'ready' },
    key: { kind: 'tpm', fingerprint: certificate.fingerprint256, selfSigned: true },
    update: { state: 'committed', version: '0.1.0' },
    time: { synchronised: true, offsetSeconds: -0.000318 },
    gateway: { answering: true, code: null },
    network: { addresses: Array },
    uptimeSeconds: 90061
  })
  t.ok(json.memory.totalBytes > json.memory.availableBytes && json.memory.availableBytes > 0)
  const page = await get('/')
  t.match(page, { status: 200, headers: { 'content-type': 'text/html; charset=utf-8', 'content-language': 'fr', 'content-security-policy': /default-src 'none'/ } })
  t.match(page.text, /<html lang="fr">[^]*En service[^]*Rien à signaler/)
  t.match(page.text, certificate.fingerprint256)
  t.notMatch(page.text, '<script')
  t.notMatch(page.text, 'http-equiv="refresh"')
})

t.test('French, unless English is asked for or preferred', { skip }, async t => {
  const root = await statusRoot(t)
  const get = await status(t, root)
  for (const [path, accept, language] of [
    ['/', undefined, 'fr'], ['/', 'de', 'fr'], ['/', 'en-US,en;q=0.9', 'en'], ['/', 'fr,en;q=0.5', 'fr'],
    ['/status?lang=en', 'fr', 'en'], ['/status?lang=fr', 'en', 'fr'], ['/status?lang=xx', 'en', 'en'], ['/status/nothing', 'en', 'en']
  ] as const) {
    const told = await get(path, accept === undefined ? {} : { 'accept-language': accept })
    t.equal(told.headers['content-language'], language, `${path} ${accept ?? ''}`)
    t.match(told.text, `<html lang="${language}">`)
  }
})

t.test('only what is there is served, and only read', { skip }, async t => {
  const get = await status(t, await statusRoot(t))
  for (const path of ['/status/', '/status', '/']) t.equal((await get(path)).status, 200, path)
  for (const path of ['/status/x', '/statusx', '/favicon.ico', '/../etc/passwd', '//', '/status.json/']) t.equal((await get(path)).status, 404, path)
  for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS', 'TRACE']) t.match(await get('/status', {}, method), { status: 405, headers: { allow: 'GET, HEAD' } })
  const head = await get('/status', {}, 'HEAD')
  t.match(head, { status: 200, text: '' })
  t.ok(Number(head.headers['content-length']) > 1000)
})

t.test('what a script wrote is text and never markup', { skip }, async t => {
  const root = await statusRoot(t)
  root.fact('disk', 'open', 'DISK_STRANGE', '</code><script>alert(1)</script>\u001b[31m"\'&')
  const get = await status(t, root)
  const page = (await get('/')).text
  t.notMatch(page, '<script')
  t.notMatch(page, '\u001b')
  t.match(page, '&#60;script&#62;alert(1)')
  t.match(page, 'Anomalie DISK_STRANGE. Donnez ce code au support.')
})
