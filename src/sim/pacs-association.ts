/**
 * One association that somebody has opened with the simulated PACS.
 *
 * Source: DICOM PS3.4 §A (Verification), §B (Storage), §C (Query/Retrieve); PS3.7 §D.3.3.4 (roles).
 */

import { setImmediate as turn } from 'node:timers/promises'
import type { Socket } from 'node:net'
import { Writable } from 'node:stream'
import dimse from 'dcmjs-dimse'
import { encodeAttributes } from './dataset-writer.ts'
import { find, foreignAnswer, readKeys, type Identifier, type Level } from './pacs-find.ts'
import { REJECTIONS, type PacsControl, type Service } from './pacs-control.ts'
import { refusedOutcome, retrieve, STATUS, type Counts, type Outcome, type RetrieveParts } from './pacs-retrieve.ts'
import { BytesDataset, Cut, forgetCommand, PATIENCE, storeOn, withSender, type Destination } from './pacs-send.ts'
import { plainText, type Held, type PacsStore, type UniqueKeys } from './pacs-store.ts'
import { EXPLICIT_LE, IMPLICIT_LE } from '#standards/dicom/transfer-syntax.ts'

export interface PacsParts {
  readonly aeTitle: string
  readonly store: PacsStore
  readonly control: PacsControl
  readonly destination: (title: string) => Destination | undefined
  readonly log: (line: string) => void
}

const SERVICES: Readonly<Record<string, Service | undefined>> = {
  '1.2.840.10008.1.1': 'echo',
  '1.2.840.10008.5.1.4.1.2.1.1': 'find',
  '1.2.840.10008.5.1.4.1.2.1.2': 'move',
  '1.2.840.10008.5.1.4.1.2.1.3': 'get',
  '1.2.840.10008.5.1.4.1.2.2.1': 'find',
  '1.2.840.10008.5.1.4.1.2.2.2': 'move',
  '1.2.840.10008.5.1.4.1.2.2.3': 'get'
}
/** PS3.4 §C.6.1: the classes of the Patient Root model. */
const PATIENT_ROOT = '1.2.840.10008.5.1.4.1.2.1.'
/** PS3.4 Table B.5-1: all of its UIDs begin so. */
const STORAGE = '1.2.840.10008.5.1.4.1.1.'

/** A received object may not be larger, so that a test that goes wrong doesn't eat the machine. */
const OBJECT_BYTES_MAX = 256 * 1024 * 1024

type DimseAssociation = InstanceType<typeof dimse.association.Association>
type PresentationContext = InstanceType<typeof dimse.association.PresentationContext>
type FindRequest = InstanceType<typeof dimse.requests.CFindRequest>
type MoveRequest = InstanceType<typeof dimse.requests.CMoveRequest>
type GetRequest = InstanceType<typeof dimse.requests.CGetRequest>
type StoreRequest = InstanceType<typeof dimse.requests.CStoreRequest>
type Request = InstanceType<typeof dimse.requests.Request>
type Response = InstanceType<typeof dimse.responses.Response>

/**
 * The class of the associations of one PACS.
 *
 * Responses leave through `sendResponse` and never through the callbacks of dcmjs-dimse, which may
 * be called only once, whereas a C-FIND has many responses.
 */
