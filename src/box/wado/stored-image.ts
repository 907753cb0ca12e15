/**
 * A stored object, opened for its pixels: its head, and its frames one by one.
 *
 * Source: DICOM PS3.5 §8, §A.4, §A.5.
 * Frames of a deflated object can be read only in their order, since nothing else can be inflated.
 */

import { pipeline } from 'node:stream/promises'
import { Readable, type Transform } from 'node:stream'
import { createInflateRaw } from 'node:zlib'
import { RequestError } from '#core/errors.ts'
import { HEAD_BYTES_MAX as ELEMENT_HEAD_BYTES_MAX, formOf, malformed, newHead, readHead, vrCode } from '#standards/dicom/elements.ts'
import { mapFrames, type FrameMap } from '#standards/dicom/frames.ts'
import { firstText } from '#standards/dicom/dataset.ts'
import { HeadReader } from '#standards/dicom/head.ts'
import { PIXEL_ATTRIBUTES } from '#standards/dicom/pixel-edits.ts'
import { decodePicked, pick, type Picked } from '#standards/dicom/pick.ts'
import { EXPLICIT_LE, transferSyntax } from '#standards/dicom/transfer-syntax.ts'
import { nativeBytes } from '#standards/pixels/frame-size.ts'
import type { PixelFormat } from '#standards/pixels/pixel-format.ts'
import { pixelFormatOf } from '#standards/pixels/pixel-format-of.ts'
import type { Stored } from '../cache/stored.ts'
import type { ObjectSet } from '../pacs/object-set.ts'

/** The head of an enhanced multi-frame object has some kilobytes for each frame; beyond this it isn't read. */
const HEAD_BYTES_MAX = 32 << 20
const CHUNK_BYTES = 256 << 10

export type Source = Pick<ObjectSet, 'read'>

export interface StoredImage {
  /** All of the data set before its pixels. */
  readonly head: Buffer
  /** In what form `head` is: explicit little endian where the object was deflated. */
  readonly syntax: string
  readonly picked: ReadonlyMap<number, Picked>
  /** Number of Frames, as the head says. */
  readonly count: number
  /** Where frames lie, in bytes of the stored data set; undefined where that isn't known or can't be. */
  readonly ranges?: FrameMap['ranges']
  /** Undefined for pixels of floating point, and for those that make no sense. */
  readonly frames?: Frames
  /** Why there are no frames. */
  readonly failure?: RequestError
}

export interface Frames {
  readonly format: PixelFormat
  /** How many bytes `read` will give. @throws RequestError FRAME_UNKNOWN */
  bytes (frame: number): number
  /** One frame, its fragments joined, in memory of its own. */
  read (frame: number): Promise<Uint8Array<ArrayBuffer>>
  /** What follows the pixel data. */
  tail (): AsyncIterable<Buffer>
  close (): void
}

/** Bytes of a stored object, in memory of their own. */
export async function readStored (source: Source, stored: Stored, offset: number, length: number): Promise<Buffer<ArrayBuffer>> {
  const bytes = Buffer.allocUnsafeSlow(length)
  await source.read(stored, offset, bytes)
  return bytes
}

/** A stored object's bytes from `from` on, block by block. */
export async function * chunksOf (source: Source, stored: Stored, from: number): AsyncGenerator<Buffer> {
  for (let at = from; at < stored.length; at += CHUNK_BYTES) {
    yield await readStored(source, stored, at, Math.min(CHUNK_BYTES, stored.length - at))
  }
}

/** Its data set, inflated where it is deflated. */
export function datasetOf (source: Source, stored: Stored): AsyncIterable<Buffer> {
  const chunks = chunksOf(source, stored, stored.datasetOffset)
  return transferSyntax(stored.transferSyntaxUid).deflated ? through(chunks, createInflateRaw()) : chunks
}

/** What comes out of `transform` when `chunks` go in. */
export async function * through (chunks: AsyncIterable<Buffer>, transform: Transform): AsyncGenerator<Buffer> {
  const done = pipeline(Readable.from(chunks), transform)
  // Met again below, unless nobody reads so far.
  done.catch(() => {})
  try {
    yield * transform as AsyncIterable<Buffer>
    await done
  } finally {
    transform.destroy()
  }
}

