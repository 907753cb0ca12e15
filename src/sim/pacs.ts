/**
 * A PACS that nobody has to install: generated studies behind C-ECHO, C-FIND, C-MOVE, C-GET and
 * C-STORE, in Study Root and Patient Root.
 *
 * Built on dcmjs-dimse, so that our DIMSE engine talks with another one; and from PS3.4, not from
 * our client. What leaves it is byte for byte what it holds.
 */

import { once } from 'node:events'
import type { AddressInfo, Server as NetServer } from 'node:net'
import dimse from 'dcmjs-dimse'
import { associationClass } from './pacs-association.ts'
import { PacsControl } from './pacs-control.ts'
import type { Destination } from './pacs-send.ts'
import { PacsStore } from './pacs-store.ts'
import { generateStudies, type GeneratedStudy } from './studies.ts'

export interface SimulatedPacs {
  readonly host: string
  readonly port: number
  readonly aeTitle: string
  readonly studies: readonly GeneratedStudy[]
  readonly control: PacsControl
  /** The data set that a receiver must find, byte for byte; undefined for an unknown object. */
  datasetOf (sopInstanceUid: string): Promise<Buffer> | undefined
  close (): Promise<void>
}

export interface PacsOptions {
  readonly aeTitle?: string
  readonly host?: string
  /** 0, the default, for a free one. */
  readonly port?: number
  /** All that {@link generateStudies} makes unless said. */
  readonly studies?: readonly GeneratedStudy[]
  /** Where a title listens, as the PACS's own table says. Asked at each C-MOVE, so it may change. */
  readonly destinations: ReadonlyMap<string, Destination> | ((title: string) => Destination | undefined)
  readonly log?: (line: string) => void
}

/** @throws when the port is taken */
export async function startPacs ({ aeTitle = 'SIMPACS', host = '127.0.0.1', port = 0, studies = generateStudies(), destinations, log = () => {} }: PacsOptions): Promise<SimulatedPacs> {
  dimse.log.setLevel('silent')
  const control = new PacsControl()
  const store = new PacsStore(studies, control)
  const destination = typeof destinations === 'function' ? destinations : (title: string) => destinations.get(title)
  const server = new dimse.Server(associationClass({ aeTitle, store, control, destination, log }))
  // dcmjs-dimse hands its port on to node:net as it is, and that takes an address as well.
  server.listen({ host, port } as unknown as number)
  const { server: listener } = server as unknown as { server: NetServer }
  await once(listener, 'listening')
  return {
    host,
    port: (listener.address() as AddressInfo).port,
    aeTitle,
    studies,
    control,
    datasetOf: sopInstanceUid => store.datasetOf(sopInstanceUid),
    async close () {
      const closed = once(listener, 'close')
      server.close()
      await closed
    }
  }
}
