/**
 * Ten thousand requests of every kind, one in fifty cancelled in the middle: and then, is the service
 * back where it was? Sockets, files, associations, memory, within a minute.
 */

import { once } from 'node:events'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { bound } from '../goals.ts'
import { refusal } from '../load.ts'
import { descriptors, residentBytes } from '../measure.ts'
import type { BoxPeer } from '../peers/box.ts'
import { fill } from '../reader.ts'
import { sayError, type VariantResult } from '../rounds.ts'
import type { Bench, Row } from '../row.ts'
import { pathOf } from './single.ts'

const REQUESTS = 10_000
const CANCELLED_EVERY = 50
const AT_ONCE = 16
const PATIENCE_SECONDS = 60
/** Memory breathes by so much when nothing is wrong: V8 gives back when it likes. */
const MEMORY_SLACK_BYTES = 16e6
/** A study is seen to be read by so many, then its pack is taken away so that it must come again. */
const EMPTIED_EVERY = 2500

interface Held { readonly sockets: number, readonly files: number, readonly lent: number, readonly waiting: number, readonly retrieves: number, readonly resident: number }

/** A kind of request; how often it comes, of a hundred. */
interface Kind { readonly name: string, readonly share: number, readonly accept: string, readonly path: (index: number) => string }

export const leaks: Row = {
  name: 'leaks',
  title: 'Ten thousand mixed requests, one in fifty cancelled in the middle',
  async measure (bench) {
    const site = await bench.site()
    const [ct, many] = [await bench.data.ct(), await bench.data.manySeries()]
    const box = await site.box()
    await fill(box, ct.studyUid)
    await fill(box, many.studyUid)
    const kinds = await kindsOf(box, bench)
    // Every kind some dozens of times: what is made at first use, and the room that sixteen at once need, is no leak.
    await ask(box, kinds, bench.rounds > 1 ? EMPTIED_EVERY : 500, many.studyUid)
    await settled(box)
    const before = await held(box)
    const from = performance.now()
    const { answered, cancelled, refused } = await ask(box, kinds, bench.rounds > 1 ? REQUESTS : 2000, many.studyUid)
    const seconds = (performance.now() - from) / 1000
    await box.quiet()
    const back = await untilBack(box, before)
    const after = await held(box)
    const variant: VariantResult = {
      name: 'box',
      note: `${answered} answered, ${cancelled} cancelled, ${refused} failed`,
      readings: [{ seconds, requestsPerSecond: answered / seconds, peakBytes: residentBytes(box.pid) }],
      ...refused > 0 && { failed: `${refused} requests failed` }
    }
    const said = back === undefined ? `not after ${PATIENCE_SECONDS} s` : `${back.toFixed(0)} s`
    return {
      about: `${AT_ONCE} at a time: ${kinds.map(({ name, share }) => `${share} % ${name}`).join(', ')}. Every ${EMPTIED_EVERY} requests a study is forgotten, so that the PACS is asked again. Cancelled ones are cut after their first bytes.`,
      variants: [variant],
      marked: [],
      goals: [bound('no leak: sockets, files, associations and memory back to the start', 'before', back ?? Infinity, said, PATIENCE_SECONDS, `within ${PATIENCE_SECONDS} s`)],
      notes: [
        '| | sockets | files | associations lent | waiting | retrieves | resident MB |\n| --- | --- | --- | --- | --- | --- | --- |\n' +
        [['before', before], ['after', after]].map(([name, held]) => row(name as string, held as Held)).join('\n')
      ]
    }
  }
}

function row (name: string, { sockets, files, lent, waiting, retrieves, resident }: Held): string {
  return `| ${[name, sockets, files, lent, waiting, retrieves, (resident / 1e6).toFixed(0)].join(' | ')} |`
}

