/**
 * Objects on their way out in another transfer syntax than they are stored in.
 *
 * Source: DICOM PS3.18 §8.7.3.5 and §10.4, PS3.5 §A.4 (fragments, offset tables), PS3.10 §7.1.
 * Chooses for each object, and gives its new bytes piece by piece: head first, then frame by frame.
 * No object is ever held whole. Leaves pixels to box/pixels, and sending to send.ts.
 */

import { createDeflateRaw } from 'node:zlib'
import type { FastifyBaseLogger } from 'fastify'
import { DrimboxError, RequestError } from '#core/errors.ts'
import { ITEM, SEQUENCE_END, UNDEFINED, formOf, vrCode } from '#standards/dicom/elements.ts'
import { spliceIns, type Ins } from '#standards/dicom/ins.ts'
import { withTransferSyntax } from '#standards/dicom/part10.ts'
import { losesPixels, pixelEdits } from '#standards/dicom/pixel-edits.ts'
import { delimiterHead, encodeHead, rewriter } from '#standards/dicom/recode.ts'
import { DEFLATED_LE, EXPLICIT_LE, transferSyntax } from '#standards/dicom/transfer-syntax.ts'
import type { PixelFormat } from '#standards/pixels/pixel-format.ts'
import type { ObjectAccept } from '#standards/dicomweb/accept.ts'
import { rankSyntaxes } from '#standards/dicomweb/syntax-choice.ts'
import type { Stored } from '../cache/stored.ts'
import type { Held, Lane } from '../pixels/lane.ts'
import type { PixelPool } from '../pixels/pool.ts'
import type { BoxJobs } from '../pixels/jobs.ts'
import type { TranscodedFrame } from '../pixels/transcode-frame.ts'
import { codeFrame, startAhead, type Coding } from './coded-frames.ts'
import { MAKEABLE_WITHOUT_PIXELS, NATIVE, isPlainChange, makeable, mightMake } from './makeable.ts'
import { datasetOf, openImage, readStored, through, type Frames, type Source, type StoredImage } from './stored-image.ts'

/** An object as it will leave. */
export interface Leaving {
  readonly stored: Stored
  readonly transferSyntaxUid: string
  /** A whole Part 10 file; each list of pieces has left when the next one is asked for. */
  readonly body: AsyncIterable<readonly Uint8Array[]>
}

export interface TranscoderParts {
  readonly source: Source
  readonly accept: ObjectAccept
  readonly pool: Pick<PixelPool, 'lane' | 'workersMax'>
  /** Fires when the caller has left. */
  readonly signal: AbortSignal
  readonly ins?: Ins
  readonly log: Pick<FastifyBaseLogger, 'warn'>
}

/** The sequence that the INS goes to lies in group 0010, within the first kilobytes of any object. */
const INS_HEAD_BYTES = 64 << 10

/** What can be said of all objects that are stored in one transfer syntax, before they are looked at. */
interface Outlook {
  /** Something that the caller accepts may come of them. */
  readonly acceptable: boolean
  /** They leave as they are stored, whatever they are, unless an INS must go into what is deflated. */
  readonly stays: boolean
}

/** By what is accepted, then by the stored transfer syntax: most callers say the same with each request. */
const known = new WeakMap<ObjectAccept, Map<string, Outlook>>()

/** Choices and work for one request. To be closed. */
export class Transcoder {
  readonly #parts: TranscoderParts
  #lane: Lane<BoxJobs> | undefined
  readonly #outlooks: Map<string, Outlook>
  readonly #open = new Set<Frames>()

  constructor (parts: TranscoderParts) {
    this.#parts = parts
    const { accept } = parts
    let outlooks = known.get(accept)
    if (outlooks === undefined) known.set(accept, outlooks = new Map())
    this.#outlooks = outlooks
  }

  /** How many objects, or frames of one, are worked on before the first of them has left. */
  get ahead (): number {
    // One in each worker, one read for each, and two that wait to be sent.
    return 2 * this.#parts.pool.workersMax + 2
  }

  /** Does this object leave as it is stored? Told without looking at it, so that most requests cost nothing. */
  stays (stored: Stored): boolean {
    return this.#outlook(stored).stays && !this.#mustInflate(stored.transferSyntaxUid)
  }

