/**
 * CUTS=50 power cuts at random moments: of a first start, and of an update from its offer to its end.
 * A machine that lives on is frozen for a moment, and what its disk, its firmware and its TPM hold then is
 * copied: what a cut would have left, twenty times in one life. Each copy is then started: a whole version
 * serves, the box has its key and its data, and an entry has tries.
 */

import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { test } from 'tap'
import { openFleetDesk, type FleetDesk } from '../../../../os-image/qemu/fleet-desk.ts'
import type { Test } from '#test/fixtures/peer.ts'
import { Appliance, FLEET_PORT } from '../appliance.ts'
import { bootEntries, delivered, FOLDER, IMAGES, KEYS, LOADED_BOOT_SECONDS, rearmed, row, serves } from './delivered.ts'

const CUTS = Number(process.env.CUTS ?? '50')
/** Of five cuts one falls into a first start, the others into an update. */
const FIRST_STARTS = Math.ceil(CUTS / 5)
/** In one life: they wait on the disk, half a gigabyte each, until they are started. */
const CUTS_PER_LIFE = 20
/** From power on until the box has nothing left to make. */
const FIRST_START_SECONDS = 160
/** From the offer to the commit: download 60 s, write, restart, start, gate. */
const UPDATE_SECONDS = 260

/** What a cut has left. */
interface Left {
  readonly folder: string
  readonly during: string
  /** Of the key that it had before; undefined where it had none. */
  readonly fingerprint: string | undefined
}

/** What of tap a check needs. */
interface Checks extends Test {
  match (found: string, wanted: RegExp, what: string): unknown
  same (found: unknown, wanted: unknown, what: string): unknown
}

const survived: Record<string, number> = {}
let made = 0

test(`${CUTS} power cuts`, { timeout: (CUTS + CUTS / CUTS_PER_LIFE + 2) * 4 * LOADED_BOOT_SECONDS * 1000 }, async t => {
  const desk = await openFleetDesk({ port: FLEET_PORT, folder: join(FOLDER, 'cuts-fleet'), keys: KEYS })
  t.teardown(async () => { await desk.close() })
  const release = await desk.release(join(IMAGES, 'test-2/update.mender'))
  const start = async (all: readonly Left[]): Promise<void> => {
    for (const left of all) await t.test(`cut while ${left.during}`, async t => { await starts(t, left) })
  }
  for (let rest = FIRST_STARTS; rest > 0; rest -= CUTS_PER_LIFE) await start(await firstStart(t, Math.min(rest, CUTS_PER_LIFE)))
  for (let rest = CUTS - FIRST_STARTS; rest > 0; rest -= CUTS_PER_LIFE) await start(await update(t, Math.min(rest, CUTS_PER_LIFE), desk, release))
  const count = Object.values(survived).reduce((sum, one) => sum + one, 0)
  row(`${count} power cuts at random moments`, `each time a whole version, the same key and data: ${Object.entries(survived).map(([during, count]) => `${count} in ${during}`).join(', ')}`)
})

async function firstStart (t: Test, count: number): Promise<Left[]> {
  const box = new Appliance(t, join(IMAGES, 'test'), join(FOLDER, 'cut'), { fresh: true })
  await box.machine.start()
  const left = await cutsOf(box, count, FIRST_START_SECONDS, () => 'first start', undefined)
  await box.machine.close()
  return left
}

async function update (t: Test, count: number, desk: FleetDesk, release: string): Promise<Left[]> {
  const box = delivered(t, 'cut')
  await box.machine.start()
  const { status } = await serves(box)
  await rearmed(box, '0.1.0')
  const device = await desk.accept(LOADED_BOOT_SECONDS)
  await box.probe.shell('echo kept > /var/lib/drimbox-system/kept; sync')
  const deployment = desk.deploy(release, device)
  await desk.until(deployment, ['downloading', 'installing', 'rebooting', 'success'], LOADED_BOOT_SECONDS)
  const left = await cutsOf(box, count, UPDATE_SECONDS, () => desk.story(deployment).state, status.key.fingerprint ?? undefined)
  desk.abort(deployment)
  await box.machine.close()
  return left
}

/** Copies at random moments of about `seconds`. */
async function cutsOf (box: Appliance, count: number, seconds: number, during: () => string, fingerprint: string | undefined): Promise<Left[]> {
  const left: Left[] = []
  while (left.length < count) {
    await delay(2 * Math.random() * seconds / count * 1000)
    const folder = join(FOLDER, `cut-${made++}`)
    left.push({ folder, during: during(), fingerprint })
    await box.machine.copyAsCut(folder)
  }
  return left
}

async function starts (t: Checks, { folder, during, fingerprint }: Left): Promise<void> {
  const box = new Appliance(t, join(IMAGES, 'test'), folder)
  await box.machine.start()
  const { status } = await serves(box)
  t.match(status.version, /^0\.[12]\.0$/, `${status.version} serves`)
  t.same([status.key.kind, status.disk.code], ['tpm', null], 'it has a key in the TPM, and its data partition')
  if (fingerprint !== undefined) {
    t.same(status.key.fingerprint, fingerprint, 'the same key')
    t.same(await box.probe.text('cat', '/var/lib/drimbox-system/kept'), 'kept', 'the same data')
  }
  t.match(await bootEntries(box), /^\S+ [123] /m, 'an entry has tries left')
  await box.machine.close()
  rmSync(folder, { recursive: true })
  survived[during] = (survived[during] ?? 0) + 1
}
