/**
 * What a power cut leaves of files that were never forced to the disk: any of their pages, or none.
 */

import { mkdirSync, readFileSync, readdirSync, truncateSync, writeFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'tap'
import { Cache } from '#box/cache/cache.ts'
import { Pack, segmentName } from '#box/cache/pack.ts'
import { RECORD_HEAD_BYTES } from '#box/cache/record.ts'
import { scanPack } from '#box/cache/scan.ts'
import { SeriesMetadata } from '#box/wado/metadata.ts'
import { part10, readWhole } from '#test/fixtures/packed.ts'
import { temporaryFolder, type Test } from '#test/fixtures/rooms.ts'

const PAGE_BYTES = 4096
const STUDY = '2.25.1'
const SERIES = '2.25.2'
const settings = (folder: string) => ({ folder, bytesMax: 1 << 30, ageSecondsMax: 86400, diskFreeBytesMin: 0 })

/** A pack of odd objects, of which one's record head ends with a page. */
async function pack (t: Test): Promise<{ path: string, bytes: Buffer, objects: { uid: string, end: number, file: Buffer }[] }> {
  const folder = join(await temporaryFolder(t), STUDY, SERIES)
  const made = new Pack(STUDY, SERIES, folder)
  using _held = made.use()
  const objects: { uid: string, end: number, file: Buffer }[] = []
  let end = 0
  for (let place = 0; place < 12; place++) {
    const uid = `2.25.10.${place}`
    const { parts: [{ length: headBytes }] } = part10(uid, 0)
    // The fifth begins so that its head is the last of a page.
    const wanted = place === 3 ? (3 * PAGE_BYTES - end % PAGE_BYTES) % (2 * PAGE_BYTES) + PAGE_BYTES - 2 * RECORD_HEAD_BYTES - headBytes : 1000 + 777 * place
    const { object, parts, length } = part10(uid, wanted + wanted % 2, place + 1)
    await made.append(object, parts, length)
    end += RECORD_HEAD_BYTES + length
    objects.push({ uid, end, file: Buffer.concat(parts) })
  }
  await made.sync()
  const [name] = readdirSync(folder)
  return { path: join(folder, name), bytes: readFileSync(join(folder, name)), objects }
}

test('of a pack cut off at any byte, the instances before that byte are kept and nothing else', async t => {
  const { path, bytes, objects } = await pack(t)
  const folder = join(path, '..')
  for (let at = 0; at < bytes.length; at += at % PAGE_BYTES < 80 ? 7 : 401) {
    writeFileSync(path, bytes)
    truncateSync(path, at)
    const { instances } = await scanPack(folder, STUDY, SERIES)
    t.same(instances.map(({ sopInstanceUid }) => sopInstanceUid), objects.filter(({ end }) => end <= at).map(({ uid }) => uid), `at ${at}`)
  }
})

test('of a pack whose pages came to the disk in any order, what is whole from the beginning is kept', async t => {
  const { path, bytes, objects } = await pack(t)
  t.ok(objects.slice(0, -1).some(({ end }) => (end + RECORD_HEAD_BYTES) % PAGE_BYTES === 0), 'a record head ends with its page')
  const folder = join(path, '..')
  for (const filler of [0x00, 0xff, 0x44]) {
    for (let page = 0; page * PAGE_BYTES < bytes.length; page++) {
      const from = page * PAGE_BYTES
      writeFileSync(path, Buffer.from(bytes).fill(filler, from, Math.min(from + PAGE_BYTES, bytes.length)))
      const { instances } = await scanPack(folder, STUDY, SERIES)
      const untouched = objects.filter(({ end }) => end <= from).map(({ uid }) => uid)
      t.same(instances.map(({ sopInstanceUid }) => sopInstanceUid), untouched, `page ${page} of ${filler}`)
    }
  }
})

test('a box opens upon whatever a power cut has left, and what it then holds is true', async t => {
  const { path, bytes, objects } = await pack(t)
  const folder = join(path, '../../..')
  for (let turn = 0; turn < 40; turn++) {
    // Only a name, garbage behind the end, a hole, a flipped bit.
    const torn = Buffer.concat([bytes, Buffer.alloc(turn % 3 * 5000, turn)])
    if (turn % 4 === 0) torn.fill(0, turn * 997)
    if (turn % 4 === 1) torn[turn * 1553 % torn.length] ^= 1 << turn % 8
    mkdirSync(join(path, '..'), { recursive: true })
    writeFileSync(path, turn === 20 ? '' : torn)
    for (const name of readdirSync(folder).filter(name => name.startsWith('index'))) truncateSync(join(folder, name), turn * 1000)
    const cache = await Cache.open(settings(folder))
    if (cache.seriesOf(STUDY).length > 0) {
      const held = cache.pack(STUDY, SERIES)
      using _held = held.use()
      for (const stored of held.instances.values()) {
        const { file } = objects.find(({ uid }) => uid === stored.sopInstanceUid) as { file: Buffer }
        t.ok((await readWhole(held, stored)).equals(file), `turn ${turn}: ${stored.sopInstanceUid}`)
      }
      t.equal(cache.completeness(STUDY, SERIES)?.state, 'partial')
    }
    await cache.purge(STUDY)
    await cache.close()
  }
})

test('what the index says of a recovered pack has been forced to the disk before', async t => {
  const { path } = await pack(t)
  const file = await open(path)
  const prototype = Object.getPrototypeOf(file) as { datasync (): Promise<void> }
  await file.close()
  const { datasync } = prototype
  let forced = 0
  prototype.datasync = async function () { forced++; await datasync.call(this) }
  t.teardown(() => { prototype.datasync = datasync })
  const cache = await Cache.open(settings(join(path, '../../..')))
  t.equal(cache.seriesOf(STUDY).length, 1)
  t.equal(forced, 1)
  await cache.close()
})

test('metadata that a power cut has torn is made again, not served', async t => {
  const folder = join(await temporaryFolder(t), STUDY, SERIES)
  const pack = new Pack(STUDY, SERIES, folder)
  using _held = pack.use()
  const dataset = Buffer.from('10001000504e0a004c4546454252455e5a6f', 'hex')
  const { object, parts: [head] } = part10('2.25.3', 0)
  await pack.append(object, [head, dataset], head.length + dataset.length)
  const made = await new SeriesMetadata(() => '').of(pack)
  const path = join(folder, 'metadata.bin')
  const kept = readFileSync(path)
  t.same(await new SeriesMetadata(() => '').of(pack), made)
  for (const torn of [Buffer.alloc(kept.length), Buffer.from(kept).fill(0, kept.length - made.deflated.length), kept.subarray(0, -3), Buffer.concat([kept, Buffer.alloc(9)]), Buffer.alloc(0)]) {
    writeFileSync(path, torn)
    t.same(await new SeriesMetadata(() => '').of(pack), made)
    t.same(readFileSync(path), kept, 'and mended')
  }
  t.ok(readdirSync(folder).includes(segmentName(0)))
})
