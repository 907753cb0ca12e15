/**
 * The head of a DICOM file: preamble, prefix and file meta information.
 *
 * Source: DICOM PS3.10 §7.1.
 * Writes it exactly; reads whatever really lies in archives, heads without preamble, without group
 * length or without anything included.
 */

import { EXPLICIT_BE, EXPLICIT_LE, IMPLICIT_LE } from './transfer-syntax.ts'
import { UNDEFINED, endOf, formOf, isVr, malformed, newHead, readHead } from './elements.ts'
import { HeadReader } from './head.ts'

/** Who wrote this file (PS3.7 §D.3.3.2): a UID of ours under 2.25, never to be changed. */
export const IMPLEMENTATION_CLASS_UID = '2.25.129705804979666755729705228086094647222'
/** At most 16 characters. */
export const IMPLEMENTATION_VERSION_NAME = 'DRIMBOX_EDGE_1'

const PREAMBLE_BYTES = 128
const PREFIX = 'DICM'

const META_GROUP_LENGTH = 0x00020000
const MEDIA_STORAGE_SOP_CLASS_UID = 0x00020002
const MEDIA_STORAGE_SOP_INSTANCE_UID = 0x00020003
const TRANSFER_SYNTAX_UID = 0x00020010

/** Data sets begin with group 0008; pieces of them with one of the patient, the study or the image. */
const LIKELY_GROUP_MAX = 0x0028

export interface FileMeta {
  readonly sopClassUid: string
  readonly sopInstanceUid: string
  readonly transferSyntaxUid: string
  /** Where the data set begins, in bytes from the start of the file. */
  readonly datasetOffset: number
}

/** All that precedes the data set in a file: 128 zeros, "DICM", group 0002 in explicit little endian. */
export function encodePart10Head (meta: {
  sopClassUid: string
  sopInstanceUid: string
  transferSyntaxUid: string
  /** AE title of whoever sent it. */
  sourceTitle?: string
}): Buffer {
  const elements: [element: number, vr: string, text: string, pad: string][] = [
    [0x0002, 'UI', meta.sopClassUid, '\0'],
    [0x0003, 'UI', meta.sopInstanceUid, '\0'],
    [0x0010, 'UI', meta.transferSyntaxUid, '\0'],
    [0x0012, 'UI', IMPLEMENTATION_CLASS_UID, '\0'],
    [0x0013, 'SH', IMPLEMENTATION_VERSION_NAME, ' ']
  ]
  if (meta.sourceTitle !== undefined) elements.push([0x0016, 'AE', meta.sourceTitle, ' '])
  const fixed = PREAMBLE_BYTES + PREFIX.length
  // (0002,0001) File Meta Information Version, OB, two bytes: 00 01.
  let groupLength = 14
  for (const [, , text] of elements) groupLength += 8 + text.length + text.length % 2

  const bytes = Buffer.alloc(fixed + 12 + groupLength)
  bytes.write(PREFIX, PREAMBLE_BYTES, 'latin1')
  let at = fixed
  at = writeHead(bytes, at, 0x0000, 'UL', 4)
  at = bytes.writeUInt32LE(groupLength, at)
  bytes.write('\x02\0\x01\0OB\0\0\x02\0\0\0\0\x01', at, 'latin1')
  at += 14
  for (const [element, vr, text, pad] of elements) {
    const odd = text.length % 2
    at = writeHead(bytes, at, element, vr, text.length + odd)
    at += bytes.write(odd === 1 ? text + pad : text, at, 'latin1')
  }
  return bytes
}

function writeHead (bytes: Buffer, at: number, element: number, vr: string, length: number): number {
  bytes.writeUInt16LE(0x0002, at)
  bytes.writeUInt16LE(element, at + 2)
  bytes.write(vr, at + 4, 'latin1')
  return bytes.writeUInt16LE(length, at + 6)
}

/**
 * The head of a file whose data set has been written anew: all but its transfer syntax stays.
 *
 * @param head of the whole file, up to its data set
 * @throws RequestError DATA_MALFORMED
 */
