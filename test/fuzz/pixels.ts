/**
 * Breaks coded frames and decodes them: either all the pixels come out or a DrimboxError with a code
 * of pixels, in bounded time and memory.
 *
 *   node test/fuzz/pixels.ts --seconds=60 [--seed=N]
 *
 * The seed is printed first; the same seed makes the same cases. Starts from the samples beside the
 * checkout where there are any, and always from frames encoded here in every transfer syntax.
 */

import { readdirSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { DrimboxError } from '#core/errors.ts'
import { decodeFrame } from '#standards/pixels/decode.ts'
import { encodeFrame } from '#standards/pixels/encode.ts'
import type { PixelFormat } from '#standards/pixels/pixel-format.ts'
import { canEncode, encodableSyntaxes } from '#standards/pixels/pixel-syntaxes.ts'
import { codedFrames } from '#test/fixtures/coded-frames.ts'
import { generator, picture } from '#test/fixtures/pictures.ts'
import { sample, shared } from '#test/fixtures/shared.ts'

/** A frame takes some milliseconds, a new codec twenty; ten times the slowest that was seen, on a busy machine. */
const CPU_MILLISECONDS_MAX = 4000
/** Four codecs and their garbage: each begins with 50 MB, of which little is touched. */
const RSS_BYTES_MAX = 1024 * 1024 * 1024
/** Larger frames make fewer cases. */
const FRAME_BYTES_MAX = 50_000

/** What markers, lengths and sizes are made of. */
const TELLING = ['ffd8', 'ffd9', 'ff', '00', 'ffff', '0000', 'ffc0', 'ffc3', 'ffc4', 'ffda', 'ffdb', 'ffdd0001', 'fff7', 'fff8', 'ff4f', 'ff51', 'ff52', 'ff5c', 'ff90', 'ff93', 'ffd0', '7fffffff', 'ffffffff', '80']
  .map(hex => Buffer.from(hex, 'hex'))

interface Seed { readonly name: string, readonly syntax: string, readonly format: PixelFormat, readonly frame: Buffer }

const { values } = parseArgs({ options: { seconds: { type: 'string', default: '10' }, seed: { type: 'string' } } })
const seed = values.seed === undefined ? Date.now() % 0x7fffffff : Number(values.seed)
console.log(`seed ${seed}`)
const uniform = generator(seed)
const random = (below: number): number => Math.floor(uniform() * Math.max(1, below))
const seeds = [...await madeSeeds(), ...await sampleSeeds()]
const until = Date.now() + Number(values.seconds) * 1000
let cases = 0
let refused = 0
let slowest = 0

while (Date.now() < until) {
  const origin = seeds[random(seeds.length)]!
  const frame = mutate(origin.frame)
  const format = random(10) === 0 ? mutateFormat(origin.format) : origin.format
  const start = process.cpuUsage()
  try {
    const decoded = await decodeFrame(frame, origin.syntax, format)
    const { rows, columns, samples, bitsAllocated } = decoded.format
    if (decoded.pixels.length !== Math.ceil(rows * columns * samples * bitsAllocated / 8)) fail(origin, 'another number of pixels than the format says')
    if (rows !== format.rows || columns !== format.columns || samples !== format.samples) fail(origin, 'a picture of another size')
  } catch (error) {
    if (!(error instanceof DrimboxError) || !/^PIXELS_/.test(error.code)) fail(origin, error instanceof Error ? error.stack ?? error.message : String(error))
    refused++
  }
  const { user, system } = process.cpuUsage(start)
  const took = (user + system) / 1000
  slowest = Math.max(slowest, took)
  if (took > CPU_MILLISECONDS_MAX) fail(origin, `took ${took.toFixed()} ms of processor time`)
  if (++cases % 100 === 0 && process.memoryUsage.rss() > RSS_BYTES_MAX) fail(origin, `holds ${process.memoryUsage.rss()} bytes`)
}
console.log(`${cases} cases from ${seeds.length} frames, ${refused} refusals, all of them ours; the slowest took ${slowest.toFixed()} ms`)

function fail (origin: Seed, what: string): never {
  console.error(`seed ${seed}, case ${cases}, from ${origin.name} (${origin.syntax}): ${what}`)
  process.exit(1)
}

function mutate (original: Buffer): Buffer {
  let bytes = Buffer.from(original)
  for (let times = 1 + random(4); times > 0; times--) {
    // Headers say more than data: half of the changes go there.
    const at = random(2) === 0 ? random(Math.min(120, bytes.length + 1)) : random(bytes.length + 1)
    const length = random(Math.min(64, bytes.length - at + 1))
    switch (random(6)) {
      case 0: if (at < bytes.length) bytes[at] = random(256); break
      case 1: TELLING[random(TELLING.length)]!.copy(bytes, at); break
      case 2: bytes = bytes.subarray(0, at); break
      case 3: bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + length)]); break
      case 4: bytes = Buffer.concat([bytes.subarray(0, at + length), bytes.subarray(at)]); break
      case 5: if (at < bytes.length) bytes[at]! ^= 1 << random(8)
    }
  }
  return bytes
}

function mutateFormat (format: PixelFormat): PixelFormat {
  const [bitsAllocated, bitsStored] = [[8, 8], [16, 12], [16, 16], [32, 32]][random(4)]! as [number, number]
  switch (random(4)) {
    case 0: return { ...format, bitsAllocated, bitsStored, highBit: bitsStored - 1 }
    case 1: return { ...format, signed: !format.signed }
    case 2: return { ...format, photometric: ['RGB', 'YBR_FULL', 'YBR_FULL_422', 'YBR_RCT', 'MONOCHROME1'][random(5)]! }
    default: return { ...format, rows: 1 + random(2000), columns: 1 + random(2000) }
  }
}

async function madeSeeds (): Promise<Seed[]> {
  const forms: readonly Partial<PixelFormat>[] = [
    {}, { samples: 3, columns: 48 }, { bitsAllocated: 16, bitsStored: 12 }, { bitsAllocated: 16, signed: true }
  ]
  const made: Seed[] = []
  for (const form of forms) {
    const frame = picture(form)
    for (const syntax of encodableSyntaxes().filter(uid => canEncode(frame.format, uid))) {
      const { pixels, format } = await encodeFrame(frame, syntax)
      made.push({ name: JSON.stringify(form), syntax, format, frame: pixels })
    }
  }
  return made
}

async function sampleSeeds (): Promise<Seed[]> {
  if (shared === undefined) return []
  const found: Seed[] = []
  for (const name of readdirSync(sample('dicom')).filter(name => name.endsWith('.dcm'))) {
    try {
      const { syntax, format, frames: [frame] } = await codedFrames(sample(`dicom/${name}`))
      if (frame!.length < FRAME_BYTES_MAX) found.push({ name, syntax, format, frame: frame! })
    } catch {
      // no pixels, or none that can be found
    }
  }
  return found
}
