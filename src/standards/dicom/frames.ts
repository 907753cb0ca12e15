/**
 * Where the frames of an object lie, so that one of them can be sent without reading the others.
 *
 * Source: DICOM PS3.5 §8.1 and §8.2 (native and encapsulated pixel data), §A.4 (offset tables and
 * fragments); PS3.3 §C.7.6.3 (what one pixel takes).
 * Reads a few bytes of the object here and there, through a function that is handed in.
 */

import { RequestError } from '#core/errors.ts'
import { firstText } from './dataset.ts'
import {
  HEAD_BYTES_MAX, ITEM, SEQUENCE_END, UNDEFINED, formOf, malformed, newHead, readHead, vrCode, type ElementHead
} from './elements.ts'
import type { DicomJson } from './json.ts'
import { transferSyntax } from './transfer-syntax.ts'

/** Bytes of the data set, from its start. */
export interface Range { readonly offset: number, readonly length: number }

export interface FrameMap {
  readonly count: number
  /**
   * The pieces of one frame, in order: their bytes together are the frame.
   *
   * @param frame from 1
   * @throws RequestError FRAME_UNKNOWN
   */
  ranges (frame: number): readonly Range[]
  /** Of the pixel data element: Float and Double Float Pixel Data are others. */
  readonly tag: number
  /** What that is written as (see `vrCode`); 0 where the form doesn't say. */
  readonly vr: number
  /** Where the pixel data element ends, its delimiter included. */
  end (): Promise<number>
}

/** Reads `length` bytes at `offset` of the data set; fewer only at its end. */
export type Read = (offset: number, length: number) => Promise<Uint8Array>

export interface PixelObject {
  readonly transferSyntaxUid: string
  readonly datasetBytes: number
  /** Of the first element of group 7FE0, as HeadReader tells it. */
  readonly pixelOffset: number
  /** Rows, Columns, Number of Frames and their like. */
  readonly head: DicomJson
}

const EXTENDED_OFFSET_TABLE = 0x7fe00001
const EXTENDED_OFFSET_TABLE_LENGTHS = 0x7fe00002
const FLOAT_PIXEL_DATA = 0x7fe00008
const DOUBLE_FLOAT_PIXEL_DATA = 0x7fe00009
const PIXEL_DATA = 0x7fe00010

const ITEM_HEAD_BYTES = 8
const WORDS = vrCode('OW')

/** Read ahead while walking over fragments: the heads of small ones come many at a time. */
const WINDOW_BYTES = 4096

/** The largest whole-slide pictures have some 200 000 tiles; each fragment takes some 50 bytes of ours. */
const FRAGMENTS_MAX = 2_000_000

/** Transfer syntaxes that are streams of video: a frame cannot be decoded without its neighbours (PS3.5 §8.2.5 and following). */
export const VIDEO = /^1\.2\.840\.10008\.1\.2\.4\.10\d(\.1)?$/

/** @throws RequestError DATA_MALFORMED; NOT_OFFERED where frames have no bytes of their own */
export async function mapFrames (read: Read, object: PixelObject): Promise<FrameMap> {
  const { transferSyntaxUid, datasetBytes, head } = object
  if (transferSyntax(transferSyntaxUid).deflated) throw notOffered('the whole object is deflated', transferSyntaxUid)
  const count = whole(head, '00280008') ?? 1
  if (count < 1) throw new RequestError('FRAME_UNKNOWN', 'an object without frames')

  const bytes = new Window(read, datasetBytes)
  const { pixels, offsets, lengths } = await findPixels(bytes, object)
  const { tag, vr } = pixels
  if (pixels.length !== UNDEFINED) return { ...native(pixels, object, count), tag, vr, end: async () => pixels.value + pixels.length }
  if (VIDEO.test(transferSyntaxUid)) throw notOffered('a frame of a video cannot be given alone', transferSyntaxUid)

  if (count > FRAGMENTS_MAX) throw malformed('too many frames', pixels.value)
  const table = await bytes.head(pixels.value, ITEM)
  const start = table.value + table.length
  if (offsets !== undefined && lengths !== undefined && offsets.length === 8 * count && lengths.length === 8 * count) {
    const map = byExtendedTable(await bytes.range(offsets), await bytes.range(lengths), start, datasetBytes, count)
    return { ...map, tag, vr, end: async () => (await walkFragments(bytes, start)).end }
  }
  const { fragments, end } = await walkFragments(bytes, start)
  const basic = table.length === 4 * count && count > 1 ? await bytes.range({ offset: table.value, length: table.length }) : undefined
  return { ...byFragments(await group(bytes, fragments, start, basic, count)), tag, vr, end: async () => end }
}

