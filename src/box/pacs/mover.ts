/**
 * Brings objects from the PACS: by C-MOVE to our own title, or by C-GET on the association that
 * asks, whichever this PACS allows.
 *
 * Source: DICOM PS3.4 §C.4.2 and §C.4.3.
 */

import { PeerError } from '#core/errors.ts'
import type { DicomJson } from '#standards/dicom/json.ts'
import { openAssociation, type Association } from '#standards/dimse/association.ts'
import type { Peer } from '#standards/dimse/connect.ts'
import { get } from '#standards/dimse/get.ts'
import type { Timers } from '#standards/dimse/limits.ts'
import { move } from '#standards/dimse/move.ts'
import { oneContextPerSyntax, type Proposal } from '#standards/dimse/proposal.ts'
import { QUERY_RETRIEVE, type MoveResult } from '#standards/dimse/query-retrieve.ts'
import type { StoreHandler } from '#standards/dimse/store-provider.ts'
import { classesOfModality } from './modality-classes.ts'
import { levelKeys, type InstanceName } from './query.ts'
import type { Dial, Slots } from './slots.ts'
import { proposedSyntaxes, receivingOrder, type ReceivingOrders } from './syntaxes.ts'

/** Presentation contexts of one association (PS3.8 §7.1.1.13: odd numbers from 1 to 255). */
const CONTEXTS_MAX = 128
const STUDY_ROOT_GET = QUERY_RETRIEVE.study.get
/** UIDs in one C-MOVE at image level: 100 of 65 bytes stay far below any identifier limit met. */
const UIDS_PER_REQUEST = 100

export interface Portion {
  readonly study: string
  /** All of the study when absent. */
  readonly series?: string
  /** All of the series when absent. */
  readonly instances?: readonly InstanceName[]
  /** These are all of the series: it is asked for by its own name. */
  readonly all?: boolean
  /** Of the series, where the PACS says. */
  readonly modality?: string
  /** Transfer syntaxes that whoever asked named, most liked first. */
  readonly preference?: readonly string[]
  /** How often it has been asked for before. */
  readonly attempt?: number
}

export interface MoverSettings {
  readonly method: 'move' | 'get'
  /** Our title, as the PACS knows it. */
  readonly destination: string
  /** What the listening side chooses by. */
  readonly orders: ReceivingOrders
  readonly moves: MovesUnderWay
  /** Of the associations that C-GET opens. */
  readonly timers: Partial<Timers>
}

/**
 * The C-MOVEs under way, by study. While one large object comes on an association that the PACS opened, it says
 * nothing on the one that asked (PS3.4 §C.4.2: a pending response comes between two sub-operations, if at all).
 */
export class MovesUnderWay {
  readonly #byStudy = new Map<string, Set<Association>>()

  async during<T> (study: string, association: Association, use: () => Promise<T>): Promise<T> {
    const moves = this.#byStudy.get(study) ?? new Set()
    this.#byStudy.set(study, moves.add(association))
    try {
      return await use()
    } finally {
      moves.delete(association)
      if (moves.size === 0 && this.#byStudy.get(study) === moves) this.#byStudy.delete(study)
    }
  }

  /** Bytes of this study have come: the PACS isn't silent. */
  heard (study: string): void {
    const moves = this.#byStudy.get(study)
    if (moves !== undefined) for (const association of moves) association.heard()
  }
}

export interface Mover {
  /**
   * Brings this portion; resolves when the PACS says that it has sent what it can.
   *
   * @param hasBegun whether something of it has arrived
   * @throws PeerError when the PACS gave no final answer, or one of failure with nothing sent
   */
  bring (portion: Portion, signal: AbortSignal, hasBegun: () => boolean): Promise<void>
}

export function mover ({ method, destination, orders, moves, timers }: MoverSettings, slots: Slots, peer: Peer, onStore: StoreHandler): Mover {
  return {
    async bring (portion, signal, hasBegun) {
      const getWith = async (identifier: DicomJson, offers: readonly Proposal[]): Promise<MoveResult> => {
        const dial: Dial = async dialSignal => await openAssociation(peer, offers, { signal: dialSignal, timers, onStore })
        return await slots.lend(signal, async association => await get(association, { identifier, signal }), { dial })
      }
      const [apart, shared] = proposals(portion)
      const order = receivingOrder(portion.preference, portion.attempt)
      for (const identifier of identifiers(portion)) {
        if (method === 'move') {
          assertSomethingSent(await slots.lend(signal, async association => await orders.during(order,
            async () => await moves.during(portion.study, association,
              async () => await move(association, { identifier, destination, signal }))), { hasBegun }))
          continue
        }
        const result = await getWith(identifier, apart)
        // A PACS that takes the first context of a class, whatever its syntax, does better where it chooses itself.
        assertSomethingSent(isNothing(result) ? await getWith(identifier, shared) : result)
      }
    }
  }
}

function * identifiers ({ study, series, instances, all = false }: Portion): Generator<DicomJson> {
  if (instances === undefined || all) {
    yield levelKeys(series === undefined ? 'STUDY' : 'SERIES', study, series)
    return
  }
  for (let first = 0; first < instances.length; first += UIDS_PER_REQUEST) {
    yield levelKeys('IMAGE', study, series, instances.slice(first, first + UIDS_PER_REQUEST).map(one => one.sopInstanceUid))
  }
}

/**
 * Contexts for the classes that will come: first one for each syntax, so that the PACS can send every
 * object as it holds it, where an association has room for them; then one for each class.
 */
function proposals ({ instances, modality, preference, attempt }: Portion): [apart: Proposal[], shared: Proposal[]] {
  // SOP Class UID is an optional key (PS3.4 Table C.6-5): of a PACS that won't tell it, what the modality makes is expected.
  const named = instances?.map(one => one.sopClassUid) ?? [undefined]
  const classes = [...new Set(named.flatMap(uid => uid ?? classesOfModality(modality)))]
  const own: Proposal = { abstractSyntax: STUDY_ROOT_GET, transferSyntaxes: ['1.2.840.10008.1.2.1', '1.2.840.10008.1.2'] }
  const transferSyntaxes = proposedSyntaxes(preference, attempt)
  const stores = classes.map(abstractSyntax => ({ abstractSyntax, transferSyntaxes, scpRole: true }))
  const apart = oneContextPerSyntax(stores)
  const shared = [own, ...stores.slice(0, CONTEXTS_MAX - 1)]
  return [apart.length < CONTEXTS_MAX ? [own, ...apart] : shared, shared]
}

/** Refused, or failed without anything sent. */
function isNothing ({ status, completed }: MoveResult): boolean {
  return status !== 0x0000 && status !== 0xB000 && status !== 0xFE00 && (completed ?? 0) === 0
}

/** FF00 and B000 are progress and warning; a failure counts only if nothing came of it. */
function assertSomethingSent (result: MoveResult): void {
  const { status } = result
  if (!isNothing(result) && status !== 0xFE00) return
  if (status === 0xFE00) throw new PeerError('CANCELLED', 'the retrieve was cancelled')
  throw new PeerError('PACS_STATUS', 'the PACS refused the retrieve', {
    facts: { status: `0x${status.toString(16).toUpperCase().padStart(4, '0')}`, failed: result.failed, errorComment: result.errorComment }
  })
}
