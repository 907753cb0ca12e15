import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { look } from '#status/look.ts'
import { statusPage } from '#status/page.ts'
import type { Report } from '#status/report.ts'
import { skipWithout } from '#test/fixtures/peer.ts'
import { certificate, statusRoot, type StatusRoot } from '#test/fixtures/status-root.ts'

const skip = skipWithout('openssl')
const say = async (root: StatusRoot): Promise<Report> => await look(root.folder, '/dicom-web')

t.test('a closed disk, with its reason and what to do', { skip }, async t => {
  const root = await statusRoot(t)
  for (const [code, words] of [['TPM_ABSENT', /puce de sécurité/], ['TPM_LOCKOUT', /dix minutes/], ['DISK_FOREIGN', /autre boîtier/], ['DISK_DAMAGED', /endommagé/]] as const) {
    root.fact('disk', 'closed', code, 'a reason')
    root.fact('tpm', code === 'TPM_ABSENT' ? 'absent' : code === 'TPM_LOCKOUT' ? 'lockout' : 'ready', code.startsWith('TPM') ? code : null)
    root.fact('key', 'temporary', 'DISK_CLOSED', 'the stored key lies on the closed data partition')
    const json = await say(root)
    t.equal(json.state, 'closed')
    t.match(json.problems[0], { code, fr: words, detail: 'a reason' })
    t.match(json.key.kind, 'temporary')
    t.same(json.problems.map(problem => problem.code), [code, 'DISK_CLOSED'], 'each reason once, and nothing of the gateway')
    const page = statusPage(json, { language: 'fr', refreshes: true, now: Date.now() })
    t.match(page, /Hors service/)
    t.notMatch(page, 'http-equiv="refresh"')
  }
})

t.test('the gateway and its PACS, in words', { skip }, async t => {
  const root = await statusRoot(t)
  await root.gateway(t)
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
    ['silent', 200, null, false, 'GATEWAY_SILENT']
  ] as const) {
    await root.gateway(t, status, answer)
    const json = await say(root)
    t.match(json.gateway, { answering, code }, what)
    t.notMatch(JSON.stringify(json), 'DUPONT')
  }
  await root.stopGateway()
  t.match((await say(root)).gateway, { answering: false, code: 'GATEWAY_ABSENT' })
})

t.test('broken, strange and missing facts are told and harm nobody', { skip }, async t => {
  const root = await statusRoot(t)
  await root.gateway(t)
  for (const [what, content] of [
    ['empty', ''], ['cut', '{"state":"op'], ['null', 'null'], ['a list', '[]'], ['no state', '{"code":null}'], ['state of markup', '{"state":"<b>"}'],
    ['code of markup', '{"state":"open","code":"<B>"}'], ['too long', `{"state":"open","detail":"${'x'.repeat(9000)}"}`], ['binary', '\u0000\uFFFF']
  ] as const) {
    root.put('run/drimbox-facts/disk.json', content)
    const json = await say(root)
    t.match(json, { disk: null, problems: [{ code: 'FACT_BROKEN', fr: /disque de données/ }], state: 'degraded' }, what)
  }
  root.remove('run/drimbox-facts/disk.json')
  mkdirSync(join(root.folder, 'run/drimbox-facts/disk.json'))
  t.match((await say(root)).problems, [{ code: 'FACT_BROKEN' }], 'a folder in its place')
  root.remove('run/drimbox-facts/disk.json')
  root.fact('disk', 'open', 'DISK_STRANGE', '</code><script>alert(1)</script>\u001b[31m"\'&')
  t.match(await say(root), { state: 'degraded', problems: [{ code: 'DISK_STRANGE', fr: 'Anomalie DISK_STRANGE. Donnez ce code au support.', en: /DISK_STRANGE/ }] })
  root.fact('disk', 'open', 'DISK_FULL')
  root.fact('update', 'rolled-back', 'UPDATE_SOMETHING', null, { version: '0.2.0', fr: 'Dit par le module', en: 'Said by the module' })
  t.match((await say(root)).problems, [{ code: 'DISK_FULL', fr: /presque plein/ }, { code: 'UPDATE_SOMETHING', fr: 'Dit par le module', en: 'Said by the module' }])
  root.remove('run/drimbox-facts')
  root.remove('sys')
  root.remove('proc')
  root.remove('usr')
  root.remove('run/drimbox-front-tls')
  const bare = await say(root)
  t.match(bare, { version: null, release: null, slot: null, boot: { secureBoot: null, lockdown: null, verity: false, entry: null }, key: { kind: null, fingerprint: null, selfSigned: null }, time: { synchronised: null, offsetSeconds: null } })
  t.match(statusPage(bare, { language: 'fr', refreshes: true, now: Date.now() }), '</html>')
})

