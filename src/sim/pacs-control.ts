/**
 * Faults on demand: what an old, tired or mistaken PACS does, each as one method of its control
 * handle. Whatever is asked for holds until {@link PacsControl.reset}, or for as many times as said.
 */

import { setTimeout as delay } from 'node:timers/promises'

export type Service = 'echo' | 'find' | 'move' | 'get' | 'store'

/** What has been asked of the PACS since it started, or since the last reset. */
export interface Seen {
  echoes: number
  finds: number
  moves: number
  gets: number
  stores: number
  cancels: number
  aborts: number
  /** Accepted ones. */
  associations: number
  rejections: number
  /** Accepted ones that are still open. */
  associationsOpen: number
  /** At the same time, at most. */
  associationsMax: number
}

/** One C-FIND, C-MOVE or C-GET, as it was asked. */
export interface Asked {
  readonly service: 'find' | 'move' | 'get'
  readonly callingTitle: string
  readonly level: string
  readonly identifier: Readonly<Record<string, unknown>>
  readonly destination?: string
}

/** PS3.8 Table 9-21: result, source and reason of an A-ASSOCIATE-RJ. */
export interface Rejection { readonly result: number, readonly source: number, readonly reason: number }

export const REJECTIONS = {
  callingTitle: { result: 1, source: 1, reason: 3 }, // permanent, calling-AE-title-not-recognized
  calledTitle: { result: 1, source: 1, reason: 7 }, // permanent, called-AE-title-not-recognized
  noReason: { result: 1, source: 1, reason: 1 },
  congestion: { result: 2, source: 3, reason: 1 }, // transient, temporary-congestion
  localLimit: { result: 2, source: 3, reason: 2 } // transient, local-limit-exceeded
} as const satisfies Record<string, Rejection>

/** A point that the PACS reaches and does not pass until it is let through. */
export interface Gate {
  /** Resolves when the PACS stands before the gate. */
  readonly reached: Promise<void>
  /** Lets it through, and whatever comes after. */
  release (): void
}

interface Faults {
  refusals: { rejection: Rejection, times: number } | undefined
  strangers: Set<string>
  answerDelayMs: number
  subOperationDelayMs: number
  answerGate: { gate: OpenGate, after: number } | undefined
  subOperationGate: { gate: OpenGate, after: number } | undefined
  cut: { bytes?: number, instances?: number } | undefined
  forgotten: Set<string>
  skipped: number
  failing: { status: number, instances: number } | undefined
  ending: { status: number, afterInstances: number, comment: string } | undefined
  duplicated: number
  mislabelled: number
  foreign: boolean
  findEnding: { status: number, afterAnswers: number } | undefined
  answersTwice: boolean
  foreignAnswers: boolean
  storeEnding: { status: number, after: number } | undefined
  silent: Set<Service | 'association'>
  countsHidden: boolean
  unsupported: Set<Service>
}

class OpenGate implements Gate {
  readonly reached: Promise<void>
  readonly #arrive: () => void
  readonly #opened: Promise<void>
  readonly release: () => void

  constructor () {
    const arrival = Promise.withResolvers<undefined>()
    const opening = Promise.withResolvers<undefined>()
    this.reached = arrival.promise
    this.#arrive = () => { arrival.resolve(undefined) }
    this.#opened = opening.promise
    this.release = () => { opening.resolve(undefined) }
  }

  async pass (): Promise<void> {
    this.#arrive()
    await this.#opened
  }
}

export class PacsControl {
  readonly seen: Seen = nothingSeen()
  /** Each C-FIND, C-MOVE and C-GET in order: which level, which keys. */
  readonly asked: Asked[] = []
  #faults: Faults = noFaults()

  /** Refuses the next `times` associations, whoever asks, as an overloaded or restarting PACS does. */
  refuseAssociations (rejection: Rejection = REJECTIONS.congestion, times = Infinity): void {
    this.#faults.refusals = { rejection, times }
  }

  /** Doesn't know this calling AE title (any more): calling-AE-title-not-recognized. */
  refuseCallingTitle (title: string): void {
    this.#faults.strangers.add(title)
  }

