import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'
import { factOf, machine, PROJECT } from '#test/fixtures/appliance.ts'
import { skipWithout, type Test } from '#test/fixtures/peer.ts'

const skip = skipWithout('dash', 'openssl')

const SETTINGS = {
  serial: 3,
  network: { address: '192.0.2.10/24', gateway: '192.0.2.1', dns: ['192.0.2.53'] },
  ntp: ['192.0.2.123', { host: 'time.centre.example', nts: true }],
  fleet: { url: 'https://fleet.example:8443', pollSeconds: 60 },
  gateway: { pacs: { host: '192.0.2.20', port: 11112, calledTitle: 'PACS', senders: [{ title: 'PACS', addresses: ['192.0.2.21'] }] }, http: { port: 80 } }
}

/** A box that believes one vendor, and a stick. */
function site (t: Test) {
  const { folder, run } = machine(t)
  const medium = join(folder, 'medium')
  const system = join(folder, 'system')
  for (const path of [medium, system, join(folder, 'disk')]) mkdirSync(path)
  openssl('ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', join(folder, 'vendor.key'))
  openssl('ec', '-in', join(folder, 'vendor.key'), '-pubout', '-out', join(folder, 'vendor.pub'))
  const put = (name: string, text: string, key = 'vendor.key'): void => {
    writeFileSync(join(medium, name), text)
    openssl('dgst', '-sha256', '-sign', join(folder, key), '-out', join(medium, `${name}.sig`), join(medium, name))
  }
  const env = {
    DRIMBOX_MEDIUM: medium,
    DRIMBOX_SYSTEM: system,
    DRIMBOX_SETTINGS_KEY: join(folder, 'vendor.pub'),
    DRIMBOX_SERVICE: PROJECT,
    DRIMBOX_DISK: join(folder, 'disk')
  }
  return {
    folder,
    medium,
    system,
    put,
    plug: (more: NodeJS.ProcessEnv = {}) => run('stick', { ...env, ...more }),
    fact: () => factOf(folder, 'stick'),
    inForce: (name: string) => readFileSync(join(system, 'settings', name), 'utf8'),
    apply: (more: NodeJS.ProcessEnv = {}) => run('settings', {
      DRIMBOX_SITE: join(system, 'settings'),
      DRIMBOX_CONFIG: join(folder, 'gateway/config.json'),
      DRIMBOX_PEERS: join(system, 'peers'),
      DRIMBOX_SETTINGS_OUT: join(folder, 'out'),
      DRIMBOX_NETWORK: join(folder, 'network'),
      DRIMBOX_MENDER: join(PROJECT, 'appliance/rootfs/etc/mender/mender.conf'),
      DRIMBOX_DEFAULTS: join(PROJECT, 'appliance/rootfs/usr/lib/drimbox/defaults'),
      DRIMBOX_SERVICE: PROJECT,
      DRIMBOX_GROUP: '0',
      ...more
    })
  }
}

function openssl (...args: string[]): void {
  const { status, stderr } = spawnSync('openssl', args, { encoding: 'utf8' })
  if (status !== 0) throw new Error(stderr)
}

