/**
 * Cuts the bytes of a socket into PDUs without joining them: the fragments of a P-DATA-TF are handed on as views
 * of the buffer that the socket brought, as soon as they come.
 *
 * Source: DICOM PS3.8 §9.3.1 (PDU header), §9.3.5 and Annex D.1 (P-DATA-TF, presentation data values).
 * Lengths are judged when they are announced; nothing is allocated for them.
 */

import { Gather } from './gather.ts'
import type { Limits } from './limits.ts'
import { PDU, PDU_HEADER_BYTES, PDV_HEADER_BYTES, SHORT_PDU_BYTES } from './pdu.ts'
import { ABORT, ProtocolViolation } from './reasons.ts'

/** Called while {@link PduReader.feed} runs. What they throw goes through it to the caller. */
export interface PduHandler {
  /** A P-DATA-TF begins; its fragments follow as they come. */
  dataBegins (): void
  /** Some bytes of a presentation data value: a view, never empty. */
  fragment (chunk: Buffer, contextId: number, control: number): void
  /** The presentation data value is complete. */
  fragmentEnds (contextId: number, control: number): void
  /** Any other PDU, complete. */
  pdu (type: number, body: Buffer): void
}

const PDU_HEADER = 0
const PDV_HEADER = 1
const PDV_VALUE = 2
const BODY = 3

export class PduReader {
  readonly #handler: PduHandler
  readonly #limits: Limits
  #awaits = PDU_HEADER
  /** A header that lies across two buffers. */
  readonly #header = Buffer.alloc(PDU_HEADER_BYTES)
  #headerBytes = 0
  #type = 0
  #pduLeft = 0
  #pdvLeft = 0
  #contextId = 0
  #control = 0
  readonly #body = new Gather()
  #stopped = false

  constructor (handler: PduHandler, limits: Limits) {
    this.#handler = handler
    this.#limits = limits
  }

  /** Makes {@link feed} return after the present call of the handler. */
  stop (): void {
    this.#stopped = true
  }

  /**
   * @returns how many bytes were used: all, unless the handler stopped it
   * @throws ProtocolViolation; the stream cannot be read on
   */
  feed (chunk: Buffer): number {
    const end = chunk.length
    let at = 0
    this.#stopped = false
    while (at < end && !this.#stopped) {
      if (this.#awaits === PDV_VALUE) at = this.#value(chunk, at)
      else if (this.#awaits === BODY) at = this.#gather(chunk, at)
      else if (this.#headerBytes === 0 && end - at >= PDU_HEADER_BYTES) {
        this.#judge(chunk, at)
        at += PDU_HEADER_BYTES
      } else {
        const copied = chunk.copy(this.#header, this.#headerBytes, at, at + PDU_HEADER_BYTES - this.#headerBytes)
        this.#headerBytes += copied
        at += copied
        if (this.#headerBytes === PDU_HEADER_BYTES) {
          this.#headerBytes = 0
          this.#judge(this.#header, 0)
        }
      }
    }
    return at
  }

  #judge (bytes: Buffer, at: number): void {
    if (this.#awaits === PDU_HEADER) this.#pduHeader(bytes[at]!, bytes.readUInt32BE(at + 2))
    else this.#pdvHeader(bytes.readUInt32BE(at), bytes[at + 4]!, bytes[at + 5]!)
  }

  #pduHeader (type: number, length: number): void {
    this.#assertLength(type, length)
    this.#type = type
    this.#pduLeft = length
    if (type === PDU.data) {
      this.#awaits = PDV_HEADER
      this.#handler.dataBegins()
    } else {
      this.#awaits = BODY
    }
  }

  #assertLength (type: number, length: number): void {
    if (type < PDU.associateRq || type > PDU.abort) throw new ProtocolViolation(ABORT.unrecognizedPdu, 'PDU of unknown type', { type })
    const least = type === PDU.data ? PDV_HEADER_BYTES : SHORT_PDU_BYTES
    const most = type === PDU.data
      ? this.#limits.pduBytesMax
      : type <= PDU.associateAc ? this.#limits.associateBytesMax : SHORT_PDU_BYTES
    if (length < least || length > most) throw new ProtocolViolation(ABORT.invalidParameter, 'PDU length out of bounds', { type, length })
  }

  #pdvHeader (length: number, contextId: number, control: number): void {
    if (length < 2 || length + 4 > this.#pduLeft) {
      throw new ProtocolViolation(ABORT.invalidParameter, 'presentation data value longer than its PDU, or too short', { length })
    }
    this.#pduLeft -= PDV_HEADER_BYTES
    this.#pdvLeft = length - 2
    this.#contextId = contextId
    this.#control = control
    this.#awaits = PDV_VALUE
    if (this.#pdvLeft === 0) this.#valueEnds()
  }

  #value (chunk: Buffer, at: number): number {
    const take = Math.min(this.#pdvLeft, chunk.length - at)
    this.#pdvLeft -= take
    this.#pduLeft -= take
    this.#handler.fragment(take === chunk.length ? chunk : chunk.subarray(at, at + take), this.#contextId, this.#control)
    if (this.#pdvLeft === 0) this.#valueEnds()
    return at + take
  }

  #valueEnds (): void {
    if (this.#pduLeft > 0 && this.#pduLeft < PDV_HEADER_BYTES) {
      throw new ProtocolViolation(ABORT.invalidParameter, 'bytes after the last presentation data value', { length: this.#pduLeft })
    }
    this.#awaits = this.#pduLeft > 0 ? PDV_HEADER : PDU_HEADER
    this.#handler.fragmentEnds(this.#contextId, this.#control)
  }

  #gather (chunk: Buffer, at: number): number {
    const take = Math.min(this.#pduLeft, chunk.length - at)
    this.#body.push(chunk.subarray(at, at + take))
    this.#pduLeft -= take
    if (this.#pduLeft === 0) {
      this.#awaits = PDU_HEADER
      this.#handler.pdu(this.#type, this.#body.take())
    }
    return at + take
  }
}
