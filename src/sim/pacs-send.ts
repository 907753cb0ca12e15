/**
 * How the simulated PACS sends: C-STORE sub-operations, to a destination or back to who asked.
 *
 * Source: DICOM PS3.4 §B (Storage), §C.4.2.2 and §C.4.3.2; PS3.7 §9.1.1.
 * Built on dcmjs-dimse's network layer rather than on its Client, which decides about everything
 * before it dials: here something may have to happen between two objects.
 */

import { connect, type Socket } from 'node:net'
import dimse from 'dcmjs-dimse'
import type { Held } from './pacs-store.ts'

/**
 * A peer may be silent for as long as a test likes, even by a clock that is set years ahead: it is never
 * dcmjs-dimse that gives up.
 */
export const PATIENCE = { connectTimeout: 3_600_000, associationTimeout: Number.MAX_SAFE_INTEGER, pduTimeout: Number.MAX_SAFE_INTEGER } as const

/** PS3.8 §9.3.2: presentation context ids are odd and at most 255. */
const CONTEXTS_MAX = 128

/** A data set that is sent as the bytes that it is: dcmjs would drop private elements and rewrite character sets. */
export class BytesDataset extends dimse.Dataset {
  readonly #bytes: Buffer

  constructor (bytes: Buffer, transferSyntaxUid: string, elements: Record<string, unknown> = {}) {
    super(elements, transferSyntaxUid)
    this.#bytes = bytes
  }

  override getDenaturalizedDataset (): Buffer {
    return this.#bytes
  }
}

export interface MoveOriginator { readonly title: string, readonly messageId: number }

/** Something that can send an object: the status of the C-STORE response. */
export interface Sender {
  /** @throws when the connection is gone */
  store (held: Held, originator?: MoveOriginator): Promise<number>
}

/** 0122: SOP class not supported, for an object that no presentation context takes. */
const SOP_CLASS_NOT_SUPPORTED = 0x0122

type Network = InstanceType<typeof dimse.Scp>

/**
 * Sends one object on an established association.
 *
 * @param closed fires when the connection is gone
 */
export async function storeOn (network: Network, association: InstanceType<typeof dimse.association.Association>, held: Held, closed: AbortSignal, originator?: MoveOriginator): Promise<number> {
  closed.throwIfAborted()
  const accepted = association.getPresentationContexts().map(({ context }) => context)
    .filter(context => context.getResult() === dimse.constants.PresentationContextResult.Accept && context.getAbstractSyntaxUid() === held.sopClassUid)
    .map(context => context.getAcceptedTransferSyntaxUid())
  const syntax = held.syntaxes.find(one => accepted.includes(one))
  if (syntax === undefined) return SOP_CLASS_NOT_SUPPORTED
  const bytes = await held.bytes(syntax)
  closed.throwIfAborted()
  const request = new dimse.requests.CStoreRequest(new BytesDataset(bytes, syntax, { SOPClassUID: held.sopClassUid, SOPInstanceUID: held.sopInstanceUid }))
  if (originator !== undefined) {
    const command = request.getCommandDataset() as { setElement (keyword: string, value: string | number): void }
    command.setElement('MoveOriginatorApplicationEntityTitle', originator.title)
    command.setElement('MoveOriginatorMessageID', originator.messageId)
  }
  const { promise, resolve, reject } = Promise.withResolvers<number>()
  const onClosed = (): void => { reject(closed.reason as Error) }
  closed.addEventListener('abort', onClosed, { once: true })
  request.on('response', (response: { getStatus (): number }) => {
    forgetCommand(network)
    resolve(response.getStatus())
  })
  // dcmjs-dimse sends the next of its queue once a request is done; here each is alone in it.
  network.sendRequests(request)
  try {
    return await promise
  } finally {
    closed.removeEventListener('abort', onClosed)
  }
}

/**
 * dcmjs-dimse (0.3.3) keeps the bytes of a command without data set, and parses them again with
 * each such command that follows; it also keeps each request. A thousand C-STORE sub-operations on
 * one association would cost the square of that.
 */
