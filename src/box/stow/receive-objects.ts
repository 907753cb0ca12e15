/**
 * The objects of one request, received one after the other and handed to the PACS while the next one
 * comes: how far receiving may run ahead is bounded, in memory and on the disk.
 */

import type { IncomingMessage } from 'node:http'
import { DrimboxError, RequestError } from '#core/errors.ts'
import { readMultipart } from '#standards/dicomweb/multipart.ts'
import { parseContentType } from '#standards/dicomweb/content-type.ts'
import { FAILURE, isStored, type StoreOutcome } from '#standards/dicomweb/store-response.ts'
import type { Config } from '../config.ts'
import type { Delivery } from '../pacs/deliver.ts'
import { receiveParcel, type Parcel, type ParcelRules } from './parcel.ts'
import type { Spool } from './spool.ts'
import { upload } from './upload.ts'

export interface ReceiveParts {
  readonly settings: Config['stow']
  readonly spool: Spool
  readonly delivery: Delivery
  /** All must belong to it, where the path names one. */
  readonly studyUid: string | undefined
  /** The caller has left. */
  readonly signal: AbortSignal
}

export interface Received {
  /** In the order of the parts. */
  readonly outcomes: readonly StoreOutcome[]
  /** What kept the rest from being received, or from reaching the PACS. */
  readonly failure: DrimboxError | undefined
}

/** The largest studies have some thousand instances; the answer names each of them. */
const OBJECTS_MAX = 20_000
/** Objects in memory that wait for the PACS. */
const WAITING_BYTES_MAX = 4 << 20
/** Objects in the spool that wait for the PACS, beside the one that is being sent. */
const SPOOLED_MAX = 2
/** Small ones: each is an entry in a queue. */
const WAITING_MAX = 256
/** Reason of our own within A9xx: the object is of another study than the path says. */
export const OTHER_STUDY = 0xA901

/** @param boundary undefined where the body is one object */
export async function receiveObjects (body: IncomingMessage, boundary: string | undefined, parts: ReceiveParts): Promise<Received> {
  const { delivery, signal } = parts
  const outcomes: StoreOutcome[] = []
  const backlog = new Backlog()
  let failure: DrimboxError | undefined
  const rules: ParcelRules = {
    spool: parts.spool,
    bytesMax: parts.settings.objectBytesMax,
    refuse: ({ studyUid }) => {
      if (parts.studyUid !== undefined && studyUid !== parts.studyUid) return OTHER_STUDY
      return delivery.lost === undefined ? undefined : FAILURE.processing
    }
  }
  const send = (parcel: Parcel): void => {
    const { instance, transferSyntaxUid, dataset } = parcel
    // Until the PACS has answered, it hasn't got it.
    const place = outcomes.push({ instance, status: FAILURE.processing }) - 1
    backlog.add(parcel)
    void delivery.send({ ...instance, transferSyntaxUid, dataset }).then(async ({ status, error }) => {
      outcomes[place] = { instance, status }
      failure ??= error
      await parcel.drop()
      backlog.remove(parcel)
    })
  }
  try {
    for await (const part of partsOf(upload(body), boundary)) {
      const received = part === undefined ? NOT_DICOM : await receiveParcel(part, rules)
      if ('dataset' in received) send(received)
      else outcomes.push(received)
      await backlog.room()
      // With nothing stored and no way to the PACS, the caller needn't send the rest.
      if (signal.aborted || (delivery.lost !== undefined && !outcomes.some(({ status }) => isStored(status)))) break
    }
  } catch (error) {
    failure = requestFailure(error, signal)
    // What comes after the end of a request that is whole does no harm; here an unknown number is missing.
    outcomes.push({ status: failure.facts.partsMax === undefined ? FAILURE.cannotUnderstand : FAILURE.outOfResources, badSyntax: true })
  }
  await delivery.close()
  await backlog.empty()
  return { outcomes, failure: failure ?? delivery.lost }
}

const NOT_DICOM: StoreOutcome = { status: FAILURE.cannotUnderstand, badSyntax: true }

/** @yields the bytes of each object; undefined for a part that says it is something else */
async function * partsOf (body: AsyncGenerator<Buffer>, boundary: string | undefined): AsyncGenerator<AsyncIterable<Uint8Array> | undefined> {
  if (boundary === undefined) {
    yield body
    return
  }
  for await (const { headers, body: bytes } of readMultipart(body, boundary, { partsMax: OBJECTS_MAX })) {
    const said = headers.get('content-type')
    yield said === undefined || ['application/dicom', 'application/octet-stream'].includes(parseContentType(said)?.type ?? '') ? bytes : undefined
  }
}

function requestFailure (error: unknown, signal: AbortSignal): DrimboxError {
  if (signal.aborted && signal.reason instanceof DrimboxError) return signal.reason
  if (error instanceof DrimboxError) return error
  return new RequestError('DATA_MALFORMED', 'the body of the request ended before its end', { cause: error })
}

/** Objects that have been received and aren't in the PACS yet. */
class Backlog {
  #waiting = 0
  #bytes = 0
  #spooled = 0
  #news: () => void = () => {}

  add ({ memoryBytes }: Parcel): void {
    this.#waiting++
    this.#bytes += memoryBytes
    if (memoryBytes === 0) this.#spooled++
  }

  remove ({ memoryBytes }: Parcel): void {
    this.#waiting--
    this.#bytes -= memoryBytes
    if (memoryBytes === 0) this.#spooled--
    this.#news()
  }

  /** Resolves when the next one may come. */
  async room (): Promise<void> {
    while (this.#bytes > WAITING_BYTES_MAX || this.#spooled > SPOOLED_MAX || this.#waiting > WAITING_MAX) await this.#change()
  }

  async empty (): Promise<void> {
    while (this.#waiting > 0) await this.#change()
  }

  async #change (): Promise<void> {
    await new Promise<void>(resolve => { this.#news = resolve })
  }
}
