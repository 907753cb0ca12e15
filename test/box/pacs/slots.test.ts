import { test } from 'tap'
import { PeerError } from '#core/errors.ts'
import type { Association } from '#standards/dimse/association.ts'
import { associationsAt, secondsUntilOpen } from '#box/pacs/hours.ts'
import { Breaker } from '#box/pacs/breaker.ts'
import { Slots, type SlotSettings } from '#box/pacs/slots.ts'
import { adjustableClock } from '#test/fixtures/clock.ts'
import { until } from '#test/fixtures/rooms.ts'

const SETTINGS: SlotSettings = { associationsMax: 2, hours: [], idleSeconds: 60, waitingMax: 100, failuresMax: 3, restSeconds: 10 }
const never = new AbortController().signal

class FakeAssociation {
  open = true
  released = 0
  async release (): Promise<void> { this.open = false; this.released++ }
  abort (): void { this.open = false }
}

function pool (settings: Partial<SlotSettings> = {}, dial = async () => new FakeAssociation()) {
  const dialled: FakeAssociation[] = []
  const slots = new Slots({ ...SETTINGS, ...settings }, async () => {
    const association = await dial()
    dialled.push(association)
    return association as unknown as Association
  })
  return { slots, dialled }
}

test('a PACS that bears two associations never sees a third, and those who wait are served in order', async t => {
  const { slots, dialled } = pool()
  let atOnce = 0
  let most = 0
  const order: number[] = []
  const gates = Array.from({ length: 20 }, () => Promise.withResolvers<void>())
  const all = gates.map(async ({ promise }, place) => {
    await slots.lend(never, async () => {
      order.push(place)
      most = Math.max(most, ++atOnce)
      await promise
      atOnce--
    })
  })
  for (const { resolve } of gates) {
    resolve()
    await new Promise(resolve => { setImmediate(resolve) })
  }
  await Promise.all(all)
  t.equal(most, 2)
  t.same(order, [...gates.keys()])
  t.equal(dialled.length, 2, 'and the same two were used again')
  await slots.close()
  t.ok(dialled.every(({ released }) => released === 1), 'released in the end')
})

test('of the associations that a large study took, two stay, and another waits until the rest have gone', async t => {
  const released = Promise.withResolvers<void>()
  class Slow extends FakeAssociation {
    override async release (): Promise<void> {
      this.open = false
      await released.promise
    }
  }
  const { slots, dialled } = pool({ associationsMax: 4 }, async () => new Slow())
  const gate = Promise.withResolvers<void>()
  const four = Array.from({ length: 4 }, async () => { await slots.lend(never, async () => { await gate.promise }) })
  await until(() => dialled.length === 4)
  gate.resolve()
  await Promise.all(four)
  t.equal(slots.state.idle, 2)
  const inUse = Promise.withResolvers<void>()
  let used = 0
  const three = Array.from({ length: 3 }, async () => {
    await slots.lend(never, async () => {
      used++
      await inUse.promise
    })
  })
  await until(() => used === 2)
  for (let turn = 0; turn < 5; turn++) await new Promise(resolve => { setImmediate(resolve) })
  t.equal(dialled.length, 4, 'two are in use and two on their way out')
  released.resolve()
  await until(() => used === 3)
  t.equal(dialled.length, 5)
  inUse.resolve()
  await Promise.all(three)
  await slots.close()
})

test('whoever gives up waiting leaves the queue and costs nobody their turn', async t => {
  const { slots } = pool({ associationsMax: 1 })
  const gate = Promise.withResolvers<void>()
  const first = slots.lend(never, async () => { await gate.promise })
  const leaving = new AbortController()
  const second = slots.lend(leaving.signal, async () => { t.fail('was served') })
  const third = slots.lend(never, async () => 'served')
  leaving.abort()
  await t.rejects(second, { code: 'CANCELLED' })
  gate.resolve()
  await first
  t.equal(await third, 'served')
  t.match(slots.state, { lent: 0, waiting: 0 })
  await slots.close()
})