/**
 * @returns undefined for an object without pixels
 * @throws RequestError DATA_MALFORMED, NOT_OFFERED, PIXELS_TOO_LARGE, FRAME_UNKNOWN
 */
export async function openImage (source: Source, stored: Stored): Promise<StoredImage | undefined> {
  if (transferSyntax(stored.transferSyntaxUid).deflated) return await openDeflated(source, stored)
  if (stored.pixelOffset === 0) return undefined
  const { transferSyntaxUid: syntax, datasetOffset, pixelOffset } = stored
  assertHead(pixelOffset - datasetOffset, stored)
  const head = await readStored(source, stored, datasetOffset, pixelOffset - datasetOffset)
  const { picked, json, count } = look(head, syntax)
  const found = { head, syntax, picked, count }
  let map: FrameMap | undefined
  try {
    map = await mapFrames(async (offset, length) => await readStored(source, stored, datasetOffset + offset, length), {
      transferSyntaxUid: syntax, datasetBytes: stored.length - datasetOffset, pixelOffset: pixelOffset - datasetOffset, head: json
    })
    if (map.tag !== PIXEL_DATA) return { ...found, ranges: map.ranges }
    const format = { ...pixelFormatOf(json), words: map.vr === 0 || map.vr === vrCode('OW') }
    return { ...found, ranges: map.ranges, frames: byRanges(source, stored, oddWords(map, format, stored), format) }
  } catch (error) {
    if (!(error instanceof RequestError)) throw error
    // It may still be good for leaving as it is, or in another form of writing.
    return { ...found, ...map && { ranges: map.ranges }, failure: error }
  }
}

/**
 * In big endian the last byte of an odd frame in words lies behind its padding; frames that begin
 * inside of a word can't be told from each other.
 */
function oddWords (map: FrameMap, { words }: PixelFormat, { transferSyntaxUid, length, datasetOffset }: Stored): FrameMap {
  if (!transferSyntax(transferSyntaxUid).bigEndian || !words) return map
  const [range] = map.ranges(1)
  if (range.length % 2 === 0) return map
  if (map.count > 1 || datasetOffset + range.offset + range.length >= length) throw malformed('frames of odd bytes in words of two', range.offset)
  return { ...map, ranges: () => [{ offset: range.offset, length: range.length + 1 }] }
}

function byRanges (source: Source, stored: Stored, map: FrameMap, format: PixelFormat): Frames {
  const { datasetOffset } = stored
  const bytes = (frame: number): number => map.ranges(frame).reduce((sum, { length }) => sum + length, 0)
  return {
    format,
    bytes,
    async read (frame) {
      const all = Buffer.allocUnsafeSlow(bytes(frame))
      let at = 0
      for (const { offset, length } of map.ranges(frame)) {
        await source.read(stored, datasetOffset + offset, all.subarray(at, at += length))
      }
      return all
    },
    async * tail () { yield * chunksOf(source, stored, datasetOffset + await map.end()) },
    close () {}
  }
}

interface Look { readonly picked: Map<number, Picked>, readonly json: ReturnType<typeof decodePicked>, readonly count: number }

function look (head: Buffer, syntax: string): Look {
  const picked = pick(head, syntax, PIXEL_ATTRIBUTES)
  const json = decodePicked(picked, syntax)
  const count = Number(firstText(json, '00280008') ?? 1)
  if (!Number.isInteger(count) || count < 1) throw malformed('not a number of frames', 0)
  return { picked, json, count }
}

const PIXEL_DATA = 0x7fe00010

async function openDeflated (source: Source, stored: Stored): Promise<StoredImage | undefined> {
  const open = (): Pull => new Pull(datasetOf(source, stored))
  const stream = open()
  try {
    const head = await headOf(stream, stored)
    if (head === undefined) {
      stream.close()
      return undefined
    }
    const { picked, json, count } = look(head, EXPLICIT_LE)
    const found = { head, syntax: EXPLICIT_LE, picked, count }
    const bytes = await stream.take(ELEMENT_HEAD_BYTES_MAX)
    const element = newHead()
    readHead(bytes, 0, bytes.length, formOf(EXPLICIT_LE), element)
    if (element.tag !== PIXEL_DATA) {
      stream.close()
      return found
    }
    if (element.value < bytes.length) throw malformed('pixel data without a length', head.length)
    return { ...found, frames: inflatedFrames(stream, open, pixelFormatOf(json), { offset: head.length + bytes.length, length: element.length, count }) }
  } catch (error) {
    stream.close()
    throw error
  }
}

