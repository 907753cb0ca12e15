/**
 * Mender's real daemons on a box, the fleet server, and artifacts as the image build makes them: whole
 * deployments, with the restarts in between. Firmware, the kernel and systemd are the virtual machine's.
 */

import { createReadStream, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ChildProcess } from 'node:child_process'
import { setTimeout as delay } from 'node:timers/promises'
import { pino } from 'pino'
import { test } from 'tap'
import { parseFleetConfig } from '#fleet/config.ts'
import { openFleet, type Fleet } from '#fleet/fleet.ts'
import { selfSigned, temporaryFolder, type Test } from '#test/fixtures/peer.ts'
import { Relay } from '#test/fixtures/relay.ts'
import { UpdateBox, release, skipWithoutUpdateBox, somewhereIn, type Release } from '#test/fixtures/update-box.ts'

const skip = skipWithoutUpdateBox()
/** The client waits a minute before it goes on with a download that was cut. */
const WITHIN_MS = 150_000
const REBOOTS = 'var/systemctl.log'

/** Bus and both daemons, as their units start them. systemd's part in a reboot: the updater is told to end. */
const DAEMONS = `
mkdir -p /run/dbus
dbus-uuidgen --ensure
dbus-daemon --system --nopidfile --fork
mender-auth --log-level info daemon &
mender-update --log-level info daemon &
echo $! > /run/mender-update.pid
wait`
const SYSTEMCTL = `#!/bin/sh
echo "$*" >> /${REBOOTS}
if [ "$1" = reboot ]; then kill -TERM "$(cat /run/mender-update.pid)"; fi
`

class Site {
  readonly box: UpdateBox
  readonly fleet: Fleet
  readonly relay: Relay
  #on: ChildProcess | undefined
  #said = ''

  constructor (t: Test, box: UpdateBox, fleet: Fleet, relay: Relay) {
    this.box = box
    this.fleet = fleet
    this.relay = relay
    t.teardown(async () => { await this.off() })
  }

