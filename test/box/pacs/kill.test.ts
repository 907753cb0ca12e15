import { test } from 'tap'
import { killAgainAndAgain } from '#test/faults/kills.ts'
import { temporaryFolder } from '#test/fixtures/rooms.ts'

/** With those of power-cut.test.ts and torn-pages.test.ts two hundred. */
const ROUNDS = Number(process.env.ROUNDS ?? 120)

test('a box killed at any moment comes back with whole instances only, and completes what was cut', { timeout: 390_000 }, async t => {
  await killAgainAndAgain(t, { folder: await temporaryFolder(t), rounds: ROUNDS, seed: Number(process.env.SEED ?? Date.now() % 1_000_000) })
})
