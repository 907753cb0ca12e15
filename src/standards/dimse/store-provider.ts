/**
 * The SCP of C-STORE on one association: from the request to a sink, and the sink's word back.
 *
 * Source: DICOM PS3.7 §9.1.1, §9.3.1; PS3.4 Annex B. Serves both an association that a peer asked for and the
 * sub-operations of our own C-GET.
 */

import { isUid } from '#core/uid.ts'
import { COMMAND, NO_DATA_SET, RESPONSE, type CommandSet } from './command.ts'
import { encodeMessage } from './message.ts'
import type { Context } from './proposal.ts'
import { ABORT, ProtocolViolation } from './reasons.ts'
import { STATUS } from './status.ts'
import { HOLD, type UpperLayer } from './upper-layer.ts'

/** Who brings an object. */
export interface StorePeer {
  readonly title: string
  readonly address: string
  /** Counts associations of this process; objects of one association share it. */
  readonly associationId: number
  /** Our title, as the peer called it. */
  readonly calledTitle: string
}

export interface StoreRequest {
  readonly sopClassUid: string
  readonly sopInstanceUid: string
  readonly transferSyntaxUid: string
  /** Which C-MOVE made the peer send this, where he says. */
  readonly moveOriginator?: { readonly title: string, readonly messageId: number }
  readonly peer: StorePeer
}

/** Flow control of the association that brings this object. */
export interface Flow {
  /** Stops reading; nothing more is written to the sink after the present piece. */
  pause (): void
  resume (): void
  /** The sink has done with all that was written to it so far: its memory may be used again. */
  used (): void
}

export interface StoreSink {
  /**
   * A view of what the socket was read into. It stays as it is until the sink has answered, or says by
   * {@link Flow.used} that it doesn't need it any more. Never called after end or abort.
   */
  write (chunk: Buffer): void
  /** All bytes are here. The status is the response's, sent as soon as it is known: in the same turn if it is a plain number. */
  end (): number | Promise<number>
  /** The object will not be completed: the association ended, or broke a limit. */
  abort (reason: Error): void
}

/** Refuses with a status, or takes the object with a sink. */
export type StoreHandler = (request: StoreRequest, flow: Flow) => StoreSink | number

export class StoreProvider {
  readonly #upper: UpperLayer
  readonly #handler: StoreHandler
  readonly #peer: StorePeer
  readonly #pduBytesMax: number
  #context: Context | undefined
  #command: CommandSet | undefined
  #sink: StoreSink | undefined
  /** The answer to an object that has no sink: it is read to its end first, as the standard wants. */
  #refusal = 0
  /** Whose flow may still be steered. */
  #flowing: Flow | undefined

  constructor (upper: UpperLayer, handler: StoreHandler, peer: StorePeer, pduBytesMax: number) {
    this.#upper = upper
    this.#handler = handler
    this.#peer = peer
    this.#pduBytesMax = pduBytesMax
  }

  /** True from a C-STORE-RQ to the end of its data set. */
  get busy (): boolean { return this.#command !== undefined }

  /** @throws ProtocolViolation */
  begin (context: Context, command: CommandSet): void {
    if (command.MessageID === undefined) throw new ProtocolViolation(ABORT.invalidParameter, 'C-STORE-RQ without message ID')
    this.#context = context
    this.#command = command
    const request = this.#request(context, command)
    if (typeof request === 'number') {
      this.#refusal = request
      return
    }
    const flow: Flow = {
      pause: () => { if (this.#flowing === flow) this.#upper.hold(HOLD.flow) },
      resume: () => { if (this.#flowing === flow) this.#upper.resume(HOLD.flow) },
      used: () => { if (this.#flowing === flow) this.#upper.free() }
    }
    this.#flowing = flow
    try {
      const taken = this.#handler(request, flow)
      if (typeof taken === 'number') this.#refusal = taken
      else this.#sink = taken
    } catch {
      this.#refusal = STATUS.processingFailure
    }
  }

  data (chunk: Buffer): void {
    if (this.#sink === undefined) return
    this.#upper.keep()
    try {
      this.#sink.write(chunk)
    } catch (error) {
      this.#fail(error)
    }
  }

  ends (): void {
    const context = this.#context!
    const command = this.#command!
    const sink = this.#sink
    this.#command = undefined
    this.#sink = undefined
    const status = sink === undefined ? this.#refusal : ended(sink)
    if (typeof status === 'number') {
      this.#answer(context, command, status)
      return
    }
    this.#upper.hold(HOLD.answer)
    this.#answerLater(context, command, status)
  }

  /** The association is over. */
  abort (reason: Error): void {
    const sink = this.#sink
    this.#sink = undefined
    this.#command = undefined
    this.#flowing = undefined
    sink?.abort(reason)
  }

  #request (context: Context, command: CommandSet): StoreRequest | number {
    const { AffectedSOPClassUID: sopClassUid, AffectedSOPInstanceUID: sopInstanceUid, CommandDataSetType } = command
    if (sopClassUid !== context.abstractSyntax) return STATUS.sopClassNotSupported
    if (sopInstanceUid === undefined || !isUid(sopInstanceUid)) return STATUS.invalidInstance
    if (CommandDataSetType === NO_DATA_SET) return STATUS.cannotUnderstand
    const { MoveOriginatorApplicationEntityTitle: title, MoveOriginatorMessageID: messageId } = command
    return {
      sopClassUid,
      sopInstanceUid,
      transferSyntaxUid: context.transferSyntax,
      ...(title === undefined || messageId === undefined ? {} : { moveOriginator: { title, messageId } }),
      peer: this.#peer
    }
  }

  async #answerLater (context: Context, command: CommandSet, pending: Promise<number>): Promise<void> {
    const status = await pending.catch(() => STATUS.processingFailure)
    this.#answer(context, command, status)
    this.#upper.resume(HOLD.answer)
  }

  /** The sink failed by itself: what follows of the object is read and dropped. */
  #fail (error: unknown): void {
    const sink = this.#sink
    this.#sink = undefined
    this.#refusal = STATUS.processingFailure
    this.#upper.free()
    sink?.abort(error instanceof Error ? error : new Error('the sink failed', { cause: error }))
  }

  #answer (context: Context, command: CommandSet, status: number): void {
    this.#flowing = undefined
    this.#upper.free()
    this.#upper.resume(HOLD.flow)
    if (!this.#upper.established) return
    this.#upper.respond(encodeMessage(context.id, {
      AffectedSOPClassUID: command.AffectedSOPClassUID,
      CommandField: COMMAND.store | RESPONSE,
      MessageIDBeingRespondedTo: command.MessageID,
      CommandDataSetType: NO_DATA_SET,
      Status: status,
      AffectedSOPInstanceUID: command.AffectedSOPInstanceUID
    }, undefined, this.#pduBytesMax))
  }
}

function ended (sink: StoreSink): number | Promise<number> {
  try {
    return sink.end()
  } catch {
    return STATUS.processingFailure
  }
}
