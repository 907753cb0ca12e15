/** A start that hangs, a manager that hangs, a gateway that hangs, a machine without time or room: it comes back. */

import { spawn } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { test } from 'tap'
import { openFleetDesk } from '../../../../os-image/qemu/fleet-desk.ts'
import { FLEET_PORT } from '../appliance.ts'
import { failedUnits } from '../inventory.ts'
import { delivered, FOLDER, IMAGES, KEYS, LOADED_BOOT_SECONDS, rearmed, row, serves, told, TRIES } from './delivered.ts'

/** Download and restart, then three starts that hang for two minutes each, then the old version's. */
const HUNG_SECONDS = 900 + (TRIES + 1) * LOADED_BOOT_SECONDS
/** The watchdog's half minute (system.conf.d), with room for a machine shared with others. */
const WATCHDOG_SECONDS = 300
/** A minute and a half of silence (alive), the timer's half minute, the gateway's start; the same room. */
const SILENCE_SECONDS = 600

test('the manager and a service hang', { timeout: 4 * LOADED_BOOT_SECONDS * 1000 }, async t => {
  const box = delivered(t, 'hung')
  await box.machine.start()
  await serves(box, '0.1.0')

  await t.test('a gateway that has stopped is ended and started again', async t => {
    const began = Date.now()
    const pid = await box.probe.text('systemctl', 'show', '-p', 'MainPID', '--value', 'drimbox.service')
    await box.probe.text('kill', '-STOP', pid)
    await box.machine.until(async () => (await box.probe.text('systemctl', 'show', '-p', 'MainPID', '--value', 'drimbox.service')) !== pid, SILENCE_SECONDS, 'another gateway')
    await box.until(({ gateway }) => gateway.answering, SILENCE_SECONDS, 'a gateway that answers')
    t.equal(box.machine.firmwareStarts, 1, 'without a restart of the machine')
    row('hung service (the gateway, SIGSTOP)', `ended and started again, it answers after ${told((Date.now() - began) / 1000)}, no restart of the machine`)
  })

  await t.test('a manager that hangs is the watchdog\'s', async () => {
    const began = Date.now()
    await box.probe.run(['/bin/sh', '-c', 'sync; echo 1 > /sys/fs/cgroup/init.scope/cgroup.freeze'], WATCHDOG_SECONDS).catch(() => {})
    box.probe.close()
    await box.machine.until(() => box.machine.firmwareStarts === 2, WATCHDOG_SECONDS, 'reset by the watchdog')
    const reset = (Date.now() - began) / 1000
    await serves(box, '0.1.0')
    await rearmed(box, '0.1.0')
    row('hung system (PID 1 frozen)', `the watchdog resets after ${told(reset)}, the same version serves`)
  })
})

test('a full data partition, and a start with it', { timeout: 6 * LOADED_BOOT_SECONDS * 1000 }, async t => {
  const box = delivered(t, 'full')
  await box.machine.start()
  await serves(box, '0.1.0')
  // Root's reserve too, which the cache can't take.
  await box.probe.shell('dd if=/dev/zero of=/var/lib/filled bs=1M 2>/dev/null; sync', 300)
  await box.powerCut()
  await box.machine.start()
  const { status } = await box.until(({ disk, state }) => disk.code === 'DISK_FULL' && state !== 'starting', LOADED_BOOT_SECONDS, 'word of the full disk')
  await rearmed(box, '0.1.0')
  t.equal(box.machine.firmwareStarts, 2, 'it stays on')
  t.same(await failedUnits(box.probe), [], 'everything has started')
  await box.probe.text('/bin/sh', '-c', 'rm /var/lib/filled; sync')
  await box.powerCut()
  await box.machine.start()
  await box.until(({ disk, gateway }) => disk.code === null && gateway.answering, LOADED_BOOT_SECONDS, 'box that serves again')
  row('full data partition', `DISK_FULL on its page (${status.state}), it stays on with all its tries; serves once there is room`)
})

test('a machine that gets a sixth of the time', { timeout: 4 * LOADED_BOOT_SECONDS * 1000 }, async t => {
  const busy = Array.from({ length: 2 * availableParallelism() + 1 }, () =>
    // They end with this process, whatever way that ends.
    spawn('setpriv', ['--pdeathsig', 'KILL', 'sh', '-c', 'while :; do :; done'], { stdio: 'ignore' }))
  const calm = () => { for (const one of busy) one.kill('SIGKILL') }
  t.teardown(calm)
  const box = delivered(t, 'overloaded', { processors: 1 })
  await box.machine.start()
  const { seconds } = await serves(box, '0.1.0', 3 * LOADED_BOOT_SECONDS)
  await rearmed(box, '0.1.0')
  t.equal(box.machine.firmwareStarts, 1, 'one start was enough')
  calm()
  row('overloaded machine (one processor, a sixth of it)', `one start, serves after ${told(seconds)}, all its tries`)
})

test('an update whose start hangs before its health gate', { timeout: HUNG_SECONDS * 2 * 1000 }, async t => {
  const desk = await openFleetDesk({ port: FLEET_PORT, folder: join(FOLDER, 'hung-fleet'), keys: KEYS })
  t.teardown(async () => { await desk.close() })
  const box = delivered(t, 'hung-boot')
  await box.machine.start()
  await serves(box, '0.1.0')
  const device = await desk.accept(LOADED_BOOT_SECONDS)
  const deployment = desk.deploy(await desk.release(join(IMAGES, 'test-hung/update.mender')), device)
  await desk.until(deployment, ['failure'], HUNG_SECONDS)
  const cause = await desk.cause(deployment)
  const { status } = await serves(box, '0.1.0')
  t.equal(status.slot, 'a')
  t.match(status.update, { state: 'rolled-back', code: 'UPDATE_NOT_STARTED' })
  t.match(cause, { code: 'UPDATE_NOT_STARTED' }, `the server's words: ${JSON.stringify(cause)}`)
  await rearmed(box, '0.1.0')
  row('hung boot of a new version', `${TRIES} starts, then 0.1.0 serves; the server was told ${cause.code ?? 'nothing'}`)
})