  on (gate: 'good' | 'failed' = 'good'): void {
    const child = this.box.start(['sh', '-c', DAEMONS], { gate })
    for (const stream of [child.stdout!, child.stderr!]) stream.on('data', (chunk: Buffer) => { this.#said = (this.#said + chunk.toString()).slice(-30_000) })
    this.#on = child
  }

  async off (): Promise<void> {
    if (this.#on !== undefined) await this.box.cut(this.#on)
    this.#on = undefined
  }

  async until (is: () => boolean, what: string): Promise<void> {
    const deadline = Date.now() + WITHIN_MS
    while (!is()) {
      if (Date.now() > deadline) throw new Error(`no ${what}: ${this.#said.slice(-6000)}`)
      await delay(50)
    }
  }

  get reboots (): number {
    try {
      return this.box.read(REBOOTS).split('\n').filter(line => line === 'reboot').length
    } catch {
      return 0
    }
  }

  /** Waits until the box asks for a restart, and gives it. */
  async reboot (): Promise<void> {
    const before = this.#rebooted
    await this.until(() => this.reboots > before, 'reboot')
    this.#rebooted = this.reboots
    await delay(500)
    await this.off()
    this.box.boot()
  }

  #rebooted = 0

  get device (): string { return this.fleet.desk.devices()[0]!.id }

  async deploy (of: Release): Promise<string> {
    if (this.fleet.desk.releases().every(({ name }) => name !== `drimbox-${of.version}`)) {
      await this.fleet.desk.addRelease(createReadStream(join(this.box.folder, this.box.artifact(of))))
    }
    return this.fleet.desk.deploy(`drimbox-${of.version}`, this.device).id
  }

  async end (deployment: string): Promise<ReturnType<Fleet['desk']['deployment']>> {
    await this.until(() => {
      const { isFinal, state, log } = this.fleet.desk.deployment(deployment)
      return isFinal && (state === 'success' || log !== undefined)
    }, 'end of the deployment')
    return this.fleet.desk.deployment(deployment)
  }
}

async function openSite (t: Test, first: Release): Promise<Site> {
  const folder = temporaryFolder(t)
  const tls = await selfSigned(folder, 'localhost')
  let fleetPort = 0
  const relay = new Relay(() => fleetPort)
  await relay.listen()
  t.teardown(async () => { await relay.close() })
  const url = `https://127.0.0.1:${relay.port}`
  const box = new UpdateBox(t, first)
  const vendorKey = join(folder, 'vendor.pub')
  writeFileSync(vendorKey, box.read('etc/mender/artifact-verify-key.pem'))
  const fleet = await openFleet(parseFleetConfig({
    folder: join(folder, 'fleet'),
    http: { port: 0, tls: { certFile: tls.cert, keyFile: tls.key }, publicUrl: url },
    artifacts: { publicKeyFiles: [vendorKey] },
    devices: { requestsPerMinute: 1000, authRequestsPerMinute: 1000 }
  }), { log: pino({ level: 'silent' }) })
  t.teardown(async () => { await fleet.close() })
  fleetPort = Number(new URL(fleet.address).port)
  box.put('etc/mender/fleet.crt', readFileSync(tls.cert, 'utf8'))
  box.put('etc/mender/mender.conf', JSON.stringify({
    ...JSON.parse(box.read('etc/mender/mender.conf')) as object,
    ServerURL: url,
    ServerCertificate: '/etc/mender/fleet.crt',
    UpdatePollIntervalSeconds: 1,
    InventoryPollIntervalSeconds: 1,
    RetryPollIntervalSeconds: 1
  }))
  box.put('usr/share/mender/identity/mender-device-identity', '#!/bin/sh\necho tpm_ek=00112233\n', 0o755)
  box.put('usr/share/mender/inventory/mender-inventory-drimbox', readFileSync('appliance/rootfs/usr/share/mender/inventory/mender-inventory-drimbox', 'utf8'), 0o755)
  box.put('usr/bin/systemctl', SYSTEMCTL, 0o755)
  const site = new Site(t, box, fleet, relay)
  site.on()
  await site.until(() => fleet.desk.devices().length === 1, 'device')
  fleet.desk.accept(site.device)
  await site.until(() => fleet.desk.device(site.device).inventory.image_version === first.version, 'inventory')
  return site
}

test('a deployment, from the offer to the commit, with a download that is cut and goes on', { skip, timeout: 600_000 }, async t => {
  const site = await openSite(t, release('0.1.0', 1))
  t.match(site.fleet.desk.device(site.device), { identity: '{"tpm_ek":"00112233"}', keys: [{ kind: 'ed25519' }] })
  site.relay.cutAfter(1 << 20)
  const next = release('0.2.0', 2)
  const id = await site.deploy(next)
  await site.reboot()
  t.equal(site.relay.cuts, 1, 'the download was cut')
  t.equal(site.box.running.version, '0.2.0')
  t.same(site.box.entries().map(({ version, left }) => [version, left]).toSorted(), [['0.1.0', 3], ['0.2.0', 2]])
  site.on()
  const { state, events } = await site.end(id)
  t.equal(state, 'success')
  t.same(events.map(({ state }) => state), ['pending', 'downloading', 'installing', 'rebooting', 'installing', 'success'])
  t.match(site.box.last, { state: 'committed', version: '0.2.0' })
  await site.until(() => site.fleet.desk.device(site.device).inventory.image_version === '0.2.0', 'inventory of the new version')
  t.same(site.box.entries().map(({ left }) => left), [3, 3])
  t.same(site.box.faults(), [])
  await site.until(() => site.fleet.desk.device(site.device).artifactName === 'drimbox-0.2.0', 'new name')

  // The next one, in the other direction, and refused: nothing restarts.
  const older = await site.end(await site.deploy(release('0.1.5', 1)))
  t.match(older, { state: 'failure', cause: { code: 'UPDATE_OLDER_RELEASE', fr: /plus ancienne/ } })
  t.equal(site.reboots, 1)
})

test('a version that can\'t serve: three starts, the old one again by itself, and the server knows why', { skip, timeout: 600_000 }, async t => {
  const site = await openSite(t, release('0.1.0', 1))
  const id = await site.deploy(release('0.2.0', 2))
  await site.reboot()
  for (const left of [2, 1, 0]) {
    t.match(site.box.entries().find(({ version }) => version === '0.2.0'), { left })
    // The gate's verdict, which ends each of these starts before Mender is up.
    await site.box.run(['sh', '-c', '. /usr/lib/drimbox/update-state; update_state on-trial 0.2.0 GATE_GATEWAY_FAILED "failed, 5 restarts"'], { gate: 'failed' })
    site.box.boot()
  }
  t.equal(site.box.running.version, '0.1.0')
  site.on()
  const { state, cause } = await site.end(id)
  t.equal(state, 'failure')
  t.match(cause, { code: 'GATE_GATEWAY_FAILED', fr: 'La passerelle s\'est arrêtée plusieurs fois' })
  t.equal(site.reboots, 1, 'the old one runs already: nothing is gained by one more')
  t.same(site.box.entries().map(({ version, left }) => [version, left]), [['0.1.0', 3]])
  t.match(site.box.last, { state: 'rolled-back', version: '0.2.0', code: 'GATE_GATEWAY_FAILED' })
})

test('a version whose gate fails while Mender is up goes back with one restart', { skip, timeout: 600_000 }, async t => {
  const site = await openSite(t, release('0.1.0', 1))
  const id = await site.deploy(release('0.2.0', 2))
  await site.reboot()
  site.on('failed')
  await site.reboot()
  t.equal(site.box.running.version, '0.1.0')
  site.on()
  const { state, cause } = await site.end(id)
  t.equal(state, 'failure')
  t.match(cause, { code: 'UPDATE_NOT_COMMITTED' })
  t.equal(site.reboots, 2)
})

test('the power goes while an update arrives: told as failed, offered again, installed', { skip, timeout: 600_000 }, async t => {
  const site = await openSite(t, release('0.1.0', 1))
  const next = release('0.2.0', 2)
  const id = await site.deploy(next)
  await site.until(() => site.fleet.desk.deployment(id).state === 'downloading', 'download')
  await somewhereIn(600)
  await site.off()
  t.ok(site.box.entries().some(({ version, left }) => version === '0.1.0' && left > 0))
  t.same(site.box.faults(), [])
  // Wherever it was: the download, or already with its last step.
  while (site.box.boot().version !== '0.1.0');
  site.on()
  t.equal((await site.end(id)).state, 'failure')
  const again = await site.deploy(next)
  await site.reboot()
  site.on()
  t.equal((await site.end(again)).state, 'success')
  t.same(site.box.faults(), [])
  rmSync(join(site.box.folder, 'artifacts'), { recursive: true })
})
