/**
 * The DICOM upper layer on one connected socket, for either side: does what the state table says.
 *
 * Source: DICOM PS3.8 §7 (services), §9.2 (state machine; the table itself is states.ts).
 * Owns the socket from the moment it is connected until it is closed, and every timer of the association. Knows
 * nothing of DIMSE: fragments are handed on, and messages to send come encoded.
 *
 * Each A-ABORT and each last answer (A-RELEASE-RP, A-ASSOCIATE-RJ) closes our half of the transport at once;
 * the peer's half is read on and ignored until it closes or ARTIM expires, so that our last words are not lost
 * in a reset.
 */

import assert from 'node:assert'
import type { Socket } from 'node:net'
import { PeerError, type Facts } from '#core/errors.ts'
import { Alarm } from './alarm.ts'
import {
  APPLICATION_CONTEXT, PROTOCOL_VERSION, decodeAssociateAccept, decodeAssociateRequest, encodeAssociateAccept,
  encodeAssociateRequest, type AssociateAccept, type AssociateRequest
} from './associate.ts'
import type { Inflow } from './inflow.ts'
import type { Limits, Timers } from './limits.ts'
import {
  PDU, assertShort, decodeAbort, decodeReject, encodeAbort, encodeReject, encodeReleaseRequest, encodeReleaseResponse, type Abort
} from './pdu.ts'
import { PduReader } from './reader.ts'
import { ABORT, ProtocolViolation, REJECTIONS, abortWords, rejectionWords, type Rejection } from './reasons.ts'
import { NEXT, TRANSITIONS, type Action, type Event, type State } from './states.ts'

/** Whoever uses the services of PS3.8 §7: the asking or the answering side of an association. */
export interface ServiceUser {
  /** Acceptor: an association is asked for. Answer by {@link UpperLayer.accept} or {@link UpperLayer.reject}. */
  indicated (request: AssociateRequest): void
  /** Requestor: the association stands. */
  confirmed (accept: AssociateAccept): void
  fragment (chunk: Buffer, contextId: number, control: number): void
  fragmentEnds (contextId: number, control: number): void
  /** The association is no more; without a reason it was released in order. Called once. */
  over (reason: PeerError | undefined): void
  /** The socket is closed. Called once, after `over`. */
  closed (): void
}

export interface UpperLayerOptions {
  readonly timers: Timers
  readonly limits: Limits
  /** Who the peer is, for errors. */
  readonly facts: Facts
  /** What the socket is read through; absent where Node's own buffers are used. */
  readonly inflow?: Inflow
}

/** Why nothing is read for now; several may hold at once. */
export const HOLD = {
  /** Whoever takes the object cannot take more yet. */
  flow: 1,
  /** A response is being prepared. */
  answer: 2,
  /** The peer doesn't take our responses. */
  drain: 4
} as const

/** What an event brings along. */
interface Detail {
  readonly request?: AssociateRequest
  readonly accept?: AssociateAccept
  readonly rejection?: Rejection
  readonly abort?: Abort
  readonly reason?: PeerError
}

const NO_DETAIL: Detail = {}

export class UpperLayer {
  readonly #socket: Socket
  readonly #user: ServiceUser
  readonly #options: UpperLayerOptions
  readonly #role: 'requestor' | 'acceptor'
  readonly #reader: PduReader
  #state: State = 1
  #isOver = false
  /** The stream of PDUs cannot be followed any more. */
  #broken = false
  /** Bytes read from the socket and not yet from us, while held. */
  #rest: Buffer | undefined
  #pumping = false
  #holds = 0
  #transportError: unknown
  #drained: PromiseWithResolvers<void> | undefined
  readonly #artim = new Alarm(() => { this.#on('ARTIM expired', { reason: this.#late('ARTIM') }) })
  readonly #total = new Alarm(() => { this.abort(this.#late('total')) })
  readonly #writing = new Alarm(() => { this.#cut(this.#late('write')) })
  readonly #silence = new Alarm(() => { this.abort(this.#late(this.#silencePhase)) })
  #silencePhase = ''
  #silenceSeconds = 0