async function kindsOf (box: BoxPeer, { data }: Bench): Promise<Kind[]> {
  const [ct, many] = [await data.ct(), await data.manySeries()]
  const [study, others] = [`/studies/${ct.studyUid}`, `/studies/${many.studyUid}`]
  const dicom = 'multipart/related; type="application/dicom"; transfer-syntax=*'
  const instance = (index: number): string => pathOf(ct, ct.files[index % ct.files.length]!)
  const all: Kind[] = [
    { name: 'single instances', share: 40, accept: dicom, path: instance },
    { name: 'frames', share: 20, accept: 'multipart/related; type="image/jls"; transfer-syntax=1.2.840.10008.1.2.4.80', path: index => `${instance(index)}/frames/1` },
    { name: 'metadata of an instance', share: 15, accept: 'application/dicom+json', path: index => `${instance(index)}/metadata` },
    { name: 'studies of twenty series', share: 10, accept: dicom, path: () => others },
    { name: 'series lists', share: 8, accept: 'application/dicom+json', path: () => `${study}/series` },
    { name: 'rendered frames', share: 4, accept: 'image/jpeg', path: index => `${instance(index)}/rendered` },
    { name: 'instances in another syntax', share: 2, accept: 'multipart/related; type="application/dicom"; transfer-syntax=1.2.840.10008.1.2.1', path: instance },
    { name: 'whole studies', share: 1, accept: dicom, path: () => study }
  ]
  const offered: Kind[] = []
  for (const kind of all) if (await refusal(`${box.dicomweb}${kind.path(0)}`, kind.accept) === undefined) offered.push(kind)
  return offered
}

async function ask (box: BoxPeer, kinds: readonly Kind[], requests: number, forgotten: string): Promise<{ answered: number, cancelled: number, refused: number }> {
  const wheel = kinds.flatMap(kind => Array.from({ length: kind.share }, () => kind))
  const count = { answered: 0, cancelled: 0, refused: 0 }
  let next = 0
  await Promise.all(Array.from({ length: AT_ONCE }, async () => {
    for (let index = next++; index < requests; index = next++) {
      // A stride that has no divisor in common with the wheel: every kind, well mixed.
      const kind = wheel[index * 37 % wheel.length]!
      if (index % EMPTIED_EVERY === EMPTIED_EVERY - 1) await box.forget(forgotten)
      const isCut = index % CANCELLED_EVERY === CANCELLED_EVERY - 1
      try {
        await one(`${box.dicomweb}${kind.path(index)}`, kind.accept, isCut)
        count[isCut ? 'cancelled' : 'answered']++
      } catch (error) {
        count.refused++
        if (count.refused === 1) console.log(`  ${kind.name}: ${sayError(error)}`)
      }
    }
  }))
  return count
}

/** One request on a connection of its own; a cut one ends with its first bytes. @throws Error when it isn't answered with 200 */
async function one (url: string, accept: string, isCut: boolean): Promise<void> {
  const { hostname, port, pathname, search } = new URL(url)
  const socket = connect({ host: hostname, port: Number(port), noDelay: true })
  socket.write(`GET ${pathname}${search} HTTP/1.1\r\nhost: ${hostname}\r\naccept: ${accept}\r\nconnection: close\r\n\r\n`)
  let status = ''
  socket.on('data', (chunk: Buffer) => {
    status ||= chunk.toString('latin1', 9, 12)
    if (isCut) socket.destroy()
  })
  await once(socket, 'close')
  if (status !== '200') throw new Error(`${pathname} answered ${status}`)
}

async function settled (box: BoxPeer): Promise<void> {
  await box.quiet()
  await sleep(1000)
}

async function held (box: BoxPeer): Promise<Held> {
  const { pacs, retrieves } = await box.status()
  const open = descriptors(box.pid)
  return {
    sockets: open.filter(target => target.startsWith('socket:')).length,
    files: open.filter(target => target.startsWith('/')).length,
    lent: pacs.lent,
    waiting: pacs.waiting,
    retrieves: retrieves.length,
    resident: residentBytes(box.pid)
  }
}

/** Seconds until nothing is left over; undefined when something stays. */
async function untilBack (box: BoxPeer, before: Held): Promise<number | undefined> {
  const from = performance.now()
  for (;;) {
    const now = await held(box)
    const seconds = (performance.now() - from) / 1000
    if (now.sockets <= before.sockets && now.files <= before.files && now.lent <= before.lent && now.waiting === 0 && now.retrieves === 0 &&
      now.resident <= before.resident + MEMORY_SLACK_BYTES) return seconds
    if (seconds > PATIENCE_SECONDS) return undefined
    await sleep(500)
  }
}
