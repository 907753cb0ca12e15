/**
 * Hands objects to the PACS: C-STORE through its slots, several objects on one association, each in
 * the transfer syntax that it has.
 *
 * Source: DICOM PS3.4 Annex B, PS3.7 §9.1.1; PS3.18 Table I.2-2 (reasons).
 * An association is asked for with one presentation context for each class and syntax known by then,
 * and given back when nothing has come for a while: whoever delivers slowly keeps nobody from the PACS.
 */

import { CapacityError, DrimboxError, PeerError } from '#core/errors.ts'
import { FAILURE } from '#standards/dicomweb/store-response.ts'
import { openAssociation, type Association } from '#standards/dimse/association.ts'
import type { Peer } from '#standards/dimse/connect.ts'
import { VERIFICATION } from '#standards/dimse/echo.ts'
import type { Timers } from '#standards/dimse/limits.ts'
import type { Proposal } from '#standards/dimse/proposal.ts'
import { store, type StoredObject } from '#standards/dimse/store.ts'
import { IMPLICIT_LE } from '#standards/dicom/transfer-syntax.ts'
import type { Slots } from './slots.ts'

export type Deliverable = Pick<StoredObject, 'sopClassUid' | 'sopInstanceUid' | 'transferSyntaxUid'> & {
  /** The data set; asked for once, when its turn has come. */
  readonly dataset: () => StoredObject['dataset']
}

/** What became of an object. */
export interface Verdict {
  /** What the PACS answered; without an answer, a reason of Table I.2-2. */
  readonly status: number
  /** Why there was no answer. */
  readonly error?: DrimboxError
}

export interface DeliveryParts {
  readonly slots: Slots
  readonly peer: Peer
  readonly timers: Partial<Timers>
  /** How long an association waits for the next object, in milliseconds. */
  readonly lingerMs?: number
}

interface Waiting {
  readonly object: Deliverable
  readonly settle: (verdict: Verdict) => void
  /** The association that it was sent on ended before its answer: it is sent once more. */
  again?: boolean
}

/** Of the 128 presentation contexts of an association one is Verification's, and each pair may need a second one. */
const PAIRS_MAX = 63
/** A caller on a LAN sends the next object within this; one on a line that is slower than the PACS doesn't keep the PACS. */
const LINGER_MS = 1500
/** Associations in a row that end without a single answer before the PACS is believed to be gone. */
const SILENT_MAX = 3

/** One caller's objects, in order. */
export class Delivery {
  readonly #parts: DeliveryParts
  readonly #signal: AbortSignal
  readonly #queue: Waiting[] = []
  /** Class and syntax of what has come so far, the newest last. */
  readonly #pairs = new Map<string, Proposal>()
  #working: Promise<void> = Promise.resolve()
  #isWorking = false
  #news: () => void = () => {}
  #closing = false
  #silent = 0
  /** The PACS is gone: nothing more is tried. */
  #lost: DrimboxError | undefined

  /** @param signal ends what is under way: the object that is being sent may or may not have been stored */
  constructor (parts: DeliveryParts, signal: AbortSignal) {
    this.#parts = parts
    this.#signal = signal
  }

  /** Why nothing more is tried, where that is so. */
  get lost (): DrimboxError | undefined {
    return this.#lost
  }