test('a PACS that hung up on an idle association is simply called again', async t => {
  const { slots, dialled } = pool()
  await slots.lend(never, async () => {})
  let tries = 0
  const result = await slots.lend(never, async association => {
    if (tries++ === 0) {
      (association as unknown as FakeAssociation).open = false
      throw new PeerError('PACS_ABORTED', 'closed')
    }
    return 'answered'
  })
  t.equal(result, 'answered')
  t.equal(dialled.length, 2)
  t.equal(slots.state.breaker, 'closed')
  await slots.close()
})

test('too many waiting are told so at once', async t => {
  const { slots } = pool({ associationsMax: 1, waitingMax: 1 })
  const gate = Promise.withResolvers<void>()
  const busy = [slots.lend(never, async () => { await gate.promise }), slots.lend(never, async () => {})]
  await t.rejects(slots.lend(never, async () => {}), { code: 'PACS_RESTING', facts: { retryAfterSeconds: 10 } })
  gate.resolve()
  await Promise.all(busy)
  await slots.close()
})

test('outside its hours the PACS is left alone, and the caller learns when to come back', async t => {
  const slots = new Slots({ ...SETTINGS, hours: [{ from: '22:00', to: '06:00', associationsMax: 0 }] }, async () => { throw new Error('dialled') }, () => new Date(2026, 0, 5, 23, 0))
  await t.rejects(slots.lend(never, async () => {}), { code: 'PACS_RESTING', facts: { retryAfterSeconds: 7 * 3600 } })
})

test('spans of hours go over midnight', t => {
  const hours = [{ from: '22:00', to: '06:00', associationsMax: 0 }, { from: '08:00', to: '12:00', associationsMax: 1 }]
  const at = (hour: number, minute = 0) => associationsAt(hours, 4, new Date(2026, 0, 5, hour, minute))
  t.same([at(21, 59), at(22), at(3), at(5, 59), at(6), at(8), at(12)], [4, 0, 0, 0, 4, 1, 4])
  t.equal(secondsUntilOpen(hours, 4, new Date(2026, 0, 5, 5, 30)), 1800)
  t.end()
})

test('after failures in a row a PACS is left alone; one probe opens the way again for all', async t => {
  let now = 0
  const breaker = new Breaker({ failuresMax: 3, restSeconds: 10 }, () => now)
  const down = async () => { throw new PeerError('PACS_UNREACHABLE', 'down') }
  const probes: string[] = []
  const probe = async () => { probes.push('probe') }
  for (let failure = 0; failure < 3; failure++) await t.rejects(breaker.run(probe, down), { code: 'PACS_UNREACHABLE' })
  await t.rejects(breaker.run(probe, async () => 'asked'), { code: 'PACS_RESTING', facts: { retryAfterSeconds: 10 } })
  now = 10_000
  const slow = Promise.withResolvers<void>()
  const first = breaker.run(async () => { await slow.promise }, async () => 'first')
  await t.rejects(breaker.run(probe, async () => 'second'), { code: 'PACS_RESTING' }, 'only one caller probes')
  slow.resolve()
  t.equal(await first, 'first')
  t.equal(await breaker.run(probe, async () => 'third'), 'third')
  t.equal(breaker.state, 'closed')
  t.same(probes, [])
})

test('a probe that fails keeps the PACS at rest', async t => {
  let now = 0
  const breaker = new Breaker({ failuresMax: 1, restSeconds: 10 }, () => now)
  const down = async () => { throw new PeerError('PACS_TIMEOUT', 'silent') }
  await t.rejects(breaker.run(async () => {}, down))
  now = 10_000
  await t.rejects(breaker.run(down, async () => { t.fail('asked') }), { code: 'PACS_TIMEOUT' })
  t.equal(breaker.state, 'open')
})

test('what the PACS says in good order costs no association, anything else does', async t => {
  const { slots, dialled } = pool()
  const saying = async (code: 'PACS_STATUS' | 'CANCELLED' | 'PACS_TIMEOUT'): Promise<void> => {
    await t.rejects(slots.lend(never, async () => { throw new PeerError(code, 'said') }), { code })
  }
  await saying('PACS_STATUS')
  await saying('CANCELLED')
  t.match(slots.state, { lent: 0, idle: 1 })
  t.equal(dialled.length, 1)
  await saying('PACS_TIMEOUT')
  t.match(slots.state, { lent: 0, idle: 0 })
  await slots.close()
})

