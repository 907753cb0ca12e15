/** What the bench promises of its own figures: nothing measured is lost, and nothing that wasn't is called reached. */

import { setImmediate as turn } from 'node:timers/promises'
import { test } from 'tap'
import { atLeastTimes, atMost, below, lessThan, timesFaster } from '../../../scripts/bench/goals.ts'
import { rounds, type Variant, type VariantResult } from '../../../scripts/bench/rounds.ts'

function taking (name: string, ...seconds: number[]): VariantResult {
  return { name, readings: seconds.map(value => ({ seconds: value, requestsPerSecond: 1 / value })) }
}

test('each round runs every variant and begins with another one', async t => {
  const order: string[] = []
  const variant = (name: string, more: Partial<Variant> = {}): Variant => ({
    name,
    run: async () => {
      order.push(name)
      await turn()
      return { seconds: 1 }
    },
    ...more
  })
  const { variants } = await rounds([variant('a'), variant('b', { roundsMax: 1 }), variant('c')], 3, () => {})
  t.same(order, ['a', 'b', 'c', 'c', 'a', 'c', 'a'])
  t.same(variants.map(({ readings }) => readings.length), [3, 1, 3])
})

test('a variant that fails, or isn\'t offered, is told with its reason; the others are measured', async t => {
  const { variants } = await rounds([
    { name: 'broken', run: async () => { throw new Error('no route | to\nhost') } },
    { name: 'wrong', check: async () => { throw new Error('1 of 2 objects arrived') }, run: async () => t.fail('it gave wrong bytes, yet was measured') as never },
    { name: 'later', skip: async () => 'answers 501', run: async () => t.fail('it was skipped, yet was measured') as never },
    { name: 'whole', run: async () => ({ seconds: 1 }) }
  ], 2, () => {})
  t.same(variants.map(({ failed, skipped, readings }) => [failed, skipped, readings.length]), [
    ['no route / to host', undefined, 0],
    ['1 of 2 objects arrived', undefined, 0],
    [undefined, 'answers 501', 0],
    [undefined, undefined, 2]
  ])
})

test('goals compare medians, and say so when one of them is missing', async t => {
  const [ours, theirs] = [taking('ours', 1, 9, 2), taking('theirs', 4, 4, 5)]
  const pair = { measure: 'm', figure: 'seconds', ours, theirs } as const
  t.match(atMost(pair, 0.5), { ours: '2.00 s', theirs: '4.00 s', value: '0.50', goal: '≤ 0.50', reached: true })
  t.match(atMost(pair, 0.49), { reached: false })
  t.match(lessThan({ ...pair, ours: theirs }), { value: '1.00', reached: false })
  t.match(timesFaster(pair, 2), { value: '2.0 times faster', reached: true })
  t.match(atLeastTimes({ ...pair, figure: 'requestsPerSecond' }, 2.1), { value: '2.0 times as many', reached: false })
  t.match(below('m', 'a bound', ours, 'seconds', 2), { reached: true })
  t.match(atMost({ ...pair, ours: { ...taking('ours'), skipped: 'answers 501' } }, 0.5), { value: 'answers 501', reached: undefined })
  t.match(below('m', 'a bound', undefined, 'seconds', 2), { value: 'not measured', reached: undefined })
})
