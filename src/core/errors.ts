/**
 * How this product fails: one class per reaction, one code per cause.
 *
 * A code is a promise: runbooks, dashboards and tests quote it, so a code is never renamed.
 * `facts` may be logged and shown to anyone; a patient's name, an INS or a line of a report never
 * goes there.
 */

/** What may be logged and shown: numbers, UIDs, titles, addresses. Nothing that names a patient. */
export type Facts = Readonly<Record<string, string | number | boolean | undefined | readonly string[]>>

export interface Details {
  readonly cause?: unknown
  readonly facts?: Facts
}

export abstract class DrimboxError extends Error {
  abstract readonly code: Code
  readonly facts: Facts

  constructor (message: string, details: Details = {}) {
    super(message, details.cause === undefined ? {} : { cause: details.cause })
    this.name = new.target.name
    this.facts = details.facts ?? {}
  }
}

/** The caller asked for something that we cannot accept. Trying again changes nothing. */
export type RequestCode =
  | 'UID_INVALID' // not a DICOM UID (PS3.5 §9.1)
  | 'QUERY_INVALID' // a query key or value that the standard doesn't allow
  | 'ACCEPT_INVALID' // an Accept header that cannot be read
  | 'ACCEPT_UNSUPPORTED' // readable, but nothing in it can be given
  | 'MEDIA_UNSUPPORTED' // a request body of a media type, or an encoding, that isn't taken
  | 'HEADER_MISSING' // a header that the national profile demands is absent
  | 'TOKEN_REFUSED' // no bearer token, or one that isn't active
  | 'MANIFEST_UNKNOWN' // no published manifest (KOS) covers what was asked
  | 'STUDY_UNKNOWN' // the PACS has no such study
  | 'SERIES_UNKNOWN'
  | 'INSTANCE_UNKNOWN'
  | 'FRAME_UNKNOWN'
  | 'BULKDATA_UNKNOWN' // the instance has no such value, or nothing that is bulk data
  | 'ROUTE_UNKNOWN' // no such resource here
  | 'METHOD_REFUSED' // a resource that has no such method
  | 'PRECONDITION_FAILED' // If-Match or If-Unmodified-Since no longer holds (RFC 9110 §13.1)
  | 'RANGE_UNSATISFIABLE' // a byte range beyond the end (RFC 9110 §14.2)
  | 'NOT_OFFERED' // a resource of the standard that this release doesn't serve
  | 'PIXELS_UNREADABLE' // stored pixel data that can't be decoded: as stored they can still be had
  | 'PIXELS_TOO_LARGE' // more pixels in one frame than may be decoded here
  | 'RENDER_UNSUPPORTED' // an object of which no picture can be made
  | 'DATA_MALFORMED' // bytes that aren't what they should be (DICOM, multipart, JSON)

export class RequestError extends DrimboxError {
  readonly code: RequestCode
  constructor (code: RequestCode, message: string, details?: Details) {
    super(message, details)
    this.code = code
  }
}

/** A system that we talk to refused, vanished or was too slow. Later may work. */
export type PeerCode =
  | 'PACS_UNREACHABLE' // no TCP, or TLS failed
  | 'PACS_REJECTED' // A-ASSOCIATE-RJ, with the standard's reason in facts
  | 'PACS_ABORTED' // A-ABORT or a closed connection in the middle
  | 'PACS_TIMEOUT' // silent for longer than the setting
  | 'PACS_STATUS' // a DIMSE status of failure, in facts as four hexadecimal digits
  | 'PACS_CONTEXT' // no presentation context for what we need
  | 'PACS_INCOMPLETE' // sent less than it has
  | 'PACS_RESTING' // our circuit breaker is open, or it isn't an hour at which this PACS may be asked
  | 'PROTOCOL_VIOLATION' // the peer broke PS3.8 or PS3.7
  | 'CANCELLED' // whoever asked went away

export class PeerError extends DrimboxError {
  readonly code: PeerCode
  constructor (code: PeerCode, message: string, details?: Details) {
    super(message, details)
    this.code = code
  }
}

/** This machine has reached one of its own limits. Later may work. */
export type CapacityCode =
  | 'STORE_FULL' // the cache's disk, or the bytes it may take
  | 'STORE_FAILED' // the disk refused a read or a write
  | 'BUSY' // too many callers at once
  | 'CLOSING' // the box is about to restart

export class CapacityError extends DrimboxError {
  readonly code: CapacityCode
  constructor (code: CapacityCode, message: string, details?: Details) {
    super(message, details)
    this.code = code
  }
}

/** A setting is wrong. Only a person can help. */
export class SettingError extends DrimboxError {
  readonly code = 'SETTING_INVALID'
}

/** The TPM, as drimbox-signer sees it. The machine is at fault, not the caller. */
export type TpmCode =
  | 'TPM_ABSENT' // no device, or nothing behind it
  | 'TPM_LOCKOUT' // it protects itself from guessing: what counts failures is refused for a while
  | 'TPM_TIMEOUT' // silent for longer than a command may take
  | 'TPM_FAILED' // any other refusal, with its response code in facts

export class TpmError extends DrimboxError {
  readonly code: TpmCode
  constructor (code: TpmCode, message: string, details?: Details) {
    super(message, details)
    this.code = code
  }
}

/** A signing key that isn't there, or that can't be made. Trying again changes nothing. */
export type KeyCode =
  | 'KEY_UNKNOWN' // no such key here
  | 'KEY_EXISTS' // there is one of this name, of another kind
  | 'KEY_LIMIT' // as many keys as this box holds
  | 'KEY_UNREADABLE' // its file isn't what was written

export class KeyError extends DrimboxError {
  readonly code: KeyCode
  constructor (code: KeyCode, message: string, details?: Details) {
    super(message, details)
    this.code = code
  }
}

/** What only drimbox-signer answers with. */
export type SignerCode = TpmCode | KeyCode
export type Code = RequestCode | PeerCode | CapacityCode | SettingError['code'] | SignerCode
