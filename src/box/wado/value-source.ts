/**
 * Single values of a stored object, wherever they lie in it: in place, or, for an object that is
 * deflated as a whole, out of its inflated data set.
 *
 * Source: DICOM PS3.18 §8.7.3.3 (bulk data are little endian), PS3.5 §A.5 (deflated).
 */

import { promisify } from 'node:util'
import { constants, inflateRaw } from 'node:zlib'
import { RequestError } from '#core/errors.ts'
import { decodeText, TEXT_VRS } from '#standards/dicom/charset.ts'
import type { Vr } from '#standards/dicom/dictionary.ts'
import type { Located, Read } from '#standards/dicom/locate.ts'
import { transferSyntax } from '#standards/dicom/transfer-syntax.ts'
import type { Stored } from '../cache/stored.ts'
import type { ObjectSet } from '../pacs/object-set.ts'
import type { Piece } from './representation.ts'
import { bytesOf } from './send.ts'

const inflate = promisify(inflateRaw as (bytes: Uint8Array, options: object, done: (error: Error | null, inflated: Buffer) => void) => void)

/** A deflated object is inflated in memory, one at a time: larger ones are given whole only. */
const INFLATED_BYTES_MAX = 64 << 20
/** Text is given as UTF-8, for which all of it must be at hand; longer text than this is in no object. */
const TEXT_BYTES_MAX = 16 << 20
/** Bytes per word of what may be big endian. */
const WORDS: Partial<Record<Vr, 2 | 4 | 8>> = { AT: 2, FD: 8, FL: 4, OD: 8, OF: 4, OL: 4, OV: 8, OW: 2, SL: 4, SS: 2, SV: 8, UL: 4, US: 2, UV: 8 }

export interface ValueSource {
  readonly datasetBytes: number
  readonly read: Read
  /** The bytes of a value as they leave: little endian, text in UTF-8. */
  readonly pieces: (value: Located) => Promise<readonly Piece[]>
}

let inflating: Promise<unknown> = Promise.resolve()

/** @throws RequestError NOT_OFFERED for a deflated object that is too large, DATA_MALFORMED */
export async function valueSource (set: ObjectSet, stored: Stored): Promise<ValueSource> {
  if (transferSyntax(stored.transferSyntaxUid).deflated) return inMemory(await inflated(set, stored))
  const datasetBytes = stored.length - stored.datasetOffset
  const read: Read = async (offset, length) => await bytesOf(set, stored, stored.datasetOffset + offset, Math.max(0, Math.min(length, datasetBytes - offset)))
  return {
    datasetBytes,
    read,
    pieces: async value => await asText(value, read) ?? value.ranges.map(({ offset, length }) => {
      const swapped = value.bigEndian && !value.encapsulated ? WORDS[value.vr] : undefined
      return {
        stored,
        offset: stored.datasetOffset + offset,
        length,
        ...swapped !== undefined && length % swapped === 0 && { swapped }
      }
    })
  }
}

function inMemory (bytes: Buffer): ValueSource {
  const read: Read = async (offset, length) => bytes.subarray(offset, offset + length)
  return {
    datasetBytes: bytes.length,
    read,
    pieces: async value => await asText(value, read) ?? value.ranges.map(({ offset, length }) => bytes.subarray(offset, offset + length))
  }
}

/** One after the other, so that memory holds one of them. */
async function inflated (set: ObjectSet, stored: Stored): Promise<Buffer> {
  const turn = inflating.then(async () => {
    const length = stored.length - stored.datasetOffset
    if (length > INFLATED_BYTES_MAX) throw tooLarge(stored)
    const bytes = await bytesOf(set, stored, stored.datasetOffset, length)
    try {
      return await inflate(bytes, { finishFlush: constants.Z_SYNC_FLUSH, maxOutputLength: INFLATED_BYTES_MAX })
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') throw tooLarge(stored)
      throw new RequestError('DATA_MALFORMED', 'not a deflated data set', { cause, facts: { instance: stored.sopInstanceUid } })
    }
  })
  inflating = turn.catch(() => {})
  return await turn
}

async function asText ({ vr, characterSet, ranges: [range] }: Located, read: Read): Promise<readonly Piece[] | undefined> {
  if (!TEXT_VRS.has(vr) || range === undefined || range.length > TEXT_BYTES_MAX) return undefined
  return [Buffer.from(decodeText(await read(range.offset, range.length), characterSet, vr), 'utf8')]
}

function tooLarge ({ sopInstanceUid }: Stored): RequestError {
  return new RequestError('NOT_OFFERED', 'a deflated object of this size is given whole only', { facts: { instance: sopInstanceUid, inflatedBytesMax: INFLATED_BYTES_MAX } })
}
