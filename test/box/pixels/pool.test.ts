import { test } from 'tap'
import type { RequestError } from '#core/errors.ts'
import type { PixelPoolOptions } from '#box/pixels/pool-options.ts'
import { PixelPool } from '#box/pixels/pool.ts'
import type { BadJobs } from '#test/fixtures/pixel-worker.ts'

const ENTRY = new URL('../../fixtures/pixel-worker.ts', import.meta.url)
const never = new AbortController().signal
const small = { bytes: 100, pixels: 10 }

function openPool (t: { teardown (end: () => unknown): void }, options: Partial<PixelPoolOptions> = {}): PixelPool<BadJobs> {
  const pool = new PixelPool<BadJobs>({ workersMax: 2, jobMs: 20_000, ...options }, ENTRY)
  t.teardown(async () => { await pool.close() })
  return pool
}

const task = <N extends keyof BadJobs>(job: N, input: Parameters<Awaited<ReturnType<BadJobs[N]>>>[0] = undefined as never, cost = small) =>
  ({ job, instance: '1.2.3', cost, prepare: () => ({ input: input as never }) })

async function codeOf (promise: Promise<unknown>): Promise<unknown> {
  try {
    return await promise
  } catch (error) {
    return (error as RequestError).code ?? error
  }
}

/** Turns of the event loop until `holds`. */
async function until (holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise(resolve => { setTimeout(resolve, 1) })
}

test('bytes go to a worker and come back', async t => {
  const pool = openPool(t)
  t.equal(pool.state.workers, 0, 'none before it is needed')
  t.same(await pool.run(task('increase', { bytes: Buffer.of(1, 2, 255) }), never), new Uint8Array([2, 3, 0]))
  t.match(pool.state, { workers: 1, busy: 0, lanes: 0, waiting: 0, bytes: 0, pixels: 0, done: 1, lost: 0 })
  t.ok(pool.state.workerBytes > 1 << 20, 'what it takes is known')
})

for (const job of ['exit', 'loop', 'fillHeap', 'fail', 'throwNumber', 'throwLater', 'unclonable'] as const) {
  test(`a job that does "${job}" costs its worker, names the instance, and leaves the service and other jobs alone`, async t => {
    const lost: object[] = []
    const pool = openPool(t, { jobMs: job === 'loop' ? 2000 : 20_000, workerHeapMb: 16, onLost: facts => { lost.push(facts) } })
    const others = Array.from({ length: 6 }, async () => await pool.run(task('increase', { bytes: Buffer.of(7) }), never))
    const error = await pool.run(task(job), never).catch((error: unknown) => error) as RequestError
    t.equal(error.code, 'PIXELS_UNREADABLE')
    t.equal(error.facts.instance, '1.2.3')
    t.same((await Promise.all(others)).map(([byte]) => byte), [8, 8, 8, 8, 8, 8])
    t.same(await pool.run(task('increase', { bytes: Buffer.of(1) }), never), new Uint8Array([2]))
    t.match(lost, [{ instance: '1.2.3', job }])
    t.match(pool.state, { lost: 1, busy: 0, waiting: 0, bytes: 0, pixels: 0, lanes: 0 })
  })
}

test('what a job refuses knowingly leaves its worker in place', async t => {
  const pool = openPool(t, { workersMax: 1 })
  await pool.run(task('count'), never)
  const error = await pool.run(task('refuse'), never).catch((error: unknown) => error) as RequestError
  t.match(error, { code: 'PIXELS_UNREADABLE', facts: { colour: 'ultraviolet', instance: '1.2.3' } })
  t.equal(await pool.run(task('count'), never), 2)
  t.equal(pool.state.lost, 0)
})

test('a worker that has grown is replaced after its job', async t => {
  const pool = openPool(t, { workersMax: 1, workerBytesMax: 64 << 20 })
  t.equal(await pool.run(task('count'), never), 1)
  t.equal(await pool.run(task('grow', { bytes: 128 << 20 }), never), 128 << 20)
  t.equal(await pool.run(task('count'), never), 1, 'another one')
  t.equal(await pool.run(task('growWasm', { pages: 2000 }), never), 1)
  t.equal(await pool.run(task('count'), never), 1, 'and another one')
  t.equal(pool.state.lost, 2)
})

test('idle workers end, but for the last, which is ready for the next picture', async t => {
  const pool = openPool(t, { idleMs: 20 })
  await Promise.all([pool.run(task('wait', { ms: 50 }), never), pool.run(task('wait', { ms: 50 }), never)])
  await until(() => pool.state.workers === 1)
  for (const before of [await pool.run(task('count'), never), await pool.run(task('count'), never)]) {
    const rested = performance.now() + 60
    await until(() => performance.now() > rested)
    t.equal(pool.state.workers, 1)
    t.ok(await pool.run(task('count'), never) > before, 'still the same')
  }
})

test('the last one ends too where it holds more than it may at rest', async t => {
  const pool = openPool(t, { idleMs: 20, restBytesMax: 0 })
  await Promise.all([pool.run(task('count'), never), pool.run(task('count'), never)])
  await until(() => pool.state.workers === 0)
  t.equal(await pool.run(task('count'), never), 1, 'and come back')
})

