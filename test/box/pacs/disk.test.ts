import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { test } from 'tap'
import { Cache } from '#box/cache/cache.ts'
import { startPacs } from '#sim/pacs.ts'
import { ask, codeOf, hasClosingDelimiter, objectOf, objectsOf, untrue } from '#test/fixtures/answer.ts'
import { freePort } from '#test/fixtures/peer.ts'
import { isQuiet, openRooms, temporaryFolder, until } from '#test/fixtures/rooms.ts'
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
  t.notMatch(answer.body.toString(), /cache/, 'and no path of ours')
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
  site.cache.recent.clear()
  const broken = await ask(`${site.url}/studies/${study.studyUid}`).catch(() => undefined)
  t.notOk(broken?.whole)
  await until(() => site.cache.list().length === 0)
  const mended = await ask(`${site.url}/studies/${study.studyUid}`)
  t.ok(hasClosingDelimiter(mended))
  t.same(await untrue(site.sim, await objectsOf(mended)), [])
})

/** The box as a program of its own. */
async function startBox (config: object, folder: string): Promise<{ child: ChildProcess, url: string }> {
  const path = join(folder, 'config.json')
  writeFileSync(path, JSON.stringify(config))
  const child = spawn(process.execPath, [join(import.meta.dirname, '../../../src/drimbox.ts'), `--config=${path}`], { stdio: ['ignore', 'pipe', 'inherit'] })
  for await (const line of createInterface({ input: child.stdout as NodeJS.ReadableStream })) {
    const { msg, dicomweb } = JSON.parse(line) as { msg: string, dicomweb: string }
    if (msg !== 'the box is open') continue
    child.stdout?.resume()
    return { child, url: dicomweb }
  }
  throw new Error('the box did not open')
}

test('a box killed in the middle of a retrieve, at any moment, comes back with whole instances only', { timeout: 180_000 }, async t => {
  const seed = Number(process.env.SEED ?? Date.now() % 1_000_000)
  t.comment(`SEED=${seed}`)
  let state = seed
  const random = (max: number): number => {
    state = (state * 1103515245 + 12345) % 2147483648
    return state % max
  }
  const study = smallStudy('killed', { series: [30, 30], pixelBytes: 64 << 10 })
  const large = smallStudy('killed while large', { series: [2], pixelBytes: 6 * MIB })
  const port = await freePort()
  const sim = await startPacs({ studies: [study, large], destinations: () => ({ host: '127.0.0.1', port }) })
  t.teardown(async () => { await sim.close() })
  const folder = await temporaryFolder(t)
  const cache = join(folder, 'cache')
  const config = { pacs: { host: '127.0.0.1', port: sim.port, calledTitle: sim.aeTitle }, dimse: { host: '127.0.0.1', port }, http: { port: 0 }, cache: { folder: cache, diskFreeBytesMin: 0 } }
  for (let turn = 0; turn < 20; turn++) {
    const { child, url } = await startBox(config, folder)
    t.teardown(() => { child.kill('SIGKILL') })
    const asked = turn % 4 === 3 ? large : study
    // Either the PACS stops somewhere, or the kill comes while it sends.
    const stop = random(asked === large ? 2 : 60)
    const gate = turn % 2 === 0 ? sim.control.pauseSubOperations(stop) : undefined
    const reading = ask(`${url}/studies/${asked.studyUid}`).catch(() => undefined)
    if (gate !== undefined) await Promise.race([gate.reached, reading])
    else await new Promise(resolve => { setTimeout(resolve, random(120)) })
    const exit = once(child, 'exit')
    child.kill('SIGKILL')
    await exit
    sim.control.reset()
    const answer = await reading
    if (answer?.whole === true && answer.status === 200) t.equal((await objectsOf(answer)).length, asked === large ? 2 : 60, 'what looked whole was whole')

    const reopened = await Cache.open({ folder: cache, bytesMax: 1 << 40, ageSecondsMax: 86400, diskFreeBytesMin: 0 })
    for (const { studyUid, seriesUid, complete } of reopened.list()) {
      const pack = reopened.pack(studyUid, seriesUid)
      using _held = pack.use()
      for (const stored of pack.instances.values()) {
        const bytes = Buffer.alloc(stored.length)
        await pack.read(stored.segment, stored.offset, bytes)
        const wrong = await untrue(sim, [objectOf(bytes)])
        if (wrong.length > 0) t.fail(`turn ${turn}, seed ${seed}: ${wrong[0]} is not what the PACS sent`)
      }
      const whole = [study, large].flatMap(({ series }) => series).find(series => series.seriesUid === seriesUid)?.instances.length
      if (complete && pack.instances.size !== whole) t.fail(`turn ${turn}, seed ${seed}: called complete with ${pack.instances.size} of ${whole}`)
      if (random(3) === 0) await reopened.purge(studyUid, seriesUid)
    }
    await reopened.close()
  }
  const { child, url } = await startBox(config, folder)
  t.teardown(() => { child.kill('SIGKILL') })
  for (const asked of [study, large]) {
    const answer = await ask(`${url}/studies/${asked.studyUid}`)
    t.ok(hasClosingDelimiter(answer))
    t.same(await untrue(sim, await objectsOf(answer)), [])
  }
  child.kill('SIGTERM')
  const [code] = await once(child, 'exit') as [number]
  t.equal(code, 0)
})
