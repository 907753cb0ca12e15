/**
 * DIMSE messages: a command set and perhaps a data set, cut into presentation data values and put together again.
 *
 * Source: DICOM PS3.7 §6.3, §9.2; PS3.8 Annex E. Messages of one association follow one another: no asynchronous
 * operations window is negotiated, so nothing is interleaved.
 */

import { commandBytes, decodeCommand, encodeCommand, NO_DATA_SET, type CommandSet } from './command.ts'
import { Gather } from './gather.ts'
import type { Limits } from './limits.ts'
import { CONTROL_COMMAND, CONTROL_LAST, FRAGMENT_HEADER_BYTES, PDV_HEADER_BYTES, writeFragmentHeader } from './pdu.ts'
import { ABORT, ProtocolViolation } from './reasons.ts'

/** Called for each message: `command`, then `data` as the bytes come, then `messageEnds`. */
export interface MessageHandler {
  /** Whether something is wrong with this context is for the handler to say, by throwing. */
  command (contextId: number, command: CommandSet): void
  /** A view of the socket's buffer. */
  data (chunk: Buffer): void
  messageEnds (): void
}

export class MessageReader {
  readonly #handler: MessageHandler
  readonly #limits: Limits
  readonly #command = new Gather()
  /** The context whose command is being gathered, or whose data set is awaited; 0 between messages. */
  #contextId = 0
  #awaitsData = false

  constructor (handler: MessageHandler, limits: Limits) {
    this.#handler = handler
    this.#limits = limits
  }

  /** @throws ProtocolViolation */
  fragment (chunk: Buffer, contextId: number, control: number): void {
    this.#assertFits(contextId, control)
    if (this.#awaitsData) {
      this.#handler.data(chunk)
    } else {
      if (this.#command.length + chunk.length > this.#limits.commandBytesMax) {
        throw new ProtocolViolation(ABORT.invalidParameter, 'command set longer than we read')
      }
      this.#contextId = contextId
      this.#command.push(chunk)
    }
  }

  /** @throws ProtocolViolation */
  fragmentEnds (contextId: number, control: number): void {
    this.#assertFits(contextId, control)
    if ((control & CONTROL_LAST) === 0) return
    if (this.#awaitsData) {
      this.#ends()
      return
    }
    this.#contextId = contextId
    const command = decodeCommand(this.#command.take())
    this.#awaitsData = command.CommandDataSetType !== NO_DATA_SET
    this.#handler.command(contextId, command)
    if (!this.#awaitsData) this.#ends()
  }

  #ends (): void {
    this.#contextId = 0
    this.#awaitsData = false
    this.#handler.messageEnds()
  }

  #assertFits (contextId: number, control: number): void {
    if (this.#contextId !== 0 && contextId !== this.#contextId) {
      throw new ProtocolViolation(ABORT.unexpectedParameter, 'presentation context changed inside a message', { contextId })
    }
    if (((control & CONTROL_COMMAND) !== 0) === this.#awaitsData) {
      throw new ProtocolViolation(ABORT.unexpectedParameter, this.#awaitsData ? 'command set instead of a data set' : 'data set without a command', { contextId })
    }
  }
}

/** The whole message as one buffer, so that it can leave in one write. For what is small: no object's pixels. */
export function encodeMessage (contextId: number, command: CommandSet, dataset: Uint8Array | undefined, pduBytesMax: number): Buffer {
  const fragmentMax = fragmentBytesMax(pduBytesMax)
  const message = Buffer.alloc(
    fragmentedBytes(commandBytes(command), fragmentMax) +
    (dataset === undefined ? 0 : fragmentedBytes(dataset.length, fragmentMax)))
  const at = writeFragments(message, 0, contextId, CONTROL_COMMAND, encodeCommand(command), fragmentMax)
  if (dataset !== undefined) writeFragments(message, at, contextId, 0, dataset, fragmentMax)
  return message
}

/** What of a message fits into one PDU: an even number of bytes, since some peers take no odd fragments. */
export function fragmentBytesMax (pduBytesMax: number): number {
  return (pduBytesMax - PDV_HEADER_BYTES) & ~1
}

function fragmentedBytes (length: number, fragmentMax: number): number {
  return length + Math.max(1, Math.ceil(length / fragmentMax)) * FRAGMENT_HEADER_BYTES
}

function writeFragments (target: Buffer, at: number, contextId: number, control: number, bytes: Uint8Array, fragmentMax: number): number {
  let from = 0
  do {
    const to = Math.min(from + fragmentMax, bytes.length)
    writeFragmentHeader(target, at, contextId, to === bytes.length ? control | CONTROL_LAST : control, to - from)
    target.set(bytes.subarray(from, to), at + FRAGMENT_HEADER_BYTES)
    at += FRAGMENT_HEADER_BYTES + to - from
    from = to
  } while (from < bytes.length)
  return at
}
