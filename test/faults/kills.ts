/**
 * A box killed again and again, at moments of every kind: while objects arrive, while a series settles,
 * while it is described, evicted, recovered. After each, the next box must hold true instances only, and
 * complete what was cut.
 */

import { request } from 'node:http'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { startPacs, type SimulatedPacs } from '#sim/pacs.ts'
import type { GeneratedStudy } from '#sim/studies.ts'
import { ask, hasClosingDelimiter, objectsOf, type Answer } from '#test/fixtures/answer.ts'
import { bundledBox, WaitingBox, type OpenBox } from '#test/fixtures/box-process.ts'
import { freePort } from '#test/fixtures/peer.ts'
import { instancesOf, smallStudy } from '#test/fixtures/small-studies.ts'
import { examine, type Truth } from './on-disk.ts'

/** What tap hands to a test, as far as it matters here. */
interface Test {
  teardown (end: () => unknown): void
  comment (text: string): void
  fail (text: string): void
  equal (found: unknown, wanted: unknown, text: string): void
  same (found: unknown, wanted: unknown, text: string): void
}

const MIB = 1 << 20

/** Many objects in two series, one series after the other; many at once; such as get files of their own; slow to describe. */
const STUDIES: readonly GeneratedStudy[] = [
  smallStudy('killed', { series: [15, 15], pixelBytes: 32 << 10 }),
  smallStudy('killed in parallel', { series: [6, 8, 5, 7], pixelBytes: 16 << 10 }),
  smallStudy('killed while large', { series: [1, 1], pixelBytes: 4.5 * MIB }),
  smallStudy('killed while described', { series: [80], pixelBytes: 1024 })
]

/** How often each is the one that is killed: megabytes take the simulated PACS the longest. */
const CHOICE = [0, 0, 0, 1, 1, 1, 3, 3, 3, 2]

type Moment = 'instance' | 'time' | 'settling' | 'removing' | 'opening'
/** Most of them in the middle of a retrieve. */
const MOMENTS: readonly Moment[] = ['instance', 'time', 'time', 'settling', 'settling', 'removing', 'opening']

export interface KillOptions {
  /** Empty at first, and there when the box isn't. */
  readonly folder: string
  readonly rounds: number
  readonly seed: number
  /** What else happens to the disk once the box is dead. @returns whether the index may have forgotten its last rows */
  readonly afterwards?: (round: number, random: Random) => boolean
}

/** @returns a whole number from 0 up to, and without, `below` */
export type Random = (below: number) => number

export function seeded (seed: number): Random {
  let state = seed >>> 0
  return below => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0
    return (state >>> 8) % below
  }
}

export async function killAgainAndAgain (t: Test, { folder, rounds, seed, afterwards = () => false }: KillOptions): Promise<void> {
  t.comment(`SEED=${seed}`)
  const random = seeded(seed)
  const dimsePort = await freePort()
  const sim = await startPacs({ studies: STUDIES, destinations: () => ({ host: '127.0.0.1', port: dimsePort }) })
  t.teardown(async () => { await sim.close() })
  const truth = await truthOf(sim)
  const cache = join(folder, 'cache')
  const adminSocket = join('/tmp', `drimbox-kill-${process.pid}.sock`)
  const seen: Record<string, number> = {}
  const settings = (round: number): object => ({
    pacs: { host: '127.0.0.1', port: sim.port, calledTitle: sim.aeTitle, associationsMax: 4, seriesAtOnce: round % 3 === 0 ? 4 : 1, method: round % 5 === 4 ? 'get' : 'move' },
    dimse: { aeTitle: 'DRIMBOX', host: '127.0.0.1', port: dimsePort },
    http: { port: 0 },
    cache: { folder: cache, diskFreeBytesMin: 0 },
    freshness: { unreadSecondsMax: 0 },
    adminSocket,
    logLevel: 'silent'
  })
  const program = await bundledBox(t)
  let waiting = new WaitingBox(t, program)
  let forgetful = false
  let cut = STUDIES[0]
  let milliseconds = 150
  for (let round = 0; round < rounds; round++) {
    const where = `round ${round}, SEED=${seed}`
    const moment = MOMENTS[random(MOMENTS.length)]
    const next = new WaitingBox(t, program)
    if (moment === 'opening' && round > 0) {
      const opening = waiting.open(settings(round)).catch(() => undefined)
      await delay(random(80))
      await waiting.kill()
      await opening
      seen[moment] = (seen[moment] ?? 0) + 1
      waiting = next
      continue
    }
    const box = await waiting.open(settings(round))
    waiting = next
    const { wrong } = examine(cache, truth, !forgetful)
    if (wrong.length > 0) t.fail(`${where}: ${wrong[0]}`)
    const from = performance.now()
    if (!await isWhole(truth, await ask(`${box.url}/studies/${cut.studyUid}`).catch(() => undefined), cut)) t.fail(`${where}: what was cut is not completed`)
    milliseconds = performance.now() - from
    cut = STUDIES[CHOICE[random(CHOICE.length)]]
    await forget(adminSocket, cut)
    await strike(box, moment)
    seen[moment] = (seen[moment] ?? 0) + 1
    sim.control.reset()
    forgetful = afterwards(round, random)
  }
  t.comment(JSON.stringify(seen))
  const box = await waiting.open(settings(rounds))
  for (const study of STUDIES) t.equal(await isWhole(truth, await ask(`${box.url}/studies/${study.studyUid}`), study), true, `${study.series.length} series, whole in the end`)
  t.equal(await box.close(), 0, 'it closes in good order')

  async function strike (box: OpenBox, moment: Moment): Promise<void> {
    const whole = instancesOf(cut).length
    const gate = moment === 'instance' ? sim.control.pauseSubOperations(random(Math.ceil(whole / cut.series.length))) : undefined
    const reading = ask(`${box.url}/studies/${cut.studyUid}`).catch(() => undefined)
    if (gate !== undefined) await Promise.race([gate.reached, reading])
    else if (moment === 'time') await delay(random(Math.max(20, milliseconds)))
    else {
      await reading
      if (moment === 'removing') void forget(adminSocket, cut).catch(() => {})
      await delay(random(moment === 'removing' ? 8 : 40))
    }
    await box.kill()
    const answer = await reading
    if (answer?.whole === true && answer.status === 200 && !await isWhole(truth, answer, cut)) t.fail(`SEED=${seed}: what looked whole was not`)
  }
}

async function truthOf (sim: SimulatedPacs): Promise<Truth> {
  const uids = STUDIES.flatMap(instancesOf)
  return { studies: STUDIES, datasets: new Map(await Promise.all(uids.map(async uid => [uid, await sim.datasetOf(uid) as Buffer] as const))) }
}

async function isWhole ({ datasets }: Truth, answer: Answer | undefined, study: GeneratedStudy): Promise<boolean> {
  if (answer === undefined || answer.status !== 200 || !answer.whole || !hasClosingDelimiter(answer)) return false
  const objects = await objectsOf(answer)
  return objects.length === instancesOf(study).length && objects.every(({ sopInstanceUid, dataset }) => datasets.get(sopInstanceUid)?.equals(dataset))
}

/** As the command line does. */
async function forget (socketPath: string, { studyUid }: GeneratedStudy): Promise<void> {
  const sent = request({ socketPath, path: `/cache/${studyUid}`, method: 'DELETE' }).end()
  await new Promise((resolve, reject) => { sent.once('response', answer => { answer.resume().once('close', resolve) }).once('error', reject) })
}
