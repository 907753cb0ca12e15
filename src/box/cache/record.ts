/**
 * How one instance lies in a pack: a fixed head of 64 bytes, then a whole Part 10 file.
 *
 * The head is what lets an index be rebuilt from the packs alone, and a pack that lost power be cut
 * back to its last whole instance: it is written in the same breath as the last byte of the
 * instance, and carries a checksum of both.
 *
 * All numbers little endian:
 *
 *     0   4  'DBXR'
 *     4   2  version of this layout, 1
 *     6   2  reserved, 0
 *     8   8  length of the Part 10 file in bytes
 *    16   8  offset of the pixel data element in the Part 10 file; 0 when it has none
 *    24   4  offset of the data set in the Part 10 file
 *    28   4  CRC-32 of the Part 10 file
 *    32   8  milliseconds since 1970 at which it was received
 *    40  20  reserved, 0
 *    60   4  CRC-32 of the 60 bytes before
 */

import { crc32 } from 'node:zlib'

export const RECORD_HEAD_BYTES = 64

const MAGIC = 0x52584244 // 'DBXR' read as a little-endian number
const VERSION = 1

export interface RecordHead {
  /** Bytes of the Part 10 file that follows. */
  readonly length: number
  /** From the start of the Part 10 file, to the first byte of the data set. */
  readonly datasetOffset: number
  /** From the start of the Part 10 file, to the tag of the pixel data element; 0 when there is none. */
  readonly pixelOffset: number
  readonly crc: number
  /** Milliseconds since 1970. */
  readonly receivedAt: number
}

export function encodeRecordHead (head: RecordHead): Buffer {
  const bytes = Buffer.alloc(RECORD_HEAD_BYTES)
  bytes.writeUInt32LE(MAGIC, 0)
  bytes.writeUInt16LE(VERSION, 4)
  bytes.writeBigUInt64LE(BigInt(head.length), 8)
  bytes.writeBigUInt64LE(BigInt(head.pixelOffset), 16)
  bytes.writeUInt32LE(head.datasetOffset, 24)
  bytes.writeUInt32LE(head.crc, 28)
  bytes.writeBigUInt64LE(BigInt(head.receivedAt), 32)
  bytes.writeUInt32LE(crc32(bytes.subarray(0, 60)), 60)
  return bytes
}

/** @returns undefined where these bytes aren't a head that we wrote to its end */
export function decodeRecordHead (bytes: Buffer): RecordHead | undefined {
  if (bytes.length < RECORD_HEAD_BYTES || bytes.readUInt32LE(0) !== MAGIC || bytes.readUInt16LE(4) !== VERSION) return undefined
  if (bytes.readUInt32LE(60) !== crc32(bytes.subarray(0, 60))) return undefined
  return {
    length: Number(bytes.readBigUInt64LE(8)),
    pixelOffset: Number(bytes.readBigUInt64LE(16)),
    datasetOffset: bytes.readUInt32LE(24),
    crc: bytes.readUInt32LE(28),
    receivedAt: Number(bytes.readBigUInt64LE(32))
  }
}
