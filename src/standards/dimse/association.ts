/**
 * One DICOM association, seen from the side that asks for it.
 *
 * Source: DICOM PS3.8 §7 (services), PS3.7 §9.1, §9.3 (operations and their messages).
 * Owns one socket, from dial to close, and one request at a time. Knows nothing of which PACS this is, of retries
 * or of patients.
 */

import type { Socket } from 'node:net'
import { PeerError, type Facts } from '#core/errors.ts'
import { IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME } from '#standards/dicom/part10.ts'
import { Alarm } from './alarm.ts'
import { nextAssociationId } from './association-id.ts'
import { APPLICATION_CONTEXT, PROTOCOL_VERSION, type AssociateAccept, type ProposedContext } from './associate.ts'
import { COMMAND, DATA_SET, NO_DATA_SET, RESPONSE, type CommandSet } from './command.ts'
import { connect, type Peer } from './connect.ts'
import { Gather } from './gather.ts'
import { LIMITS, PEER_PDU_BYTES_MIN, SENT_PDU_BYTES_MAX, TIMERS, type Limits, type Timers } from './limits.ts'
import { nextMessageId } from './message-id.ts'
import { MessageReader, encodeMessage } from './message.ts'
import { numberContexts, type Context, type Proposal } from './proposal.ts'
import { ABORT, ProtocolViolation, contextWords } from './reasons.ts'
import { sendObject, type ObjectSource } from './send-object.ts'
import { isPending } from './status.ts'
import { StoreProvider, type StoreHandler } from './store-provider.ts'
import { HOLD, UpperLayer } from './upper-layer.ts'

export interface AssociationOptions {
  /** Ends the opening of the association; with {@link withAssociation}, the association too. */
  readonly signal?: AbortSignal
  readonly timers?: Partial<Timers>
  readonly limits?: Partial<Limits>
  /** Takes the objects of a C-GET. */
  readonly onStore?: StoreHandler
}

/** One request and what it needs. */
export interface Exchange {
  readonly context: Context
  /** Without message ID and data set type, which are filled in. */
  readonly command: Omit<CommandSet, 'MessageID' | 'CommandDataSetType'>
  readonly messageId?: number
  /** Sent with the command, in one write. */
  readonly identifier?: Uint8Array
  /** Sent after the command as the peer takes it. */
  readonly object?: ObjectSource
  /** C-FIND, C-MOVE and C-GET are cancelled by a C-CANCEL; others end with the association. */
  readonly signal?: AbortSignal
  readonly onPending?: (response: Response) => void
}

export interface Response {
  readonly command: CommandSet
  readonly status: number
  /** Bytes in the transfer syntax of the request's context. */
  readonly identifier?: Buffer
}

export interface AssociationPeer {
  readonly title: string
  readonly address: string
  readonly implementationClassUid?: string
  readonly implementationVersion?: string
  /** Longest P-DATA-TF that it takes; 0 is any. */
  readonly pduBytesMax: number
}

interface Outstanding {
  readonly exchange: Exchange
  readonly messageId: number
  readonly final: PromiseWithResolvers<Response>
}

const CANCELLABLE: ReadonlySet<number> = new Set([COMMAND.find, COMMAND.move, COMMAND.get])

/** @throws PeerError PACS_UNREACHABLE, PACS_REJECTED, PACS_ABORTED, PACS_TIMEOUT, PACS_CONTEXT, PROTOCOL_VIOLATION, CANCELLED */
export async function openAssociation (peer: Peer, proposals: readonly Proposal[], options: AssociationOptions = {}): Promise<Association> {
  const socket = await connect(peer, options.timers?.connectSeconds ?? TIMERS.connectSeconds, options.signal)
  const association = new Association(socket, peer, proposals, options)
  await association.opened(options.signal)
  return association
}

/**
 * Lends an association to `use`, then releases it. If `use` throws or the signal fires, the association is
 * aborted instead. No way out leaves the socket open.
 */
export async function withAssociation<T> (peer: Peer, proposals: readonly Proposal[], options: AssociationOptions, use: (association: Association) => Promise<T>): Promise<T> {
  const association = await openAssociation(peer, proposals, options)
  const onAbort = (): void => { association.abort() }
  options.signal?.addEventListener('abort', onAbort)
  try {
    if (options.signal?.aborted === true) onAbort()
    const result = await use(association)
    await association.release()
    return result
  } catch (error) {
    association.abort()
    throw error
  } finally {
    options.signal?.removeEventListener('abort', onAbort)
  }
}

