/**
 * Breaks data sets and reads them: nothing but a DrimboxError may come out, in bounded time and
 * memory.
 *
 *   node test/fuzz/elements.ts --seconds=60 [--seed=N]
 *
 * The seed is printed first; the same seed makes the same cases. Starts from the samples beside the
 * checkout where there are any, and always from a few data sets made here.
 */

import { readFileSync, readdirSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { DrimboxError } from '#core/errors.ts'
import { decodeDataset } from '#standards/dicom/dataset.ts'
import { mapFrames } from '#standards/dicom/frames.ts'
import { HeadReader } from '#standards/dicom/head.ts'
import { spliceIns } from '#standards/dicom/ins.ts'
import { readPart10Head } from '#standards/dicom/part10.ts'
import { EXPLICIT_BE, EXPLICIT_LE, IMPLICIT_LE, JPEG_BASELINE } from '#standards/dicom/transfer-syntax.ts'
import { ctInstance, element, fragments, sequence } from '#test/fixtures/dataset.ts'
import { sample, shared } from '#test/fixtures/shared.ts'

/** One case takes a millisecond or two; ten times the slowest that was seen, on a busy machine. */
const MILLISECONDS_MAX = 2000
/** Of which Node itself, with the dictionary and the samples, takes about a third. */
const RSS_BYTES_MAX = 512 * 1024 * 1024
/** Larger samples are pixels for the most part. */
const SAMPLE_BYTES_MAX = 40_000

/** Values that lengths, tags and delimiters are made of. */
const TELLING = ['ffffffff', 'fffffffe', '00000000', 'feff00e0', 'feff0de0', 'feffdde0', 'e07f1000', '53510000', '554e0000', '7fffffff', '0100']
  .map(hex => Buffer.from(hex, 'hex'))

const INS = { value: '279035121518989', oid: '1.2.250.1.213.1.4.10' }

interface Seed { readonly name: string, readonly syntax: string, readonly bytes: Buffer }

const { values } = parseArgs({ options: { seconds: { type: 'string', default: '10' }, seed: { type: 'string' } } })
const seed = values.seed === undefined ? Date.now() % 0x7fffffff : Number(values.seed)
console.log(`seed ${seed}`)
const random = generator(seed)
const seeds = [...madeSeeds(), ...sampleSeeds()]
const until = Date.now() + Number(values.seconds) * 1000
let cases = 0
let refused = 0

while (Date.now() < until) {
  const origin = seeds[random(seeds.length)]!
  const bytes = mutate(origin.bytes)
  const start = performance.now()
  try {
    await readEveryWay(bytes, origin.syntax)
  } catch (error) {
    fail(origin, `${error instanceof Error ? error.stack : String(error)}`)
  }
  const took = performance.now() - start
  if (took > MILLISECONDS_MAX) fail(origin, `took ${took.toFixed()} ms`)
  if (++cases % 500 === 0 && process.memoryUsage.rss() > RSS_BYTES_MAX) fail(origin, `holds ${process.memoryUsage.rss()} bytes`)
}
console.log(`${cases} cases from ${seeds.length} data sets, ${refused} refusals, all of them ours`)

function fail (origin: Seed, what: string): never {
  console.error(`seed ${seed}, case ${cases}, from ${origin.name}: ${what}`)
  process.exit(1)
}

async function readEveryWay (bytes: Buffer, syntax: string): Promise<void> {
  const reader = new HeadReader(syntax)
  for (let at = 0; at < bytes.length;) {
    const size = 1 + random(4000)
    reader.push(bytes.subarray(at, at + size))
    at += size
  }
  const head = bytes.subarray(0, reader.pixelOffset)
  ours(() => decodeDataset(head, syntax, { stopAtPixelData: true }))
  const json = ours(() => decodeDataset(bytes, syntax, { stopAtPixelData: true, bulkDataUri: path => path })) ?? {}
  ours(() => spliceIns(head, syntax, INS))
  ours(() => readPart10Head(bytes))
  if (reader.pixelOffset === undefined) return
  try {
    const frames = await mapFrames(async (offset, length) => bytes.subarray(offset, offset + length), {
      transferSyntaxUid: syntax, datasetBytes: bytes.length, pixelOffset: reader.pixelOffset, head: json
    })
    for (let frame = 1; frame <= Math.min(frames.count, 100); frame++) ours(() => frames.ranges(frame))
  } catch (error) {
    if (!(error instanceof DrimboxError)) throw error
    refused++
  }
}

function ours<T> (read: () => T): T | undefined {
  try {
    return read()
  } catch (error) {
    if (!(error instanceof DrimboxError)) throw error
    refused++
    return undefined
  }
}

function mutate (original: Buffer): Buffer {
  let bytes = Buffer.from(original)
  for (let times = 1 + random(4); times > 0; times--) {
    const at = random(bytes.length + 1)
    const length = random(Math.min(64, bytes.length - at + 1))
    switch (random(6)) {
      case 0: if (at < bytes.length) bytes[at] = random(256); break
      case 1: TELLING[random(TELLING.length)]!.copy(bytes, at); break
      case 2: bytes = bytes.subarray(0, at); break
      case 3: bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + length)]); break
      case 4: bytes = Buffer.concat([bytes.subarray(0, at + length), bytes.subarray(at)]); break
      case 5: {
        const opening = sequence(0x00081140, [Buffer.alloc(0)], 'explicit', 'undefined').subarray(0, 20)
        bytes = Buffer.concat([bytes.subarray(0, at), ...Array<Buffer>(random(100)).fill(opening), bytes.subarray(at)])
      }
    }
  }
  return bytes
}

function madeSeeds (): Seed[] {
  const item = element(0x00100020, 'LO', 'OLD-ID')
  return [
    { name: 'explicit', syntax: EXPLICIT_LE, bytes: ctInstance() },
    { name: 'implicit', syntax: IMPLICIT_LE, bytes: ctInstance({ writing: 'implicit' }) },
    { name: 'big endian', syntax: EXPLICIT_BE, bytes: ctInstance({ writing: 'big-endian' }) },
    {
      name: 'sequences',
      syntax: JPEG_BASELINE,
      bytes: Buffer.concat([
        sequence(0x00081140, [item, sequence(0x00081199, [item], 'explicit', 'undefined')]),
        sequence(0x00101002, [item, item], 'explicit', 'undefined'),
        element(0x00280008, 'IS', '2'),
        fragments([Buffer.from('ffd8ff00', 'hex'), Buffer.from('ffd8ff01', 'hex')], [0, 12])
      ])
    }
  ]
}

function sampleSeeds (): Seed[] {
  if (shared === undefined) return []
  return readdirSync(sample('dicom')).filter(name => name.endsWith('.dcm')).flatMap(name => {
    const file = readFileSync(sample(`dicom/${name}`))
    try {
      const { transferSyntaxUid, datasetOffset } = readPart10Head(file)
      return [{ name, syntax: transferSyntaxUid, bytes: file.subarray(datasetOffset, datasetOffset + SAMPLE_BYTES_MAX) }]
    } catch {
      return [] // one of the samples is no data set on purpose
    }
  })
}

/** Mulberry32: small, and the same on every machine. */
function generator (state: number): (below: number) => number {
  return below => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ state >>> 15, 1 | state)
    mixed = (mixed + Math.imul(mixed ^ mixed >>> 7, 61 | mixed)) ^ mixed
    return ((mixed ^ mixed >>> 14) >>> 0) % Math.max(1, below)
  }
}
