/**
 * One object larger than any memory should hold, from the archive to the reader.
 */

import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { open, statfs } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'tap'
import { readPart10Head } from '#standards/dicom/part10.ts'
import { readMultipart } from '#standards/dicomweb/multipart.ts'
import { writeHugeObject } from '#sim/study-files.ts'
import { boxAddress, startBoxProcess, temporaryFolder } from '#test/fixtures/box.ts'
import { startDcmqrscp } from '#test/fixtures/dcmqrscp.ts'
import { skipWithout } from '#test/fixtures/peer.ts'
import { ANY_OBJECT } from '#test/fixtures/retrieved.ts'

const GIB = 2 ** 30
/** An element's length has 32 bits and is even (PS3.5 §7.1): 4 GiB less one frame of 512 x 512 words. */
const LONGEST_BYTES = 4 * GIB - 2 ** 19
const PIXEL_BYTES = process.env.DRIMBOX_LONG === '1' ? LONGEST_BYTES : GIB
/** The archive's file, the pack, and room to breathe. */
const DISK_BYTES = 3 * PIXEL_BYTES + 2 * GIB
/** Of the box, whatever passes through it. */
const RESIDENT_BYTES_MAX = 200e6
/** More than any Part 10 head. */
const HEAD_BYTES = 4096

const { bavail, bsize } = await statfs(tmpdir())
const skip = skipWithout('dcmqrscp', 'dcmqridx') || (bavail * bsize < DISK_BYTES && `less than ${DISK_BYTES / GIB} GiB free below ${tmpdir()}`)

test('an object of a gigabyte passes through the box byte for byte, in 200 MB of memory', { skip }, async t => {
  const path = join(await temporaryFolder(t), 'huge.dcm')
  const address = await boxAddress()
  const pacs = await startDcmqrscp(t, [address])
  // DCMTK's archive takes a gigabyte for a study and no more, so the object grows after it is known there.
  await writeHugeObject(path, 1)
  await pacs.register(path)
  const { studyUid, seriesUid, sopInstanceUid } = await writeHugeObject(path, PIXEL_BYTES)
  const box = await startBoxProcess(t, pacs, { dimsePort: address.port })
  const expected = await digest(createReadStream(path, { start: await datasetOffset(path) }))
  const url = `${box.dicomweb}/studies/${studyUid}`
  t.equal(await readDigest(url), expected, 'as it arrives')
  t.equal(await readDigest(`${url}/series/${seriesUid}/instances/${sopInstanceUid}`), expected, 'from the pack')
  const [metadata] = await (await fetch(`${url}/metadata`)).json() as Record<string, { BulkDataURI?: string }>[]
  t.ok(metadata['7FE00010'].BulkDataURI, 'and it is described without its pixels being read')
  const frame = await (await fetch(`${url}/series/${seriesUid}/instances/${sopInstanceUid}/frames/${PIXEL_BYTES / 2 ** 19}`, { headers: { accept: 'application/octet-stream; transfer-syntax=*' } })).bytes()
  t.equal(frame.length, 2 ** 19, 'its last frame alone')
  t.ok(Buffer.from(frame).equals(await tail(path, 2 ** 19)))
  const resident = await box.residentBytesMax()
  t.comment(`resident at most: ${Math.round(resident / 1e6)} MB`)
  t.ok(resident < RESIDENT_BYTES_MAX, `${Math.round(resident / 1e6)} MB at most`)
})

async function datasetOffset (path: string): Promise<number> {
  return readPart10Head(await piece(path, 0, HEAD_BYTES)).datasetOffset
}

async function tail (path: string, bytes: number): Promise<Buffer> {
  const file = await open(path)
  const { size } = await file.stat()
  await file.close()
  return await piece(path, size - bytes, bytes)
}

async function piece (path: string, offset: number, length: number): Promise<Buffer> {
  const file = await open(path)
  try {
    return (await file.read(Buffer.alloc(length), 0, length, offset)).buffer
  } finally {
    await file.close()
  }
}

async function digest (source: AsyncIterable<Uint8Array>): Promise<string> {
  const hash = createHash('sha1')
  for await (const chunk of source) hash.update(chunk)
  return hash.digest('hex')
}

/** Of the data set of the only object in an answer. */
async function readDigest (url: string): Promise<string> {
  const answer = await fetch(url, { headers: { accept: ANY_OBJECT } })
  const boundary = /boundary="?([^";]+)/.exec(answer.headers.get('content-type') ?? '')?.[1]
  if (answer.body === null || boundary === undefined) throw new Error(`${answer.status} ${await answer.text()}`)
  const digests: string[] = []
  for await (const { body } of readMultipart(answer.body, boundary)) digests.push(await digest(withoutHead(body)))
  return digests.join()
}

/** The data set of a Part 10 file that arrives in pieces. */
async function * withoutHead (file: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let head = Buffer.alloc(0)
  let inDataset = false
  for await (const chunk of file) {
    if (inDataset) {
      yield chunk
      continue
    }
    head = Buffer.concat([head, chunk])
    if (head.length < HEAD_BYTES) continue
    yield head.subarray(readPart10Head(head).datasetOffset)
    inDataset = true
  }
}
