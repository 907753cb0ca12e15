import { join } from 'node:path'
import { test } from 'tap'
import { killAgainAndAgain } from '#test/faults/kills.ts'
import { tear } from '#test/faults/torn.ts'
import { temporaryFolder } from '#test/fixtures/rooms.ts'

/** With those of power-cut.test.ts and kill.test.ts two hundred. */
const ROUNDS = Number(process.env.ROUNDS ?? 50)

test('a box that finds any pages of what it had not forced to the disk holds true instances only', { timeout: 390_000 }, async t => {
  const folder = await temporaryFolder(t)
  await killAgainAndAgain(t, {
    folder,
    rounds: ROUNDS,
    seed: Number(process.env.SEED ?? Date.now() % 1_000_000),
    afterwards: (_, random) => {
      tear(join(folder, 'cache'), random)
      return true
    }
  })
})