export class Association {
  readonly #upper: UpperLayer
  readonly #messages: MessageReader
  readonly #timers: Timers
  readonly #limits: Limits
  readonly #facts: Facts
  readonly #address: string
  readonly #proposed: readonly ProposedContext[]
  readonly #onStore: StoreHandler | undefined
  readonly #callingTitle: string
  readonly #calledTitle: string
  readonly #opened = Promise.withResolvers<void>()
  readonly #closed = Promise.withResolvers<void>()
  #accept: AssociateAccept | undefined
  #contexts: readonly Context[] = []
  #pduBytesMax = SENT_PDU_BYTES_MAX
  #stores: StoreProvider | undefined
  /** Why it is over; undefined while it stands. */
  #end: PeerError | undefined
  /** Settles when the request before is done. */
  #turn: Promise<void> = Promise.resolve()
  #outstanding: Outstanding | undefined
  /** The response that is being read. */
  #response: CommandSet | undefined
  readonly #identifier = new Gather()

  /** For {@link openAssociation}: takes over a connected socket. */
  constructor (socket: Socket, peer: Peer, proposals: readonly Proposal[], options: AssociationOptions) {
    this.#timers = { ...TIMERS, ...options.timers }
    this.#limits = { ...LIMITS, ...options.limits }
    this.#facts = { host: peer.host, port: peer.port, calledTitle: peer.calledTitle }
    this.#address = socket.remoteAddress ?? peer.host
    this.#proposed = numberContexts(proposals)
    this.#onStore = options.onStore
    this.#callingTitle = peer.callingTitle
    this.#calledTitle = peer.calledTitle
    this.#messages = new MessageReader({
      command: (contextId, command) => { this.#command(contextId, command) },
      data: chunk => { this.#data(chunk) },
      messageEnds: () => { this.#messageEnds() }
    }, this.#limits)
    this.#opened.promise.catch(() => {}) // whoever opens hears of it; nobody else need
    const roles = new Map(proposals.filter(({ scpRole }) => scpRole).map(({ abstractSyntax }) => [abstractSyntax, { sopClassUid: abstractSyntax, scu: false, scp: true }]))
    const extended = new Map(proposals.filter(proposal => proposal.extended !== undefined).map(({ abstractSyntax, extended }) => [abstractSyntax, { sopClassUid: abstractSyntax, information: extended! }]))
    this.#upper = new UpperLayer(socket, {
      indicated: () => {},
      confirmed: accept => { this.#confirmed(accept) },
      fragment: (chunk, contextId, control) => { this.#messages.fragment(chunk, contextId, control) },
      fragmentEnds: (contextId, control) => { this.#messages.fragmentEnds(contextId, control) },
      over: reason => { this.#over(reason) },
      closed: () => { this.#closed.resolve() }
    }, { timers: this.#timers, limits: this.#limits, facts: this.#facts }, {
      protocolVersion: PROTOCOL_VERSION,
      calledTitle: peer.calledTitle,
      callingTitle: peer.callingTitle,
      applicationContext: APPLICATION_CONTEXT,
      contexts: this.#proposed,
      userInformation: {
        pduBytesMax: this.#limits.pduBytesMax,
        implementationClassUid: IMPLEMENTATION_CLASS_UID,
        implementationVersion: IMPLEMENTATION_VERSION_NAME,
        roles: [...roles.values()],
        extended: [...extended.values()]
      }
    })
  }

  /** What the peer accepted: perhaps fewer than proposed, never none. */
  get contexts (): readonly Context[] { return this.#contexts }

  /** What the peer refused, with the standard's word for it. */
  get refusals (): readonly { readonly abstractSyntax: string, readonly transferSyntaxes: readonly string[], readonly why: string }[] {
    const results = new Map(this.#accept?.contexts.map(({ id, result }) => [id, result]))
    return this.#proposed.filter(({ id }) => results.get(id) !== 0)
      .map(({ id, abstractSyntax, transferSyntaxes }) => ({ abstractSyntax, transferSyntaxes, why: results.has(id) ? contextWords(results.get(id)!) : 'not-answered' }))
  }

  get peer (): AssociationPeer {
    const { pduBytesMax = 0, implementationClassUid, implementationVersion } = this.#accept?.userInformation ?? {}
    return {
      title: this.#calledTitle,
      address: this.#address,
      ...(implementationClassUid === undefined ? {} : { implementationClassUid }),
      ...(implementationVersion === undefined ? {} : { implementationVersion }),
      pduBytesMax
    }
  }

  /** False once it is released, aborted or closed. */
  get open (): boolean { return this.#upper.established }

  /** Resolves when the socket is closed; never rejects. */
  get closed (): Promise<void> { return this.#closed.promise }

  /** The accepted context for a class, by the caller's order of syntaxes where he has one. @throws PeerError PACS_CONTEXT */
  context (abstractSyntax: string, transferSyntaxes?: readonly string[]): Context {
    const candidates = this.#contexts.filter(context => context.abstractSyntax === abstractSyntax)
    const context = transferSyntaxes === undefined
      ? candidates[0]
      : transferSyntaxes.map(syntax => candidates.find(({ transferSyntax }) => transferSyntax === syntax)).find(found => found !== undefined)
    if (context === undefined) {
      throw new PeerError('PACS_CONTEXT', 'the peer accepted no presentation context for this', { facts: { ...this.#facts, abstractSyntax, transferSyntaxes } })
    }
    return context
  }

  /** What the peer accepted of a class' extended negotiation (PS3.7 §D.3.3.5). */
  extended (abstractSyntax: string): Uint8Array | undefined {
    return this.#accept?.userInformation.extended.find(({ sopClassUid }) => sopClassUid === abstractSyntax)?.information
  }

  /** For {@link openAssociation}: resolves when the association stands. */
  async opened (signal: AbortSignal | undefined): Promise<void> {
    const onAbort = (): void => { this.#upper.abort(cancelled(signal)) }
    signal?.addEventListener('abort', onAbort)
    try {
      if (signal?.aborted === true) onAbort()
      await this.#opened.promise
    } finally {
      signal?.removeEventListener('abort', onAbort)
    }
  }

  /** Waits for the request under way, releases, and resolves when the socket is closed. Harmless when it is over. */
  async release (): Promise<void> {
    await this.#turn
    if (this.open) this.#upper.release()
    await this.closed
  }

  /** Ends it at once. Harmless when it is over. */
  abort (): void {
    this.#upper.abort(new PeerError('CANCELLED', 'aborted by this side', { facts: this.#facts }))
  }

  /** The peer is at work on our request, as is seen elsewhere: its time to respond counts from now again. */
  heard (): void { this.#upper.heard() }

  /** Reads no responses for now. */
  pause (): void { this.#upper.hold(HOLD.flow) }

  resume (): void { this.#upper.resume(HOLD.flow) }

  /**
   * Makes one request and waits for its final response, after the requests made before it.
   *
   * @throws PeerError PACS_ABORTED, PACS_TIMEOUT, PROTOCOL_VIOLATION, CANCELLED: whatever ended the association
   */
  async perform (exchange: Exchange): Promise<Response> {
    const before = this.#turn
    const mine = Promise.withResolvers<void>()
    this.#turn = mine.promise
    await before
    try {
      return await this.#perform(exchange)
    } finally {
      mine.resolve()
    }
  }

  async #perform (exchange: Exchange): Promise<Response> {
    const { signal } = exchange
    if (signal?.aborted === true) throw cancelled(signal)
    if (!this.open) throw this.#end ?? new PeerError('PACS_ABORTED', 'the association is over', { facts: this.#facts })
    const outstanding: Outstanding = { exchange, messageId: exchange.messageId ?? nextMessageId(), final: Promise.withResolvers<Response>() }
    const cancelling = new Alarm(() => { this.#upper.abort(cancelled(signal)) })
    const onAbort = (): void => { this.#cancel(outstanding, cancelling) }
    this.#outstanding = outstanding
    signal?.addEventListener('abort', onAbort)
    try {
      const [response] = await Promise.all([outstanding.final.promise, this.#send(outstanding)])
      return response
    } catch (error) {
      // The association is over, unless the object to send couldn't be read: half of it cannot be taken back.
      this.#upper.abort(new PeerError('CANCELLED', 'the object to send could not be read', { cause: error, facts: this.#facts }))
      throw error
    } finally {
      signal?.removeEventListener('abort', onAbort)
      cancelling.stop()
      this.#upper.unwatch()
      this.#outstanding = undefined
    }
  }

  async #send ({ exchange, messageId }: Outstanding): Promise<void> {
    const { context, identifier, object } = exchange
    const command = { ...exchange.command, MessageID: messageId, CommandDataSetType: identifier === undefined && object === undefined ? NO_DATA_SET : DATA_SET }
    if (object === undefined) {
      this.#upper.send(encodeMessage(context.id, command, identifier, this.#pduBytesMax))
    } else {
      await sendObject(this.#upper, context.id, command, object, this.#pduBytesMax)
    }
    if (this.open) this.#upper.watch(this.#timers.responseSeconds, 'response')
  }

  #cancel ({ exchange, messageId }: Outstanding, cancelling: Alarm): void {
    if (!this.open || !CANCELLABLE.has(exchange.command.CommandField)) {
      this.#upper.abort(cancelled(exchange.signal))
      return
    }
    cancelling.start(this.#timers.cancelSeconds)
    this.#upper.send(encodeMessage(exchange.context.id, {
      CommandField: COMMAND.cancel,
      MessageIDBeingRespondedTo: messageId,
      CommandDataSetType: NO_DATA_SET
    }, undefined, this.#pduBytesMax))
  }

  #confirmed (accept: AssociateAccept): void {
    const { pduBytesMax } = accept.userInformation
    if (pduBytesMax !== 0 && pduBytesMax < PEER_PDU_BYTES_MIN) {
      throw new ProtocolViolation(ABORT.invalidParameter, 'the peer wants PDUs too short to be useful', { announced: pduBytesMax })
    }
    this.#accept = accept
    this.#pduBytesMax = Math.min(pduBytesMax === 0 ? SENT_PDU_BYTES_MAX : pduBytesMax, SENT_PDU_BYTES_MAX)
    this.#contexts = accept.contexts.flatMap(({ id, result, transferSyntax }) => {
      const proposed = this.#proposed.find(context => context.id === id)
      return result === 0 && proposed?.transferSyntaxes.includes(transferSyntax) === true ? [{ id, abstractSyntax: proposed.abstractSyntax, transferSyntax }] : []
    })
    if (this.#contexts.length === 0) {
      const refusals = this.refusals.map(({ abstractSyntax, why }) => `${abstractSyntax} ${why}`)
      this.#upper.abort(new PeerError('PACS_CONTEXT', 'the peer accepted none of the presentation contexts', { facts: { ...this.#facts, refusals } }))
      return
    }
    if (this.#onStore !== undefined) {
      this.#stores = new StoreProvider(this.#upper, this.#onStore, {
        title: this.#calledTitle, address: this.#address, associationId: nextAssociationId(), calledTitle: this.#callingTitle
      }, this.#pduBytesMax)
    }
    this.#opened.resolve()
  }

  #command (contextId: number, command: CommandSet): void {
    const context = this.#contexts.find(({ id }) => id === contextId)
    if (context === undefined) throw new ProtocolViolation(ABORT.invalidParameter, 'message on a context that was not accepted', { contextId })
    const { exchange, messageId } = this.#outstanding ?? {}
    if (command.CommandField === COMMAND.store && exchange?.command.CommandField === COMMAND.get && this.#stores !== undefined) {
      this.#stores.begin(context, command)
      return
    }
    if (command.CommandField !== ((exchange?.command.CommandField ?? 0) | RESPONSE) || command.MessageIDBeingRespondedTo !== messageId || exchange?.context.id !== contextId || command.Status === undefined) {
      throw new ProtocolViolation(ABORT.unexpectedParameter, 'message that answers nothing of ours', { command: command.CommandField })
    }
    this.#response = command
  }

  #data (chunk: Buffer): void {
    if (this.#response === undefined) {
      this.#stores!.data(chunk)
      return
    }
    if (this.#identifier.length + chunk.length > this.#limits.identifierBytesMax) {
      throw new ProtocolViolation(ABORT.notSpecified, 'identifier longer than we read')
    }
    this.#identifier.push(chunk)
  }

  #messageEnds (): void {
    const command = this.#response
    if (command === undefined) {
      this.#stores!.ends()
      return
    }
    this.#response = undefined
    const { exchange, final } = this.#outstanding!
    const status = command.Status!
    const response: Response = {
      command,
      status,
      ...(command.CommandDataSetType === NO_DATA_SET ? {} : { identifier: this.#identifier.take() })
    }
    if (isPending(status)) exchange.onPending?.(response)
    else final.resolve(response)
  }

  #over (reason: PeerError | undefined): void {
    this.#end = reason ?? new PeerError('PACS_ABORTED', 'the association was released', { facts: { ...this.#facts, reason: 'released' } })
    this.#stores?.abort(this.#end)
    this.#opened.reject(this.#end)
    this.#outstanding?.final.reject(this.#end)
  }
}

function cancelled (signal: AbortSignal | undefined): PeerError {
  return new PeerError('CANCELLED', 'whoever asked went away', { cause: signal?.reason })
}