  /** @throws RequestError ACCEPT_UNSUPPORTED when nothing that the caller accepts can come of objects stored like this */
  check (stored: Stored): void {
    if (!this.#outlook(stored).acceptable) throw unacceptable(stored)
  }

  #outlook (stored: Stored): Outlook {
    const { transferSyntaxUid } = stored
    const isImage = mayHavePixels(stored)
    const key = isImage ? transferSyntaxUid : `${transferSyntaxUid} without pixels`
    let outlook = this.#outlooks.get(key)
    if (outlook === undefined) {
      const ranked = this.#rank(transferSyntaxUid, isImage ? mightMake(transferSyntaxUid) : undefined)
      outlook = { acceptable: ranked.length > 0, stays: ranked[0] === transferSyntaxUid }
      this.#outlooks.set(key, outlook)
    }
    return outlook
  }

  /**
   * Chooses, and begins.
   *
   * @returns undefined for an object that leaves as it is stored
   * @throws RequestError ACCEPT_UNSUPPORTED, PIXELS_UNREADABLE, PIXELS_TOO_LARGE, each naming the
   *   instance; CapacityError BUSY
   */
  async start (stored: Stored): Promise<Leaving | undefined> {
    if (this.stays(stored)) return undefined
    const { accept, source, log } = this.#parts
    const held = stored.transferSyntaxUid
    let image: StoredImage | undefined
    try {
      image = await openImage(source, stored)
      const ranked = this.#rank(held, image && makeable(held, image.frames?.format, image.count))
      if (ranked.length === 0) throw image?.failure ?? unacceptable(stored)
      return await this.#first(stored, image, ranked)
    } catch (error) {
      const failure = ofThis(error, stored)
      if (!(failure instanceof RequestError) || failure.code === 'ACCEPT_UNSUPPORTED' || accept.accepts(held) === 0 || this.#mustInflate(held)) throw failure
      // As stored it is acceptable too, and a caller may well make more of it than we do.
      log.warn({ err: failure }, 'an object leaves as it is stored, since it cannot be transcoded')
      return undefined
    } finally {
      if (image?.frames !== undefined && !this.#open.has(image.frames)) image.frames.close()
    }
  }

  close (): void {
    this.#lane?.close()
    for (const frames of this.#open) frames.close()
    this.#open.clear()
  }

  /** @param makeable undefined for an object without pixels, which leaves as it is if that will do, and uncompressed if it can */
  #rank (held: string, makeable: readonly string[] | undefined): readonly string[] {
    const { accept } = this.#parts
    if (makeable !== undefined) return rankSyntaxes(accept, held, makeable, losesPixels)
    if (accept.accepts(held) > 0) return [held]
    const native = rankSyntaxes(accept, held, NATIVE, losesPixels)
    return native.length > 0 ? native : rankSyntaxes(accept, held, MAKEABLE_WITHOUT_PIXELS, losesPixels)
  }

  /** The best that works out: an encoder may still refuse what its syntax could carry. */
  async #first (stored: Stored, image: StoredImage | undefined, ranked: readonly string[]): Promise<Leaving | undefined> {
    for (const [place, to] of ranked.entries()) {
      try {
        if (to === stored.transferSyntaxUid && !this.#mustInflate(to)) return undefined
        return { stored, transferSyntaxUid: to, body: naming(stored, await this.#make(stored, image, to)) }
      } catch (error) {
        if (!(error instanceof RequestError) || error.code !== 'ACCEPT_UNSUPPORTED' || place === ranked.length - 1) throw error
      }
    }
    return undefined
  }

  async #make (stored: Stored, image: StoredImage | undefined, to: string): Promise<AsyncIterable<readonly Uint8Array[]>> {
    const { transferSyntaxUid: from, datasetOffset } = stored
    const { source } = this.#parts
    const head = withTransferSyntax(await readStored(source, stored, 0, datasetOffset), to)
    const isRewritten = image === undefined || isPlainChange(from, to)
    const dataset = isRewritten ? this.#rewritten(stored, to) : await this.#recoded(stored, image, to)
    return file(head, to === DEFLATED_LE ? evened(through(joined(dataset), createDeflateRaw())) : dataset)
  }

  /** The whole data set in another form, pixels and all. */
  async * #rewritten (stored: Stored, to: string): AsyncGenerator<Buffer[]> {
    const from = inflatedSyntax(stored.transferSyntaxUid)
    const stream = rewriter(formOf(from), formOf(to))
    let isFirst = true
    for await (const chunk of this.#withIns(datasetOf(this.#parts.source, stored), from)) {
      const pieces = stream.push(chunk)
      if (pieces.length > 0) yield isFirst ? [Buffer.concat(pieces)] : pieces
      isFirst = false
    }
    yield stream.end()
  }

  async * #withIns (chunks: AsyncIterable<Buffer>, syntax: string): AsyncGenerator<Buffer> {
    const { ins } = this.#parts
    let held: Buffer | undefined = ins === undefined ? undefined : Buffer.alloc(0)
    for await (const chunk of chunks) {
      if (held === undefined) {
        yield chunk
        continue
      }
      held = Buffer.concat([held, chunk])
      if (held.length < INS_HEAD_BYTES) continue
      yield * spliceIns(held.subarray(0, INS_HEAD_BYTES), syntax, ins!).pieces as Buffer[]
      yield held.subarray(INS_HEAD_BYTES)
      held = undefined
    }
    if (held !== undefined) yield * spliceIns(held, syntax, ins!).pieces as Buffer[]
  }

  /** Its first frame is done when this resolves: only then is known what the head must say. */
  async #recoded (stored: Stored, image: StoredImage, to: string): Promise<AsyncGenerator<readonly Uint8Array[]>> {
    const { frames } = image
    // Pixels of floating point are never recoded: `makeable` offers nothing for them.
    if (frames === undefined) throw unacceptable(stored)
    this.#lane ??= this.#parts.pool.lane(this.#parts.signal)
    const coding = { lane: this.#lane, frames, instance: stored.sopInstanceUid, from: stored.transferSyntaxUid, to }
    const first = await codeFrame(coding, 1)
    this.#open.add(frames)
    return this.#coded(stored, image, coding, first)
  }

  async * #coded (stored: Stored, image: StoredImage, coding: Coding, first: Held<TranscodedFrame>): AsyncGenerator<readonly Uint8Array[]> {
    const { head, syntax, picked, count } = image
    const { frames, to } = coding
    const { format, pixels: { length } } = first.output
    const ratio = format.rows * format.columns * format.samples * format.bitsStored / 8 / length
    const { ins } = this.#parts
    const stream = rewriter(formOf(syntax), formOf(to), pixelEdits(picked, { from: stored.transferSyntaxUid, to, format, ratio }))
    const rewritten = (ins === undefined ? [head] : spliceIns(head, syntax, ins).pieces as Buffer[]).flatMap(piece => stream.push(piece))
    const { encapsulated } = transferSyntax(to)
    const start = encapsulated ? fragmentsStart(count) : nativeStart(format, length * count, to)
    // The data set's own bytes are many small pieces; they leave as one.
    let before: Uint8Array[] = [Buffer.concat([...rewritten, ...stream.end(), ...start])]
    for await (const held of this.#inOrder(coding, first, count)) {
      const { pixels } = held.output
      if (!isSame(held.output.format, format) || (!encapsulated && pixels.length !== length)) throw unlike(stored)
      if (encapsulated) before.push(delimiterHead(ITEM, pixels.length + pixels.length % 2))
      yield [...before, pixels, ...encapsulated && pixels.length % 2 === 1 ? [ZERO] : []]
      before = []
      held.release()
    }
    if (encapsulated) before.push(delimiterHead(SEQUENCE_END, 0))
    else if (length * count % 2 === 1) before.push(ZERO)
    yield before
    const tail = rewriter(formOf(syntax), formOf(to))
    for await (const chunk of frames.tail()) yield tail.push(chunk)
    yield tail.end()
    frames.close()
    this.#open.delete(frames)
  }

