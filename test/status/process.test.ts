import { X509Certificate } from 'node:crypto'
import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { SMALL_FLAGS, statusPermissions } from '#core/runtime.ts'
import { ask, startActivated, type Told } from '#test/fixtures/activated.ts'
import { skipWithout, type Test } from '#test/fixtures/peer.ts'
import { certificate, statusRoot, type StatusRoot } from '#test/fixtures/status-root.ts'

const skip = skipWithout('openssl')
const TREE = join(import.meta.dirname, '../..')

/** The process as on a box, with no more rights than there. */
async function status (t: Test, root: StatusRoot): Promise<(path: string, headers?: Readonly<Record<string, string>>, method?: string) => Promise<Told>> {
  const { socket } = await startActivated(t, [process.execPath, ...SMALL_FLAGS, ...statusPermissions(TREE, root.folder), join(TREE, 'src/status.ts'), `--root=${root.folder}`])
  return async (path, headers = {}, method = 'GET') => await ask(socket, method, path, undefined, headers)
}

/** Reports are kept for a second. */
const later = async (): Promise<void> => { await new Promise(resolve => setTimeout(resolve, 1100)) }

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

t.test('a closed disk, with its reason and what to do', { skip }, async t => {
  const root = await statusRoot(t)
  const get = await status(t, root)
  for (const [code, words] of [['TPM_ABSENT', /puce de sécurité/], ['TPM_LOCKOUT', /dix minutes/], ['DISK_FOREIGN', /autre boîtier/], ['DISK_DAMAGED', /endommagé/]] as const) {
    root.fact('disk', 'closed', code, 'a reason')
    root.fact('tpm', code === 'TPM_ABSENT' ? 'absent' : code === 'TPM_LOCKOUT' ? 'lockout' : 'ready', code.startsWith('TPM') ? code : null)
    root.fact('key', 'temporary', 'DISK_CLOSED', 'the stored key lies on the closed data partition')
    const { json } = await get('/status.json')
    t.equal(json.state, 'closed')
    t.match(json.problems[0], { code, fr: words, detail: 'a reason' })
    t.match(json.key.kind, 'temporary')
    t.same(json.problems.map((problem: { code: string }) => problem.code), [code, 'DISK_CLOSED'], 'each reason once, and nothing of the gateway')
    const page = (await get('/')).text
    t.match(page, /Hors service/)
    t.notMatch(page, 'http-equiv="refresh"')
    await later()
  }
})

t.test('the gateway and its PACS, in words', { skip }, async t => {
  const root = await statusRoot(t)
  await root.gateway(t)
  const get = await status(t, root)
  const say = async (): Promise<Record<string, any>> => { await later(); return (await get('/status.json')).json }
  const down = { status: 'down', dependencies: { pacs: { status: 'down', code: 'PACS_REJECTED' }, disk: { status: 'up' }, index: { status: 'up' } } }
  for (const [what, status, answer, answering, code] of [
    ['PACS refuses', 503, down, true, 'PACS_REJECTED'],
    ['PACS never asked', 200, { status: 'degraded', dependencies: { pacs: { status: 'degraded' }, disk: { status: 'up' }, index: { status: 'up' } } }, true, 'PACS_UNREACHABLE'],
    ['disk full', 200, { status: 'degraded', dependencies: { pacs: { status: 'up' }, disk: { status: 'degraded' }, index: { status: 'up' } } }, true, 'STORE_FAILED'],
    ['something else', 200, { status: 'degraded' }, true, 'GATEWAY_DEGRADED'],
    ['another code', 503, { status: 'down', dependencies: { pacs: { status: 'down', code: '<script>DUPONT</script>' } } }, true, 'PACS_UNREACHABLE'],
    ['404', 404, {}, false, 'GATEWAY_BROKEN'],
    ['no JSON', 200, '<html>', false, 'GATEWAY_BROKEN'],
    ['a number', 200, '5', false, 'GATEWAY_BROKEN'],
    ['too long', 200, JSON.stringify({ status: 'x'.repeat(70_000) }), false, 'GATEWAY_BROKEN'],
    ['silent', 200, undefined, false, 'GATEWAY_SILENT']
  ] as const) {
    await root.gateway(t, status, answer)
    const json = await say()
    t.match(json.gateway, { answering, code }, what)
    t.notMatch(JSON.stringify(json), 'DUPONT')
  }
  await root.stopGateway()
  t.match((await say()).gateway, { answering: false, code: 'GATEWAY_ABSENT' })
})

