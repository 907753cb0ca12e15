/**
 * A list of a thousand studies: QIDO-RS through the box, against findscu asking the same PACS the same
 * question. Both go through a tap that notes when the PACS first says something.
 */

import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { join } from 'node:path'
import { atMost, bound, medianOf } from '../goals.ts'
import { read } from '../http-read.ts'
import { cpuSeconds } from '../measure.ts'
import { startBox } from '../peers/box.ts'
import { freePort, NO_DELAY, run } from '../processes.ts'
import { quiet } from '../quiet.ts'
import { rounds } from '../rounds.ts'
import type { Row } from '../row.ts'

const FIRST_ROW_MS_MAX = 10
const RATIO_MAX = 1.15

/** What the box asks for when a caller names nothing else (PS3.18 Table 10.6.3-3), so that both ask the same. */
const KEYS = [
  'QueryRetrieveLevel=STUDY', 'SpecificCharacterSet', 'StudyDate', 'StudyTime', 'AccessionNumber', 'ModalitiesInStudy', 'ReferringPhysicianName',
  'PatientName', 'PatientID', 'PatientBirthDate', 'PatientSex', 'StudyInstanceUID', 'StudyID', 'NumberOfStudyRelatedSeries', 'NumberOfStudyRelatedInstances'
]

export const qido: Row = {
  name: 'qido',
  title: 'QIDO-RS list of a thousand studies',
  async measure (bench) {
    const site = await bench.site()
    const list = await bench.data.list()
    const orthanc = await site.orthanc()
    const tap = await openTap(orthanc.port)
    try {
      const box = await startBox(join(bench.folder, 'box-behind-tap'), { title: 'BOX', dimsePort: await freePort(), pacs: { title: orthanc.title, host: '127.0.0.1', port: tap.port } })
      const url = `${box.dicomweb}/studies`
      const found = async (): Promise<number> => {
        const answer = await fetch(url)
        if (answer.status !== 200) throw new Error(`QIDO answered ${answer.status}`)
        return ((await answer.json()) as unknown[]).length
      }
      const { variants, marked } = await rounds([
        {
          name: 'box',
          note: 'the association stands',
          before: async () => {
            await (await fetch(`${box.dicomweb}/studies?limit=1`)).arrayBuffer()
            await quiet(box.pid)
            await quiet(orthanc.pid)
          },
          async run () {
            const cpu = cpuSeconds(box.pid)
            tap.listen()
            const { seconds, firstByteMs, firstByteAt, bytes } = await read(url, { accept: 'application/dicom+json', isOneFile: true })
            if (bytes === 0) throw new Error('an empty list')
            return { seconds, firstByteMs, firstRowLagMs: Math.max(0, firstByteAt - tap.spokeAt()), cpuSeconds: cpuSeconds(box.pid) - cpu }
          },
          check: async () => `${await found()} studies`
        },
        {
          name: 'findscu',
          note: 'one process, its association included; `TCP_NODELAY=1`',
          before: async () => { await quiet(orthanc.pid) },
          run: async () => ({ seconds: (await run('findscu', ['--study', '--aetitle', 'BENCH', '--call', orthanc.title, ...KEYS.flatMap(key => ['--key', key]), '127.0.0.1', String(tap.port)], NO_DELAY)).seconds })
        }
      ], bench.rounds, bench.tell)
      const [ours, theirs] = variants
      const lag = medianOf(ours, 'firstRowLagMs')
      const reference = medianOf(theirs, 'seconds')
      return {
        about: `Every study of Orthanc (${list.files.length} and a few), each with the attributes that the standard wants. The first row is counted from the first byte that the PACS says to the box after it was asked.`,
        variants,
        marked,
        goals: [
          bound('QIDO-RS, first row', 'the PACS\'s first response', lag, `${lag?.toFixed(1)} ms`, FIRST_ROW_MS_MAX, `≤ ${FIRST_ROW_MS_MAX} ms`, ours?.failed),
          atMost({ measure: 'QIDO-RS, total time', figure: 'seconds', ours, theirs }, RATIO_MAX)
        ],
        notes: [],
        charts: [{ figure: 'seconds', ours: ['box'], ...reference !== undefined && { goal: { value: RATIO_MAX * reference, label: `${RATIO_MAX} × findscu` } } }]
      }
    } finally {
      tap.close()
    }
  }
}

interface Tap {
  readonly port: number
  /** From here on the PACS is listened to. */
  listen (): void
  /** When it first spoke after that, by `performance.now()`. */
  spokeAt (): number
  close (): void
}

/** Hands everything on as it is. What it costs, it costs both. */
async function openTap (to: number): Promise<Tap> {
  let spokeAt: number | undefined
  const sockets = new Set<Socket>()
  const server: Server = createServer({ noDelay: true }, caller => {
    const pacs = connect({ port: to, host: '127.0.0.1', noDelay: true })
    pacs.on('data', () => { spokeAt ??= performance.now() })
    caller.pipe(pacs).pipe(caller)
    for (const socket of [caller, pacs]) {
      sockets.add(socket)
      socket.on('error', () => { caller.destroy(); pacs.destroy() })
      socket.on('close', () => { sockets.delete(socket) })
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    listen () { spokeAt = undefined },
    spokeAt () { return spokeAt ?? NaN },
    close () {
      server.close()
      for (const socket of sockets) socket.destroy()
    }
  }
}