  async * #inOrder (coding: Coding, first: Held<TranscodedFrame>, count: number): AsyncGenerator<Held<TranscodedFrame>> {
    const rest = startAhead(numbers(2, count), this.ahead, async frame => await codeFrame(coding, frame))
    // Begun before the first one leaves.
    const second = rest.next()
    second.catch(() => {})
    yield first
    for (let next = await second; next.done !== true; next = await rest.next()) yield next.value
  }

  /** A deflated object that stays deflated is inflated all the same where the INS goes in. */
  #mustInflate (transferSyntaxUid: string): boolean {
    return this.#parts.ins !== undefined && transferSyntax(transferSyntaxUid).deflated
  }
}

/** Of a deflated one that isn't known before it is inflated. */
function mayHavePixels ({ pixelOffset, transferSyntaxUid }: Stored): boolean {
  return pixelOffset > 0 || transferSyntax(transferSyntaxUid).deflated
}

const ZERO = Buffer.alloc(1)

async function * file (head: Buffer, dataset: AsyncIterable<readonly Uint8Array[] | Uint8Array>): AsyncGenerator<readonly Uint8Array[]> {
  let before = [head] as Uint8Array[]
  for await (const pieces of dataset) {
    yield [...before, ...pieces instanceof Uint8Array ? [pieces] : pieces]
    before = []
  }
}

