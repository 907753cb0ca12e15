import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { test } from 'tap'
import { Cache } from '#box/cache/cache.ts'
import { NODE_ENVIRONMENT, NODE_FLAGS } from '#core/runtime.ts'
import { startPacs } from '#sim/pacs.ts'
import { ask, hasClosingDelimiter, objectOf, objectsOf, untrue } from '#test/fixtures/answer.ts'
import { freePort } from '#test/fixtures/peer.ts'
import { temporaryFolder } from '#test/fixtures/rooms.ts'
import { smallStudy } from '#test/fixtures/small-studies.ts'

const MIB = 1 << 20

/** The box as a program of its own. */
async function startBox (config: object, folder: string): Promise<{ child: ChildProcess, url: string }> {
  const path = join(folder, 'config.json')
  writeFileSync(path, JSON.stringify(config))
  const child = spawn(process.execPath, [...NODE_FLAGS, join(import.meta.dirname, '../../../src/drimbox.ts'), `--config=${path}`], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, ...NODE_ENVIRONMENT }
  })
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
