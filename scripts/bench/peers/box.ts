/**
 * The box itself, as a process with its settings in a file, driven through its admin socket.
 */

import { once } from 'node:events'
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises'
import { request } from 'node:http'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Status } from '#box/admin/routes.ts'
import { NODE_ENVIRONMENT, NODE_FLAGS } from '#core/runtime.ts'
import { freePort, NODE, start, type Started } from '../processes.ts'
import { quiet } from '../quiet.ts'
import type { PacsPeer } from './orthanc.ts'

const PATIENCE_MS = 60_000
/** Of associations to the PACS: one box after the other, so that none stands in the way of the next. */
const IDLE_SECONDS = 3

export interface BoxPeer extends Started {
  /** Root of its DICOMweb. */
  readonly dicomweb: string
  /** What it tells of itself. */
  status (): Promise<Status>
  /** Forgets a study, once nothing is under way any more. */
  empty (studyUid: string): Promise<void>
  /** The same at once, whatever is under way. */
  forget (studyUid: string): Promise<void>
  /** Waits until retrieves have settled and nothing is left to do. */
  quiet (): Promise<void>
  /** Asks something small, so that associations to the PACS stand. */
  warmAssociations (studyUid: string): Promise<void>
  /** Waits until it has no association to the PACS: one that says nothing keeps a PACS with few threads from others. */
  leftPacs (): Promise<void>
  /** Loses the metadata that it has made of what it holds. */
  forgetMetadata (): Promise<void>
}

export interface BoxOptions {
  /** As the PACS knows it. */
  readonly title: string
  readonly dimsePort: number
  /** Its title, and where it is reached from here. */
  readonly pacs: Pick<PacsPeer, 'title' | 'host' | 'port'>
  /** Other program than the box, with the same settings. */
  readonly program?: string
  /** Settings of the PACS that differ from their defaults. */
  readonly pacsSettings?: Readonly<Record<string, unknown>>
  /** Settings of anything else. */
  readonly settings?: Readonly<Record<string, unknown>>
}

/** @param folder emptied first */
export async function startBox (folder: string, { title, dimsePort, pacs, program = join(import.meta.dirname, '../../../src/drimbox.ts'), pacsSettings = {}, settings: others = {} }: BoxOptions): Promise<BoxPeer> {
  await rm(folder, { recursive: true, force: true })
  await mkdir(folder, { recursive: true })
  const httpPort = await freePort()
  const adminSocket = join(folder, 'admin.sock')
  const settings = join(folder, 'config.json')
  await writeFile(settings, JSON.stringify({
    pacs: { host: pacs.host, port: pacs.port, calledTitle: pacs.title, senders: [{ title: pacs.title }], idleSeconds: IDLE_SECONDS, ...pacsSettings },
    dimse: { aeTitle: title, port: dimsePort },
    http: { port: httpPort },
    cache: { folder: join(folder, 'packs'), diskFreeBytesMin: 0 },
    adminSocket,
    logLevel: 'warn',
    ...others
  }, undefined, 2))
  const peer = await start(`box ${title}`, NODE, [...NODE_FLAGS, program, `--config=${settings}`], { ready: httpPort, env: NODE_ENVIRONMENT })
  const dicomweb = `http://127.0.0.1:${httpPort}/dicom-web`
  const settle = async (): Promise<void> => {
    const until = performance.now() + PATIENCE_MS
    while ((await ask<Status>(adminSocket, 'GET', '/status')).retrieves.length > 0) {
      if (performance.now() > until) throw new Error(`a retrieve doesn't settle: ${peer.output()}`)
      await sleep(20)
    }
    await quiet(peer.pid)
  }
  return {
    ...peer,
    dicomweb,
    status: async () => await ask<Status>(adminSocket, 'GET', '/status'),
    async empty (studyUid) {
      await settle()
      await ask(adminSocket, 'DELETE', `/cache/${studyUid}`)
      await quiet(peer.pid)
    },
    async forget (studyUid) { await ask(adminSocket, 'DELETE', `/cache/${studyUid}`) },
    quiet: settle,
    async leftPacs () {
      while ((await ask<Status>(adminSocket, 'GET', '/status')).pacs.idle > 0) await sleep(50)
    },
    async forgetMetadata () {
      for (const path of await readdir(join(folder, 'packs'), { recursive: true })) {
        if (path.endsWith('metadata.bin')) await rm(join(folder, 'packs', path))
      }
    },
    async warmAssociations (studyUid) {
      // Two at once, since a retrieve asks for images and counts them on an association each.
      await Promise.all([1, 2].map(async () => {
        const answer = await fetch(`${dicomweb}/series?StudyInstanceUID=${studyUid}`)
        await answer.arrayBuffer()
        if (answer.status !== 200) throw new Error(`QIDO answered ${answer.status}: ${peer.output()}`)
      }))
    }
  }
}

async function ask<T> (socketPath: string, method: string, path: string): Promise<T> {
  const asked = request({ socketPath, method, path })
  asked.end()
  const [answer] = await once(asked, 'response')
  const pieces: Buffer[] = []
  for await (const piece of answer) pieces.push(piece)
  const text = Buffer.concat(pieces).toString()
  if (answer.statusCode !== 200) throw new Error(`${method} ${path} answered ${answer.statusCode}: ${text}`)
  return JSON.parse(text)
}
