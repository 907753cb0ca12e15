/**
 * Listens for associations: who may come in, and how many.
 *
 * Source: DICOM PS3.8 §7.1 (A-ASSOCIATE), Table 9-21; PS3.15 §B for secure transport.
 *
 * A socket that holds no association costs its place in a short queue: when the queue is full, the oldest in it
 * is closed. So a flood of silent sockets never keeps a modality or a PACS out, whatever ARTIM says.
 */

import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { createServer as createTlsServer, type TlsOptions } from 'node:tls'
import type { PeerError } from '#core/errors.ts'
import { Alarm } from './alarm.ts'
import type { AssociateRequest } from './associate.ts'
import { nextAssociationId } from './association-id.ts'
import { readThroughInflow, type Inflow } from './inflow.ts'
import { LIMITS, TIMERS, type Limits, type Timers } from './limits.ts'
import { Lobby, type Visitor } from './lobby.ts'
import { REJECTIONS, rejectionWords, type Rejection } from './reasons.ts'
import { Served, type Caller } from './served.ts'
import type { StoreHandler } from './store-provider.ts'

export type Admission = 'accept' | 'calling-title-unknown' | 'called-title-unknown' | 'no-reason' | 'busy'

const ADMISSIONS: Readonly<Record<Admission, Rejection | undefined>> = {
  accept: undefined,
  'calling-title-unknown': REJECTIONS.callingTitle,
  'called-title-unknown': REJECTIONS.calledTitle,
  'no-reason': REJECTIONS.noReason,
  busy: REJECTIONS.congestion
}

export interface ScpOptions {
  readonly host?: string
  /** 0 is any free one; see {@link Scp.port}. */
  readonly port: number
  /** Our AE titles. */
  readonly titles: readonly string[]
  /** May this caller talk to us? Asked after the title that he called was found to be ours. */
  readonly admit: (caller: Caller) => Admission
  /** Our order of preference among what is offered; asked for with each association where it may change. */
  readonly transferSyntaxes: readonly string[] | (() => readonly string[])
  /** Storage classes, and Verification. */
  readonly abstractSyntaxes: ReadonlySet<string>
  readonly onStore: StoreHandler
  readonly associationsMax?: number
  readonly associationsPerAddressMax?: number
  /** Sockets that hold no association. */
  readonly waitingMax?: number
  readonly waitingPerAddressMax?: number
  readonly timers?: Partial<Timers>
  readonly limits?: Partial<Limits>
  readonly tls?: TlsOptions
  readonly onEvent?: (event: ScpEvent) => void
  /** All that a caller proposes, before it is judged: for whoever proves a path, too much for a log. */
  readonly onRequest?: (request: AssociateRequest, address: string) => void
}

export type ScpEvent =
  | { readonly type: 'accepted', readonly associationId: number, readonly caller: Caller, readonly contexts: number }
  | { readonly type: 'rejected', readonly associationId: number, readonly caller: Caller, readonly why: string }
  | { readonly type: 'released', readonly associationId: number, readonly address: string }
  | { readonly type: 'ended', readonly associationId: number, readonly address: string, readonly reason: PeerError }
  /** The queue of sockets without an association was full. */
  | { readonly type: 'dropped', readonly address: string }
  | { readonly type: 'tls-failed', readonly address: string, readonly reason: string }
  /** A connection could not be taken, for example because this process has too many files open. */
  | { readonly type: 'listen-failed', readonly reason: string }

export interface Scp {
  readonly port: number
  /** How many stand now. */
  readonly associations: number
  /** Takes no more, aborts those that stand, and resolves when every socket is closed. */
  close (): Promise<void>
}

/** Enough for every modality of a large site to store at once. */
const ASSOCIATIONS_MAX = 256
/** A PACS opens one for each C-MOVE that we ask; some open several. */
const ASSOCIATIONS_PER_ADDRESS_MAX = 64
/** A peer asks for its association in the same breath as it connects: these wait for milliseconds only. */
const WAITING_MAX = 256
const WAITING_PER_ADDRESS_MAX = 64
/** For peers to read our A-ABORT when the server closes. */
const CLOSE_SECONDS = 1

/** @throws Error of node:net where the port cannot be had */
export async function listen (options: ScpOptions): Promise<Scp> {
  const desk = new Desk(options)
  const server = options.tls === undefined
    ? createServer({ noDelay: true, pauseOnConnect: true }, accepted => {
      const { socket, inflow } = readThroughInflow(accepted)
      desk.serve(socket, desk.receive(socket), inflow)
    })
    : listenSecurely(options.tls, desk)
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  server.on('error', error => {
    reject(error)
    desk.tell({ type: 'listen-failed', reason: error.message })
  })
  server.listen({ host: options.host, port: options.port }, resolve)
  await promise
  return {
    port: (server.address() as AddressInfo).port,
    get associations () { return desk.associations },
    async close () {
      const closed = new Promise(resolve => server.close(resolve))
      desk.close()
      const patience = new Alarm(() => { desk.cut() })
      patience.start(CLOSE_SECONDS)
      await closed
      patience.stop()
    }
  }
}

