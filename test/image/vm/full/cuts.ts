/**
 * CUTS=50 power cuts at random moments: of a first start, and of an update from its offer to its commit.
 * Each time: a whole version starts, the box has its key and its data, and the entry that runs has tries.
 */

import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { test } from 'tap'
import { openFleetDesk } from '../../../../os-image/qemu/fleet-desk.ts'
import { Appliance, FLEET_PORT } from '../appliance.ts'
import { bootEntries, delivered, FOLDER, IMAGES, KEYS, LOADED_BOOT_SECONDS, row, serves } from './delivered.ts'

const CUTS = Number(process.env.CUTS ?? '50')
/** Of five cuts one falls into a first start, the others into an update. */
const FIRST_START_EACH = 5
/** Of four updates that were cut off, one is followed to the end that its client finds; it takes as long as a cut. */
const ENDED_EACH = 4
/** From power on until the box has nothing left to make: the slowest first start seen. */
const FIRST_START_SECONDS = 160
/** From the offer to the commit: download 60 s, write, restart, start, gate. */
const UPDATE_SECONDS = 260

test(`${CUTS} power cuts`, { timeout: CUTS * 4 * LOADED_BOOT_SECONDS * 1000 }, async t => {
  const desk = await openFleetDesk({ port: FLEET_PORT, folder: join(FOLDER, 'cuts-fleet'), keys: KEYS })
  t.teardown(async () => { await desk.close() })
  const release = await desk.release(join(IMAGES, 'test-2/update.mender'))
  let device: string | undefined
  const survived: Record<string, number> = {}
  let updates = 0
  for (let cut = 0; cut < CUTS; cut++) {
    if (cut % FIRST_START_EACH === 0) {
      const seconds = Math.random() * FIRST_START_SECONDS
      await t.test(`first start, ${seconds.toFixed(1)} s after power on`, async t => {
        const box = new Appliance(t, join(IMAGES, 'test'), join(FOLDER, 'cut'), { fresh: true })
        await box.machine.start()
        await delay(seconds * 1000)
        await box.powerCut()
        await box.machine.start()
        const { status } = await serves(box)
        t.same([status.key.kind, status.disk.code], ['tpm', null], 'it has a key in the TPM, and its data partition')
        survived['first start'] = (survived['first start'] ?? 0) + 1
      })
      continue
    }
    const seconds = Math.random() * UPDATE_SECONDS
    await t.test(`update, ${seconds.toFixed(1)} s after its offer`, async t => {
      const box = delivered(t, 'cut')
      await box.machine.start()
      const { status: before } = await serves(box)
      device ??= await desk.accept(LOADED_BOOT_SECONDS)
      await box.probe.shell('echo kept > /var/lib/drimbox-system/kept; sync')
      const deployment = desk.deploy(release, device)
      await desk.until(deployment, ['downloading', 'installing', 'rebooting', 'success'], LOADED_BOOT_SECONDS)
      await delay(seconds * 1000)
      const during = desk.story(deployment).state
      await box.powerCut()
      await box.machine.start()
      const { status } = await serves(box)
      t.ok(['0.1.0', '0.2.0'].includes(status.version), `cut while ${during}: ${status.version} serves`)
      t.equal(status.key.fingerprint, before.key.fingerprint, 'with the same key')
      t.equal(await box.probe.text('cat', '/var/lib/drimbox-system/kept'), 'kept', 'and the same data')
      t.match(await bootEntries(box), /^\S+ [123] /m, 'an entry has tries left')
      if (updates++ % ENDED_EACH === 0) {
        const { state } = await desk.until(deployment, ['success', 'failure'], 3 * LOADED_BOOT_SECONDS)
        await serves(box)
        t.comment(`the server was told: ${state}`)
      } else desk.abort(deployment)
      survived[during] = (survived[during] ?? 0) + 1
    })
  }
  row(`${CUTS} power cuts at random moments`, `each time a whole version, the same key and data: ${Object.entries(survived).map(([during, count]) => `${count} in ${during}`).join(', ')}`)
})
