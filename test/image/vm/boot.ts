/**
 * `make test-image`: one appliance through its life, in QEMU with Secure Boot and a software TPM. First
 * boot with a stick of settings, images from a real PACS, power cuts, an update, a broken update, a flipped bit.
 *
 * Needs the images that the Makefile makes before: var/image/{test,test-2,test-3}; 0.1.0, 0.2.0 and a broken 0.3.0.
 */

import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'
import { DIMSE_PORT, FLEET_PORT, PROJECT, Appliance, BOOT_SECONDS, type Status } from './appliance.ts'
import { failedUnits, listeners, memory, rootProcesses, setIdFiles } from './inventory.ts'
import { serveTime } from './time-server.ts'
import { deskSettings, makeStick } from '../../../os-image/qemu/stick.ts'
import { openFleetDesk } from '../../../os-image/qemu/fleet-desk.ts'
import { flipByte } from './disk-image.ts'
import { instancesIn, startOrthanc } from '#test/fixtures/orthanc.ts'
import { ANY_OBJECT, objectOf, partsOf } from '#test/fixtures/retrieved.ts'
import { send, sendable } from '#test/fixtures/send.ts'
import { studyOnDisk } from '#test/fixtures/studies.ts'

const KEYS = join(PROJECT, 'var/keys')
const IMAGES = join(PROJECT, 'var/image')
const FOLDER = join(PROJECT, 'var/run/test-image')
/** What is measured on the way; goals and figures of a quiet machine stand in docs/image-tests.md. */
const FIGURES = join(FOLDER, 'figures.json')
/** A small series, of half a megabyte each. */
const CT_IMAGES = 24
/** An update under emulation: 125 MB over TLS, two digests of each byte, a write, a restart. Beside other work more than ten minutes. */
const UPDATE_SECONDS = 1500
/** A broken release is started three times before the firmware's loader gives it up. */
const FALL_BACK_SECONDS = 2400

/** What of tap a check needs. */
interface Checks { equal (found: unknown, wanted: unknown, what: string): unknown, ok (is: unknown, what: string): unknown }

const figures: Record<string, unknown> = {}
const tell = (name: string, value: unknown): void => {
  figures[name] = value
  writeFileSync(FIGURES, JSON.stringify(figures, undefined, 2) + '\n')
}