function listenSecurely (tls: TlsOptions, desk: Desk): Server {
  const handshaking = new Map<string, Arrival>()
  const server = createTlsServer({ handshakeTimeout: desk.timers.associateSeconds * 1000, ...tls, noDelay: true })
  // Under TLS: waits in the lobby from its first packet, as others do.
  server.on('connection', (transport: Socket) => {
    const endpoint = endpointOf(transport)
    const arrival = desk.receive(transport)
    handshaking.set(endpoint, arrival)
    transport.once('close', () => { if (handshaking.get(endpoint) === arrival) handshaking.delete(endpoint) })
  })
  server.on('secureConnection', socket => {
    const arrival = handshaking.get(endpointOf(socket))
    if (arrival === undefined) {
      socket.destroy()
      return
    }
    handshaking.delete(endpointOf(socket))
    arrival.sockets.push(socket)
    desk.serve(socket, arrival)
  })
  server.on('tlsClientError', (error, socket) => {
    desk.tell({ type: 'tls-failed', address: plainAddress(socket), reason: error.message })
    socket.destroy()
  })
  return server
}

/** A socket that has come in. */
class Arrival implements Visitor {
  readonly id: number
  readonly address: string
  /** The transport, and TLS over it. */
  readonly sockets: Socket[]

  constructor (id: number, socket: Socket) {
    this.id = id
    this.address = plainAddress(socket)
    this.sockets = [socket]
  }

  close (): void {
    for (const socket of this.sockets) socket.destroy()
  }
}

/** Knows who is in. */
class Desk {
  readonly timers: Timers
  readonly #limits: Limits
  readonly #options: ScpOptions
  readonly #lobby: Lobby
  readonly #arrivals = new Set<Arrival>()
  readonly #served = new Set<Served>()
  readonly #standing = new Map<Arrival, string>()

  constructor (options: ScpOptions) {
    this.#options = options
    this.timers = { ...TIMERS, ...options.timers }
    this.#limits = { ...LIMITS, ...options.limits }
    this.#lobby = new Lobby(options.waitingMax ?? WAITING_MAX, options.waitingPerAddressMax ?? WAITING_PER_ADDRESS_MAX,
      ({ address }) => { this.tell({ type: 'dropped', address }) })
  }

  get associations (): number { return this.#standing.size }

  tell (event: ScpEvent): void {
    this.#options.onEvent?.(event)
  }

  receive (socket: Socket): Arrival {
    const arrival = new Arrival(nextAssociationId(), socket)
    this.#arrivals.add(arrival)
    this.#lobby.enter(arrival)
    socket.once('close', () => {
      this.#arrivals.delete(arrival)
      this.#lobby.leave(arrival)
    })
    return arrival
  }

  serve (socket: Socket, arrival: Arrival, inflow?: Inflow): void {
    const { id: associationId, address } = arrival
    const { transferSyntaxes, abstractSyntaxes, onStore, onRequest } = this.#options
    let isRejected = false
    const served = new Served(socket, {
      associationId,
      address,
      timers: this.timers,
      limits: this.#limits,
      get transferSyntaxes () { return typeof transferSyntaxes === 'function' ? transferSyntaxes() : transferSyntaxes },
      abstractSyntaxes,
      onStore,
      onRequest: request => { onRequest?.(request, address) },
      refuse: caller => this.#refuse(caller),
      onAccepted: (caller, contexts) => {
        this.#lobby.leave(arrival)
        this.#standing.set(arrival, address)
        this.tell({ type: 'accepted', associationId, caller, contexts })
      },
      onRejected: (caller, rejection) => {
        isRejected = true
        this.tell({ type: 'rejected', associationId, caller, why: rejectionWords(rejection) })
      },
      onOver: reason => {
        // Until the socket is closed it waits where it waited before.
        if (this.#standing.delete(arrival) && this.#arrivals.has(arrival)) this.#lobby.enter(arrival)
        if (reason === undefined) this.tell({ type: 'released', associationId, address })
        else if (!isRejected) this.tell({ type: 'ended', associationId, address, reason })
      },
      onClosed: () => { this.#served.delete(served) }
    }, inflow)
    this.#served.add(served)
  }

  close (): void {
    for (const arrival of this.#arrivals) if (!this.#standing.has(arrival)) arrival.close()
    for (const served of this.#served) served.abort()
  }

  cut (): void {
    for (const arrival of this.#arrivals) arrival.close()
  }

  #refuse (caller: Caller): Rejection | undefined {
    const { titles, admit, associationsMax = ASSOCIATIONS_MAX, associationsPerAddressMax = ASSOCIATIONS_PER_ADDRESS_MAX } = this.#options
    if (!titles.includes(caller.calledTitle)) return REJECTIONS.calledTitle
    const refusal = ADMISSIONS[admit(caller)]
    if (refusal !== undefined) return refusal
    if (this.#standing.size >= associationsMax) return REJECTIONS.congestion
    const neighbours = [...this.#standing.values()].filter(address => address === caller.address).length
    return neighbours >= associationsPerAddressMax ? REJECTIONS.localLimit : undefined
  }
}

function endpointOf (socket: Socket): string {
  return `${socket.remoteAddress} ${socket.remotePort}`
}

/** IPv4 as IPv4, though the listening socket speaks IPv6. */
function plainAddress (socket: Socket): string {
  return (socket.remoteAddress ?? '').replace(/^::ffff:(?=\d+\.)/, '')
}
