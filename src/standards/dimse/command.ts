/**
 * Command sets: the elements of group 0000, implicit VR little endian.
 *
 * Source: DICOM PS3.7 §6.3.1 (encoding), Annex E (elements). Properties bear the standard's keywords.
 */

import { ABORT, ProtocolViolation } from './reasons.ts'

export interface CommandSet {
  AffectedSOPClassUID?: string
  RequestedSOPClassUID?: string
  CommandField: number
  MessageID?: number
  MessageIDBeingRespondedTo?: number
  MoveDestination?: string
  Priority?: number
  CommandDataSetType: number
  Status?: number
  ErrorComment?: string
  ErrorID?: number
  AffectedSOPInstanceUID?: string
  RequestedSOPInstanceUID?: string
  EventTypeID?: number
  ActionTypeID?: number
  NumberOfRemainingSuboperations?: number
  NumberOfCompletedSuboperations?: number
  NumberOfFailedSuboperations?: number
  NumberOfWarningSuboperations?: number
  MoveOriginatorApplicationEntityTitle?: string
  MoveOriginatorMessageID?: number
}

/** Values of CommandField (PS3.7 §E.1); a response has the bit of {@link RESPONSE} too. */
export const COMMAND = {
  store: 0x0001,
  get: 0x0010,
  find: 0x0020,
  move: 0x0021,
  echo: 0x0030,
  cancel: 0x0fff
} as const

export const RESPONSE = 0x8000

/** CommandDataSetType: this value is "none", any other one is "a data set follows". */
export const NO_DATA_SET = 0x0101
export const DATA_SET = 0x0001

type Keyword = keyof CommandSet
type Kind = 'UI' | 'US' | 'AE' | 'LO'

/** In order of their element numbers, which is the order on the wire. */
const ELEMENTS: readonly (readonly [number, Keyword, Kind])[] = [
  [0x0002, 'AffectedSOPClassUID', 'UI'],
  [0x0003, 'RequestedSOPClassUID', 'UI'],
  [0x0100, 'CommandField', 'US'],
  [0x0110, 'MessageID', 'US'],
  [0x0120, 'MessageIDBeingRespondedTo', 'US'],
  [0x0600, 'MoveDestination', 'AE'],
  [0x0700, 'Priority', 'US'],
  [0x0800, 'CommandDataSetType', 'US'],
  [0x0900, 'Status', 'US'],
  [0x0902, 'ErrorComment', 'LO'],
  [0x0903, 'ErrorID', 'US'],
  [0x1000, 'AffectedSOPInstanceUID', 'UI'],
  [0x1001, 'RequestedSOPInstanceUID', 'UI'],
  [0x1002, 'EventTypeID', 'US'],
  [0x1008, 'ActionTypeID', 'US'],
  [0x1020, 'NumberOfRemainingSuboperations', 'US'],
  [0x1021, 'NumberOfCompletedSuboperations', 'US'],
  [0x1022, 'NumberOfFailedSuboperations', 'US'],
  [0x1023, 'NumberOfWarningSuboperations', 'US'],
  [0x1030, 'MoveOriginatorApplicationEntityTitle', 'AE'],
  [0x1031, 'MoveOriginatorMessageID', 'US']
]

const BY_NUMBER = new Map(ELEMENTS.map(([number, keyword, kind]) => [number, { keyword, kind }]))

const ELEMENT_HEADER_BYTES = 8
/** CommandGroupLength (0000,0000), UL. */
const GROUP_LENGTH_BYTES = ELEMENT_HEADER_BYTES + 4

export function commandBytes (command: CommandSet): number {
  let bytes = GROUP_LENGTH_BYTES
  for (const [, keyword] of ELEMENTS) {
    const value = command[keyword]
    if (value === undefined) continue
    bytes += ELEMENT_HEADER_BYTES + (typeof value === 'number' ? 2 : value.length + (value.length & 1))
  }
  return bytes
}

export function encodeCommand (command: CommandSet): Buffer {
  const bytes = Buffer.alloc(commandBytes(command))
  bytes.writeUInt32LE(4, 4)
  bytes.writeUInt32LE(bytes.length - GROUP_LENGTH_BYTES, ELEMENT_HEADER_BYTES)
  let at = GROUP_LENGTH_BYTES
  for (const [number, keyword, kind] of ELEMENTS) {
    const value = command[keyword]
    if (value === undefined) continue
    bytes.writeUInt16LE(number, at + 2)
    if (typeof value === 'number') {
      bytes.writeUInt32LE(2, at + 4)
      bytes.writeUInt16LE(value, at + ELEMENT_HEADER_BYTES)
      at += ELEMENT_HEADER_BYTES + 2
    } else {
      const padded = value.length + (value.length & 1)
      bytes.writeUInt32LE(padded, at + 4)
      bytes.write(value, at + ELEMENT_HEADER_BYTES, 'latin1')
      at += ELEMENT_HEADER_BYTES + padded
      if (padded > value.length && kind !== 'UI') bytes[at - 1] = 0x20
    }
  }
  return bytes
}

/**
 * Elements that we don't use, among them the retired ones, are passed over.
 *
 * @throws ProtocolViolation
 */
export function decodeCommand (bytes: Buffer): CommandSet {
  const found: Record<string, string | number> = {}
  let at = 0
  while (at < bytes.length) {
    if (at + ELEMENT_HEADER_BYTES > bytes.length) throw malformed('command element cut')
    if (bytes.readUInt16LE(at) !== 0) throw malformed('command element outside of group 0000')
    const element = BY_NUMBER.get(bytes.readUInt16LE(at + 2))
    const length = bytes.readUInt32LE(at + 4)
    at += ELEMENT_HEADER_BYTES
    if (length > bytes.length - at) throw malformed('command element longer than its set')
    if (element !== undefined && length > 0) {
      if (element.kind !== 'US') found[element.keyword] = text(bytes, at, at + length)
      else if (length === 2) found[element.keyword] = bytes.readUInt16LE(at)
      else throw malformed('command element of a wrong length')
    }
    at += length
  }
  if (found.CommandField === undefined || found.CommandDataSetType === undefined) throw malformed('command set without its field or data set type')
  return found as unknown as CommandSet
}

/** Without the padding: NUL for UIDs, spaces for the others; makers mix them up. */
function text (bytes: Buffer, start: number, end: number): string {
  while (end > start && (bytes[end - 1] === 0 || bytes[end - 1] === 0x20)) end--
  while (start < end && bytes[start] === 0x20) start++
  return bytes.toString('latin1', start, end)
}

function malformed (message: string): ProtocolViolation {
  return new ProtocolViolation(ABORT.invalidParameter, message)
}