export function associationClass ({ aeTitle, store, control, destination, log }: PacsParts): typeof dimse.Scp {
  return class PacsAssociation extends dimse.Scp {
    readonly #socket: Socket
    readonly #closing = new AbortController()
    readonly #cancelled = new Set<number>()
    #association: DimseAssociation | undefined

    constructor (socket: Socket, options?: Record<string, unknown>) {
      super(socket, { ...options, ...PATIENCE })
      socket.setNoDelay(true)
      this.#socket = socket
      this.on('close', () => {
        this.#closing.abort(new Error('association closed'))
        if (this.#association !== undefined) control.seen.associationsOpen--
        this.#association = undefined
      })
    }

    override associationRequested (association: DimseAssociation): void {
      if (control.isSilent('association')) return
      const calling = association.getCallingAeTitle()
      const rejection = association.getCalledAeTitle() === aeTitle ? control.rejectionFor(calling) : REJECTIONS.calledTitle
      if (rejection !== undefined) {
        control.seen.rejections++
        log(`${calling} refused: ${rejection.result}/${rejection.source}/${rejection.reason}`)
        this.sendAssociationReject(rejection.result, rejection.source, rejection.reason)
        return
      }
      for (const { context } of association.getPresentationContexts()) answerContext(association, context)
      const { seen } = control
      seen.associations++
      seen.associationsOpen++
      seen.associationsMax = Math.max(seen.associationsMax, seen.associationsOpen)
      this.#association = association
      this.sendAssociationAccept()
    }

    override associationReleaseRequested (): void {
      this.sendAssociationReleaseResponse()
    }

    override abort (): void {
      control.seen.aborts++
      this.#socket.destroy()
    }

    override cEchoRequest (request: InstanceType<typeof dimse.requests.CEchoRequest>): void {
      forgetCommand(this)
      control.seen.echoes++
      const response = dimse.responses.CEchoResponse.fromRequest(request)
      response.setStatus(STATUS.success)
      this.#serve('echo', async () => { await this.#answer(request, response) })
    }

    override cCancelRequest (request: InstanceType<typeof dimse.requests.CCancelRequest>): void {
      forgetCommand(this)
      control.seen.cancels++
      this.#cancelled.add(request.getMessageIdBeingRespondedTo())
    }

    override cFindRequest (request: FindRequest): void {
      control.seen.finds++
      this.#serve('find', async () => { await this.#find(request) })
    }

    override cMoveRequest (request: MoveRequest): void {
      control.seen.moves++
      this.#serve('move', async () => { await this.#move(request) })
    }

    override cGetRequest (request: GetRequest): void {
      control.seen.gets++
      this.#serve('get', async () => { await this.#get(request) })
    }

    override createStoreWritableStream (): Writable {
      return new Collector()
    }

    override createDatasetFromStoreWritableStream (writable: Writable, context: PresentationContext, callback: (dataset: InstanceType<typeof dimse.Dataset>) => void): void {
      callback(new BytesDataset((writable as Collector).bytes, context.getAcceptedTransferSyntaxUid() ?? IMPLICIT_LE))
    }

    override cStoreRequest (request: StoreRequest): void {
      control.seen.stores++
      const response = dimse.responses.CStoreResponse.fromRequest(request)
      const dataset = request.getDataset() as BytesDataset
      const told = control.nextStoreStatus()
      const received = told === undefined || (told & 0xf000) === 0xb000
        ? store.receive(dataset.getDenaturalizedDataset(), dataset.getTransferSyntaxUid(), request.getAffectedSopClassUid(), request.getAffectedSopInstanceUid())
        : told
      response.setStatus(received === STATUS.success ? told ?? received : received)
      this.#serve('store', async () => { await this.#answer(request, response) })
    }

    /** Runs one request. When the association goes meanwhile, there is nobody left to tell. */
    #serve (service: Service, run: () => Promise<void>): void {
      if (control.isSilent(service)) return
      run().catch((error: unknown) => {
        log(`${service}: ${error instanceof Error ? error.message : String(error)}`)
        if (!this.#closing.signal.aborted) this.#socket.destroy()
      })
    }

    async #answer (request: Request, response: Response): Promise<void> {
      await control.beforeAnswer(this.#closing.signal)
      this.#closing.signal.throwIfAborted()
      response.setAffectedSopClassUid(request.getAffectedSopClassUid())
      this.sendResponse(request, response)
    }

    async #find (request: FindRequest): Promise<void> {
      const { identifier, patientRoot, explicitVr, syntax } = read(request)
      const asked = this.#note('find', request, identifier)
      const keys = readKeys(identifier, patientRoot, false)
      if ('refused' in keys) {
        await this.#endFind(request, STATUS.identifierMismatch, keys.refused)
        return
      }
      const options = { aeTitle, explicitVr, countsHidden: control.countsHidden }
      const { pendingStatus, answers } = find(store, keys.level, keys.keys, identifier, options)
      const { findEnding, answersTwice, foreignAnswers } = control.findPlan
      const foreign = foreignAnswers ? foreignAnswer(store, keys.level, identifier, options) : []
      let count = 0
      for (const bytes of answersOf(foreign, answers, answersTwice)) {
        if (findEnding !== undefined && count >= findEnding.afterAnswers) break
        // One turn of the event loop for each answer, in which a C-CANCEL may come in.
        await turn()
        if (this.#cancelled.delete(request.getMessageId())) {
          await this.#endFind(request, STATUS.cancelled)
          return
        }
        const response = dimse.responses.CFindResponse.fromRequest(request)
        response.setStatus(pendingStatus)
        response.setDataset(new BytesDataset(bytes, syntax))
        await this.#answer(request, response)
        count++
      }
      log(`${asked}: ${count} found`)
      await this.#endFind(request, findEnding?.status ?? STATUS.success)
    }

    async #endFind (request: FindRequest, status: number, comment?: string): Promise<void> {
      const response = dimse.responses.CFindResponse.fromRequest(request)
      response.setStatus(status)
      if (comment !== undefined) response.setErrorComment(comment)
      await this.#answer(request, response)
    }

    async #move (request: MoveRequest): Promise<void> {
      const { identifier, patientRoot } = read(request)
      const title = String(plainText(request.getCommandDataset().getElement('MoveDestination'))).trim()
      const asked = this.#note('move', request, identifier, title)
      const wanted = this.#wanted(identifier, patientRoot)
      const to = destination(title)
      const parts = this.#retrieveParts(request, { title: this.#callingTitle, messageId: request.getMessageId() })
      let outcome: Outcome
      if (Array.isArray(wanted)) outcome = to === undefined ? { ...refusedOutcome([], `unknown destination ${title}`), status: STATUS.destinationUnknown } : await this.#moveTo(to, title, wanted, parts)
      else outcome = mismatch(wanted.refused)
      log(`${asked} to ${title}: ${outcome.status.toString(16)}, ${outcome.counts.completed} of ${Array.isArray(wanted) ? wanted.length : 0}`)
      await this.#endRetrieve(request, outcome)
    }

    async #moveTo (to: Destination, title: string, objects: readonly Held[], parts: RetrieveParts): Promise<Outcome> {
      if (objects.length === 0) return refusedOutcome([], '')
      try {
        return await withSender(to, { calling: aeTitle, called: title }, [...objects, ...(parts.foreign === undefined ? [] : [parts.foreign])], this.#closing.signal, parts.cut,
          async sender => await retrieve(objects, sender, parts))
      } catch (error) {
        this.#closing.signal.throwIfAborted()
        return refusedOutcome(objects, error instanceof Error ? error.message : 'destination lost')
      }
    }

    async #get (request: GetRequest): Promise<void> {
      const { identifier, patientRoot } = read(request)
      const asked = this.#note('get', request, identifier)
      const wanted = this.#wanted(identifier, patientRoot)
      const association = this.#association
      let outcome: Outcome
      if (Array.isArray(wanted) && association !== undefined) {
        const sender = { store: async (held: Held) => await storeOn(this, association, held, this.#closing.signal) }
        const parts = this.#retrieveParts(request)
        parts.cut?.watch(this.#socket)
        outcome = await retrieve(wanted, sender, parts)
      } else outcome = mismatch('refused' in wanted ? wanted.refused : '')
      log(`${asked}: ${outcome.status.toString(16)}, ${outcome.counts.completed} sent`)
      await this.#endRetrieve(request, outcome)
    }

    #wanted (identifier: Identifier, patientRoot: boolean): Held[] | { readonly refused: string } {
      const keys = readKeys(identifier, patientRoot, true)
      return 'refused' in keys ? keys : store.select(keys.keys)
    }

    #retrieveParts (request: MoveRequest | GetRequest, originator?: { title: string, messageId: number }): RetrieveParts {
      const plan = control.planRetrieve()
      const cut = plan.cut === undefined ? undefined : new Cut(plan.cut.bytes ?? Infinity)
      cut?.closeWith(this.#socket)
      const { studyUids } = (readKeys(read(request).identifier, false, true) as { keys?: UniqueKeys }).keys ?? {}
      return {
        control,
        plan,
        foreign: plan.foreign ? store.all().find(held => studyUids?.includes(held.studyUid) === false) : undefined,
        cut,
        signal: this.#closing.signal,
        isCancelled: () => this.#cancelled.delete(request.getMessageId()),
        originator,
        onPending: async counts => {
          const response = retrieveResponse(request, STATUS.pending)
          setCounts(response, counts)
          await this.#answer(request, response)
        }
      }
    }

    async #endRetrieve (request: MoveRequest | GetRequest, { status, counts, failedUids, comment }: Outcome): Promise<void> {
      const response = retrieveResponse(request, status)
      // PS3.4 §C.4.2.1.6: what remains is told in pending and cancelled responses only.
      setCounts(response, counts, status === STATUS.cancelled)
      if (comment !== undefined && comment !== '') response.setErrorComment(comment.slice(0, 64))
      if (failedUids.length > 0) {
        const { explicitVr, syntax } = read(request)
        response.setDataset(new BytesDataset(encodeAttributes({ FailedSOPInstanceUIDList: failedUids }, explicitVr), syntax))
      }
      await this.#answer(request, response)
    }

    get #callingTitle (): string {
      return this.#association?.getCallingAeTitle() ?? ''
    }

    #note (service: 'find' | 'move' | 'get', request: Request, identifier: Identifier, to?: string): string {
      const level = String(plainText(identifier.QueryRetrieveLevel)) as Level
      control.asked.push({ service, callingTitle: this.#callingTitle, level, identifier, ...(to === undefined ? {} : { destination: to }) })
      return `${this.#callingTitle} ${service} ${level} #${request.getMessageId()}`
    }
  }

  /** Accepts or refuses one presentation context (PS3.8 §9.3.3.2). */
  function answerContext (association: DimseAssociation, context: PresentationContext): void {
    const { Accept, RejectAbstractSyntaxNotSupported, RejectTransferSyntaxesNotSupported } = dimse.constants.PresentationContextResult
    const abstractSyntax = context.getAbstractSyntaxUid()
    const offered = context.getTransferSyntaxUids()
    const isStorage = abstractSyntax.startsWith(STORAGE)
    // For C-GET, whoever asks is the SCP of the class. dcmjs-dimse notes the role in one context only.
    const sendsBack = isStorage && association.getPresentationContexts().some(other => other.context.getAbstractSyntaxUid() === abstractSyntax && other.context.getProviderRole())
    const service = isStorage ? (sendsBack ? 'get' : 'store') : SERVICES[abstractSyntax]
    if (service === undefined || !control.offers(service)) {
      context.setResult(RejectAbstractSyntaxNotSupported)
      return
    }
    const preferred = sendsBack ? [...store.syntaxesOf(abstractSyntax), EXPLICIT_LE, IMPLICIT_LE] : isStorage ? offered : [EXPLICIT_LE, IMPLICIT_LE]
    const syntax = preferred.find(one => offered.includes(one))
    if (syntax === undefined) context.setResult(RejectTransferSyntaxesNotSupported)
    else context.setResult(Accept, syntax)
  }
}

