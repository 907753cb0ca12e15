/**
 * C-FIND, asked: matches are handed on one by one, as they come.
 *
 * Source: DICOM PS3.7 §9.1.2, PS3.4 §C.4.1. A reader who is slow slows the peer; one who leaves early cancels.
 */

import { PeerError } from '#core/errors.ts'
import { decodeDataset, encodeDataset } from '#standards/dicom/dataset.ts'
import type { DicomJson } from '#standards/dicom/json.ts'
import type { Association, Response } from './association.ts'
import { COMMAND } from './command.ts'
import { QUERY_RETRIEVE, type Model } from './query-retrieve.ts'
import { STATUS, statusText } from './status.ts'

export interface FindOptions {
  /** Study Root unless told. */
  readonly model?: Model
  readonly signal?: AbortSignal
  /** The identifier doesn't hold the keys of the levels above (PS3.4 §C.4.1.3.2.1): must have been negotiated. */
  readonly relational?: boolean
}

/** Service class application information of PS3.4 §C.5.1.1: relational queries asked for. */
export const RELATIONAL_QUERIES = Uint8Array.of(1)

const SPECIFIC_CHARACTER_SET = '00080005'

/** Matches read ahead of whoever reads them. */
const AHEAD_MAX = 64

/**
 * A match that doesn't say its character set is read in the one that the request names, if it names one.
 * Leaving the loop early sends C-CANCEL and waits, bounded, for the final response, so that the association can
 * be used again.
 *
 * @throws PeerError PACS_STATUS, CANCELLED, PACS_CONTEXT, and what {@link Association.perform} throws
 * @throws RequestError QUERY_INVALID, where the identifier cannot be written; DATA_MALFORMED, where a match cannot be read
 */
export async function * find (association: Association, identifier: DicomJson, options: FindOptions = {}): AsyncGenerator<DicomJson> {
  const { model = 'study', signal, relational = false } = options
  const context = association.context(QUERY_RETRIEVE[model].find)
  if (relational && association.extended(context.abstractSyntax)?.[0] !== 1) {
    throw new PeerError('PACS_CONTEXT', 'the peer did not agree to relational queries', { facts: { abstractSyntax: context.abstractSyntax } })
  }
  const leaving = new AbortController()
  const leave = (): void => {
    leaving.abort(signal?.reason)
    association.resume() // what still comes must be read to get at the final response
  }
  signal?.addEventListener('abort', leave)
  if (signal?.aborted === true) leave()
  const characterSet = identifier[SPECIFIC_CHARACTER_SET]?.Value?.filter(term => typeof term === 'string')
  const matches: Buffer[] = []
  let news = Promise.withResolvers<void>()
  let isDone = false
  const exchange = association.perform({
    context,
    command: { AffectedSOPClassUID: context.abstractSyntax, CommandField: COMMAND.find, Priority: 0 },
    identifier: encodeDataset(identifier, context.transferSyntax),
    signal: leaving.signal,
    onPending (response) {
      if (response.identifier === undefined || leaving.signal.aborted) return
      matches.push(response.identifier)
      if (matches.length >= AHEAD_MAX) association.pause()
      news.resolve()
    }
  }).finally(() => {
    isDone = true
    news.resolve()
  })
  exchange.catch(() => {}) // awaited below, but perhaps only after the matches before it were read
  try {
    while (!leaving.signal.aborted) {
      const match = matches.shift()
      if (match !== undefined) {
        if (matches.length === 0) association.resume()
        yield decodeDataset(match, context.transferSyntax, { characterSet })
      } else if (isDone) {
        break
      } else {
        news = Promise.withResolvers<void>()
        await news.promise
      }
    }
    assertFinished(await exchange, signal)
  } finally {
    signal?.removeEventListener('abort', leave)
    if (!isDone) {
      leave()
      await exchange.catch(() => {})
    }
  }
}

function assertFinished ({ status, command }: Response, signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw new PeerError('CANCELLED', 'whoever asked went away', { cause: signal.reason })
  if (status !== STATUS.success) {
    throw new PeerError('PACS_STATUS', 'the query failed', { facts: { status: statusText(status), errorComment: command.ErrorComment } })
  }
}
