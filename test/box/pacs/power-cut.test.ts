import { test } from 'tap'
import { killAgainAndAgain } from '#test/faults/kills.ts'
import { failingDisk, skipWithoutLoop } from '#test/fixtures/failing-disk.ts'

/** With those of torn-pages.test.ts and kill.test.ts two hundred. */
const ROUNDS = Number(process.env.ROUNDS ?? 30)
const SEED = Number(process.env.SEED ?? Date.now() % 1_000_000)

test('a box whose disk loses its power with it, whatever wasn\'t forced to it, holds true instances only', { skip: skipWithoutLoop, timeout: 390_000 }, async t => {
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
