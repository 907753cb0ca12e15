/**
 * One answer whose bytes are known beforehand: an instance, a frame, a value, a video, a document.
 * Says what identifies it, sends all of it, the range that is wanted, or nothing.
 *
 * Source: RFC 9110 §8.8, §9.3.2 (HEAD), §13, §14; DICOM PS3.18 §8.4.
 */

import { crc32 } from 'node:zlib'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { contentRange, parseByteRange, type ByteRange } from '#standards/dicomweb/byte-range.ts'
import { isNotModified, isSameState, type Validators } from '#standards/dicomweb/conditional.ts'
import type { Stored } from '../cache/stored.ts'
import type { ObjectSet } from '../pacs/object-set.ts'
import { beginAnswer, sendBody } from './answer.ts'
import { factsOf } from './batch-facts.ts'
import type { Outlet } from './outlet.ts'

/** Bytes of one stored object, to be sent as they lie there. */
export interface StoredPiece {
  readonly stored: Stored
  /** From the start of the Part 10 file. */
  readonly offset: number
  readonly length: number
  /** Bytes per word, where words are big endian there and leave as little endian. */
  readonly swapped?: 2 | 4 | 8
}

export type Piece = Uint8Array | StoredPiece

export interface Representation {
  readonly type: string
  /** Together, in order, they are the answer. */
  readonly pieces: readonly Piece[]
  readonly validators?: Validators
  /** No part of it can be given: the next answer will differ in some of its bytes. */
  readonly whole?: boolean
  /** Further headers. */
  readonly headers?: Readonly<Record<string, string>>
}

/**
 * What identifies an instance, or something made of it.
 *
 * @param variant what was made of it, without quotes: two representations of one URL must differ in it
 */
export function validatorsOf ({ crc, length, receivedAt }: Stored, variant: string): Validators {
  return { etag: `"${crc.toString(16)}-${length.toString(36)}-${variant}"`, modifiedAt: receivedAt }
}

/**
 * What identifies a multipart body of whole objects: weak, since its boundary differs each time.
 */
export function setValidators (all: readonly (readonly Stored[])[], variant: string): Validators {
  const digests = Buffer.allocUnsafe(4 * all.length)
  let bytes = 0
  let modifiedAt = 0
  for (const [place, batch] of all.entries()) {
    const facts = factsOf(batch)
    digests.writeUInt32LE(facts.digest, 4 * place)
    bytes += facts.bytes
    modifiedAt = Math.max(modifiedAt, facts.modifiedAt)
  }
  return { etag: `W/"${crc32(digests).toString(16)}-${bytes.toString(36)}-${variant}"`, modifiedAt }
}

/**
 * Tells a caller who has the current state already that nothing changed.
 *
 * @returns true when the answer has been given
 * @throws RequestError PRECONDITION_FAILED
 */
export function saidUnchanged (request: FastifyRequest, reply: FastifyReply, validators: Validators): boolean {
  const { headers } = request
  if (headers['if-none-match'] === undefined && headers['if-modified-since'] === undefined && headers['if-match'] === undefined && headers['if-unmodified-since'] === undefined) return false
  if (!isNotModified(headers, validators)) return false
  beginAnswer(reply, { status: 304, validators })
  return true
}

/** @throws RequestError PRECONDITION_FAILED, RANGE_UNSATISFIABLE; later failures cut the answer */
export async function sendRepresentation (request: FastifyRequest, reply: FastifyReply, set: ObjectSet, { type, pieces, validators, whole = false, headers }: Representation): Promise<void> {
  if (validators !== undefined && saidUnchanged(request, reply, validators)) return
  let bytes = 0
  for (const piece of pieces) bytes += piece.length
  const { range: wanted } = request.headers
  const range = wanted !== undefined && !whole && request.method === 'GET' && isSameState(request.headers, validators) ? parseByteRange(wanted, bytes) : undefined
  const { from, end } = range ?? { from: 0, end: bytes }
  const isBegun = beginAnswer(reply, {
    status: range === undefined ? 200 : 206,
    type,
    bytes: end - from,
    validators,
    headers: {
      ...headers,
      ...!whole && { 'accept-ranges': 'bytes' },
      ...range !== undefined && { 'content-range': contentRange(range, bytes) }
    }
  })
  if (!isBegun) return
  await sendBody(reply, async out => {
    if (end - from > 0 && !pieces.some(isSwapped) && await out.whole(end - from, async block => { await layPieces(set, block, pieces, { from, end }) })) return
    await writePieces(set, out, pieces, { from, end })
    out.end()
  })
}

function isSwapped (piece: Piece): boolean {
  return !(piece instanceof Uint8Array) && piece.swapped !== undefined
}

/** Puts what lies in `range` of all pieces together into one block. */
async function layPieces (set: ObjectSet, block: Buffer, pieces: readonly Piece[], range: ByteRange): Promise<void> {
  let start = 0
  let at = 0
  for (const piece of pieces) {
    const from = Math.max(range.from - start, 0)
    const end = Math.min(range.end - start, piece.length)
    start += piece.length
    if (from >= end) continue
    const part = block.subarray(at, at += end - from)
    if (piece instanceof Uint8Array) part.set(piece.subarray(from, end))
    else await set.read(piece.stored, piece.offset + from, part)
  }
}

/** Writes what lies in `range` of all pieces together. */
export async function writePieces (set: ObjectSet, out: Outlet, pieces: readonly Piece[], range: ByteRange = { from: 0, end: Infinity }): Promise<void> {
  let start = 0
  for (const piece of pieces) {
    const from = Math.max(range.from - start, 0)
    const end = Math.min(range.end - start, piece.length)
    start += piece.length
    if (from >= end) continue
    if (piece instanceof Uint8Array) {
      out.write([piece.subarray(from, end)])
      await out.drained()
    } else {
      await writeStored(set, out, piece, from, end)
    }
  }
}

/** Block by block; big endian words are read whole, whatever part of them is wanted. */
async function writeStored (set: ObjectSet, out: Outlet, { stored, offset, swapped }: StoredPiece, from: number, end: number): Promise<void> {
  const word = swapped ?? 1
  for (let at = from; at < end;) {
    const block = await out.block()
    try {
      // Blocks hold whole words of any width, and values that are swapped are whole words.
      const before = at % word
      const wanted = Math.min(block.length - before, end - at)
      const read = Math.ceil((before + wanted) / word) * word
      await set.read(stored, offset + at - before, block, read)
      if (swapped !== undefined) swap(block.subarray(0, read), swapped)
      out.write([block.subarray(before, before + wanted)], block)
      at += wanted
    } catch (error) {
      out.giveBack(block)
      throw error
    }
    await out.drained()
  }
}

function swap (bytes: Buffer, width: 2 | 4 | 8): void {
  if (width === 2) bytes.swap16()
  else if (width === 4) bytes.swap32()
  else bytes.swap64()
}