test('settings that the vendor signed are taken, and act', { skip }, t => {
  const box = site(t)
  mkdirSync(join(box.folder, 'gateway'))
  box.put('drimbox-settings.json', JSON.stringify(SETTINGS))
  const { code, output, systemctl } = box.plug()
  t.equal(code, 0, output)
  t.match(box.fact(), { state: 'taken', code: null, detail: 'settings 3' })
  t.same(systemctl, ['--no-block restart drimbox-settings.service'])
  t.match(box.inForce('network'), /^Address=192\.0\.2\.10\/24\nGateway=192\.0\.2\.1\nDNS=192\.0\.2\.53$/m)
  t.equal(box.inForce('ntp'), 'server 192.0.2.123 iburst\nserver time.centre.example iburst nts\n')
  const config = JSON.parse(box.inForce('config.json'))
  t.match(config, { pacs: { host: '192.0.2.20' }, http: { socket: '/run/drimbox/http.sock' }, cache: { folder: '/var/lib/drimbox/cache' } })
  t.equal(config.http.port, undefined, 'where it listens is not the site\'s to say')

  const applied = box.apply()
  t.equal(applied.code, 0, applied.output)
  t.equal(readFileSync(join(box.folder, 'gateway/config.json'), 'utf8'), box.inForce('config.json'))
  t.match(JSON.parse(readFileSync(join(box.folder, 'out/mender.conf'), 'utf8')), { ServerURL: 'https://fleet.example:8443', UpdatePollIntervalSeconds: 60, ArtifactVerifyKey: /pem$/ })
  t.same(readFileSync(join(box.folder, 'out/peers'), 'utf8').split('\n').filter(Boolean).sort(), [
    'caller 192.0.2.21 11112', 'fleet fleet.example 8443', 'ntp 192.0.2.123', 'ntp time.centre.example', 'pacs 192.0.2.20 11112'
  ])
  t.ok(applied.systemctl.includes('--no-block restart drimbox.service'))
  t.same(box.apply().systemctl, [], 'a second time nothing changes, and nothing is started again')

  t.equal(box.plug({ DRIMBOX_SERVICE: '/nowhere' }).code, 0)
  t.match(box.fact(), { state: 'taken', detail: /already/ }, 'a stick left plugged in does no harm, and starts no program')
  box.put('drimbox-settings.json', JSON.stringify(SETTINGS))
  t.equal(box.plug().code, 0)
  t.match(box.fact(), { state: 'taken', detail: /already/ }, 'signed once more, it is still the same')
  t.end()
})

test('without settings the image\'s defaults hold: DHCP, no fleet server, a gateway that waits for its PACS', { skip }, t => {
  const box = site(t)
  mkdirSync(join(box.folder, 'gateway'))
  const { code, output } = box.apply()
  t.equal(code, 0, output)
  t.match(JSON.parse(readFileSync(join(box.folder, 'gateway/config.json'), 'utf8')), { pacs: { host: '127.0.0.1' } })
  t.notOk(existsSync(join(box.folder, 'network/10-static.network')))
  t.notOk(existsSync(join(box.folder, 'out/fleet')), 'Mender\'s client does not start')
  t.end()
})

test('a second file replaces the first in one step, and what it leaves out goes back to the default', { skip }, t => {
  const box = site(t)
  mkdirSync(join(box.folder, 'gateway'))
  box.put('drimbox-settings.json', JSON.stringify(SETTINGS))
  box.plug()
  box.apply()
  box.put('drimbox-settings.json', JSON.stringify({ serial: 4 }))
  t.equal(box.plug().code, 0)
  const { systemctl } = box.apply()
  t.notOk(existsSync(join(box.folder, 'network/10-static.network')))
  t.notOk(existsSync(join(box.folder, 'out/chrony/site.sources')))
  t.ok(systemctl.includes('--no-block try-reload-or-restart systemd-networkd.service'))
  t.match(JSON.parse(readFileSync(join(box.folder, 'gateway/config.json'), 'utf8')), { pacs: { host: '192.0.2.20' } }, 'a gateway that works is left alone')
  t.same(readdirSync(box.system).sort(), ['peers', 'settings', 'settings-4'])
  t.end()
})

