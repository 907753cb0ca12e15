import { join } from 'node:path'
import { test } from 'tap'
import { killAgainAndAgain } from '#test/faults/kills.ts'
import { tear } from '#test/faults/torn.ts'
import { failingDisk, skipWithoutLoop } from '#test/fixtures/failing-disk.ts'
import { temporaryFolder } from '#test/fixtures/rooms.ts'

/** A hundred in all, and a hundred in kill.test.ts. */
const ROUNDS = Number(process.env.ROUNDS ?? 50)
const SEED = Number(process.env.SEED ?? Date.now() % 1_000_000)

test('a box whose disk loses its power with it, whatever wasn\'t forced to it, holds true instances only', { skip: skipWithoutLoop, timeout: 120_000 }, async t => {
  const disk = failingDisk(t)
  await killAgainAndAgain(t, {
    folder: disk.path,
    rounds: ROUNDS,
    seed: SEED,
    afterwards: () => {
      disk.losePower()
      return true
    }
  })
})

test('a box that finds any pages of what it had not forced to the disk holds true instances only', { timeout: 120_000 }, async t => {
  const folder = await temporaryFolder(t)
  await killAgainAndAgain(t, {
    folder,
    rounds: ROUNDS,
    seed: SEED + 1,
    afterwards: (_, random) => {
      tear(join(folder, 'cache'), random)
      return true
    }
  })
})
