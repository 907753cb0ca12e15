import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'
import { Cache, type CacheEvents } from '#box/cache/cache.ts'
import { skipWithoutMount, smallDisk } from '#test/fixtures/small-disk.ts'
import { fill, readWhole } from '#test/fixtures/packed.ts'

const LIMITS = { bytesMax: 1 << 30, ageSecondsMax: 3600, diskFreeBytesMin: 0 }
const STUDY = '2.25.1'

async function filled (folder: string, series: readonly string[], { bytes = 1000, limits = LIMITS, settle = true, events = {} as CacheEvents } = {}): Promise<Cache> {
  const cache = await Cache.open({ folder, ...limits }, events)
  for (const uid of series) {
    const pack = cache.fill(STUDY, uid)
    using _held = pack.use()
    await fill(pack, [`${uid}.1`, `${uid}.2`], bytes)
    if (settle) await cache.settle(pack, { state: 'complete', held: 2, expected: 2 })
  }
  return cache
}

test('what had settled is there after a restart, without reading the packs again', async t => {
  const folder = t.testdir()
  await (await filled(folder, ['2.25.1.1'])).close()
  const cache = await Cache.open({ folder, ...LIMITS }, { onRecovered: () => { t.fail('scanned') } })
  t.same(cache.seriesOf(STUDY), ['2.25.1.1'])
  t.match(cache.completeness(STUDY, '2.25.1.1'), { state: 'complete', held: 2, expected: 2 })
  const pack = cache.pack(STUDY, '2.25.1.1')
  using _held = pack.use()
  t.equal((await readWhole(pack, pack.instances.get('2.25.1.1.2')!)).length, pack.instances.get('2.25.1.1.2')!.length)
  await cache.close()
})

test('what was still arriving when the power went is found again, and not called complete', async t => {
  const folder = t.testdir()
  const before = await filled(folder, ['2.25.1.1'], { settle: false })
  // The power cut: nothing is closed, the next start finds the files as they are.
  const recovered: object[] = []
  const cache = await Cache.open({ folder, ...LIMITS }, { onRecovered: facts => recovered.push(facts) })
  t.match(recovered, [{ seriesUid: '2.25.1.1', instances: 2, bytesCut: 0 }])
  t.match(cache.completeness(STUDY, '2.25.1.1'), { state: 'partial', held: 2 })
  await cache.close()
  await before.close()
})

test('a lost index is made again from the packs', async t => {
  const folder = t.testdir()
  await (await filled(folder, ['2.25.1.1', '2.25.1.2'])).close()
  for (const suffix of ['', '-wal', '-shm']) rmSync(join(folder, `index.sqlite${suffix}`), { force: true })
  const cache = await Cache.open({ folder, ...LIMITS })
  t.same(cache.seriesOf(STUDY).sort(), ['2.25.1.1', '2.25.1.2'])
  t.equal(cache.pack(STUDY, '2.25.1.2').instances.size, 2)
  await cache.close()
})

test('a damaged index is set aside and made again from the packs', async t => {
  const folder = t.testdir()
  await (await filled(folder, ['2.25.1.1'])).close()
  writeFileSync(join(folder, 'index.sqlite'), Buffer.alloc(8192, 'not a database'))
  const cache = await Cache.open({ folder, ...LIMITS })
  t.same(cache.seriesOf(STUDY), ['2.25.1.1'])
  t.ok(existsSync(join(folder, 'index.sqlite.damaged')))
  await cache.close()
})

test('a disk that somebody else has filled: what is here is served, and the next start finds it too', { skip: skipWithoutMount }, async t => {
  const disk = smallDisk(t, 4 << 20)
  const folder = join(disk, 'cache')
  await (await filled(folder, ['2.25.1.1', '2.25.1.2'])).close()
  t.throws(() => { writeFileSync(join(disk, 'filled'), Buffer.alloc(8 << 20)) }, { code: 'ENOSPC' })
  const read = async (): Promise<void> => {
    const cache = await Cache.open({ folder, ...LIMITS })
    t.same(cache.seriesOf(STUDY).sort(), ['2.25.1.1', '2.25.1.2'])
    const pack = cache.pack(STUDY, '2.25.1.2')
    using _held = pack.use()
    t.equal((await readWhole(pack, pack.instances.get('2.25.1.2.1')!)).length, pack.instances.get('2.25.1.2.1')!.length)
    await cache.close()
  }
  await read()
  await read()
  t.notOk(existsSync(join(folder, 'index.sqlite.damaged')), 'its index was not damaged')
  rmSync(join(disk, 'filled'))
  await read()
  t.ok(existsSync(join(folder, 'index.sqlite')))
})

test('a pack that somebody deleted is forgotten, not promised', async t => {
  const folder = t.testdir()
  await (await filled(folder, ['2.25.1.1', '2.25.1.2'])).close()
  rmSync(join(folder, STUDY, '2.25.1.1'), { recursive: true })
  const cache = await Cache.open({ folder, ...LIMITS })
  t.same(cache.seriesOf(STUDY), ['2.25.1.2'])
  t.equal(cache.study(STUDY)?.complete ?? false, false)
  await cache.close()
})

