import { readdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'tap'
import { ask, codeOf, hasClosingDelimiter, objectsOf, untrue } from '#test/fixtures/answer.ts'
import { isQuiet, openRooms, until } from '#test/fixtures/rooms.ts'
import { skipWithoutMount, smallDisk } from '#test/fixtures/small-disk.ts'
import { smallStudy } from '#test/fixtures/small-studies.ts'

const MIB = 1 << 20
const LIMITS = { bytesMax: 1 << 30, diskFreeBytesMin: 0 }

test('a disk too small for a study: the PACS is told to stop, the reader is cut or told why, and the box lives on', { skip: skipWithoutMount }, async t => {
  const disk = smallDisk(t, 6 * MIB)
  const study = smallStudy('larger than the disk', { series: [20], pixelBytes: MIB })
  const fits = smallStudy('smaller than the disk', { series: [3], pixelBytes: MIB / 4 })
  const site = await openRooms(t, [study, fits], { cache: { folder: join(disk, 'cache'), ...LIMITS } })
  const first = await ask(`${site.url}/studies/${study.studyUid}`)
  t.equal(first.status, 200)
  t.notOk(hasClosingDelimiter(first))
  t.notOk(first.whole)
  await until(() => isQuiet(site))
  const described = await ask(`${site.url}/studies/${study.studyUid}/metadata`)
  t.notSame(described.status, 200)
  await until(() => isQuiet(site))
  // What nobody reads gives way to what somebody does.
  const other = await ask(`${site.url}/studies/${fits.studyUid}`)
  t.equal(other.status, 200)
  t.same(await untrue(site.sim, await objectsOf(other)), [])
  t.equal((await objectsOf(other)).length, 3)
  await until(() => isQuiet(site))
})

test('an object larger than the disk is told as 507, and leaves nothing behind', { skip: skipWithoutMount }, async t => {
  const disk = smallDisk(t, 6 * MIB)
  for (const pixelBytes of [3 * MIB, 8 * MIB]) {
    const study = smallStudy(`too large ${pixelBytes}`, { series: [1], pixelBytes })
    const folder = join(disk, String(pixelBytes))
    const site = await openRooms(t, [study], { cache: { folder, ...LIMITS } })
    // Others fill the disk; nothing of ours could make room.
    writeFileSync(join(disk, 'others'), Buffer.alloc(4 * MIB))
    const answer = await ask(`${site.url}/studies/${study.studyUid}`)
    t.equal(answer.status, 507, String(pixelBytes))
    t.equal(codeOf(answer), 'STORE_FULL')
    await until(() => isQuiet(site))
    t.same(site.cache.list(), [])
    t.same(readdirSync(folder).filter(name => name.startsWith('2.25')), [])
    writeFileSync(join(disk, 'others'), '')
  }
})

test('on a full disk what is unread is evicted for what is asked, without anybody noticing', { skip: skipWithoutMount }, async t => {
  const disk = smallDisk(t, 8 * MIB)
  const studies = Array.from({ length: 6 }, (_, place) => smallStudy(`evict ${place}`, { series: [8], pixelBytes: MIB / 4 }))
  const site = await openRooms(t, studies, { cache: { folder: join(disk, 'cache'), ...LIMITS } })
  for (const study of studies) {
    const answer = await ask(`${site.url}/studies/${study.studyUid}`)
    t.ok(hasClosingDelimiter(answer))
    t.same(await untrue(site.sim, await objectsOf(answer)), [])
    await until(() => isQuiet(site))
  }
  t.ok(site.cache.list().length < 6)
})

test('a disk that refuses a write serves what it holds, says what it can\'t take, and is tried again', async t => {
  const held = smallStudy('held', { series: [4] })
  const asked = smallStudy('asked', { series: [4] })
  const site = await openRooms(t, [held, asked])
  await ask(`${site.url}/studies/${held.studyUid}`)
  await until(() => isQuiet(site))
  // Where the folder of the study should be made there is something else.
  const inTheWay = join(dirname(dirname(site.cache.pack(held.studyUid, held.series[0].seriesUid).folder)), asked.studyUid)
  writeFileSync(inTheWay, '')
  const answer = await ask(`${site.url}/studies/${asked.studyUid}`)
  t.equal(answer.status, 500)
  t.equal(codeOf(answer), 'STORE_FAILED')
  t.notOk(answer.body.includes(dirname(inTheWay)), 'and no path of ours')
  t.equal((await objectsOf(await ask(`${site.url}/studies/${held.studyUid}`))).length, 4)
  rmSync(inTheWay)
  await until(() => isQuiet(site))
  t.equal((await objectsOf(await ask(`${site.url}/studies/${asked.studyUid}`))).length, 4)
})

test('a cache folder that somebody empties under a running box is made good from the PACS', async t => {
  const study = smallStudy('emptied', { series: [4] })
  const site = await openRooms(t, [study])
  await ask(`${site.url}/studies/${study.studyUid}`)
  await until(() => isQuiet(site))
  const { folder } = site.cache.pack(study.studyUid, study.series[0].seriesUid)
  for (const name of readdirSync(folder)) writeFileSync(join(folder, name), '')
  await site.cache.makeRoom()
  const broken = await ask(`${site.url}/studies/${study.studyUid}`).catch(() => undefined)
  t.notOk(broken?.whole)
  await until(() => site.cache.list().length === 0)
  const mended = await ask(`${site.url}/studies/${study.studyUid}`)
  t.ok(hasClosingDelimiter(mended))
  t.same(await untrue(site.sim, await objectsOf(mended)), [])
})
