/**
 * Our end of the way back: a listener that takes exactly one object and remembers everything that knocked.
 *
 * It admits every caller, since under which title and from where the PACS calls is what we want to learn; it takes no
 * object but the one that we asked for.
 */

import type { Config } from '#box/config.ts'
import { STORE_STATUS } from '#box/pacs/receive.ts'
import type { Scp } from '#standards/dimse/server.ts'
import { STATUS } from '#standards/dimse/status.ts'
import type { StoreHandler } from '#standards/dimse/store-provider.ts'
import { listenForPacs } from '../listen-for-pacs.ts'
import type { Knock } from './judge.ts'

/** A flood of callers is remembered only so far. */
const KNOCKS_MAX = 100

export interface Arrival {
  readonly callingTitle: string
  readonly address: string
  readonly sopClassUid: string
  readonly transferSyntaxUid: string
  /** Of the data set. */
  readonly bytes: number
  /** From the first byte of it to the last. */
  readonly transferMilliseconds: number
  /** When the last byte came, by `performance.now()`. */
  readonly at: number
}

export interface Catcher {
  readonly port: number
  readonly knocks: readonly Knock[]
  readonly arrival: Arrival | undefined
  /** Resolves when the object is there. */
  readonly arrived: Promise<void>
  close (): Promise<void>
}

/** @throws SettingError when the port can't be had */
export async function openCatcher (config: Config, sopInstanceUid: string): Promise<Catcher> {
  const knocks: Knock[] = []
  const arrived = Promise.withResolvers<void>()
  let arrival: Arrival | undefined
  const remember = (knock: Knock): void => { if (knocks.length < KNOCKS_MAX) knocks.push(knock) }
  const onStore = catchOne(sopInstanceUid, caught => {
    arrival ??= caught
    arrived.resolve()
  })
  const scp: Scp = await listenForPacs(config, {
    admit: () => 'accept',
    onStore,
    onRequest ({ callingTitle, calledTitle, contexts }, address) {
      remember({ type: 'request', callingTitle, calledTitle, address, offered: [...new Set(contexts.flatMap(({ transferSyntaxes }) => transferSyntaxes))] })
    },
    onEvent (event) {
      if (event.type === 'accepted') remember({ type: 'accepted', address: event.caller.address, contexts: event.contexts })
      else if (event.type === 'rejected') remember({ type: 'rejected', ...event.caller, why: event.why })
      else if (event.type === 'tls-failed') remember({ type: 'tls-failed', address: event.address, why: event.reason })
      else if (event.type === 'ended') remember({ type: 'ended', address: event.address, why: event.reason.message })
    }
  })
  return {
    port: scp.port,
    knocks,
    get arrival () { return arrival },
    arrived: arrived.promise,
    async close () { await scp.close() }
  }
}

/** Counts the one object, drops its bytes. */
export function catchOne (sopInstanceUid: string, onCaught: (arrival: Arrival) => void): StoreHandler {
  return request => {
    if (request.sopInstanceUid !== sopInstanceUid) return STORE_STATUS.notAuthorized
    let bytes = 0
    let first: number | undefined
    return {
      write (chunk) {
        first ??= performance.now()
        bytes += chunk.length
      },
      end () {
        const at = performance.now()
        const { peer, sopClassUid, transferSyntaxUid } = request
        onCaught({ callingTitle: peer.title, address: peer.address, sopClassUid, transferSyntaxUid, bytes, transferMilliseconds: at - (first ?? at), at })
        return STATUS.success
      },
      abort () { /* the end of its association is remembered */ }
    }
  }
}