  /** Resolves with what became of the object; never rejects. */
  async send (object: Deliverable): Promise<Verdict> {
    if (this.#lost !== undefined) return failed(this.#lost)
    const { promise, resolve } = Promise.withResolvers<Verdict>()
    this.#queue.push({ object, settle: resolve })
    this.#news()
    if (!this.#isWorking) {
      this.#isWorking = true
      this.#working = this.#work()
    }
    return await promise
  }

  /** No more will come: the association is given back as soon as all is sent. */
  async close (): Promise<void> {
    this.#closing = true
    this.#news()
    await this.#working
  }

  async #work (): Promise<void> {
    while (this.#queue.length > 0 && this.#lost === undefined) await this.#associate()
    for (const { settle } of this.#queue.splice(0)) settle(failed(this.#lost!))
    this.#isWorking = false
  }

  /** One association, as long as it is of use. */
  async #associate (): Promise<void> {
    const { slots, peer, timers } = this.#parts
    const proposals = this.#proposals()
    let opened = false
    try {
      await slots.lend(this.#signal, async association => {
        opened = true
        await this.#serve(association, new Set(proposals.map(pairOf)))
      }, { dial: async signal => await openAssociation(peer, proposals, { signal, timers }) })
    } catch (error) {
      // An object that can't be read back is no fault of the PACS's.
      if (error instanceof CapacityError) return
      if (!opened || this.#signal.aborted || ++this.#silent >= SILENT_MAX) this.#lost = asOurs(error)
    }
  }

  /** Sends what waits, as long as there is something that this association has a context for. */
  async #serve (association: Association, proposed: ReadonlySet<string>): Promise<void> {
    for (let next = await this.#next(); next !== undefined; next = await this.#next()) {
      const { object, settle } = next
      if (!proposed.has(pairOf({ abstractSyntax: object.sopClassUid, transferSyntaxes: [object.transferSyntaxUid] }))) {
        this.#queue.unshift(next)
        return
      }
      const refusal = refusalOf(association, object)
      if (refusal !== undefined) {
        settle({ status: refusal })
        continue
      }
      try {
        const { status } = await store(association, { ...object, dataset: object.dataset(), signal: this.#signal })
        this.#silent = 0
        settle({ status })
      } catch (error) {
        // It may have been stored or not. Storing it twice does no harm; the second answer tells.
        if (error instanceof PeerError && error.code === 'PACS_ABORTED' && next.again !== true) this.#queue.unshift({ ...next, again: true })
        else settle(failed(asOurs(error)))
        throw error
      }
    }
  }

  /** Undefined when nothing comes for a while, or nothing more will. */
  async #next (): Promise<Waiting | undefined> {
    if (this.#queue.length === 0 && !this.#closing && !this.#signal.aborted) {
      await new Promise<void>(resolve => {
        const timer = setTimeout(resolve, this.#parts.lingerMs ?? LINGER_MS)
        this.#news = () => {
          clearTimeout(timer)
          resolve()
        }
        this.#signal.addEventListener('abort', this.#news, { once: true })
      })
      this.#signal.removeEventListener('abort', this.#news)
    }
    return this.#signal.aborted ? undefined : this.#queue.shift()
  }

  /**
   * Verification as well, so that a PACS that takes none of the classes says so for each, instead of
   * aborting; and each class in the default transfer syntax (PS3.5 §10.1), which tells whether it is the
   * class or the syntax that isn't taken.
   */
  #proposals (): Proposal[] {
    for (const { object: { sopClassUid, transferSyntaxUid } } of this.#queue) {
      const proposal: Proposal = { abstractSyntax: sopClassUid, transferSyntaxes: [transferSyntaxUid] }
      this.#pairs.delete(pairOf(proposal))
      this.#pairs.set(pairOf(proposal), proposal)
    }
    // The first in the queue must find its context, whatever came before and after it.
    const [first] = this.#queue
    const own = pairOf({ abstractSyntax: first.object.sopClassUid, transferSyntaxes: [first.object.transferSyntaxUid] })
    const others = [...this.#pairs].filter(([pair]) => pair !== own).map(([, proposal]) => proposal)
    const pairs = [this.#pairs.get(own)!, ...others.slice(1 - PAIRS_MAX)]
    const classes = [VERIFICATION, ...new Set(pairs.map(({ abstractSyntax }) => abstractSyntax))]
    const plain = classes.map(abstractSyntax => ({ abstractSyntax, transferSyntaxes: [IMPLICIT_LE] }))
    return [...pairs, ...plain.filter(proposal => !this.#pairs.has(pairOf(proposal)))]
  }
}

function pairOf ({ abstractSyntax, transferSyntaxes }: Proposal): string {
  return `${abstractSyntax} ${transferSyntaxes[0]}`
}

/** Where the PACS accepted no context for this object: because of its class, or of its syntax. */
function refusalOf (association: Association, { sopClassUid, transferSyntaxUid }: Deliverable): number | undefined {
  if (association.contexts.some(context => context.abstractSyntax === sopClassUid && context.transferSyntax === transferSyntaxUid)) return undefined
  if (association.contexts.some(context => context.abstractSyntax === sopClassUid)) return FAILURE.transferSyntaxUnsupported
  const refusal = association.refusals.find(({ abstractSyntax, transferSyntaxes }) => abstractSyntax === sopClassUid && transferSyntaxes[0] === transferSyntaxUid)
  if (refusal?.why === 'transfer-syntaxes-not-supported') return FAILURE.transferSyntaxUnsupported
  return refusal?.why === 'user-rejection' ? FAILURE.notAuthorized : FAILURE.sopClassUnsupported
}

function failed (error: DrimboxError): Verdict {
  // A disk that doesn't give the object back is ours; the rest is the PACS's, or the way there.
  return { status: error.code === 'STORE_FULL' || error.code === 'STORE_FAILED' ? FAILURE.outOfResources : FAILURE.processing, error }
}

function asOurs (error: unknown): DrimboxError {
  return error instanceof DrimboxError ? error : new PeerError('PACS_ABORTED', 'the object could not be sent', { cause: error })
}