test('the longest unread series goes first when there is too much, and one being read stays', async t => {
  const evicted: string[] = []
  const cache = await filled(t.testdir(), ['2.25.1.1', '2.25.1.2', '2.25.1.3'], {
    bytes: 1 << 20,
    limits: { ...LIMITS, bytesMax: 5 << 20 },
    events: { onEvicted: ({ seriesUid }) => evicted.push(seriesUid) }
  })
  const reading = cache.pack(STUDY, '2.25.1.1').use()
  await cache.makeRoom()
  t.same(evicted, ['2.25.1.2'])
  t.same(cache.seriesOf(STUDY), ['2.25.1.1', '2.25.1.3'])
  reading[Symbol.dispose]()
  await cache.close()
})

test('a purged study leaves no file behind', async t => {
  const folder = t.testdir()
  const cache = await filled(folder, ['2.25.1.1', '2.25.1.2'])
  await cache.purge(STUDY)
  t.notOk(existsSync(join(folder, STUDY)))
  t.same(cache.seriesOf(STUDY), [])
  await cache.close()
})

test('a retrieve that brought nothing leaves no empty series', async t => {
  const cache = await Cache.open({ folder: t.testdir(), ...LIMITS })
  await cache.settle(cache.fill(STUDY, '2.25.1.9'), { state: 'partial', held: 0 })
  t.same(cache.seriesOf(STUDY), [])
  await cache.close()
})

test('a series that somebody comes for while others are evicted stays', async t => {
  const cache = await filled(t.testdir(), ['2.25.1.1', '2.25.1.2', '2.25.1.3'], { bytes: 1 << 20, limits: { ...LIMITS, bytesMax: 1 << 20 } })
  const looking = cache.makeRoom()
  // The first goes while the disk is being asked; whoever comes now comes in time for the others.
  await new Promise(resolve => { setImmediate(resolve) })
  const pack = cache.pack(STUDY, '2.25.1.3')
  using _held = pack.use()
  await looking
  if (cache.seriesOf(STUDY).includes('2.25.1.3')) t.equal((await readWhole(pack, pack.instances.get('2.25.1.3.1')!)).length > 1 << 20, true)
  else t.equal(pack.instances.size, 0, 'or it was gone already, and is empty')
  await cache.close()
})

test('a series purged while it is filled isn\'t brought back by its end', async t => {
  const cache = await Cache.open({ folder: t.testdir(), ...LIMITS })
  const pack = cache.fill(STUDY, '2.25.1.1')
  const held = pack.use()
  await fill(pack, ['2.25.1.1.1'])
  await cache.purge(STUDY)
  await cache.settle(pack, { state: 'complete', held: 1, expected: 1 })
  held[Symbol.dispose]()
  t.same(cache.list(), [])
  await cache.close()
})

test('a series purged and received anew is read anew after a restart', async t => {
  const folder = t.testdir()
  const before = await filled(folder, ['2.25.1.1'])
  await before.purge(STUDY)
  const pack = before.fill(STUDY, '2.25.1.1')
  const held = pack.use()
  await fill(pack, ['2.25.1.1.7'], 500)
  await before.settle(pack, { state: 'complete', held: 1, expected: 1 })
  held[Symbol.dispose]()
  await before.close()
  const cache = await Cache.open({ folder, ...LIMITS })
  const again = cache.pack(STUDY, '2.25.1.1')
  using _held = again.use()
  t.same([...again.instances.keys()], ['2.25.1.1.7'])
  t.equal((await readWhole(again, again.instances.get('2.25.1.1.7')!)).subarray(-500).every(byte => byte === 7), true)
  await cache.close()
})

test('what was found after a power cut is complete once the PACS has counted it', async t => {
  const folder = t.testdir()
  const before = await filled(folder, ['2.25.1.1'], { settle: false })
  const cache = await Cache.open({ folder, ...LIMITS })
  t.match(cache.completeness(STUDY, '2.25.1.1'), { state: 'partial' })
  cache.confirm(STUDY, '2.25.1.1', 2)
  t.match(cache.completeness(STUDY, '2.25.1.1'), { state: 'complete', held: 2, expected: 2, reason: undefined })
  await cache.close()
  const again = await Cache.open({ folder, ...LIMITS })
  t.match(again.completeness(STUDY, '2.25.1.1'), { state: 'complete' }, 'and stays so')
  await again.close()
  await before.close()
})

test('what was being removed when the power went is removed at the next start', async t => {
  const folder = t.testdir()
  await (await filled(folder, ['2.25.1.1'])).close()
  mkdirSync(join(folder, STUDY, '2.25.1.2~4711'))
  writeFileSync(join(folder, STUDY, 'notes.txt'), 'not ours')
  const cache = await Cache.open({ folder, ...LIMITS })
  t.same(cache.seriesOf(STUDY), ['2.25.1.1'])
  t.notOk(existsSync(join(folder, STUDY, '2.25.1.2~4711')))
  await cache.close()
})
