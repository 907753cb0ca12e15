import { readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'
import { Pack, segmentName, SPILL_BYTES } from '#box/cache/pack.ts'
import { scanPack } from '#box/cache/scan.ts'
import { fill, part10, readWhole } from '#test/fixtures/packed.ts'

const STUDY = '2.25.1'
const SERIES = '2.25.1.1'

test('what is read from a pack is byte for byte what went in', async t => {
  const pack = new Pack(STUDY, SERIES, t.testdir())
  using _held = pack.use()
  const [one] = await fill(pack, ['2.25.1.1.1', '2.25.1.1.2'])
  const { parts } = part10('2.25.1.1.1', 1000)
  t.ok((await readWhole(pack, one)).equals(Buffer.concat(parts)))
  t.equal(pack.instances.size, 2)
  t.same(readdirSync(pack.folder), ['000000.pack'], 'one file for both')
})

test('instances that arrive at the same time never overlap', async t => {
  const pack = new Pack(STUDY, SERIES, t.testdir())
  using _held = pack.use()
  const uids = Array.from({ length: 50 }, (_, place) => `2.25.1.1.${place + 1}`)
  await Promise.all(uids.map(async (uid, place) => {
    const { object, parts, length } = part10(uid, 100 + place * 37, place)
    await pack.append(object, parts, length)
  }))
  for (const [place, uid] of uids.entries()) {
    const stored = pack.instances.get(uid)
    t.ok(stored !== undefined && (await readWhole(pack, stored)).equals(Buffer.concat(part10(uid, 100 + place * 37, place).parts)), uid)
  }
})

test('an object larger than memory should hold grows in a file of its own', async t => {
  const pack = new Pack(STUDY, SERIES, t.testdir())
  using _held = pack.use()
  await fill(pack, ['2.25.1.1.1'])
  const { object, parts, length } = part10('2.25.1.1.2', SPILL_BYTES + 5)
  const spill = await pack.spill()
  await spill.write([parts[0]])
  await spill.write([parts[1].subarray(0, 10)])
  await spill.write([parts[1].subarray(10)])
  const stored = await spill.keep(object)
  t.equal(stored.length, length)
  t.equal(stored.segment, 1)
  t.ok((await readWhole(pack, stored)).equals(Buffer.concat(parts)))
})

test('a large object that the PACS broke off leaves nothing behind', async t => {
  const pack = new Pack(STUDY, SERIES, t.testdir())
  using _held = pack.use()
  const spill = await pack.spill()
  await spill.write([Buffer.alloc(1000)])
  await spill.drop()
  t.same(readdirSync(pack.folder), [])
  t.equal(pack.bytes, 0)
})

test('a pack cut by a power loss ends at its last whole instance, wherever the cut falls', async t => {
  const folder = t.testdir()
  const pack = new Pack(STUDY, SERIES, folder)
  const held = pack.use()
  const stored = await fill(pack, ['2.25.1.1.1', '2.25.1.1.2', '2.25.1.1.3'], 500)
  held[Symbol.dispose]()
  const path = join(folder, segmentName(0))
  const whole = readFileSync(path)
  const ends = stored.map(({ offset, length }) => offset + length)
  for (let cut = 0; cut <= whole.length; cut += cut < 80 || ends.some(end => Math.abs(end - cut) < 70) ? 1 : 97) {
    writeFileSync(path, whole.subarray(0, cut))
    const { instances, bytesCut } = await scanPack(folder, STUDY, SERIES)
    const survived = ends.filter(end => end <= cut)
    t.equal(instances.length, survived.length, `cut at ${cut}`)
    t.equal(bytesCut, cut - (survived.at(-1) ?? 0))
    if (instances.length !== survived.length) return
  }
})

test('an instance whose bytes the disk lost is not believed, nor what follows it', async t => {
  const folder = t.testdir()
  const pack = new Pack(STUDY, SERIES, folder)
  const held = pack.use()
  const [first, second] = await fill(pack, ['2.25.1.1.1', '2.25.1.1.2', '2.25.1.1.3'], 500)
  held[Symbol.dispose]()
  const path = join(folder, segmentName(0))
  const bytes = readFileSync(path)
  bytes.fill(0, second.offset + 300, second.offset + 400)
  writeFileSync(path, bytes)
  const { instances } = await scanPack(folder, STUDY, SERIES)
  t.same(instances.map(one => one.sopInstanceUid), [first.sopInstanceUid])
})

test('a scan finds each instance where the index had it', async t => {
  const folder = t.testdir()
  const pack = new Pack(STUDY, SERIES, folder)
  const held = pack.use()
  const stored = await fill(pack, ['2.25.1.1.1', '2.25.1.1.2'])
  held[Symbol.dispose]()
  const { instances, segments } = await scanPack(folder, STUDY, SERIES)
  t.same(instances, stored)
  t.equal(segments, 1)
})

test('after its files were closed, a pack goes on in a fresh file and keeps what it had', async t => {
  const pack = new Pack(STUDY, SERIES, t.testdir())
  const held = pack.use()
  const [before] = await fill(pack, ['2.25.1.1.1'])
  held[Symbol.dispose]()
  using _again = pack.use()
  const [after] = await fill(pack, ['2.25.1.1.2'])
  t.equal(after.segment, 1)
  t.ok((await readWhole(pack, before)).equals(Buffer.concat(part10('2.25.1.1.1', 1000).parts)))
})

test('a pack shorter than its index is an error with a code, never other bytes', async t => {
  const pack = new Pack(STUDY, SERIES, t.testdir())
  using _held = pack.use()
  const [stored] = await fill(pack, ['2.25.1.1.1'])
  truncateSync(join(pack.folder, segmentName(0)), stored.offset + 10)
  await t.rejects(readWhole(pack, stored), { code: 'STORE_FAILED' })
})

test('a reader whose series is purged reads on to the end', async t => {
  const pack = new Pack(STUDY, SERIES, join(t.testdir(), 'series'))
  using _held = pack.use()
  const [stored] = await fill(pack, ['2.25.1.1.1'])
  await pack.remove()
  t.ok((await readWhole(pack, stored)).equals(Buffer.concat(part10('2.25.1.1.1', 1000).parts)))
})

test('a write under way when its last user leaves ends in its own file, and a read brings its own bytes', async t => {
  const folder = t.testdir()
  const packs = Array.from({ length: 20 }, (_, place) => new Pack(STUDY, `${SERIES}.${place}`, join(folder, String(place))))
  const uid = (place: number): string => `2.25.1.1.${place + 1}`
  // Large enough to go through the thread pool, where a closed descriptor would be another file's by then.
  const stored = await Promise.all(packs.map(async (pack, place) => {
    const held = pack.use()
    const { object, parts, length } = part10(uid(place), 2 << 20, place)
    const appended = pack.append(object, parts, length)
    held[Symbol.dispose]()
    return await appended
  }))
  await Promise.all(packs.map(async (pack, place) => {
    const held = pack.use()
    const read = readWhole(pack, stored[place])
    held[Symbol.dispose]()
    t.ok((await read).equals(Buffer.concat(part10(uid(place), 2 << 20, place).parts)), uid(place))
  }))
})

test('a large object goes on in its own file after everybody else has left', async t => {
  const pack = new Pack(STUDY, SERIES, t.testdir())
  const held = pack.use()
  const { object, parts } = part10('2.25.1.1.2', SPILL_BYTES)
  const spill = await pack.spill()
  held[Symbol.dispose]()
  t.ok(pack.inUse)
  for (const part of parts) await spill.write([part])
  const stored = await spill.keep(object)
  t.notOk(pack.inUse)
  t.ok((await readWhole(pack, stored)).equals(Buffer.concat(parts)))
})

test('what a failed write left is overwritten by the next, so that a scan finds both sides of it', async t => {
  const folder = t.testdir()
  const pack = new Pack(STUDY, SERIES, folder)
  using _held = pack.use()
  const [first] = await fill(pack, ['2.25.1.1.1'])
  const { object, parts, length } = part10('2.25.1.1.2', 1000)
  // A piece that cannot be written, as a disk would refuse it.
  await t.rejects(pack.append(object, [parts[0], 'no buffer' as unknown as Buffer], length))
  const [third] = await fill(pack, ['2.25.1.1.3'])
  t.equal(third.segment, first.segment)
  t.same((await scanPack(folder, STUDY, SERIES)).instances.map(one => one.sopInstanceUid), ['2.25.1.1.1', '2.25.1.1.3'])
})

test('nothing is appended to a series that has been removed, and its place may be taken at once', async t => {
  const folder = join(t.testdir(), 'series')
  const old = new Pack(STUDY, SERIES, folder)
  const reading = old.use()
  const [stored] = await fill(old, ['2.25.1.1.1'])
  const removed = old.remove()
  const fresh = new Pack(STUDY, SERIES, folder)
  using _held = fresh.use()
  const { object, parts, length } = part10('2.25.1.1.2', 1000, 9)
  const instead = await fresh.append(object, parts, length)
  await removed
  t.ok((await readWhole(old, stored)).equals(Buffer.concat(part10('2.25.1.1.1', 1000).parts)), 'who reads the old reads the old')
  t.ok((await readWhole(fresh, instead)).equals(Buffer.concat(parts)), 'and the new is there')
  await t.rejects(fill(old, ['2.25.1.1.3']), { code: 'STORE_FAILED' })
  reading[Symbol.dispose]()
  await t.rejects(readWhole(old, stored), { code: 'STORE_FAILED' }, 'never the bytes of the new one')
})
