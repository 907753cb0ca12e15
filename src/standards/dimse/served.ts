/**
 * One association that a peer asked for: C-ECHO and C-STORE answered, all else declined.
 *
 * Source: DICOM PS3.7 §9.1.1 (C-STORE), §9.1.5 (C-ECHO), §9.3.2.3 (C-CANCEL), Annex C (0211H); PS3.4 Annex A.
 */

import type { Socket } from 'node:net'
import { IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME } from '#standards/dicom/part10.ts'
import { PeerError } from '#core/errors.ts'
import { APPLICATION_CONTEXT, PROTOCOL_VERSION, type AssociateRequest } from './associate.ts'
import { COMMAND, NO_DATA_SET, RESPONSE, type CommandSet } from './command.ts'
import type { Inflow } from './inflow.ts'
import { PEER_PDU_BYTES_MIN, SENT_PDU_BYTES_MAX, type Limits, type Timers } from './limits.ts'
import { MessageReader, encodeMessage, type MessageHandler } from './message.ts'
import { negotiate } from './negotiate.ts'
import type { Context } from './proposal.ts'
import { ABORT, ProtocolViolation, type Rejection } from './reasons.ts'
import { STATUS } from './status.ts'
import { StoreProvider, type StoreHandler } from './store-provider.ts'
import { UpperLayer, type ServiceUser } from './upper-layer.ts'

export interface Caller {
  readonly callingTitle: string
  readonly calledTitle: string
  readonly address: string
}

/** What one served association needs of the server. */
export interface ServedParts {
  readonly associationId: number
  readonly address: string
  readonly timers: Timers
  readonly limits: Limits
  readonly transferSyntaxes: readonly string[]
  readonly abstractSyntaxes: ReadonlySet<string>
  readonly onStore: StoreHandler
  readonly onRequest: (request: AssociateRequest) => void
  /** Undefined to accept. */
  readonly refuse: (caller: Caller) => Rejection | undefined
  readonly onAccepted: (caller: Caller, contexts: number) => void
  readonly onRejected: (caller: Caller, rejection: Rejection) => void
  readonly onOver: (reason: PeerError | undefined) => void
  readonly onClosed: () => void
}

export class Served implements ServiceUser, MessageHandler {
  readonly #parts: ServedParts
  readonly #upper: UpperLayer
  readonly #messages: MessageReader
  #contexts: ReadonlyMap<number, Context> = new Map()
  #pduBytesMax = SENT_PDU_BYTES_MAX
  #stores: StoreProvider | undefined
  /** The request that is being read, unless it is a C-STORE. */
  #request: { contextId: number, command: CommandSet } | undefined

  constructor (socket: Socket, parts: ServedParts, inflow?: Inflow) {
    this.#parts = parts
    this.#messages = new MessageReader(this, parts.limits)
    this.#upper = new UpperLayer(socket, this, { timers: parts.timers, limits: parts.limits, facts: { address: parts.address }, inflow })
  }

  /** The server closes. */
  abort (): void {
    this.#upper.abort(new PeerError('CANCELLED', 'this side closes'))
  }

  indicated (request: AssociateRequest): void {
    this.#parts.onRequest(request)
    const caller = { callingTitle: request.callingTitle, calledTitle: request.calledTitle, address: this.#parts.address }
    const announced = request.userInformation.pduBytesMax
    if (announced !== 0 && announced < PEER_PDU_BYTES_MIN) {
      throw new ProtocolViolation(ABORT.invalidParameter, 'the peer wants PDUs too short to be useful', { announced })
    }
    const rejection = this.#parts.refuse(caller)
    if (rejection !== undefined) {
      this.#parts.onRejected(caller, rejection)
      this.#upper.reject(rejection)
      return
    }
    this.#pduBytesMax = Math.min(announced === 0 ? SENT_PDU_BYTES_MAX : announced, SENT_PDU_BYTES_MAX)
    const { answers, accepted } = negotiate(request.contexts, this.#parts.abstractSyntaxes, this.#parts.transferSyntaxes)
    this.#contexts = accepted
    this.#stores = new StoreProvider(this.#upper, this.#parts.onStore, {
      title: caller.callingTitle, address: caller.address, associationId: this.#parts.associationId, calledTitle: caller.calledTitle
    }, this.#pduBytesMax)
    this.#parts.onAccepted(caller, accepted.size)
    this.#upper.accept({
      protocolVersion: PROTOCOL_VERSION,
      calledTitle: request.calledTitle,
      callingTitle: request.callingTitle,
      applicationContext: APPLICATION_CONTEXT,
      contexts: answers,
      userInformation: {
        pduBytesMax: this.#parts.limits.pduBytesMax,
        implementationClassUid: IMPLEMENTATION_CLASS_UID,
        implementationVersion: IMPLEMENTATION_VERSION_NAME,
        roles: [],
        extended: []
      }
    })
  }

  confirmed (): void { /* we never ask */ }

  fragment (chunk: Buffer, contextId: number, control: number): void {
    this.#messages.fragment(chunk, contextId, control)
  }

  fragmentEnds (contextId: number, control: number): void {
    this.#messages.fragmentEnds(contextId, control)
  }

  command (contextId: number, command: CommandSet): void {
    const context = this.#contexts.get(contextId)
    if (context === undefined) throw new ProtocolViolation(ABORT.invalidParameter, 'request on a context that was not accepted', { contextId })
    if ((command.CommandField & RESPONSE) !== 0) throw new ProtocolViolation(ABORT.unexpectedParameter, 'response to nothing')
    if (command.CommandField === COMMAND.store) this.#stores!.begin(context, command)
    else this.#request = { contextId, command }
  }

  data (chunk: Buffer): void {
    this.#stores!.data(chunk)
  }

  messageEnds (): void {
    if (this.#stores!.busy) {
      this.#stores!.ends()
      return
    }
    const { contextId, command } = this.#request!
    this.#request = undefined
    // What it wants to stop has been answered already, or never came.
    if (command.CommandField === COMMAND.cancel) return
    if (command.MessageID === undefined) throw new ProtocolViolation(ABORT.invalidParameter, 'request without message ID')
    this.#upper.respond(encodeMessage(contextId, {
      AffectedSOPClassUID: command.AffectedSOPClassUID ?? command.RequestedSOPClassUID,
      CommandField: command.CommandField | RESPONSE,
      MessageIDBeingRespondedTo: command.MessageID,
      CommandDataSetType: NO_DATA_SET,
      Status: command.CommandField === COMMAND.echo ? STATUS.success : STATUS.unrecognizedOperation
    }, undefined, this.#pduBytesMax))
  }

  over (reason: PeerError | undefined): void {
    this.#stores?.abort(reason ?? new PeerError('PACS_ABORTED', 'the peer released the association in the middle of an object', { facts: { address: this.#parts.address } }))
    this.#parts.onOver(reason)
  }

  closed (): void {
    this.#parts.onClosed()
  }
}
