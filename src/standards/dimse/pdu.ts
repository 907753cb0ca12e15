/**
 * Protocol data units: their types, and the short ones byte by byte.
 *
 * Source: DICOM PS3.8 §9.3.1 and §9.3.4 to §9.3.8, Annex E (message control header).
 * The two A-ASSOCIATE PDUs that carry items are in associate.ts; reading a stream of PDUs is in reader.ts.
 */

import { ABORT, ProtocolViolation, type Rejection } from './reasons.ts'

export const PDU = {
  associateRq: 0x01,
  associateAc: 0x02,
  associateRj: 0x03,
  data: 0x04,
  releaseRq: 0x05,
  releaseRp: 0x06,
  abort: 0x07
} as const

/** PDU type, reserved, length of what follows. */
export const PDU_HEADER_BYTES = 6
/** Length of what follows, presentation context ID, message control header. */
export const PDV_HEADER_BYTES = 6
/** Both, as they stand before each fragment that we send. */
export const FRAGMENT_HEADER_BYTES = PDU_HEADER_BYTES + PDV_HEADER_BYTES
/** A-ASSOCIATE-RJ, A-RELEASE-RQ, A-RELEASE-RP and A-ABORT all have four bytes after the header. */
export const SHORT_PDU_BYTES = 4

/** Message control header (PS3.8 §E.2): bit 0 command, bit 1 last fragment. */
export const CONTROL_COMMAND = 1
export const CONTROL_LAST = 2

/** A-ABORT: who, and why where it is the provider. */
export interface Abort {
  /** 0 service-user, 2 service-provider. */
  readonly source: number
  readonly reason: number
}

export function encodePdu (type: number, body: Uint8Array): Buffer {
  const pdu = Buffer.alloc(PDU_HEADER_BYTES + body.length)
  pdu[0] = type
  pdu.writeUInt32BE(body.length, 2)
  pdu.set(body, PDU_HEADER_BYTES)
  return pdu
}

export function encodeReject ({ result, source, reason }: Rejection): Buffer {
  return encodePdu(PDU.associateRj, Uint8Array.of(0, result, source, reason))
}

/** @throws ProtocolViolation */
export function decodeReject (body: Buffer): Rejection {
  assertShort(body)
  return { result: body[1]!, source: body[2]!, reason: body[3]! }
}

export function encodeReleaseRequest (): Buffer {
  return encodePdu(PDU.releaseRq, new Uint8Array(SHORT_PDU_BYTES))
}

export function encodeReleaseResponse (): Buffer {
  return encodePdu(PDU.releaseRp, new Uint8Array(SHORT_PDU_BYTES))
}

/** @throws ProtocolViolation */
export function assertShort (body: Buffer): void {
  if (body.length !== SHORT_PDU_BYTES) throw new ProtocolViolation(ABORT.invalidParameter, 'PDU is not 4 bytes long', { length: body.length })
}

export function encodeAbort ({ source, reason }: Abort): Buffer {
  return encodePdu(PDU.abort, Uint8Array.of(0, 0, source, reason))
}

/** @throws ProtocolViolation */
export function decodeAbort (body: Buffer): Abort {
  assertShort(body)
  return { source: body[2]!, reason: body[3]! }
}

/** Writes the headers of a P-DATA-TF with one presentation data value of `length` bytes. */
export function writeFragmentHeader (target: Buffer, at: number, contextId: number, control: number, length: number): void {
  target[at] = PDU.data
  target[at + 1] = 0
  target.writeUInt32BE(PDV_HEADER_BYTES + length, at + 2)
  target.writeUInt32BE(2 + length, at + 6)
  target[at + 10] = contextId
  target[at + 11] = control
}