/** A deflated data set ends on an even byte (PS3.5 §A.5). */
async function * evened (chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let odd = 0
  for await (const chunk of chunks) {
    odd = (odd + chunk.length) % 2
    yield chunk
  }
  if (odd === 1) yield ZERO
}

async function * joined (dataset: AsyncIterable<readonly Uint8Array[]>): AsyncGenerator<Buffer> {
  for await (const pieces of dataset) yield * pieces as readonly Buffer[]
}

function inflatedSyntax (transferSyntaxUid: string): string {
  return transferSyntax(transferSyntaxUid).deflated ? EXPLICIT_LE : transferSyntaxUid
}

/**
 * The offset table of one frame says that it is first. That of several stays empty: where they will
 * begin isn't known, and each is one fragment (PS3.5 §A.4).
 */
function fragmentsStart (count: number): Buffer[] {
  const table = Buffer.alloc(count === 1 ? 4 : 0)
  return [encodeHead(PIXEL_DATA, vrCode('OB'), UNDEFINED, formOf(EXPLICIT_LE)), delimiterHead(ITEM, table.length), table]
}

function nativeStart ({ bitsAllocated }: PixelFormat, length: number, to: string): Buffer[] {
  return [encodeHead(PIXEL_DATA, vrCode(bitsAllocated > 8 ? 'OW' : 'OB'), length + length % 2, formOf(to))]
}

const PIXEL_DATA = 0x7fe00010

function isSame (one: PixelFormat, other: PixelFormat): boolean {
  return one.samples === other.samples && one.photometric === other.photometric && one.bitsAllocated === other.bitsAllocated &&
    one.bitsStored === other.bitsStored && one.highBit === other.highBit && one.signed === other.signed && one.planar === other.planar
}

function * numbers (from: number, to: number): Generator<number> {
  for (let number = from; number <= to; number++) yield number
}

function unacceptable ({ transferSyntaxUid, sopInstanceUid }: Stored): RequestError {
  return new RequestError('ACCEPT_UNSUPPORTED', 'an object can be made into nothing that the caller accepts', {
    facts: { held: transferSyntaxUid, instance: sopInstanceUid }
  })
}

function unlike ({ sopInstanceUid }: Stored): RequestError {
  return new RequestError('PIXELS_UNREADABLE', 'the frames of an object are not all of the same kind', { facts: { instance: sopInstanceUid } })
}

async function * naming<T> (stored: Stored, body: AsyncIterable<T>): AsyncGenerator<T> {
  try {
    yield * body
  } catch (error) {
    throw ofThis(error, stored)
  }
}

/** What went wrong with a stored object, named; what the caller or the machine did stays as it is. */
function ofThis (error: unknown, { sopInstanceUid: instance }: Stored): unknown {
  if (error instanceof DrimboxError && !(error instanceof RequestError)) return error
  if (error instanceof RequestError && error.facts.instance !== undefined) return error
  const isZlib = error instanceof Error && 'code' in error && typeof error.code === 'string' && error.code.startsWith('Z_')
  if (!(error instanceof RequestError) && !isZlib) return error
  const code = error instanceof RequestError && (error.code === 'PIXELS_TOO_LARGE' || error.code === 'ACCEPT_UNSUPPORTED') ? error.code : 'PIXELS_UNREADABLE'
  return new RequestError(code, error.message, { cause: error, facts: { ...error instanceof RequestError && error.facts, instance } })
}
