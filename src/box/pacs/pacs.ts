/**
 * This site's PACS, as one room: asks it, receives from it, and hands its objects on.
 *
 * Wires slots, query, mover, supply and the listening side together for one PACS.
 */

import type { Logger } from 'pino'
import type { Config } from '../config.ts'
import type { Cache } from '../cache/cache.ts'
import { STORAGE_CLASSES } from '#standards/dicom/sop-class.ts'
import { openAssociation, type Association } from '#standards/dimse/association.ts'
import type { Peer } from '#standards/dimse/connect.ts'
import { listen } from '#standards/dimse/server.ts'
import { clientTls, serverTls } from './tls.ts'
import { Delivery } from './deliver.ts'
import { mover, MovesUnderWay } from './mover.ts'
import { Query } from './query.ts'
import { receiver } from './receive.ts'
import { Senders } from './senders.ts'
import { Slots } from './slots.ts'
import { Supply } from './supply.ts'
import { ReceivingOrders } from './syntaxes.ts'

const VERIFICATION = '1.2.840.10008.1.1'
const QUERY_CLASSES = [
  VERIFICATION,
  '1.2.840.10008.5.1.4.1.2.2.1', // Study Root FIND
  '1.2.840.10008.5.1.4.1.2.2.2' // Study Root MOVE
]
/** Explicit first: values of private or retired elements keep their VR. */
export const QUERY_SYNTAXES = ['1.2.840.10008.1.2.1', '1.2.840.10008.1.2']

export interface Pacs {
  readonly query: Query
  readonly supply: Supply
  readonly slots: Slots
  /** For one caller who stores; the signal fires when they leave. */
  readonly deliver: (signal: AbortSignal) => Delivery
  /** Port that the PACS sends to. */
  readonly port: number
  close (): Promise<void>
}

export async function openPacs (config: Pick<Config, 'pacs' | 'dimse' | 'freshness'>, cache: Cache, log: Logger): Promise<Pacs> {
  const { pacs, dimse } = config
  const peer: Peer = { host: pacs.host, port: pacs.port, calledTitle: pacs.calledTitle, callingTitle: dimse.aeTitle, tls: await clientTls(pacs.tls) }
  // A PACS that takes a connection and never answers the association isn't reached either.
  const timers = { connectSeconds: pacs.connectSeconds, associateSeconds: pacs.connectSeconds, responseSeconds: pacs.responseSeconds }
  const dial = async (signal: AbortSignal): Promise<Association> => await openAssociation(peer,
    QUERY_CLASSES.map(abstractSyntax => ({ abstractSyntax, transferSyntaxes: QUERY_SYNTAXES })), { signal, timers })
  const slots = new Slots(pacs, dial)
  const query = new Query(slots, pacs.characterSet, facts => { log.warn({ code: 'ANSWER_REFUSED', ...facts }, 'the PACS answered with something else than was asked for') })
  const orders = new ReceivingOrders()
  const moves = new MovesUnderWay()
  const onStore = receiver({
    claim: (studyUid, seriesUid) => supply.claim(studyUid, seriesUid),
    heard: studyUid => { moves.heard(studyUid) },
    makeRoom: async () => { await cache.makeRoom().catch(error => { log.error({ err: error }, 'no room could be made') }) },
    onRefused: facts => { log.warn({ code: 'STORE_REFUSED', ...facts }, 'an object was refused') }
  })
  const supply: Supply = new Supply({
    cache,
    query,
    mover: mover({ method: pacs.method, destination: dimse.aeTitle, orders, moves, timers }, slots, peer, onStore),
    settings: {
      retriesMax: pacs.retriesMax,
      namesFirst: pacs.method === 'get',
      seriesKnownSeconds: pacs.seriesKnownSeconds,
      get seriesAtOnce () { return Math.max(1, Math.min(pacs.seriesAtOnce, slots.allowed)) }
    },
    onUnsettled: error => { log.error({ err: error }, 'a pack could not be settled') },
    freshness: config.freshness
  })
  const senders = new Senders(pacs)
  await senders.refresh()
  const scp = await listen({
    host: dimse.host,
    port: dimse.port,
    titles: [dimse.aeTitle],
    admit: ({ callingTitle, address }) => senders.admits(callingTitle, address) ? 'accept' : 'calling-title-unknown',
    transferSyntaxes: () => orders.current,
    abstractSyntaxes: new Set([VERIFICATION, ...STORAGE_CLASSES.keys()]),
    onStore,
    associationsMax: dimse.associationsMax,
    timers: { idleSeconds: dimse.idleSeconds },
    tls: await serverTls(dimse.tls),
    onEvent: event => { log.info(event, 'association') }
  }).catch(error => {
    senders.close()
    throw error
  })
  return {
    query,
    supply,
    slots,
    deliver: signal => new Delivery({ slots, peer, timers }, signal),
    port: scp.port,
    async close () {
      await supply.close()
      await slots.close()
      await scp.close()
      senders.close()
    }
  }
}
