import { test } from 'tap'
import { parseConfig } from '#box/config.ts'
import { networkFile, ntpSources, parseSite, peersOf } from '#box/site/settings.ts'

const PACS = { host: '192.0.2.20', calledTitle: 'PACS' }

test('a serial is all that must be said', t => {
  t.same(parseSite({ serial: 1 }), { serial: 1 })
  t.match(parseSite({ serial: 1, network: { address: '192.0.2.10/24' }, fleet: { url: 'https://fleet.example' } }), { network: { dns: [] }, fleet: { pollSeconds: 1800 } })
  t.end()
})

test('every wrong key is named at once, those of the gateway by its own reader', t => {
  const parse = (site: object): unknown => parseSite({ serial: 1, ...site })
  t.throws(() => parse({ serial: 0, network: { address: '192.0.2.10' }, colour: 'red' }), { code: 'SETTING_INVALID', message: /serial.*network\/address.*colour|colour/s })
  t.throws(() => parse({ gateway: { pacs: { ...PACS, port: 70000 } } }), { message: /\/gateway: \/pacs\/port/ })
  t.throws(() => parse({ gateway: [] }), { code: 'SETTING_INVALID' })
  t.throws(() => parse({ network: { address: '192.0.2.300/24' } }), { message: /300/ })
  t.end()
})

test('no value can become a line of its own in another program\'s file', t => {
  const parse = (site: object): unknown => parseSite({ serial: 1, ...site })
  t.throws(() => parse({ ntp: ['a\nallow 0/0'] }), { code: 'SETTING_INVALID' })
  t.throws(() => parse({ ntp: [{ host: 'a b' }] }), { code: 'SETTING_INVALID' })
  t.throws(() => parse({ network: { address: '192.0.2.10/24', dns: ['192.0.2.1\nDHCP=yes'] } }), { code: 'SETTING_INVALID' })
  for (const url of ['http://fleet.example', 'https://fleet.example/"', 'https://fleet.example/#x', 'https://a@b/', 'https://fleet.example/&']) t.throws(() => parse({ fleet: { url } }), { code: 'SETTING_INVALID' }, url)
  t.end()
})

test('where the box listens and keeps its packs is the appliance\'s to say', t => {
  const { gateway } = parseSite({ serial: 1, gateway: { pacs: PACS, http: { host: '0.0.0.0', port: 80, publicUrl: 'https://box.lan/dicom-web' }, cache: { folder: '/etc', bytesMax: 1 << 30 }, adminSocket: '/tmp/admin' } })
  t.same(gateway, {
    pacs: PACS,
    http: { publicUrl: 'https://box.lan/dicom-web', socket: '/run/drimbox/http.sock' },
    cache: { folder: '/var/lib/drimbox/cache', bytesMax: 1 << 30 },
    adminSocket: '/run/drimbox-admin/admin.sock'
  })
  t.end()
})

test('files of other programs say what the settings say', t => {
  t.match(networkFile({ address: '192.0.2.10/24', dns: ['192.0.2.1', '192.0.2.2'] }), /\[Network\]\nDHCP=no\n[^[]*Address=192\.0\.2\.10\/24\nDNS=192\.0\.2\.1\nDNS=192\.0\.2\.2\n$/)
  t.equal(ntpSources(['a.example', { host: 'b.example', nts: true }, { host: 'c.example', nts: false }]), 'server a.example iburst\nserver b.example iburst nts\nserver c.example iburst\n')
  t.end()
})

test('those who may call are those whom the gateway would admit', t => {
  const peers = (pacs: object): string => peersOf(parseConfig({ pacs: { ...PACS, ...pacs }, cache: { folder: '/c' } }))
  t.equal(peers({}), 'pacs 192.0.2.20 104\ncaller 192.0.2.20 11112\n')
  t.equal(peers({ senders: [{ title: 'A', addresses: ['192.0.2.21', '192.0.2.22'] }, { title: 'B' }] }), 'pacs 192.0.2.20 104\ncaller 192.0.2.21 11112\ncaller 192.0.2.22 11112\ncaller 192.0.2.20 11112\n')
  t.end()
})