export function forgetCommand (network: Network): void {
  (network as unknown as { dimseStream: unknown }).dimseStream = undefined
  const { pending } = network as unknown as { pending: unknown[] }
  pending.length = 0
}

export interface Destination { readonly host: string, readonly port: number }

/**
 * Lends an association for storing at a destination. It is released afterwards, or cut off when
 * `use` throws.
 *
 * @param objects what shall be sent: decides about the presentation contexts, one for each class
 *   and syntax
 * @throws Error when the destination can't be reached or refuses
 */
export async function withSender<T> (
  destination: Destination, titles: { calling: string, called: string }, objects: readonly Held[], signal: AbortSignal,
  cut: Cut | undefined, use: (sender: Sender) => Promise<T>
): Promise<T> {
  const socket = connect({ host: destination.host, port: destination.port, noDelay: true })
  cut?.watch(socket)
  const network = new dimse.Scp(socket, PATIENCE)
  const closing = new AbortController()
  const lost = (reason: string): void => { closing.abort(new Error(`destination ${titles.called}: ${reason}`)) }
  const onAbort = (): void => { socket.destroy() }
  signal.addEventListener('abort', onAbort, { once: true })
  network.on('close', () => { lost('connection closed') })
  network.on('networkError', (error: Error) => { lost(error.message); socket.destroy() })
  network.on('abort', () => { lost('aborted'); socket.destroy() })
  const association = new dimse.association.Association(titles.calling, titles.called)
  for (const [sopClassUid, syntax] of pairs(objects)) {
    association.addTransferSyntaxToPresentationContext(association.addPresentationContext(sopClassUid), syntax)
  }
  try {
    const { promise: accepted, resolve, reject } = Promise.withResolvers<undefined>()
    closing.signal.addEventListener('abort', () => { reject(closing.signal.reason as Error) }, { once: true })
    network.on('associationAccepted', () => { resolve(undefined) })
    network.on('associationRejected', ({ reason }: { reason: number }) => { lost(`refused, reason ${reason}`) })
    network.on('connect', () => { network.sendAssociationRequest(association) })
    await accepted
    const result = await use({
      store: async (held, originator) => await storeOn(network, association, held, closing.signal, originator)
    })
    // A destination that was lost on the way is told to whoever asked, at once.
    if (closing.signal.aborted) return result
    const released = new Promise<void>(resolve => {
      network.on('associationReleaseResponse', () => { resolve() })
      closing.signal.addEventListener('abort', () => { resolve() }, { once: true })
    })
    network.sendAssociationReleaseRequest()
    await released
    return result
  } finally {
    signal.removeEventListener('abort', onAbort)
    socket.destroySoon()
  }
}

/** Each class with each syntax in which one of its objects can be sent. */
function pairs (objects: readonly Held[]): [string, string][] {
  const seen = new Map<string, [string, string]>()
  for (const { sopClassUid, syntaxes } of objects) {
    for (const syntax of syntaxes) seen.set(`${sopClassUid} ${syntax}`, [sopClassUid, syntax])
  }
  return [...seen.values()].slice(0, CONTEXTS_MAX)
}

/** A power cut: what it watches lets so many bytes through, then closes in the middle of a PDU. */
export class Cut {
  #left: number
  readonly #sockets: Socket[] = []

  /** @param bytes how many may still leave; Infinity until {@link Cut.now} */
  constructor (bytes: number) {
    this.#left = bytes
  }

  /** Counts what this socket writes against the bytes that are left. */
  watch (socket: Socket): void {
    this.closeWith(socket)
    const write = socket.write.bind(socket) as (chunk: Buffer) => boolean
    socket.write = ((chunk: Buffer): boolean => {
      if (chunk.length <= this.#left) {
        this.#left -= chunk.length
        return write(chunk)
      }
      if (this.#left > 0) write(chunk.subarray(0, this.#left))
      this.#left = 0
      this.now()
      return false
    }) as typeof socket.write
  }

  /** Closes this one too when it happens. */
  closeWith (socket: Socket): void {
    this.#sockets.push(socket)
  }

  now (): void {
    for (const socket of this.#sockets) socket.destroySoon()
  }
}
