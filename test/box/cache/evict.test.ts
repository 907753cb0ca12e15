import { test } from 'tap'
import { chooseEvicted, Forecast } from '#box/cache/evict.ts'

const NOW = 1_000_000_000
const LIMITS = { bytesMax: 100, ageSecondsMax: 3600, diskFreeBytesMin: 50 }
const held = (name: string, bytes: number, usedAgo: number, createdAgo = usedAgo, inUse = false) =>
  ({ name, bytes, usedAt: NOW - usedAgo, createdAt: NOW - createdAgo, inUse })
const names = (list: readonly { name: string }[]) => list.map(one => one.name)

test('nothing goes while everything fits', t => {
  t.same(chooseEvicted([held('a', 50, 1), held('b', 50, 2)], LIMITS, { freeBytes: 1000, forecastBytes: 0 }, NOW), [])
  t.end()
})

test('the longest unread goes until the bytes fit', t => {
  const gone = chooseEvicted([held('new', 60, 1), held('old', 30, 3), held('older', 30, 4)], LIMITS, { freeBytes: 1000, forecastBytes: 0 }, NOW)
  t.same(names(gone), ['older'])
  t.end()
})

test('a disk that others fill frees the cache, and what is likely to arrive counts as well', t => {
  const all = [held('new', 20, 1), held('old', 20, 3), held('older', 20, 4)]
  t.same(names(chooseEvicted(all, LIMITS, { freeBytes: 40, forecastBytes: 0 }, NOW)), ['older'])
  t.same(names(chooseEvicted(all, LIMITS, { freeBytes: 40, forecastBytes: 30 }, NOW)), ['older', 'old'])
  t.end()
})

test('age ends a series however often it is read, but not while it is being read', t => {
  const all = [held('old', 1, 1, 4_000_000), held('busy', 1, 1, 4_000_000, true), held('young', 1, 1, 10)]
  t.same(names(chooseEvicted(all, LIMITS, { freeBytes: 1000, forecastBytes: 0 }, NOW)), ['old'])
  t.end()
})

test('the forecast is the busiest of the last four quarters of an hour', t => {
  const forecast = new Forecast()
  const quarter = 15 * 60_000
  forecast.add(10, 0)
  forecast.add(70, quarter)
  forecast.add(20, quarter * 2)
  t.equal(forecast.bytes(quarter * 2), 70)
  t.equal(forecast.bytes(quarter * 5), 20)
  t.equal(forecast.bytes(quarter * 9), 0)
  t.end()
})

test('a clock that was a year ahead for a while keeps nothing for a year, and expects nothing for a year', t => {
  const forecast = new Forecast()
  const year = 365 * 86_400_000
  forecast.add(70, NOW + year)
  t.equal(forecast.bytes(NOW), 0)
  forecast.add(10, NOW)
  t.equal(forecast.bytes(NOW + year), 0)
  t.same(names(chooseEvicted([held('of next year', 1, 1, -year), held('young', 1, 1, 10)], LIMITS, { freeBytes: 1000, forecastBytes: 0 }, NOW)), ['of next year'])
  t.end()
})