  /** Waits before each response: C-ECHO, each C-FIND match, each C-MOVE or C-GET response, C-STORE. */
  delayAnswers (milliseconds: number): void {
    this.#faults.answerDelayMs = milliseconds
  }

  /** Waits before each C-STORE sub-operation, as one that fetches from tape does. */
  delaySubOperations (milliseconds: number): void {
    this.#faults.subOperationDelayMs = milliseconds
  }

  /** Stops before a response, whatever it answers, once `after` more have left, until the gate is released. */
  pauseAnswers (after = 0): Gate {
    this.#faults.answerGate?.gate.release()
    const gate = new OpenGate()
    this.#faults.answerGate = { gate, after }
    return gate
  }

  /** Stops before a sub-operation, once `after` of the retrieve's instances have been sent, until released. */
  pauseSubOperations (after = 0): Gate {
    this.#faults.subOperationGate?.gate.release()
    const gate = new OpenGate()
    this.#faults.subOperationGate = { gate, after }
    return gate
  }

  /**
   * Loses its power in the middle of the next retrieve: both connections close, the one that sends
   * and the one that asked, once so many bytes of sub-operations (PDUs included) have left.
   */
  cutAfterBytes (bytes: number): void {
    this.#faults.cut = { bytes }
  }

  /** The same, once so many whole instances of the next retrieve have been acknowledged. */
  cutAfterInstances (instances: number): void {
    this.#faults.cut = { instances }
  }

  /** No longer has the study, series or instance of this UID: neither found nor sent. */
  forget (uid: string): void {
    this.#faults.forgotten.add(uid)
  }

  /** Leaves out the last `instances` of each retrieve, yet counts them as completed. */
  sendLess (instances: number): void {
    this.#faults.skipped = instances
  }

  /** Reports the first `instances` sub-operations of each retrieve as failed, without sending them. */
  failSubOperations (instances: number): void {
    this.#faults.failing = { status: 0xc000, instances }
  }

  /** Ends each retrieve early with this final status (0xA701, 0xC001, 0xB000, …), after so many instances. */
  endRetrievesWith (status: number, afterInstances = 0, comment = 'simulated fault'): void {
    this.#faults.ending = { status, afterInstances, comment }
  }

  /** Sends the first `instances` of each retrieve twice. */
  sendTwice (instances = 1): void {
    this.#faults.duplicated = instances
  }

  /** Announces the first `instances` of each retrieve under another SOP Instance UID than their data sets bear. */
  mislabel (instances = 1): void {
    this.#faults.mislabelled = instances
  }

  /** Ends each C-FIND with this final status (0xA700, 0xC001, …), after so many matches. */
  endFindsWith (status: number, afterAnswers = 0): void {
    this.#faults.findEnding = { status, afterAnswers }
  }

  /** Answers each C-STORE with this status once `after` more have gone well; a failure keeps nothing of the object. */
  answerStoresWith (status: number, after = 0): void {
    this.#faults.storeEnding = { status, after }
  }

  /** Gives each match of a C-FIND twice, as a PACS whose tables are joined carelessly does. */
  answerTwice (): void {
    this.#faults.answersTwice = true
  }

  /** Gives one match of another study before those that were asked for, whatever the unique keys say. */
  answerForeign (): void {
    this.#faults.foreignAnswers = true
  }

  /** Slips one instance of another study into each retrieve, before the others. */
  sendForeignInstance (): void {
    this.#faults.foreign = true
  }

  /** Takes such a request and never answers it; 'association' leaves the A-ASSOCIATE-RQ itself unanswered. */
  neverAnswer (service: Service | 'association'): void {
    this.#faults.silent.add(service)
  }

  /** Doesn't know NumberOf…Related… and ModalitiesInStudy, as many old PACS don't. */
  hideCounts (): void {
    this.#faults.countsHidden = true
  }

  /** Refuses the presentation contexts of a service: abstract-syntax-not-supported. */
  withoutService (service: Service): void {
    this.#faults.unsupported.add(service)
  }