  /** @param request what to ask for; absent where we are the one who is asked */
  constructor (socket: Socket, user: ServiceUser, options: UpperLayerOptions, request?: AssociateRequest) {
    this.#socket = socket
    this.#user = user
    this.#options = options
    this.#role = request === undefined ? 'acceptor' : 'requestor'
    this.#reader = new PduReader({
      dataBegins: () => { this.#on('P-DATA-TF') },
      fragment: (chunk, contextId, control) => { if (this.#state === 6) user.fragment(chunk, contextId, control) },
      fragmentEnds: (contextId, control) => { if (this.#state === 6) user.fragmentEnds(contextId, control) },
      pdu: (type, body) => { this.#pdu(type, body) }
    }, options.limits)
    socket.setNoDelay(true)
    const { inflow } = options
    if (inflow === undefined) {
      socket.on('data', (chunk: Buffer) => { this.#received(chunk) })
    } else {
      inflow.onBytes = chunk => {
        this.#received(chunk)
        return this.#rest === undefined
      }
      socket.resume()
    }
    socket.on('drain', () => { this.#drain() })
    socket.on('error', error => { this.#transportError = error })
    socket.on('end', () => { this.#transportClosed() })
    socket.on('close', () => { this.#socketClosed() })
    this.#total.start(options.timers.totalSeconds)
    if (request === undefined) {
      this.#on('transport indication')
    } else {
      this.#on('associate request')
      this.#on('transport confirm', { request })
    }
  }

  /** True while data may be sent. */
  get established (): boolean { return this.#state === 6 }

  get state (): State { return this.#state }

  accept (accept: AssociateAccept): void { this.#on('associate accept', { accept }) }

  reject (rejection: Rejection): void { this.#on('associate reject', { rejection }) }

  /** Sends one P-DATA-TF, or several in one buffer; pass a header and its value apart to save a copy. */
  send (...parts: readonly Uint8Array[]): void {
    this.#on('data request')
    for (const part of parts) if (part.length > 0) this.#write(part)
  }

  /** What `write` sends leaves in one system call. */
  corked (write: () => void): void {
    this.#socket.cork()
    try {
      write()
    } finally {
      this.#socket.uncork()
    }
  }

  /** Sends a response; if the peer doesn't take it, nothing more is read from him until he does. */
  respond (message: Uint8Array): void {
    this.send(message)
    if (this.#socket.writableNeedDrain) this.hold(HOLD.drain)
  }

  /** Resolves once the socket can take more, or the association is over: see {@link established}. */
  async drained (): Promise<void> {
    if (!this.#socket.writableNeedDrain || this.#isOver) return
    this.#drained ??= Promise.withResolvers<void>()
    await this.#drained.promise
  }

  release (): void { this.#on('release request') }

  /** Ends the association at once; `reason` is what {@link ServiceUser.over} is told. Harmless when it is over. */
  abort (reason: PeerError): void {
    if (this.#isOver || this.#state === 2) this.#cut(reason)
    else this.#on('abort request', { reason })
  }

  /** Reads nothing more: what is already here waits. */
  hold (why: number): void {
    if (this.#isOver) return
    if (this.#holds === 0) {
      this.#socket.pause()
      this.#silence.stop()
    }
    this.#holds |= why
    this.#reader.stop()
  }

  resume (why: number): void {
    if ((this.#holds & why) === 0) return
    this.#holds &= ~why
    // Not within the caller's own call: he may be in the middle of a write.
    if (this.#holds === 0) process.nextTick(() => { this.#flow() })
  }

  /** Fragments that were handed on are still in use. */
  keep (): void { this.#options.inflow?.keep() }

  /** They aren't any more: their memory may be overwritten. */
  free (): void { this.#options.inflow?.free() }

  /** From now on, silence of the peer for so long ends the association; bytes from him put it off. */
  watch (seconds: number, phase: string): void {
    this.#silencePhase = phase
    this.#silenceSeconds = seconds
    if (this.#holds === 0) this.#silence.start(seconds)
  }

  /** The peer has been heard of elsewhere: counts from now again. */
  heard (): void { this.#silence.putOff() }

  unwatch (): void {
    this.#silenceSeconds = 0
    this.#silence.stop()
  }

  #received (chunk: Buffer): void {
    if (this.#broken) return
    this.#silence.putOff()
    this.#rest = this.#rest === undefined ? chunk : Buffer.concat([this.#rest, chunk])
    this.#pump()
  }

  #pump (): void {
    if (this.#pumping) return
    this.#pumping = true
    try {
      while (this.#rest !== undefined && this.#holds === 0 && !this.#broken) {
        const chunk = this.#rest
        this.#rest = undefined
        const used = this.#reader.feed(chunk)
        if (used < chunk.length) this.#rest = chunk.subarray(used)
      }
    } catch (error) {
      if (!(error instanceof ProtocolViolation)) throw error
      this.#broken = true
      this.#rest = undefined
      this.#on('invalid PDU', { reason: error })
    } finally {
      this.#pumping = false
    }
  }

  #flow (): void {
    if (this.#holds !== 0 || this.#socket.destroyed) return
    if (this.#silenceSeconds > 0) this.#silence.start(this.#silenceSeconds)
    this.#pump()
    if (this.#holds === 0) this.#socket.resume()
  }

  #pdu (type: number, body: Buffer): void {
    switch (type) {
      case PDU.associateRq:
        this.#on('A-ASSOCIATE-RQ', this.#state === 2 ? { request: decodeAssociateRequest(body) } : NO_DETAIL)
        return
      case PDU.associateAc:
        this.#on('A-ASSOCIATE-AC', this.#state === 5 ? { accept: decodeAssociateAccept(body) } : NO_DETAIL)
        return
      case PDU.associateRj:
        this.#on('A-ASSOCIATE-RJ', { rejection: decodeReject(body) })
        return
      case PDU.abort:
        this.#on('A-ABORT', { abort: decodeAbort(body) })
        return
      default:
        assertShort(body)
        this.#on(type === PDU.releaseRq ? 'A-RELEASE-RQ' : 'A-RELEASE-RP')
    }
  }

  /** Looks up the table, goes to the next state and does what the action asks. */
  #on (event: Event, detail: Detail = NO_DETAIL): void {
    const action = TRANSITIONS[event][this.#state]
    assert(action != null, `${event} in Sta${this.#state}`)
    this.#state = NEXT[action]
    if (action !== 'DT-1' && action !== 'DT-2') this.#act(action, event, detail)
  }

  #act (action: Action, event: Event, detail: Detail): void {
    const { timers } = this.#options
    switch (action) {
      case 'AE-1': // the transport is connected before we get it
      case 'AR-6': // data that crosses our release: nothing is outstanding that could want it
      case 'AR-7': // we answer a release at once, so nothing of ours can follow it
      case 'AA-6':
      case 'AA-7': // our half is closed: a second A-ABORT cannot leave
        return
      case 'AE-2':
        this.#write(encodeAssociateRequest(detail.request!))
        this.watch(timers.associateSeconds, 'associate')
        return
      case 'AE-3':
        this.unwatch()
        this.#user.confirmed(detail.accept!)
        return
      case 'AE-4':
        this.#cut(this.#rejected(detail.rejection!))
        return
      case 'AE-5':
        this.#artim.start(timers.associateSeconds)
        return
      case 'AE-6':
        this.#judge(detail.request!)
        return
      case 'AE-7':
        this.watch(timers.idleSeconds, 'idle')
        this.#write(encodeAssociateAccept(detail.accept!))
        return
      case 'AE-8':
        this.#last(encodeReject(detail.rejection!), this.#rejected(detail.rejection!))
        return
      case 'AR-1':
        this.watch(timers.associateSeconds, 'release')
        this.#write(encodeReleaseRequest())
        return
      case 'AR-2':
        this.#on('release response')
        return
      case 'AR-3':
        this.#cut(undefined)
        return
      case 'AR-4':
        this.#last(encodeReleaseResponse(), undefined)
        return
      case 'AR-8':
        if (this.#role === 'requestor') this.#on('release response')
        else this.#state = 10
        return
      case 'AR-9':
        this.#write(encodeReleaseResponse())
        return
      case 'AR-10':
        this.#on('release response')
        return
      case 'AR-5':
      case 'AA-5':
        this.#cut(this.#closedByPeer())
        return
      case 'AA-1':
      case 'AA-8': {
        const reason = detail.reason ?? new ProtocolViolation(ABORT.unexpectedPdu, `${event} is out of turn`)
        this.#last(encodeAbort(reason instanceof ProtocolViolation ? { source: 2, reason: reason.abortReason } : { source: 0, reason: 0 }), reason)
        return
      }
      case 'AA-2':
        this.#cut(detail.reason ?? this.#aborted(detail.abort!))
        return
      case 'AA-3':
        this.#cut(this.#aborted(detail.abort!))
        return
      case 'AA-4':
        this.#cut(this.#closedByPeer())
    }
  }

  /** AE-6: what the provider refuses by itself goes no further. */
  #judge (request: AssociateRequest): void {
    this.#artim.stop()
    if ((request.protocolVersion & PROTOCOL_VERSION) === 0) this.reject(REJECTIONS.protocolVersion)
    else if (request.applicationContext !== APPLICATION_CONTEXT) this.reject(REJECTIONS.applicationContext)
    else this.#user.indicated(request)
  }

  /** Says a last word, then waits for the peer to close. */
  #last (pdu: Buffer, reason: PeerError | undefined): void {
    this.#end(reason)
    this.#artim.start(this.#options.timers.associateSeconds)
    this.#socket.end(pdu)
    this.#holds = 0
    this.#socket.resume()
  }

  /** Closes the transport without a word. */
  #cut (reason: PeerError | undefined): void {
    this.#state = 1
    this.#broken = true
    this.#reader.stop()
    this.#artim.stop()
    this.#end(reason)
    this.#socket.destroy()
  }

  #end (reason: PeerError | undefined): void {
    this.#silence.stop()
    this.#silenceSeconds = 0
    if (this.#isOver) return
    this.#isOver = true
    this.#user.over(reason)
    this.#drained?.resolve()
  }

  #write (bytes: Uint8Array): void {
    if (!this.#socket.write(bytes) && !this.#writing.isSet) this.#writing.start(this.#options.timers.writeSeconds)
  }

  #drain (): void {
    this.#writing.stop()
    this.#drained?.resolve()
    this.#drained = undefined
    this.resume(HOLD.drain)
  }

  #transportClosed (): void {
    if (this.#state !== 1) this.#on('transport closed')
  }

  #socketClosed (): void {
    this.#transportClosed()
    for (const alarm of [this.#artim, this.#total, this.#writing, this.#silence]) alarm.stop()
    this.#options.inflow?.close()
    this.#user.closed()
  }

  #late (phase: string): PeerError {
    return new PeerError('PACS_TIMEOUT', 'the peer was silent for too long', { facts: { ...this.#options.facts, phase } })
  }

  #closedByPeer (): PeerError {
    return new PeerError('PACS_ABORTED', 'the peer closed the connection', { cause: this.#transportError, facts: { ...this.#options.facts, reason: 'connection-closed' } })
  }

  #aborted ({ source, reason }: Abort): PeerError {
    return new PeerError('PACS_ABORTED', 'the peer aborted the association', { facts: { ...this.#options.facts, source, reason: abortWords(source, reason) } })
  }

  #rejected (rejection: Rejection): PeerError {
    return new PeerError('PACS_REJECTED', 'the association was refused', { facts: { ...this.#options.facts, ...rejection, why: rejectionWords(rejection) } })
  }
}