test('a PACS that has begun to answer isn\'t asked all over again when it hangs up', async t => {
  const { slots, dialled } = pool()
  await slots.lend(never, async () => {})
  let begun = false
  await t.rejects(slots.lend(never, async () => {
    begun = true
    throw new PeerError('PACS_ABORTED', 'closed')
  }, { hasBegun: () => begun }), { code: 'PACS_ABORTED' })
  t.equal(dialled.length, 1)
  await slots.close()
})

test('an association of its own counts with the idle ones', async t => {
  const { slots, dialled } = pool({ associationsMax: 1 })
  await slots.lend(never, async () => {})
  await slots.lend(never, async () => { t.equal(slots.state.idle, 0) }, { dial: async () => new FakeAssociation() as unknown as Association })
  t.equal(dialled[0]?.released, 1)
  await slots.close()
})

test('whoever comes with a signal that has fired is not queued', async t => {
  const { slots } = pool({ associationsMax: 1 })
  await t.rejects(slots.lend(AbortSignal.abort(), async () => { t.fail('was served') }), { code: 'CANCELLED' })
  t.match(slots.state, { lent: 0, waiting: 0 })
})

test('when the hour closes, those who wait are sent away; when it opens, as many go as it allows', async t => {
  let hour = 21
  const slots = new Slots({ ...SETTINGS, associationsMax: 1, hours: [{ from: '22:00', to: '06:00', associationsMax: 0 }, { from: '06:00', to: '08:00', associationsMax: 3 }] },
    async () => new FakeAssociation() as unknown as Association, () => new Date(2026, 0, 5, hour))
  const gate = Promise.withResolvers<void>()
  const first = slots.lend(never, async () => { await gate.promise })
  const second = slots.lend(never, async () => { t.fail('was served at night') })
  hour = 23
  gate.resolve()
  await first
  await t.rejects(second, { code: 'PACS_RESTING', facts: { retryAfterSeconds: 7 * 3600 } })
  hour = 20
  const evening = Promise.withResolvers<void>()
  const one = slots.lend(never, async () => { await evening.promise })
  let atOnce = 0
  const morning = Promise.withResolvers<void>()
  const others = [1, 2, 3].map(async () => {
    await slots.lend(never, async () => {
      atOnce++
      await morning.promise
    })
  })
  hour = 7
  evening.resolve()
  await one
  await new Promise(resolve => { setImmediate(resolve) })
  t.equal(atOnce, 3)
  morning.resolve()
  await Promise.all(others)
  t.match(slots.state, { lent: 0, waiting: 0 })
  await slots.close()
})

test('a status between two failures says that the PACS is there', async t => {
  const breaker = new Breaker({ failuresMax: 2, restSeconds: 10 })
  const failing = async (code: 'PACS_TIMEOUT' | 'PACS_STATUS'): Promise<void> => { await t.rejects(breaker.run(async () => {}, async () => { throw new PeerError(code, 'x') })) }
  await failing('PACS_TIMEOUT')
  await failing('PACS_STATUS')
  await failing('PACS_TIMEOUT')
  t.equal(breaker.state, 'closed')
})

test('an answer that somebody dislikes is no failure of the PACS', async t => {
  const breaker = new Breaker({ failuresMax: 1, restSeconds: 10 })
  await t.rejects(breaker.run(async () => {}, async () => { throw new PeerError('PACS_STATUS', 'refused') }))
  t.equal(breaker.state, 'closed')
})

test('a PACS that is left alone for a while is not left alone for a year because the clock was set back', async t => {
  const setClock = adjustableClock(t)
  setClock(365 * 86_400_000)
  const { slots } = pool({ failuresMax: 1, restSeconds: 0.02 }, async () => { throw new PeerError('PACS_UNREACHABLE', 'nobody there') })
  await t.rejects(slots.lend(never, async () => {}), { code: 'PACS_UNREACHABLE' })
  await t.rejects(slots.lend(never, async () => {}), { code: 'PACS_RESTING' })
  setClock(0)
  await until(() => slots.state.breaker === 'half-open')
  await slots.close()
})
