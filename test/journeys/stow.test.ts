/**
 * Storing through the box into PACS that no one here wrote, by callers that no one here wrote.
 */

import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, readdir, stat, writeFile } from 'node:fs/promises'
import { request, type IncomingMessage } from 'node:http'
import { once } from 'node:events'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { api } from 'dicomweb-client'
import { test, type Test } from 'tap'
import type { DicomJson } from '#standards/dicom/json.ts'
import { readPart10Head } from '#standards/dicom/part10.ts'
import { closing, partHead } from '#standards/dicomweb/multipart.ts'
import type { NodeAddress } from '#sim/node-address.ts'
import { writeHugeObject } from '#sim/study-files.ts'
import { ask } from '#test/fixtures/answer.ts'
import { boxAddress, startBox, startBoxProcess, temporaryFolder } from '#test/fixtures/box.ts'
import { startDcmqrscp } from '#test/fixtures/dcmqrscp.ts'
import { skipWithoutDicomWebPlugin, startOrthanc } from '#test/fixtures/orthanc.ts'
import { freePort, run, skipWithout, startProcess } from '#test/fixtures/peer.ts'
import { readObjects } from '#test/fixtures/retrieved.ts'
import { instancesOf, studiesNamed } from '#test/fixtures/site.ts'
import { filesOf, post, storeRequest, verdicts } from '#test/fixtures/store-request.ts'
import { FetchedXmlHttpRequest } from '#test/fixtures/xml-http-request.ts'

const skipOrthanc = skipWithout('Orthanc') || skipWithoutDicomWebPlugin
/** Of the box, whatever passes through it. */
const RESIDENT_BYTES_MAX = 200e6
const HUGE_BYTES = process.env.DRIMBOX_LONG === '1' ? 2 ** 32 - 2 ** 19 : 2 ** 28

test('what is stored through the box is in Orthanc, and is read back byte for byte, also where an older answer was held', { skip: skipOrthanc }, async t => {
  const address = await boxAddress()
  const orthanc = await startOrthanc(t, [address])
  const box = await startBox(t, orthanc, { dimsePort: address.port, stow: { enabled: true } })
  for (const study of studiesNamed('ct', 'mr', 'sr', 'us')) {
    const files = await filesOf(study)
    const url = `${box.dicomweb}/studies/${study.studyUid}`
    const uids = study.series.flatMap(({ instances }) => instances.map(({ sopInstanceUid }) => sopInstanceUid))
    // In two halves, the first being read before the second comes.
    const half = Math.ceil(files.length / 2)
    for (const [from, to] of [[0, half], [half, files.length]]) {
      if (from === to) continue
      const answer = await post(url, storeRequest(files.slice(from, to)))
      t.equal(answer.status, 200)
      t.same(Object.keys(verdicts(answer).stored).sort(), uids.slice(from, to).sort())
      const objects = await readObjects(url)
      t.same(objects.map(({ sopInstanceUid }) => sopInstanceUid).sort(), uids.slice(0, to).sort(), `${study.modality} up to ${to}`)
      t.ok(objects.every(({ sopInstanceUid, dataset }) => files[uids.indexOf(sopInstanceUid)].subarray(-dataset.length).equals(dataset)))
    }
  }
  const [again] = studiesNamed('sr')
  t.equal((await post(`${box.dicomweb}/studies`, storeRequest(await filesOf(again)))).status, 200, 'a second time as well, since the PACS says so')
})

