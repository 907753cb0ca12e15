import { test } from 'tap'
import { killAgainAndAgain } from '#test/faults/kills.ts'
import { temporaryFolder } from '#test/fixtures/rooms.ts'

/** A hundred here, a hundred in power-cut.test.ts and torn-pages.test.ts. */
const ROUNDS = Number(process.env.ROUNDS ?? 100)

test('a box killed at any moment comes back with whole instances only, and completes what was cut', { timeout: 390_000 }, async t => {
  await killAgainAndAgain(t, { folder: await temporaryFolder(t), rounds: ROUNDS, seed: Number(process.env.SEED ?? Date.now() % 1_000_000) })
})