/** Reads up to the pixel data; undefined when there are none. */
async function headOf (stream: Pull, stored: Stored): Promise<Buffer | undefined> {
  const reader = new HeadReader(EXPLICIT_LE)
  const chunks: Buffer[] = []
  let bytes = 0
  while (!reader.done) {
    const chunk = await stream.next()
    if (chunk === undefined) return undefined
    chunks.push(chunk)
    bytes += chunk.length
    assertHead(bytes, stored)
    reader.push(chunk)
  }
  if (reader.malformed) throw malformed('the head cannot be read', 0)
  if (reader.pixelOffset === undefined) return undefined
  const all = Buffer.concat(chunks)
  stream.giveBack(all.subarray(reader.pixelOffset))
  return all.subarray(0, reader.pixelOffset)
}

/** Where the pixels lie in the inflated data set. */
interface Pixels { readonly offset: number, readonly length: number, readonly count: number }

/** Forward is quick; going back means to inflate it all again. */
function inflatedFrames (from: Pull, open: () => Pull, format: PixelFormat, { offset, length: pixelBytes, count }: Pixels): Frames {
  const length = nativeBytes(format)
  if (length * count > pixelBytes) throw malformed('fewer pixels than the frames need', offset)
  let stream = from
  let next = 1
  // Each read begins where the last one ended.
  let turn: Promise<unknown> = Promise.resolve()
  const readNow = async (frame: number): Promise<Uint8Array<ArrayBuffer>> => {
    if (frame < next) {
      stream.close()
      stream = open()
      await stream.skip(offset)
      next = 1
    }
    await stream.skip((frame - next) * length)
    next = frame + 1
    return await stream.take(length)
  }
  return {
    format,
    bytes (frame) {
      if (!(frame >= 1 && frame <= count)) throw new RequestError('FRAME_UNKNOWN', 'the object has no such frame', { facts: { frame, frames: count } })
      return length
    },
    async read (frame) {
      const reading = turn.then(async () => await readNow(frame))
      turn = reading.catch(() => {})
      return await reading
    },
    async * tail () {
      await turn
      await stream.skip(pixelBytes - (next - 1) * length)
      yield * stream.rest()
    },
    close () { stream.close() }
  }
}

/** A stream, so many bytes at a time. */
class Pull {
  readonly #chunks: AsyncIterator<Buffer>
  #held: Buffer = Buffer.alloc(0)

  constructor (chunks: AsyncIterable<Buffer>) {
    this.#chunks = chunks[Symbol.asyncIterator]()
  }

  async next (): Promise<Buffer | undefined> {
    const { done, value } = await this.#chunks.next()
    return done === true ? undefined : value
  }

  giveBack (bytes: Buffer): void {
    this.#held = bytes
  }

  async take (length: number): Promise<Buffer<ArrayBuffer>> {
    const taken = Buffer.allocUnsafeSlow(length)
    await this.#use(length, (bytes, at) => { bytes.copy(taken, at) })
    return taken
  }

  async skip (length: number): Promise<void> {
    await this.#use(length, () => {})
  }

  async * rest (): AsyncGenerator<Buffer> {
    if (this.#held.length > 0) yield this.#held
    for (let chunk = await this.next(); chunk !== undefined; chunk = await this.next()) yield chunk
  }

  close (): void {
    void this.#chunks.return?.()
  }

  async #use (length: number, use: (bytes: Buffer, at: number) => void): Promise<void> {
    for (let at = 0; at < length;) {
      if (this.#held.length === 0) {
        const chunk = await this.next()
        if (chunk === undefined) throw malformed('the deflated data end too early', at)
        this.#held = chunk
      }
      const piece = this.#held.subarray(0, length - at)
      use(piece, at)
      this.#held = this.#held.subarray(piece.length)
      at += piece.length
    }
  }
}

function assertHead (bytes: number, { sopInstanceUid }: Stored): void {
  if (bytes > HEAD_BYTES_MAX) throw new RequestError('PIXELS_TOO_LARGE', 'the head of an object is too long', { facts: { instance: sopInstanceUid, bytes, bytesMax: HEAD_BYTES_MAX } })
}