  /** A healthy PACS again: every fault ends, every gate opens, counters start anew. */
  reset (): void {
    const { answerGate, subOperationGate } = this.#faults
    this.#faults = noFaults()
    answerGate?.gate.release()
    subOperationGate?.gate.release()
    const { associationsOpen } = this.seen
    Object.assign(this.seen, nothingSeen(), { associationsOpen, associationsMax: associationsOpen })
    this.asked.length = 0
  }

  // What follows is asked by the PACS itself.

  /** With what this association is to be refused, if it is. Counts one time down. */
  rejectionFor (callingTitle: string): Rejection | undefined {
    if (this.#faults.strangers.has(callingTitle)) return REJECTIONS.callingTitle
    const { refusals } = this.#faults
    if (refusals === undefined || refusals.times <= 0) return undefined
    refusals.times--
    return refusals.rejection
  }

  isSilent (service: Service | 'association'): boolean {
    return this.#faults.silent.has(service)
  }

  offers (service: Service): boolean {
    return !this.#faults.unsupported.has(service)
  }

  /** What the next C-STORE is answered with; undefined for what the PACS finds itself. */
  nextStoreStatus (): number | undefined {
    const { storeEnding } = this.#faults
    return storeEnding === undefined || storeEnding.after-- > 0 ? undefined : storeEnding.status
  }

  isForgotten (...uids: readonly string[]): boolean {
    return uids.some(uid => this.#faults.forgotten.has(uid))
  }

  get countsHidden (): boolean {
    return this.#faults.countsHidden
  }

  /** How one retrieve shall go wrong. Cuts are used up by it. */
  planRetrieve (): Pick<Faults, 'cut' | 'skipped' | 'failing' | 'ending' | 'duplicated' | 'mislabelled' | 'foreign'> {
    const { cut, skipped, failing, ending, duplicated, mislabelled, foreign } = this.#faults
    this.#faults.cut = undefined
    return { cut, skipped, failing, ending, duplicated, mislabelled, foreign }
  }

  /** How C-FINDs shall go wrong. */
  get findPlan (): Pick<Faults, 'findEnding' | 'answersTwice' | 'foreignAnswers'> {
    return this.#faults
  }

  /** Resolves when a response may leave. */
  async beforeAnswer (signal: AbortSignal): Promise<void> {
    const { answerGate, answerDelayMs } = this.#faults
    if (answerGate !== undefined && answerGate.after-- <= 0) await raced(answerGate.gate.pass(), signal)
    if (answerDelayMs > 0) await delay(answerDelayMs, undefined, { signal })
  }

  /** Resolves when the next sub-operation may start, `sent` having been done before it. */
  async beforeSubOperation (sent: number, signal: AbortSignal): Promise<void> {
    const { subOperationGate, subOperationDelayMs } = this.#faults
    if (subOperationGate !== undefined && sent >= subOperationGate.after) await raced(subOperationGate.gate.pass(), signal)
    if (subOperationDelayMs > 0) await delay(subOperationDelayMs, undefined, { signal })
  }
}

function noFaults (): Faults {
  return {
    refusals: undefined,
    strangers: new Set(),
    answerDelayMs: 0,
    subOperationDelayMs: 0,
    answerGate: undefined,
    subOperationGate: undefined,
    cut: undefined,
    forgotten: new Set(),
    skipped: 0,
    failing: undefined,
    ending: undefined,
    duplicated: 0,
    mislabelled: 0,
    foreign: false,
    findEnding: undefined,
    answersTwice: false,
    foreignAnswers: false,
    storeEnding: undefined,
    silent: new Set(),
    countsHidden: false,
    unsupported: new Set()
  }
}

function nothingSeen (): Seen {
  return {
    echoes: 0, finds: 0, moves: 0, gets: 0, stores: 0, cancels: 0, aborts: 0, associations: 0, rejections: 0, associationsOpen: 0, associationsMax: 0
  }
}

/** A gate must not outlive the association that waits at it. */
async function raced (promise: Promise<void>, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted()
  const { promise: aborted, reject } = Promise.withResolvers<never>()
  const onAbort = (): void => { reject(signal.reason as Error) }
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    await Promise.race([promise, aborted])
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}