t.test('broken, strange and missing facts are told and harm nobody', { skip }, async t => {
  const root = await statusRoot(t)
  await root.gateway(t)
  const get = await status(t, root)
  const say = async (): Promise<Record<string, any>> => { await later(); return (await get('/status.json')).json }
  for (const [what, content] of [
    ['empty', ''], ['cut', '{"state":"op'], ['null', 'null'], ['a list', '[]'], ['no state', '{"code":null}'], ['state of markup', '{"state":"<b>"}'],
    ['code of markup', '{"state":"open","code":"<B>"}'], ['too long', `{"state":"open","detail":"${'x'.repeat(9000)}"}`], ['binary', '\u0000\uFFFF']
  ] as const) {
    root.put('run/drimbox-facts/disk.json', content)
    const json = await say()
    t.match(json, { disk: null, problems: [{ code: 'FACT_BROKEN', fr: /disque de données/ }], state: 'degraded' }, what)
  }
  root.remove('run/drimbox-facts/disk.json')
  mkdirSync(join(root.folder, 'run/drimbox-facts/disk.json'))
  t.match((await say()).problems, [{ code: 'FACT_BROKEN' }], 'a folder in its place')
  root.remove('run/drimbox-facts/disk.json')
  root.fact('disk', 'open', 'DISK_STRANGE', '</code><script>alert(1)</script>\u001b[31m"\'&')
  t.match(await say(), { state: 'degraded', problems: [{ code: 'DISK_STRANGE', fr: 'Anomalie DISK_STRANGE. Donnez ce code au support.', en: /DISK_STRANGE/ }] })
  const page = (await get('/')).text
  t.notMatch(page, '<script')
  t.notMatch(page, '\u001b')
  t.match(page, '&#60;script&#62;alert(1)')
  root.fact('disk', 'open', 'DISK_FULL')
  root.fact('update', 'rolled-back', 'UPDATE_SOMETHING', null, { version: '0.2.0', fr: 'Dit par le module', en: 'Said by the module' })
  t.match((await say()).problems, [{ code: 'DISK_FULL', fr: /presque plein/ }, { code: 'UPDATE_SOMETHING', fr: 'Dit par le module', en: 'Said by the module' }])
  root.remove('run/drimbox-facts')
  root.remove('sys')
  root.remove('proc')
  root.remove('usr')
  root.remove('run/drimbox-front-tls')
  const bare = await say()
  t.match(bare, { version: null, release: null, slot: null, boot: { secureBoot: null, lockdown: null, verity: false, entry: null }, key: { kind: null, fingerprint: null, selfSigned: null }, time: { synchronised: null, offsetSeconds: null } })
  t.equal((await get('/')).status, 200)
})

t.test('certificates: whose, and for how long', { skip }, async t => {
  const root = await statusRoot(t)
  await root.gateway(t)
  const get = await status(t, root)
  await certificate(root, 'run/drimbox-front-tls/front.crt', 7, true)
  t.match((await get('/status.json')).json, { state: 'ready', key: { selfSigned: false } })
  await certificate(root, 'run/drimbox-front-tls/front.crt', 1, true)
  await later()
  t.match((await get('/status.json')).json, { state: 'degraded', problems: [{ code: 'CERTIFICATE_EXPIRES' }] })
  root.put('run/drimbox-front-tls/front.crt', 'not a certificate')
  await later()
  t.match((await get('/status.json')).json, { problems: [{ code: 'CERTIFICATE_MISSING' }], key: { fingerprint: null } })
})
