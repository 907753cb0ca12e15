/**
 * Ten thousand requests of every kind, one in fifty given up in the middle, studies forgotten now and
 * then so that the PACS is always asked for something: afterwards the service holds what it held before.
 */

import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { Agent, request, type IncomingMessage } from 'node:http'
import { once } from 'node:events'
import { connect } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { test } from 'tap'
import type { Status } from '#box/admin/routes.ts'
import { startPacs } from '#sim/pacs.ts'
import type { GeneratedStudy } from '#sim/studies.ts'
import { seeded, type Random } from '#test/faults/kills.ts'
import { WaitingBox } from '#test/fixtures/box-process.ts'
import { freePort } from '#test/fixtures/peer.ts'
import { temporaryFolder } from '#test/fixtures/rooms.ts'
import { studiesNamed } from '#test/fixtures/site.ts'
import { smallStudy } from '#test/fixtures/small-studies.ts'

const REQUESTS = Number(process.env.REQUESTS ?? 10_000)
const AT_ONCE = 16
const CANCELLED_EACH = 50
const FORGOTTEN_EACH = 200
/** Everything must be as before within this, in milliseconds. */
const BACK_WITHIN_MS = 60_000
/** What a collector that hasn't run yet may still hold. */
const RESIDENT_SLACK_BYTES = 24e6
const MIB = 1 << 20

interface Ask {
  readonly path: string
  readonly method?: string
  readonly headers?: Record<string, string>
  readonly status: readonly number[]
}

interface Held { readonly sockets: number, readonly files: number, readonly residentBytes: number }

test('after ten thousand requests, one in fifty cancelled, the service holds what it held before', { timeout: 235_000 }, async t => {
  const seed = Number(process.env.SEED ?? Date.now() % 1_000_000)
  t.comment(`SEED=${seed}`)
  const random = seeded(seed)
  const studies = [
    ...Array.from({ length: 24 }, (_, place) => smallStudy(`soak ${place}`, { series: [3, 5], pixelBytes: 16 << 10 })),
    ...Array.from({ length: 2 }, (_, place) => smallStudy(`soak, large ${place}`, { series: [2], pixelBytes: 5 * MIB })),
    ...studiesNamed('sr', 'today')
  ]
  const dimsePort = await freePort()
  const sim = await startPacs({ studies, destinations: () => ({ host: '127.0.0.1', port: dimsePort }) })
  t.teardown(async () => { await sim.close() })
  const folder = await temporaryFolder(t)
  const adminSocket = join(folder, 'admin.sock')
  const waiting = new WaitingBox(t)
  const { pid, url } = await waiting.open({
    pacs: { host: '127.0.0.1', port: sim.port, calledTitle: sim.aeTitle, associationsMax: 4, idleSeconds: 1 },
    dimse: { host: '127.0.0.1', port: dimsePort },
    http: { port: 0 },
    cache: { folder: join(folder, 'cache'), diskFreeBytesMin: 0 },
    freshness: { unreadSecondsMax: 1 },
    adminSocket,
    logLevel: 'silent'
  })
  const agent = new Agent({ keepAlive: true, maxSockets: AT_ONCE })
  t.teardown(() => { agent.destroy() })
  const wrong: { path: string, status: number, begun: number, ended: number, text: string }[] = []
  const forgotten: { studyUid: string, from: number, until: number }[] = []
  // Whoever reads a study in the very moment in which it is forgotten is cut off, told how much there is left, or refused.
  const isForgetting = ({ path, status, begun, ended }: typeof wrong[number]): boolean =>
    status !== 200 && forgotten.some(({ studyUid, from, until }) => path.includes(studyUid) && from <= ended && until >= begun)
  let cancelled = 0
  let asked = 0

  const run = async (count: number): Promise<void> => {
    const end = asked + count
    await Promise.all(Array.from({ length: AT_ONCE }, async () => {
      while (asked < end) {
        const number = asked++
        if (number % FORGOTTEN_EACH === FORGOTTEN_EACH - 1) {
          const { studyUid } = studies[random(studies.length)]
          const from = performance.now()
          await forget(adminSocket, studyUid)
          forgotten.push({ studyUid, from, until: performance.now() })
        }
        const one = choose(studies, random)
        const begun = performance.now()
        if (number % CANCELLED_EACH === CANCELLED_EACH - 1) {
          cancelled++
          await giveUp(url, agent, one, random)
        } else {
          const status = await statusOf(url, agent, one)
          if (!one.status.includes(status)) wrong.push({ path: one.path, status, begun, ended: performance.now(), text: `${one.method ?? 'GET'} ${one.path.replaceAll(/2\.25\.\d+/g, 'uid')} ${JSON.stringify(one.headers ?? {})}: ${status}` })
        }
      }
    }))
  }
  const idle = async (): Promise<boolean> => {
    const { retrieves, pacs, pixels } = await statusOfBox(adminSocket)
    return retrieves.length === 0 && pacs.lent === 0 && pacs.idle === 0 && pacs.waiting === 0 && pixels.lanes === 0 && sim.control.seen.associationsOpen === 0
  }

  // Everything has been asked for once, every thread stands, all code is compiled.
  await run(Math.min(1500, REQUESTS))
  agent.destroy()
  await within(BACK_WITHIN_MS, idle)
  const before = holdings(pid)
  const from = performance.now()
  const residents: number[] = []
  for (let quarter = 0; quarter < 4; quarter++) {
    await run(REQUESTS / 4)
    residents.push(holdings(pid).residentBytes)
  }
  const seconds = (performance.now() - from) / 1000
  agent.destroy()
  const ended = performance.now()
  t.ok(await within(BACK_WITHIN_MS, idle), 'no retrieve, association, or picture is under way')
  const isBack = ({ sockets, files, residentBytes }: Held): boolean => sockets <= before.sockets && files <= before.files && residentBytes <= before.residentBytes + RESIDENT_SLACK_BYTES
  await within(BACK_WITHIN_MS - (performance.now() - ended), async () => isBack(holdings(pid)))
  const after = holdings(pid)
  const mb = (bytes: number): number => Math.round(bytes / 1e6)
  t.comment(`${REQUESTS} requests in ${Math.round(seconds)} s, ${cancelled} cancelled; resident ${mb(before.residentBytes)} MB before, ${residents.map(mb).join(', ')} meanwhile, ${mb(after.residentBytes)} after ${Math.round((performance.now() - ended) / 1000)} s`)
  t.same(wrong.filter(one => !isForgetting(one)).map(({ text }) => text), [], 'each was answered with the status that it should have')
  t.ok(after.sockets <= before.sockets, `${after.sockets} sockets, ${before.sockets} before`)
  t.ok(after.files <= before.files, `${after.files} files, ${before.files} before`)
  t.ok(after.residentBytes <= before.residentBytes + RESIDENT_SLACK_BYTES, `${mb(after.residentBytes)} MB, ${mb(before.residentBytes)} before`)
  t.equal(await statusOf(url, new Agent(), { path: `/studies/${studies[0].studyUid}`, status: [200] }), 200, 'and it serves')
  agent.destroy()
  await within(BACK_WITHIN_MS, idle)
})

