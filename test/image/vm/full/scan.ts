/** What answers from outside: Nmap on the box's own network, as the PACS that is in its settings and as somebody else. */

import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { test } from 'tap'
import { makeStick } from '../../../../os-image/qemu/stick.ts'
import { Appliance, BOOT_SECONDS, DIMSE_PORT } from '../appliance.ts'
import { FOLDER, IMAGES, KEYS, row, serves } from './delivered.ts'

const run = promisify(execFile)
const DEVICE = 'lan'
const BOX = '192.0.2.10'
const PACS = '192.0.2.1'
const STRANGER = '192.0.2.66'
/** Of the box on its cable, were IPv6 on: RFC 4291 appendix A, of QEMU's first network address. */
const BOX_LINK_LOCAL = 'fe80::5054:ff:fe12:3456'
/** Ports that don't answer are asked twice; half a minute for all of them at this rate. */
const SYN = ['-sS', '-p-', '--min-rate', '4000', '--max-retries', '1']
/** One is asked at a time, and nothing answers: the most common ones. */
const UDP = ['-sU', '--top-ports', '100', '--max-retries', '1', '--min-rate', '100']
const SCAN_MS = 300_000

/** @returns ports that answered, as `443/tcp` */
async function open (from: string, to: string, ...how: readonly string[]): Promise<string[]> {
  const { stdout } = await run('nmap', ['-n', '-Pn', '-e', DEVICE, ...from === '' ? [] : ['-S', from], ...how, '-oG', '-', to], { timeout: SCAN_MS })
  return [...stdout.matchAll(/(\d+)\/(open|closed|unfiltered)\/(tcp|udp)/g)].map(([, port, state, protocol]) => `${port}/${protocol}${state === 'open' ? '' : ` ${state}`}`)
}

test('a scan of all ports', { timeout: BOOT_SECONDS * 2000 + 5 * SCAN_MS }, async t => {
  for (const words of [`tuntap add ${DEVICE} mode tap`, `address add ${PACS}/24 dev ${DEVICE}`, `address add ${STRANGER}/24 dev ${DEVICE}`, `link set ${DEVICE} up`]) await run('ip', words.split(' '))
  t.teardown(async () => { await run('ip', ['link', 'delete', DEVICE]) })
  const stick = join(FOLDER, 'scan.img')
  makeStick(stick, {
    serial: 1,
    network: { address: `${BOX}/24` },
    gateway: { pacs: { host: PACS, port: 4242, calledTitle: 'PACS' }, dimse: { aeTitle: 'DRIMBOX', port: DIMSE_PORT }, http: {}, cache: { diskFreeBytesMin: 32 << 20 } }
  }, KEYS)
  const box = new Appliance(t, join(IMAGES, 'test'), join(FOLDER, 'scan'), { fresh: true, stick, lan: { device: DEVICE, address: BOX } })
  await box.machine.start()
  await serves(box, '0.1.0', 2 * BOOT_SECONDS)
  await box.machine.until(async () => (await box.probe.text('cat', '/run/drimbox-settings/peers')).includes(PACS), BOOT_SECONDS, 'packet filter that knows the PACS')

  const asPacs = await open(PACS, BOX, ...SYN)
  const asStranger = await open(STRANGER, BOX, ...SYN)
  t.same(asPacs, ['443/tcp', `${DIMSE_PORT}/tcp`], 'the PACS of the settings reaches HTTPS and DIMSE')
  t.same(asStranger, ['443/tcp'], 'somebody else HTTPS alone')
  for (const from of [PACS, STRANGER]) t.same(await open(from, BOX, ...UDP), [], `no answer over UDP to ${from}`)
  t.same(await open('', BOX_LINK_LOCAL, '-6', ...SYN), [], 'nothing over IPv6')
  row('scan of all TCP ports, 100 of UDP, IPv6 (Nmap)', `as the PACS of the settings: ${asPacs.join(', ')}; as somebody else: ${asStranger.join(', ')}; nothing else answers`)
})