test('the life of one appliance', { bail: true, timeout: 5400_000 }, async t => {
  for (const image of ['test', 'test-2', 'test-3']) {
    if (!existsSync(join(IMAGES, image, 'disk.img'))) throw new Error(`no var/image/${image}: make test-image builds it`)
  }
  rmSync(FOLDER, { recursive: true, force: true })
  mkdirSync(FOLDER, { recursive: true })
  serveTime(t, FOLDER)
  const vendor = await openFleetDesk({ port: FLEET_PORT, folder: join(FOLDER, 'fleet'), keys: KEYS })
  t.teardown(async () => { await vendor.close() })
  const orthanc = await startOrthanc(t, [{ aeTitle: 'DRIMBOX', host: '127.0.0.1', port: DIMSE_PORT }])
  const study = await studyOnDisk(t, 'ct', CT_IMAGES)
  for (const file of study.files) t.equal(await send(sendable(readFileSync(file)), orthanc), '0000', 'the PACS takes the image')

  const stick = join(FOLDER, 'stick.img')
  makeStick(stick, deskSettings({
    fleetUrl: vendor.url,
    pacs: { port: orthanc.port, calledTitle: 'ORTHANC' },
    dimse: { aeTitle: 'DRIMBOX', port: DIMSE_PORT },
    ntp: true
  }), KEYS)
  const box = new Appliance(t, join(IMAGES, 'test'), join(FOLDER, 'machine'), { fresh: true, stick })
  let first: Status | undefined
  let device = ''

  await t.test('a new box makes its data partition, its key and its identity', async t => {
    await box.machine.start()
    const { status, seconds } = await box.untilReady('0.1.0', 2 * BOOT_SECONDS)
    first = status
    tell('first boot: seconds from power on to ready', seconds)
    t.equal(status.boot.secureBoot, true, 'started by Secure Boot')
    t.match(status.boot.lockdown, /confidentiality/, 'the kernel is locked down')
    t.equal(status.slot, 'a')
    t.same([status.disk.state, status.disk.code], ['new', null], 'the data partition is new')
    t.equal(status.key.kind, 'tpm', 'the front\'s key lies in the TPM')
    t.equal(status.key.selfSigned, true, 'and says that nobody has vouched for it yet')
    t.same(status.problems, [], 'nothing is wrong')
  })

  await t.test('it has nothing that it should not have', async t => {
    t.same(await failedUnits(box.probe), [], 'no unit failed')
    t.same(await setIdFiles(box.probe), [], 'no set-uid file')
    const listening = await listeners(box.probe)
    t.same(listening.filter(one => !one.startsWith('udp')), ['tcp 11112', 'tcp 443'], 'it listens on 443 and DIMSE alone')
    tell('listens on', listening)
    const asRoot = await rootProcesses(box.probe)
    tell('processes as root', asRoot)
    t.ok(asRoot.includes('systemd') && !asRoot.includes('haproxy'), 'the manager is root, the front is not')
    const used = await memory(box.probe)
    tell('memory at rest, MiB', used)
    tell('critical chain', (await box.probe.run(['systemd-analyze', 'critical-chain', '--no-pager', 'drimbox-health.service'])).out)
    t.match(await box.probe.text('cat', '/proc/mounts'), /^\/dev\/mapper\/root \/ erofs ro/m, 'the root is read-only')
    t.match(await box.probe.text('cat', '/sys/block/dm-0/dm/uuid'), /^CRYPT-VERITY/, 'and proved')
    t.equal(await box.probe.text('stat', '-c', '%a %U %G', '/run/drimbox-admin'), '700 drimbox drimbox', 'orders reach the gateway from its own user alone')
    t.not((await box.probe.shell('setpriv --reuid=901 --regid=901 --clear-groups head -c 1 /dev/tpmrm0')).code, 0, 'the gateway\'s user can\'t open the TPM')
  })

  const readStudy = async (): Promise<Map<string, Buffer>> => {
    const file = join(FOLDER, 'study.multipart')
    const { status } = await box.machine.get(`/dicom-web/studies/${study.study.studyUid}`, '-H', `Accept: ${ANY_OBJECT}`, '-o', file, '-D', `${file}.head`, '-m', '300')
    if (status !== 200) throw new Error(`${status} ${readFileSync(file, 'utf8').slice(0, 500)}`)
    const type = /^content-type: (.*)$/im.exec(readFileSync(`${file}.head`, 'utf8'))?.[1] ?? ''
    const parts = await partsOf((async function * () { yield readFileSync(file) })(), type)
    return new Map(parts.map(({ bytes }) => objectOf(bytes)).map(object => [object.sopInstanceUid, object.dataset]))
  }
  const sameStudy = async (t: Checks): Promise<void> => {
    const read = await readStudy()
    const held = await instancesIn(orthanc)
    t.equal(read.size, held.size, `${held.size} instances`)
    for (const [uid, id] of held) {
      const file = Buffer.from(await (await fetch(`${orthanc.http}/instances/${id}/file`)).arrayBuffer())
      t.ok(read.get(uid)?.equals(objectOf(file).dataset), `${uid} byte for byte`)
    }
  }

  await t.test('images of the PACS come through DIMSE and leave over HTTPS, byte for byte', async t => {
    await sameStudy(t)
  })

  await t.test('the power goes: the same key, the same data', async t => {
    await box.probe.text('sync')
    await box.powerCut()
    await box.machine.start()
    const { status, seconds } = await box.untilReady('0.1.0')
    tell('second boot: seconds from power on to ready', seconds)
    t.equal(status.disk.state, 'open', 'the TPM opened the data partition')
    t.equal((await box.probe.shell('test -S /run/drimbox-admin/admin.sock && test -e /var/lib/drimbox-system/recovery-sealed && ls /efi/drimbox/recovery-*.sealed')).code, 0, 'the recovery key of the first start is sealed on the ESP')
    t.equal(status.key.fingerprint, first?.key.fingerprint, 'the front has the same key')
    t.same(await failedUnits(box.probe), [], 'no unit failed')
    await sameStudy(t)
  })

  await t.test('an update is cut off by the power at a random moment, and offered again', async t => {
    device = await vendor.accept(120)
    const release = await vendor.release(join(IMAGES, 'test-2/update.mender'))
    const cutOff = vendor.deploy(release, device)
    await vendor.until(cutOff, ['downloading'], 120)
    const seconds = Math.random() * 60
    t.comment(`power cut ${seconds.toFixed(1)} s into the download`)
    await box.quiet(seconds)
    await box.powerCut()
    await box.machine.start()
    const { status } = await box.until(({ state }) => state === 'ready', BOOT_SECONDS, 'a good slot')
    t.ok(['0.1.0', '0.2.0'].includes(status.version), `${status.version} runs`)
    t.equal(status.key.fingerprint, first?.key.fingerprint, 'nothing was lost')
    const { state } = await vendor.until(cutOff, ['success', 'failure'], UPDATE_SECONDS)
    t.comment(`the server was told: ${state}`)
    if (state === 'failure') {
      const again = vendor.deploy(release, device)
      await vendor.until(again, ['success'], UPDATE_SECONDS)
      t.same(vendor.states(again).slice(-1), ['success'])
    }
  })

  await t.test('the second version runs, is committed, and has everything of the first', async t => {
    const { status } = await box.until(({ version, state, update }) => version === '0.2.0' && state === 'ready' && update.state === 'committed', UPDATE_SECONDS, '0.2.0 committed')
    t.equal(status.slot, 'b', 'from the other slot')
    t.equal(status.key.fingerprint, first?.key.fingerprint, 'the same key')
    t.equal(await box.probe.text('/usr/lib/drimbox/floor', 'show'), '2', 'the TPM refuses what is older')
    t.match(await box.probe.text('/usr/lib/drimbox/boot-entries', 'list'), /^0\.2\.0 3 0 /m, 'it has all its tries')
    t.same(await failedUnits(box.probe), [], 'no unit failed')
    await sameStudy(t)
  })

  await t.test('a version whose gateway is broken goes back by itself, and the server knows why', async t => {
    const deployment = vendor.deploy(await vendor.release(join(IMAGES, 'test-3/update.mender')), device)
    await vendor.until(deployment, ['failure'], FALL_BACK_SECONDS)
    const { status } = await box.untilReady('0.2.0')
    t.equal(status.slot, 'b')
    t.equal(status.update.state, 'rolled-back')
    t.equal(status.update.code, 'GATE_GATEWAY_FAILED')
    const cause = await vendor.cause(deployment)
    t.match(cause, { code: 'GATE_GATEWAY_FAILED' }, `the server's words: ${JSON.stringify(cause)}`)
    t.notMatch(await box.probe.text('/usr/lib/drimbox/boot-entries', 'list'), /^0\.3\.0/m, 'its boot entry is gone')
  })

  await t.test('one flipped bit in the root of a slot: that slot does not start', async t => {
    const before = box.machine.serial.length
    await box.powerCut()
    await flipByte(join(FOLDER, 'machine/disk.qcow2'), 'root-b')
    await box.machine.start()
    await box.machine.until(() => /verity.*(corrupt|is corrupted)|dm-verity device has error|root file system does not mount|dm-verity refused/i.test(box.machine.serial.slice(before)), BOOT_SECONDS, 'word of the corruption')
    t.equal(await box.status(), undefined, 'nothing answers')
  })
})
