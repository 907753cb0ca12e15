/**
 * The row of the matrix in which the box itself is killed: a process of its own, on the folder and the
 * ports of the one before.
 */

import { once } from 'node:events'
import { request } from 'node:http'
import { join } from 'node:path'
import { test } from 'tap'
import { startPacs } from '#sim/pacs.ts'
import { ask, begin, hasClosingDelimiter, objectsOf, untrue } from '#test/fixtures/answer.ts'
import { WaitingBox } from '#test/fixtures/box-process.ts'
import { freePort } from '#test/fixtures/peer.ts'
import { temporaryFolder } from '#test/fixtures/rooms.ts'
import { instancesOf, smallStudy } from '#test/fixtures/small-studies.ts'
import { filesOf, post, storeRequest, verdicts } from '#test/fixtures/store-request.ts'
import { RLE_LOSSLESS } from '#standards/dicom/transfer-syntax.ts'
import { OPERATIONS, strayFiles } from './bench.ts'
import { KILLED } from './matrix.ts'

/** More than what sockets hold between two processes. */
const STUDY = smallStudy('killed in the middle', { series: [12, 12], pixelBytes: 1 << 20 })
const OTHERS = Array.from({ length: 20 }, (_, place) => smallStudy(`killed, other ${place}`, { series: [1] }))
const RLE = { accept: `multipart/related; type="application/dicom"; transfer-syntax=${RLE_LOSSLESS}` }

for (const operation of OPERATIONS.filter(one => process.env.CELL === undefined || one === process.env.CELL)) {
  test(`killed process: ${operation}`, { timeout: 120_000 }, async t => {
    const dimsePort = await freePort()
    const sim = await startPacs({ studies: operation === 'stow' ? OTHERS : [...OTHERS, STUDY], destinations: () => ({ host: '127.0.0.1', port: dimsePort }) })
    t.teardown(async () => { await sim.close() })
    const cache = join(await temporaryFolder(t), 'cache')
    const config = {
      pacs: { host: '127.0.0.1', port: sim.port, calledTitle: sim.aeTitle, method: operation === 'get' ? 'get' : 'move' },
      dimse: { aeTitle: 'DRIMBOX', host: '127.0.0.1', port: dimsePort },
      http: { port: 0 },
      cache: { folder: cache, diskFreeBytesMin: 0 },
      stow: { enabled: true },
      logLevel: 'silent'
    }
    const box = await new WaitingBox(t).open(config)
    const next = new WaitingBox(t)
    const studyUrl = (url: string): string => operation === 'find' || operation === 'stow' ? `${url}/studies` : `${url}/studies/${STUDY.studyUid}`
    const headers = operation === 'transcoding' ? RLE : {}
    if (operation === 'warm') await ask(studyUrl(box.url))

    t.equal(await strike(), KILLED.answers[operation])
    sim.control.reset()
    const again = await next.open(config)
    t.equal(await served(again.url), true, 'the next one is served, all of it')
    t.equal(await again.close(), 0)
    t.same(strayFiles(cache), [], 'and no file is left over')

    async function strike (): Promise<string> {
      if (operation === 'stow') {
        const { type, body } = storeRequest(await filesOf(STUDY))
        const sent = request(studyUrl(box.url), { method: 'POST', headers: { 'content-type': type, 'content-length': body.length }, agent: false })
        const failed = once(sent, 'error').catch(() => {})
        sent.write(body.subarray(0, body.length / 2))
        while (sim.control.seen.stores < 6) await new Promise(resolve => { setTimeout(resolve, 5) })
        await box.kill()
        await failed
        const held = await Promise.all(instancesOf(STUDY).map(async uid => [uid, await sim.datasetOf(uid)] as const))
        const whole = (await filesOf(STUDY)).map(file => file.length)
        return held.every(([, dataset]) => dataset === undefined || dataset.length < whole[0]) ? 'cut' : 'the PACS holds more than was sent'
      }
      if (operation === 'find') sim.control.pauseAnswers(5)
      else if (operation !== 'warm') sim.control.pauseSubOperations(5)
      const answer = await begin(studyUrl(box.url), headers, { agent: false })
      // Whoever reads nothing for a while still finds in their socket what had left.
      const reading = operation === 'warm' ? undefined : ask(answer)
      await box.kill()
      const { status, whole } = await (reading ?? ask(answer))
      return whole ? `${status} whole` : `${status} cut`
    }

    async function served (url: string): Promise<boolean> {
      if (operation === 'stow') return Object.keys(verdicts(await post(studyUrl(url), storeRequest(await filesOf(STUDY)))).stored).length === 24
      const answer = await ask(studyUrl(url), headers)
      if (operation === 'find') return (JSON.parse(answer.body.toString()) as unknown[]).length === 21
      const objects = await objectsOf(answer)
      if (!hasClosingDelimiter(answer) || objects.length !== 24) return false
      return operation === 'transcoding' ? objects.every(({ transferSyntaxUid }) => transferSyntaxUid === RLE_LOSSLESS) : (await untrue(sim, objects)).length === 0
    }
  })
}