function read (request: FindRequest | MoveRequest | GetRequest): { identifier: Identifier, patientRoot: boolean, explicitVr: boolean, syntax: string } {
  const dataset = request.getDataset()
  const syntax = dataset?.getTransferSyntaxUid() ?? IMPLICIT_LE
  return { identifier: dataset?.getElements() ?? {}, patientRoot: request.getAffectedSopClassUid().startsWith(PATIENT_ROOT), explicitVr: syntax !== IMPLICIT_LE, syntax }
}

function * answersOf (foreign: Iterable<Buffer>, answers: Iterable<Buffer>, twice: boolean): Generator<Buffer> {
  yield * foreign
  for (const bytes of answers) {
    yield bytes
    if (twice) yield bytes
  }
}

function retrieveResponse (request: MoveRequest | GetRequest, status: number): InstanceType<typeof dimse.responses.CMoveResponse | typeof dimse.responses.CGetResponse> {
  const response = request instanceof dimse.requests.CMoveRequest ? dimse.responses.CMoveResponse.fromRequest(request) : dimse.responses.CGetResponse.fromRequest(request)
  response.setStatus(status)
  return response
}

function setCounts (response: ReturnType<typeof retrieveResponse>, { remaining, completed, failed, warning }: Counts, withRemaining = true): void {
  if (withRemaining) response.setRemaining(remaining)
  response.setCompleted(completed)
  response.setFailures(failed)
  response.setWarnings(warning)
}

function mismatch (comment: string): Outcome {
  return { ...refusedOutcome([], comment), status: STATUS.identifierMismatch }
}

/** Collects what comes in, and forgets all of it once it is too much. */
class Collector extends Writable {
  #chunks: Buffer[] = []
  #length = 0

  constructor () {
    super({ highWaterMark: OBJECT_BYTES_MAX })
  }

  override _write (chunk: Buffer, _encoding: string, done: () => void): void {
    this.#length += chunk.length
    if (this.#length > OBJECT_BYTES_MAX) this.#chunks = []
    else this.#chunks.push(chunk)
    done()
  }

  get bytes (): Buffer {
    return Buffer.concat(this.#chunks)
  }
}
