/**
 * Reads the packs of one series without their index: which whole instances are there, and where the
 * last of them ends.
 *
 * A file that lost power in the middle of an append is cut back to its last whole instance; one
 * whose only, large object wasn't finished is removed.
 */

import { open, readdir, rm, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { readPart10Head } from '#standards/dicom/part10.ts'
import { segmentName, segmentNumber } from './pack.ts'
import { decodeRecordHead, RECORD_HEAD_BYTES } from './record.ts'
import type { Stored } from './stored.ts'

/** Read at once while a checksum is computed. */
const PIECE_BYTES = 1 << 20
/** More than any preamble with file meta information. */
const PART10_HEAD_BYTES = 4096

export interface Scan {
  readonly instances: readonly Stored[]
  /** Number that the next segment may take. */
  readonly segments: number
  /** Bytes cut off because they weren't whole. */
  readonly bytesCut: number
}

/** @param folder of one series; its UIDs are told by the caller, who knows them from the folders' names */
export async function scanPack (folder: string, studyUid: string, seriesUid: string): Promise<Scan> {
  const names = await readdir(folder).catch(() => [])
  const segments = names.map(segmentNumber).filter(number => number !== undefined).sort((a, b) => a - b)
  const instances = new Map<string, Stored>()
  let bytesCut = 0
  for (const segment of segments) {
    const path = join(folder, segmentName(segment))
    const file = await open(path, 'r+')
    let whole = 0
    try {
      const { size } = await file.stat()
      for await (const stored of records(file, size)) {
        whole = stored.offset + stored.length
        if (!instances.has(stored.sopInstanceUid)) instances.set(stored.sopInstanceUid, { ...stored, studyUid, seriesUid, segment })
      }
      if (whole < size) {
        bytesCut += size - whole
        await file.truncate(whole)
      }
      // The index will say that these may be believed: that must be true after a power cut as well.
      if (whole > 0) await file.datasync()
    } finally {
      await file.close()
    }
    if (whole === 0) await rm(path)
  }
  return { instances: [...instances.values()], segments: (segments.at(-1) ?? -1) + 1, bytesCut }
}

async function * records (file: FileHandle, size: number): AsyncGenerator<Omit<Stored, 'studyUid' | 'seriesUid' | 'segment'>> {
  const piece = Buffer.allocUnsafe(PIECE_BYTES)
  for (let at = 0; at + RECORD_HEAD_BYTES < size;) {
    const { bytesRead } = await file.read(piece, 0, RECORD_HEAD_BYTES + PART10_HEAD_BYTES, at)
    const head = decodeRecordHead(piece.subarray(0, Math.min(bytesRead, RECORD_HEAD_BYTES)))
    if (head === undefined || at + RECORD_HEAD_BYTES + head.length > size) return
    const offset = at + RECORD_HEAD_BYTES
    // Kept aside, and not read before the checksum says that it may be: after a power cut it may be anything.
    const begin = Buffer.from(piece.subarray(RECORD_HEAD_BYTES, Math.min(bytesRead, RECORD_HEAD_BYTES + head.length)))
    let crc = 0
    for (let done = 0; done < head.length;) {
      const { bytesRead: got } = await file.read(piece, 0, Math.min(PIECE_BYTES, head.length - done), offset + done)
      if (got === 0) return
      crc = crc32(piece.subarray(0, got), crc)
      done += got
    }
    if (crc !== head.crc) return
    const meta = readPart10Head(begin)
    yield {
      sopInstanceUid: meta.sopInstanceUid,
      sopClassUid: meta.sopClassUid,
      transferSyntaxUid: meta.transferSyntaxUid,
      offset,
      length: head.length,
      datasetOffset: head.datasetOffset,
      pixelOffset: head.pixelOffset,
      crc,
      receivedAt: head.receivedAt
    }
    at = offset + head.length
  }
}