/** What is asked, and what may be answered. */
function choose (studies: readonly GeneratedStudy[], random: Random): Ask {
  const study = studies[random(studies.length)]
  const series = study.series[random(study.series.length)]
  const { sopInstanceUid } = series.instances[random(series.instances.length)]
  const studyPath = `/studies/${study.studyUid}`
  const seriesPath = `${studyPath}/series/${series.seriesUid}`
  const instancePath = `${seriesPath}/instances/${sopInstanceUid}`
  const whole = { accept: 'multipart/related; type="application/dicom"; transfer-syntax=*' }
  const isImage = study.name === 'ct'
  const kinds: readonly (readonly [weight: number, make: () => Ask])[] = [
    [8, () => ({ path: studyPath, headers: whole, status: [200] })],
    [10, () => ({ path: seriesPath, headers: whole, status: [200] })],
    [28, () => ({ path: instancePath, headers: { accept: 'application/dicom; transfer-syntax=*' }, status: [200] })],
    [3, () => ({ path: instancePath, headers: { accept: 'application/dicom; transfer-syntax=*', range: `bytes=${random(500)}-${500 + random(500)}` }, status: [206] })],
    [16, () => ({ path: `${instancePath}/frames/1`, headers: { accept: 'application/octet-stream; transfer-syntax=*' }, status: isImage ? [200] : [200, 404, 406] })],
    [5, () => ({ path: `${seriesPath}/metadata`, status: [200] })],
    [3, () => ({ path: `${studyPath}/metadata`, headers: { 'accept-encoding': 'gzip' }, status: [200] })],
    [3, () => ({ path: `${instancePath}/metadata`, status: [200] })],
    [2, () => ({ path: `${instancePath}/bulkdata/7FE00010`, status: isImage ? [200] : [200, 404] })],
    [2, () => ({ path: `${instancePath}/rendered`, headers: { accept: 'image/jpeg, text/html, */*' }, status: isImage ? [200] : [200, 406] })],
    [2, () => ({ path: `${seriesPath}/thumbnail`, headers: { accept: 'image/jpeg' }, status: isImage ? [200] : [200, 404, 406] })],
    [3, () => ({ path: `/studies?PatientID=IPP-soak%20${random(24)}&limit=5`, status: [200] })],
    [1, () => ({ path: '/studies?ModalitiesInStudy=CT&includefield=all', status: [200] })],
    [2, () => ({ path: `${studyPath}/series`, status: [200] })],
    [2, () => ({ path: instancePath, method: 'HEAD', headers: { accept: 'application/dicom; transfer-syntax=*' }, status: [200] })],
    [1, () => ({ path: `/studies/2.25.404${random(1000)}`, headers: whole, status: [404] })],
    [1, () => ({ path: `${seriesPath}/instances/2.25.405`, headers: whole, status: [404] })],
    [1, () => ({ path: '/studies/not.a.uid', status: [400] })],
    [1, () => ({ path: studyPath, headers: { accept: 'application/nothing' }, status: [400, 406] })],
    [1, () => ({ path: `${instancePath}/frames/9999`, headers: { accept: 'application/octet-stream' }, status: [404, 406] })],
    [1, () => ({ path: '/nowhere', status: [404] })],
    [1, () => ({ path: '/studies?PatientName=%ff%fe', status: [400] })],
    [1, () => ({ path: studyPath, method: 'DELETE', status: [405, 501] })]
  ]
  let place = random(kinds.reduce((sum, [weight]) => sum + weight, 0))
  const kind = kinds.find(([weight]) => (place -= weight) < 0)
  return (kind ?? kinds[0])[1]()
}