test('what is not the vendor\'s, not whole, older or wrong is refused by name, and what was in force stays', { skip }, t => {
  const box = site(t)
  openssl('ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', join(box.folder, 'stranger.key'))
  box.put('drimbox-settings.json', JSON.stringify(SETTINGS))
  box.plug()
  const refused = (code: string, why: string): void => {
    const { code: ended, systemctl } = box.plug()
    t.equal(ended, 0, why)
    t.match(box.fact(), { state: 'refused', code }, why)
    t.same(systemctl, [], `${why}: nothing is started again`)
    t.equal(box.inForce('serial'), '3\n', `${why}: what was in force stays`)
  }
  box.put('drimbox-settings.json', JSON.stringify({ ...SETTINGS, serial: 9 }), 'stranger.key')
  refused('SETTINGS_SIGNATURE', 'another key')

  const whole = JSON.stringify({ ...SETTINGS, serial: 9 })
  box.put('drimbox-settings.json', whole)
  writeFileSync(join(box.medium, 'drimbox-settings.json'), whole.slice(0, -20))
  refused('SETTINGS_SIGNATURE', 'a file that is cut')

  box.put('drimbox-settings.json', JSON.stringify({ ...SETTINGS, serial: 2 }))
  refused('SETTINGS_OLD', 'an older serial')
  box.put('drimbox-settings.json', JSON.stringify({ ...SETTINGS, ntp: [] }))
  refused('SETTINGS_OLD', 'the same serial with another content')
  box.put('drimbox-settings.json', '{"serial": 9')
  refused('SETTINGS_INVALID', 'no JSON')
  box.put('drimbox-settings.json', JSON.stringify({ ...SETTINGS, serial: 9, colour: 'red' }))
  refused('SETTINGS_INVALID', 'an unknown key')
  box.put('drimbox-settings.json', JSON.stringify({ ...SETTINGS, serial: 9, gateway: { pacs: { host: '', calledTitle: 'PACS' } } }))
  refused('SETTINGS_INVALID', 'settings that the gateway would not take')
  t.match(box.fact().detail, /pacs\/host/, 'and it says which')
  box.put('drimbox-settings.json', JSON.stringify({ ...SETTINGS, serial: 9, ntp: ['time.example\nallow all'] }))
  refused('SETTINGS_INVALID', 'a line of another program\'s')
  box.put('drimbox-settings.json', JSON.stringify({ ...SETTINGS, serial: 9 }) + ' '.repeat(300_000))
  refused('SETTINGS_TOO_LARGE', 'a file that has no end')
  t.end()
})

test('an order to forget everything is obeyed by the machine that it names, once', { skip }, t => {
  const box = site(t)
  const volume = '0a1b2c3d-0000-4000-8000-000000000001'
  writeFileSync(join(box.folder, 'disk/volume'), `${volume}\n`)
  box.put('drimbox-reset.json', JSON.stringify({ volume }))
  t.same(box.plug().systemctl, ['--no-block start drimbox-factory-reset.service'])
  t.match(box.fact(), { state: 'reset' })
  // After the reset the partition is another one.
  writeFileSync(join(box.folder, 'disk/volume'), '0a1b2c3d-0000-4000-8000-000000000002\n')
  t.same(box.plug().systemctl, [])
  writeFileSync(join(box.medium, 'drimbox-reset.json'), JSON.stringify({ volume: '0a1b2c3d-0000-4000-8000-000000000002' }))
  t.same(box.plug().systemctl, [])
  t.match(box.fact(), { state: 'refused', code: 'SETTINGS_SIGNATURE' })
  t.end()
})

test('nothing is taken while the data partition is closed', { skip }, t => {
  const box = site(t)
  writeFileSync(join(box.folder, 'disk/closed'), '')
  box.put('drimbox-settings.json', JSON.stringify(SETTINGS))
  t.equal(box.plug().code, 0)
  t.match(box.fact(), { state: 'refused', code: 'DISK_CLOSED' })
  t.notOk(existsSync(join(box.system, 'settings')))
  t.end()
})

test('a link in place of the settings leads nowhere', { skip }, t => {
  const box = site(t)
  symlinkSync('/etc/shadow', join(box.medium, 'drimbox-settings.json'))
  t.equal(box.plug().code, 0)
  t.match(box.fact(), { state: 'none', code: 'SETTINGS_ABSENT' })
  t.notMatch(JSON.stringify(box.fact()), /root/)
  t.end()
})