test('a viewer\'s client and curl store into dcmqrscp; what it can\'t take is named', { skip: skipWithout('dcmqrscp', 'curl') }, async t => {
  const address = await boxAddress()
  const pacs = await startDcmqrscp(t, [address])
  const box = await startBox(t, pacs, { dimsePort: address.port, stow: { enabled: true } })
  const [mr, sr, ct] = studiesNamed('mr', 'sr', 'ct')
  t.intercept(globalThis as { XMLHttpRequest?: unknown }, 'XMLHttpRequest', { value: FetchedXmlHttpRequest })
  const client = new api.DICOMwebClient({ url: box.dicomweb, singlepart: 'all' }) as unknown as { storeInstances (options: { datasets: ArrayBuffer[], studyInstanceUID?: string }): Promise<unknown> }
  await client.storeInstances({ datasets: (await filesOf(mr)).map(file => new Uint8Array(file).buffer), studyInstanceUID: mr.studyUid })
  t.same((await readObjects(`${box.dicomweb}/studies/${mr.studyUid}`)).map(({ sopInstanceUid }) => sopInstanceUid).sort(), instancesOf(mr.series))

  const folder = await temporaryFolder(t)
  const [file] = await filesOf(sr)
  await writeFile(join(folder, 'report.dcm'), file)
  const single = await run('curl', ['--silent', '--fail', '--data-binary', `@${join(folder, 'report.dcm')}`, '--header', 'Content-Type: application/dicom', `${box.dicomweb}/studies`])
  t.equal(single.code, 0, single.output)
  t.ok((JSON.parse(single.stdout.toString()) as DicomJson)['00081199'])
  t.same((await readObjects(`${box.dicomweb}/studies/${sr.studyUid}`)).length, 1)

  // JPEG-LS, which this archive doesn't take.
  const refused = await post(`${box.dicomweb}/studies`, storeRequest(await filesOf(ct)))
  t.equal(refused.status, 409)
  t.same([...new Set(Object.values(verdicts(refused).failed))], [0xC122])
})

test('an object larger than the memory goes into storescp byte for byte, in 200 MB', { skip: skipWithout('storescp') }, async t => {
  const folder = await temporaryFolder(t)
  const path = join(folder, 'huge.dcm')
  await writeHugeObject(path, HUGE_BYTES)
  const { pacs, files } = await startStorescp(t)
  const box = await startBoxProcess(t, pacs, { stow: { enabled: true } })
  const boundary = 'a-large-one'
  const head = partHead(boundary, { 'Content-Type': 'application/dicom' }, true)
  const sent = request(`${box.dicomweb}/studies`, { method: 'POST', headers: { 'content-type': `multipart/related; type="application/dicom"; boundary=${boundary}` } })
  const answered = once(sent, 'response') as Promise<[IncomingMessage]>
  await pipeline(async function * () {
    yield head
    yield * createReadStream(path)
    yield closing(boundary)
  }, sent)
  const [response] = await answered
  const answer = await ask(response)
  t.equal(answer.status, 200, answer.body.toString())
  const [stored] = await files()
  t.equal(await datasetDigest(stored), await datasetDigest(path))
  const resident = await box.residentBytesMax()
  t.comment(`resident at most: ${Math.round(resident / 1e6)} MB`)
  t.ok(resident < RESIDENT_BYTES_MAX, `${Math.round(resident / 1e6)} MB at most`)
})

async function startStorescp (t: Test): Promise<{ pacs: NodeAddress, files: () => Promise<string[]> }> {
  const folder = join(await temporaryFolder(t), 'received')
  await mkdir(folder)
  const port = await freePort()
  await startProcess(t, 'storescp', ['--disable-host-lookup', '--aetitle', 'STORE', '--accept-all', '--bit-preserving', '--output-directory', folder, String(port)], { port })
  return { pacs: { aeTitle: 'STORE', host: '127.0.0.1', port }, files: async () => (await readdir(folder)).map(name => join(folder, name)) }
}

async function datasetDigest (path: string): Promise<string> {
  const { size } = await stat(path)
  const head = await createReadStream(path, { end: Math.min(size, 4096) - 1 }).toArray() as Buffer[]
  const hash = createHash('sha1')
  for await (const chunk of createReadStream(path, { start: readPart10Head(Buffer.concat(head)).datasetOffset })) hash.update(chunk as Buffer)
  return hash.digest('hex')
}