async function send (url: string, agent: Agent, { path, method = 'GET', headers }: Ask): Promise<{ sent: ReturnType<typeof request>, answer: Promise<IncomingMessage> }> {
  const sent = request(`${url}${path}`, { method, headers, agent })
  const answer = once(sent, 'response').then(([response]) => response as IncomingMessage)
  answer.catch(() => {})
  sent.on('error', () => {})
  sent.end()
  return { sent, answer }
}

/** Of a whole answer; 0 for one that was cut. */
async function statusOf (url: string, agent: Agent, ask: Ask): Promise<number> {
  const { answer } = await send(url, agent, ask)
  try {
    const response = await answer
    response.on('error', () => {}).resume()
    await new Promise(resolve => { response.once('close', resolve) })
    return response.complete ? response.statusCode ?? 0 : 0
  } catch {
    return 0
  }
}

/** Leaves before the answer, at its head, or in its body; or sends half a request and leaves. */
async function giveUp (url: string, agent: Agent, ask: Ask, random: Random): Promise<void> {
  const when = random(4)
  if (when === 3) {
    const { port } = new URL(url)
    const socket = connect(Number(port), '127.0.0.1')
    socket.on('error', () => {})
    await once(socket, 'connect')
    socket.write(`GET ${new URL(url).pathname}${ask.path} HTTP/1.1\r\nhost: box\r\n${random(2) === 0 ? 'accept' : 'accept: */*\r\n\r\n'}`)
    await delay(random(10))
    socket.destroy()
    return
  }
  const { sent, answer } = await send(url, agent, ask)
  if (when === 0) await delay(random(5))
  else {
    const response = await answer.catch(() => undefined)
    response?.on('error', () => {})
    if (when === 2 && response !== undefined && !response.complete) await Promise.race([once(response, 'data'), once(response, 'close')]).catch(() => {})
  }
  sent.destroy()
}

/** What the process has open, and how much memory it takes. */
function holdings (pid: number): Held {
  const names = readdirSync(`/proc/${pid}/fd`).flatMap(fd => {
    try {
      return [readlinkSync(`/proc/${pid}/fd/${fd}`)]
    } catch {
      return []
    }
  })
  const residentBytes = Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1]) * 1024
  return { sockets: names.filter(name => name.startsWith('socket:')).length, files: names.filter(name => name.startsWith('/') && !name.startsWith('/dev/')).length, residentBytes }
}

async function admin (socketPath: string, path: string, method: string): Promise<string> {
  const sent = request({ socketPath, path, method, agent: false }).end()
  const [answer] = await once(sent, 'response') as [IncomingMessage]
  return Buffer.concat(await Array.fromAsync(answer)).toString()
}

async function statusOfBox (socketPath: string): Promise<Status> {
  return JSON.parse(await admin(socketPath, '/status', 'GET')) as Status
}

/** As the command line does. */
async function forget (socketPath: string, studyUid: string): Promise<void> {
  await admin(socketPath, `/cache/${studyUid}`, 'DELETE')
}

async function within (milliseconds: number, holds: () => Promise<boolean>): Promise<boolean> {
  const until = performance.now() + milliseconds
  while (!await holds()) {
    if (performance.now() > until) return false
    await delay(200)
  }
  return true
}