test('lanes take turns: the last of 16 callers is not behind all images of the first', async t => {
  const pool = openPool(t, { workersMax: 1 })
  const order: number[] = []
  const lanes = Array.from({ length: 16 }, () => pool.lane(never))
  await Promise.all(lanes.flatMap((lane, caller) => Array.from({ length: 4 }, async () => {
    const { release } = await lane.run(task('count'))
    order.push(caller)
    release()
  })))
  for (const lane of lanes) lane.close()
  // The first lane may begin two before anyone else is there.
  for (let round = 0; round < 4; round++) {
    t.ok(new Set(order.slice(round * 16, round * 16 + 16)).size >= 14, `round ${round}: ${order.slice(round * 16, round * 16 + 16).join()}`)
  }
})

test('bytes are read only when there is room, and never more than the budget at once', async t => {
  const pool = openPool(t, { bytesMax: 1000 })
  let most = 0
  const lane = pool.lane(never)
  await Promise.all(Array.from({ length: 20 }, async () => {
    const held = await lane.run({ ...task('wait', { ms: 1 }, { bytes: 400, pixels: 1 }), prepare: () => { most = Math.max(most, pool.state.bytes); return { input: { ms: 1 } } } })
    held.release()
  }))
  lane.close()
  t.equal(most, 800)
  t.equal(pool.state.bytes, 0)
})

test('pixels in flight are bounded too, yet one frame beyond that bound still goes', async t => {
  const pool = openPool(t, { pixelsMax: 100, framePixelsMax: 150 })
  let most = 0
  await Promise.all(Array.from({ length: 6 }, async () => await pool.run({
    ...task('wait', { ms: 1 }, { bytes: 1, pixels: 120 }), prepare: () => { most = Math.max(most, pool.state.pixels); return { input: { ms: 1 } } }
  }, never)))
  t.equal(most, 120)
  t.equal(await codeOf(pool.run(task('count', undefined, { bytes: 1, pixels: 151 }), never)), 'PIXELS_TOO_LARGE')
})

test('results that nobody takes hold the budget, and the first half of it only', async t => {
  const pool = openPool(t, { bytesMax: 100, workersMax: 4 })
  const cost = { bytes: 30, pixels: 1 }
  const slow = pool.lane(never)
  const bytes = new Uint8Array(30)
  const given = Array.from({ length: 4 }, async () => await slow.run(task('increase', { bytes }, cost)))
  const held = await Promise.all(given.slice(0, 2))
  t.equal(pool.state.bytes, 60)
  t.equal(pool.state.waiting, 2, 'the slow one waits for itself')
  t.equal((await pool.run(task('increase', { bytes }, cost), never)).length, 30, 'another one gets through')
  for (const { release } of held) release()
  for (const more of given.slice(2)) (await more).release()
  slow.close()
  t.equal(pool.state.bytes, 0)
})

test('beyond so many callers the answer is BUSY; one who has begun goes on', async t => {
  const pool = openPool(t, { lanesMax: 2 })
  const lane = pool.lane(never)
  pool.lane(never)
  t.equal(await codeOf(pool.run(task('count'), never)), 'BUSY')
  t.equal((await lane.run(task('count'))).output, 1)
})

test('a caller who leaves is told so at once; what waits is never begun, what runs is never heard of', async t => {
  const pool = openPool(t, { workersMax: 1 })
  const caller = new AbortController()
  const lane = pool.lane(caller.signal)
  let begun = 0
  const jobs = Array.from({ length: 5 }, async () => await codeOf(lane.run({ ...task('wait', { ms: 30 }), prepare: () => { begun++; return { input: { ms: 30 } } } })))
  await until(() => pool.state.busy === 1)
  caller.abort(new Error('left'))
  t.same((await Promise.all(jobs)).map(String), Array.from({ length: 5 }, () => 'Error: left'))
  t.equal(begun, 2)
  await until(() => pool.state.busy === 0)
  t.match(pool.state, { lanes: 0, waiting: 0, bytes: 0, pixels: 0, lost: 0 })
  t.equal(await pool.run(task('count'), never), 1)
})

test('what cannot be read fails the job alone', async t => {
  const pool = openPool(t)
  const failure = new Error('the disk')
  t.equal(await codeOf(pool.run({ ...task('count'), prepare: async () => { throw failure } }, never)), failure)
  t.match(pool.state, { bytes: 0, pixels: 0, waiting: 0 })
})

test('closing ends workers at work, and whoever waits is told', async t => {
  const pool = openPool(t)
  const jobs = Array.from({ length: 8 }, async () => await codeOf(pool.run(task('loop'), never)))
  await until(() => pool.state.busy === 2)
  await pool.close()
  t.same(await Promise.all(jobs), Array.from({ length: 8 }, () => 'BUSY'))
  t.equal(await codeOf(pool.run(task('count'), never)), 'BUSY')
  t.equal(pool.state.workers, 0)
})