t.test('an update that was not kept is told, and the version that runs is in service', { skip }, async t => {
  const root = await statusRoot(t)
  await root.gateway(t)
  t.equal((await say(root)).state, 'ready')
  root.fact('update', 'rolled-back', 'GATE_GATEWAY_FAILED', null, { version: '0.3.0' })
  t.match(await say(root), { state: 'ready', problems: [{ code: 'GATE_GATEWAY_FAILED', fr: /mise à jour 0\.3\.0 n’a pas été gardée : La passerelle/, en: /update 0\.3\.0 was not kept: The gateway/ }] })
  root.fact('gate', 'failed', 'GATE_GATEWAY_FAILED')
  const { state, problems } = await say(root)
  t.equal(state, 'degraded', 'of the version that runs the same would be a fault')
  t.equal(problems.length, 2)
})

t.test('certificates: whose, and for how long', { skip }, async t => {
  const root = await statusRoot(t)
  await root.gateway(t)
  await certificate(root, 'run/drimbox-front-tls/front.crt', 7, true)
  t.match(await say(root), { state: 'ready', key: { selfSigned: false } })
  await certificate(root, 'run/drimbox-front-tls/front.crt', 1, true)
  t.match(await say(root), { state: 'degraded', problems: [{ code: 'CERTIFICATE_EXPIRES' }] })
  root.put('run/drimbox-front-tls/front.crt', 'not a certificate')
  t.match(await say(root), { problems: [{ code: 'CERTIFICATE_MISSING' }], key: { fingerprint: null } })
})

t.test('while it starts, what is not there yet is no problem; ten minutes later it is', { skip }, async t => {
  const root = await statusRoot(t)
  root.put('proc/uptime', '40.00 70.00\n')
  for (const name of ['disk', 'tpm', 'key', 'gate', 'time', 'update']) root.remove(`run/drimbox-facts/${name}.json`)
  root.remove('run/drimbox-front-tls')
  t.match(await say(root), { state: 'starting', problems: [] })
  const page = (refreshes: boolean, report: Report): string => statusPage(report, { language: 'en', refreshes, now: Date.now() })
  const starting = await say(root)
  t.match(page(true, starting), '<meta http-equiv="refresh" content="5">')
  t.match(page(true, starting), '<a href="/status?lang=en&#38;refresh=off">Stop refreshing</a>', 'which can be stopped')
  t.notMatch(page(false, starting), 'http-equiv="refresh"')
  t.match(page(false, starting), '<a href="/status?lang=en">Refresh by itself</a>')

  root.put('proc/uptime', '601.00 70.00\n')
  t.match(await say(root), { state: 'degraded', problems: [{ code: 'FACT_MISSING' }, { code: 'FACT_MISSING' }, { code: 'FACT_MISSING' }, { code: 'GATEWAY_ABSENT' }, { code: 'CERTIFICATE_MISSING' }] })
  root.put('proc/uptime', '40.00 70.00\n')
  root.fact('gate', 'failed', 'GATE_GATEWAY_FAILED')
  t.match(await say(root), { state: 'degraded' }, 'the gate has given up: it no longer starts')
})

t.test('what is only worth a line takes nothing from the state; Secure Boot does', { skip }, async t => {
  const root = await statusRoot(t)
  await root.gateway(t)
  root.fact('stick', 'none', 'SETTINGS_ABSENT', 'no drimbox-settings.json on it')
  t.match(await say(root), { state: 'ready', problems: [{ code: 'SETTINGS_ABSENT' }] })
  root.put('sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c', Buffer.from([6, 0, 0, 0, 0]))
  t.match(await say(root), { state: 'degraded', boot: { secureBoot: false } })
})

t.test('the clock: on time, off, unknown', { skip }, async t => {
  const root = await statusRoot(t)
  for (const [state, code, detail, synchronised, offsetSeconds] of [
    ['synchronised', null, '-0.000318', true, -0.000318], ['off', 'TIME_OFF', '3.5', false, 3.5], ['unsynchronised', 'TIME_UNSYNCHRONISED', null, false, null],
    ['unknown', 'TIME_UNKNOWN', 'chrony does not answer', null, null], ['synchronised', null, 'Infinity', true, null]
  ] as const) {
    root.fact('time', state, code, detail)
    t.same((await say(root)).time, { synchronised, offsetSeconds })
  }
})

t.test('slot B, and a system that nothing verifies', { skip }, async t => {
  const root = await statusRoot(t)
  root.put('sys/class/block/vda2/uevent', 'PARTNAME=root-b\n')
  t.match(await say(root), { slot: 'b', boot: { verity: true } })
  root.put('proc/cmdline', 'quiet\n')
  t.match(await say(root), { slot: 'b', boot: { verity: false } })
  root.put('sys/class/block/vda2/uevent', 'PARTNAME=root-c\n')
  t.match(await say(root), { slot: null })
})
