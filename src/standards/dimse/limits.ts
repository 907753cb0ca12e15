/**
 * How long we wait for a peer, and how much of it we are willing to hold.
 *
 * Source: DICOM PS3.8 §9.1.5 (ARTIM timer) and §D.1 (maximum length); the other values are ours, each with
 * its reason. A peer's announcements never enlarge any of them.
 */

/** All in seconds, fractions allowed. */
export interface Timers {
  /** Until TCP, and TLS where it is used, stands. */
  readonly connectSeconds: number
  /** ARTIM: until the association is asked for, answered, released or its transport closed. */
  readonly associateSeconds: number
  /** Silence while we wait for a response. */
  readonly responseSeconds: number
  /** From a C-CANCEL to the final response. */
  readonly cancelSeconds: number
  /** Silence of a peer that asked for an association with us. */
  readonly idleSeconds: number
  /** Until the peer takes what we have written. */
  readonly writeSeconds: number
  /** Life of one association, whatever happens on it. */
  readonly totalSeconds: number
}

export const TIMERS: Timers = {
  connectSeconds: 10, // a firewall that drops SYN answers never; a LAN answers in milliseconds
  associateSeconds: 30, // what most PACS use
  responseSeconds: 300, // a PACS may fetch from slow storage before its first sub-operation
  cancelSeconds: 10, // a PACS looks for C-CANCEL between two responses
  idleSeconds: 300, // a PACS may read one object for minutes in the middle of a C-MOVE
  writeSeconds: 60, // a living peer empties a socket buffer in far less, even over a slow line
  totalSeconds: 12 * 3600 // longer than any retrieve; ends a peer that sends a byte now and then
}

/** All in bytes. */
export interface Limits {
  /** P-DATA-TF that we announce and accept. */
  readonly pduBytesMax: number
  /** A-ASSOCIATE-RQ or -AC that we read. */
  readonly associateBytesMax: number
  /** One command set. */
  readonly commandBytesMax: number
  /** One identifier in a response: a match, or the list of failed instances. */
  readonly identifierBytesMax: number
}

export const LIMITS: Limits = {
  pduBytesMax: 131072, // measured: 10 to 40 % faster than 16 KB, more brings nothing
  associateBytesMax: 262144, // 128 contexts with 30 transfer syntaxes each
  commandBytesMax: 16384, // the largest real ones have a few hundred bytes
  identifierBytesMax: 4 << 20 // 60 000 failed instance UIDs
}

/** Smallest P-DATA-TF that we are ready to cut our messages into: below it, headers outweigh the data. */
export const PEER_PDU_BYTES_MIN = 128
/** Longest P-DATA-TF that we send to a peer who accepts any length. */
export const SENT_PDU_BYTES_MAX = 131072