export function withTransferSyntax (head: Buffer, transferSyntaxUid: string): Buffer {
  const form = formOf(EXPLICIT_LE)
  const element = newHead()
  const uid = Buffer.from(transferSyntaxUid.length % 2 === 0 ? transferSyntaxUid : transferSyntaxUid + '\0', 'latin1')
  const syntax = Buffer.alloc(8)
  writeHead(syntax, 0, TRANSFER_SYNTAX_UID % 0x10000, 'UI', uid.length)
  const start = metaOffset(head)
  const pieces: Buffer[] = []
  let isThere = false
  for (let at = start; at < head.length;) {
    if (!readHead(head, at, head.length, form, element)) throw malformed('the file meta information is cut', at)
    const end = endOf(head, element, head.length, form)
    if (!isThere && element.tag >= TRANSFER_SYNTAX_UID) {
      pieces.push(syntax, uid)
      isThere = true
    }
    if (element.tag !== META_GROUP_LENGTH && element.tag !== TRANSFER_SYNTAX_UID) pieces.push(head.subarray(at, end))
    at = end
  }
  if (!isThere) pieces.push(syntax, uid)
  const length = Buffer.alloc(12)
  writeHead(length, 0, 0, 'UL', 4)
  length.writeUInt32LE(pieces.reduce((sum, piece) => sum + piece.length, 0), 8)
  return Buffer.concat([head.subarray(0, start), length, ...pieces])
}

/**
 * Reads the head of a file, of which `bytes` is the beginning. What the file doesn't say is taken
 * from its data set: the transfer syntax by the look of the first element, the SOP class and
 * instance from their own attributes (empty where they aren't within `bytes` either).
 *
 * @throws RequestError DATA_MALFORMED
 */
export function readPart10Head (bytes: Uint8Array): FileMeta {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  const uids = new Map<number, string>()
  let at = metaOffset(buffer)
  const head = newHead()
  const form = formOf(EXPLICIT_LE)
  while (buffer.length - at >= 2 && buffer.readUInt16LE(at) === 0x0002) {
    if (!readHead(buffer, at, buffer.length, form, head)) throw malformed('the file meta information is cut', at)
    at = endOf(buffer, head, buffer.length, form)
    if (head.tag === MEDIA_STORAGE_SOP_CLASS_UID || head.tag === MEDIA_STORAGE_SOP_INSTANCE_UID ||
      head.tag === TRANSFER_SYNTAX_UID) {
      uids.set(head.tag, buffer.toString('latin1', head.value, at).replace(/[ \0]+$/, ''))
    }
  }
  const transferSyntaxUid = uids.get(TRANSFER_SYNTAX_UID) || guessSyntax(buffer, at)
  let sopClassUid = uids.get(MEDIA_STORAGE_SOP_CLASS_UID)
  let sopInstanceUid = uids.get(MEDIA_STORAGE_SOP_INSTANCE_UID)
  if (!sopClassUid || !sopInstanceUid) {
    const reader = new HeadReader(transferSyntaxUid)
    reader.push(buffer.subarray(at))
    sopClassUid ||= reader.sopClassUid ?? ''
    sopInstanceUid ||= reader.sopInstanceUid ?? ''
  }
  return { sopClassUid, sopInstanceUid, transferSyntaxUid, datasetOffset: at }
}

/** Where group 0002 begins, or the data set in a file without it. */
function metaOffset (buffer: Buffer): number {
  const end = PREAMBLE_BYTES + PREFIX.length
  if (buffer.length >= end && buffer.toString('latin1', PREAMBLE_BYTES, end) === PREFIX) return end
  if (buffer.length >= PREFIX.length && buffer.toString('latin1', 0, PREFIX.length) === PREFIX) return PREFIX.length
  return 0
}

/**
 * Group numbers are small, so the byte that isn't zero tells the order; two letters of a VR after
 * the tag tell the rest.
 *
 * @throws RequestError DATA_MALFORMED when this is no data set at all
 */
function guessSyntax (buffer: Buffer, at: number): string {
  if (buffer.length - at < 8) throw malformed('nothing follows the head', at)
  const isExplicit = isVr(buffer.readUInt16BE(at + 4))
  if (isExplicit && buffer[at] === 0 && buffer[at + 1]! > 0) return EXPLICIT_BE
  if (isExplicit) return EXPLICIT_LE
  const firstGroup = buffer.readUInt16LE(at)
  const firstLength = buffer.readUInt32LE(at + 4)
  // Anything begins with some number; a data set begins with a low group and a value that fits.
  const fits = firstLength <= buffer.length - at - 8 || firstLength === UNDEFINED
  if (firstGroup === 0 || firstGroup > LIKELY_GROUP_MAX || !fits) {
    throw malformed('neither a file nor a data set', at)
  }
  return IMPLICIT_LE
}