/** The object through a small window, so that neighbouring heads cost one read. */
class Window {
  readonly #read: Read
  readonly #end: number
  #bytes: Uint8Array = new Uint8Array()
  #offset = 0

  constructor (read: Read, end: number) {
    this.#read = read
    this.#end = end
  }

  get end (): number {
    return this.#end
  }

  async at (offset: number, length: number): Promise<Uint8Array> {
    if (offset < this.#offset || offset + length > this.#offset + this.#bytes.length) {
      this.#bytes = await this.#read(offset, Math.min(WINDOW_BYTES, this.#end - offset))
      this.#offset = offset
    }
    return this.#bytes.subarray(offset - this.#offset, offset - this.#offset + length)
  }

  /** A whole table, whose length has been compared with what the object says elsewhere. */
  async range ({ offset, length }: Range): Promise<DataView> {
    if (offset + length > this.#end) throw malformed('an offset table is cut', offset)
    const bytes = await this.#read(offset, length)
    if (bytes.length < length) throw malformed('an offset table is cut', offset)
    return new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  }

  /** An item or a delimiter, which look the same in all forms of encapsulated data. */
  async head (offset: number, ...expected: number[]): Promise<ElementHead> {
    const head = newHead()
    const bytes = offset < this.#end ? await this.at(offset, ITEM_HEAD_BYTES) : new Uint8Array()
    const form = { explicit: true, bigEndian: false }
    if (!readHead(bytes, 0, bytes.length, form, head)) throw malformed('the pixel data are cut', offset)
    if (!expected.includes(head.tag)) throw malformed('something else than a fragment', offset)
    head.value = offset + ITEM_HEAD_BYTES
    if (head.length > this.#end - head.value) throw malformed('a fragment is cut', offset)
    return head
  }
}

type Frames = Pick<FrameMap, 'count' | 'ranges'>

interface Pixels { readonly pixels: ElementHead, readonly offsets?: Range, readonly lengths?: Range }

async function findPixels (bytes: Window, { transferSyntaxUid, pixelOffset }: PixelObject): Promise<Pixels> {
  const form = formOf(transferSyntaxUid)
  let offsets: Range | undefined
  let lengths: Range | undefined
  for (let at = pixelOffset; at < bytes.end;) {
    const head = newHead()
    const text = await bytes.at(at, HEAD_BYTES_MAX)
    if (!readHead(text, 0, text.length, form, head)) break
    head.value += at
    if (head.tag === PIXEL_DATA || head.tag === FLOAT_PIXEL_DATA || head.tag === DOUBLE_FLOAT_PIXEL_DATA) {
      return { pixels: head, offsets, lengths }
    }
    if (head.tag > PIXEL_DATA || head.length > bytes.end - head.value) break
    const range = { offset: head.value, length: head.length }
    if (head.tag === EXTENDED_OFFSET_TABLE) offsets = range
    if (head.tag === EXTENDED_OFFSET_TABLE_LENGTHS) lengths = range
    at = head.value + head.length
  }
  throw malformed('no pixel data where they should be', pixelOffset)
}

/** Samples per pixel that are really there: uncompressed 4:2:2 shares two of them (PS3.3 §C.7.6.3.1.2). */
function samples (head: DicomJson): number {
  const photometric = firstText(head, '00280004')
  return photometric === 'YBR_FULL_422' || photometric === 'YBR_PARTIAL_422' ? 2 : whole(head, '00280002') ?? 1
}

function native (pixels: ElementHead, { head, datasetBytes, transferSyntaxUid }: PixelObject, count: number): Frames {
  const bits = (whole(head, '00280010') ?? 0) * (whole(head, '00280011') ?? 0) * samples(head) * (whole(head, '00280100') ?? 0)
  if (bits === 0) throw malformed('pixels without rows, columns or bits', pixels.value)
  if (bits % 8 !== 0 && count > 1) throw notOffered('frames of single bits that begin inside of a byte', transferSyntaxUid)
  let length = Math.ceil(bits / 8)
  // In words of big endian the last byte of an odd frame lies behind the padding (PS3.5 §8.1.1).
  if (count === 1 && length % 2 === 1 && length < pixels.length && pixels.vr === WORDS && transferSyntax(transferSyntaxUid).bigEndian) length++
  if (!Number.isSafeInteger(length * count) || length * count > Math.min(pixels.length, datasetBytes - pixels.value)) {
    throw malformed('fewer pixels than the frames need', pixels.value)
  }
  return frameMap(count, frame => [{ offset: pixels.value + (frame - 1) * length, length }])
}

function byExtendedTable (offsets: DataView, lengths: DataView, start: number, end: number, count: number): Frames {
  return frameMap(count, frame => {
    const offset = start + Number(offsets.getBigUint64(8 * (frame - 1), true)) + ITEM_HEAD_BYTES
    const length = Number(lengths.getBigUint64(8 * (frame - 1), true))
    if (offset + length > end) throw malformed('an offset table points beyond the pixels', start)
    return [{ offset, length }]
  })
}

/** Item heads one after the other, to the delimiter or, where a writer forgot it, to the end. */
async function walkFragments (bytes: Window, start: number): Promise<{ fragments: Range[], end: number }> {
  const fragments: Range[] = []
  let at = start
  while (at < bytes.end) {
    const head = await bytes.head(at, ITEM, SEQUENCE_END)
    if (head.tag === SEQUENCE_END) return { fragments, end: head.value }
    if (fragments.length >= FRAGMENTS_MAX) throw malformed('too many fragments', at)
    fragments.push({ offset: head.value, length: head.length })
    at = head.value + head.length
  }
  return { fragments, end: at }
}

/** Which fragments make which frame: by the table, by their number, or by how coded frames begin. */
async function group (bytes: Window, fragments: Range[], start: number, basic: DataView | undefined, count: number): Promise<Range[][]> {
  if (count === 1) return [fragments]
  if (fragments.length === count) return fragments.map(fragment => [fragment])
  const starts = basic === undefined ? undefined : startsByTable(fragments, start, basic)
  const frames: Range[][] = []
  for (const fragment of fragments) {
    const isFirst = starts === undefined
      ? beginsImage(await bytes.at(fragment.offset, Math.min(4, fragment.length)))
      : starts.has(fragment.offset - ITEM_HEAD_BYTES - start)
    if (isFirst || frames.length === 0) frames.push([])
    frames.at(-1)!.push(fragment)
  }
  if (frames.length !== count) throw malformed(`${frames.length} coded images for ${count} frames`, start)
  return frames
}

/** A table that points beside the fragments is worse than none. */
function startsByTable (fragments: readonly Range[], start: number, basic: DataView): Set<number> | undefined {
  const starts = new Set<number>()
  for (let at = 0; at < basic.byteLength; at += 4) starts.add(basic.getUint32(at, true))
  const hits = fragments.filter(({ offset }) => starts.has(offset - ITEM_HEAD_BYTES - start)).length
  return hits === starts.size && starts.has(0) ? starts : undefined
}

/** SOI of JPEG and JPEG-LS, SOC of JPEG 2000, and both beginnings of JPEG XL. */
function beginsImage (bytes: Uint8Array): boolean {
  const [first, second, third] = bytes
  if (first === 0xff && second === 0xd8) return third === 0xff
  return (first === 0xff && (second === 0x4f || second === 0x0a)) || (first === 0 && second === 0 && third === 0 && bytes[3] === 0x0c)
}

function byFragments (frames: readonly Range[][]): Frames {
  return frameMap(frames.length, frame => frames[frame - 1]!)
}

function frameMap (count: number, ranges: (frame: number) => readonly Range[]): Frames {
  return {
    count,
    ranges (frame) {
      if (!Number.isInteger(frame) || frame < 1 || frame > count) {
        throw new RequestError('FRAME_UNKNOWN', 'the object has no such frame', { facts: { frame, frames: count } })
      }
      return ranges(frame)
    }
  }
}

function whole (head: DicomJson, tag: string): number | undefined {
  const text = firstText(head, tag)
  return text !== undefined && /^\d{1,10}$/.test(text) ? Number(text) : undefined
}

function notOffered (why: string, transferSyntaxUid: string): RequestError {
  return new RequestError('NOT_OFFERED', `no single frames: ${why}`, { facts: { transferSyntaxUid } })
}
