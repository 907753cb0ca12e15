/**
 * Two archives that hold the same study, a box before each, and a storescp that both may send to.
 */

import { join } from 'node:path'
import type { Data } from './data.ts'
import { freePort } from './processes.ts'
import { startBox, type BoxPeer } from './peers/box.ts'
import { startDcmqrscp } from './peers/dcmqrscp.ts'
import { startOrthanc, type Orthanc, type PacsPeer } from './peers/orthanc.ts'
import { startStoreScp, type StoreScp } from './peers/storescp.ts'

export interface Site {
  readonly orthanc: Orthanc
  readonly dcmqrscp: PacsPeer
  /** Before Orthanc. */
  readonly box: BoxPeer
  /** Before dcmqrscp. */
  readonly boxOfDcmqrscp: BoxPeer
  /** Before Orthanc, with a face of its own for objects with the INS. */
  readonly outward: BoxPeer
  readonly files: StoreScp
  readonly filesAsShipped: StoreScp
}

/**
 * @param kept folder of the archives, filled once
 * @param folder of all else, emptied first
 */
export async function openSite (kept: string, folder: string, data: Data): Promise<Site> {
  const titles = ['BOX', 'BOXQR', 'OUTWARD', 'FILES', 'SHIPPED'] as const
  const ports = Object.fromEntries(await Promise.all(titles.map(async title => [title, await freePort()]))) as Record<typeof titles[number], number>
  const destinations = new Map(Object.entries(ports))
  const orthanc = await startOrthanc(join(kept, 'orthanc'), data, destinations)
  const dcmqrscp = await startDcmqrscp(join(kept, 'dcmqrscp'), data, destinations)
  return {
    orthanc,
    dcmqrscp,
    box: await startBox(join(folder, 'box'), { title: 'BOX', dimsePort: ports.BOX, pacs: orthanc }),
    boxOfDcmqrscp: await startBox(join(folder, 'box-dcmqrscp'), { title: 'BOXQR', dimsePort: ports.BOXQR, pacs: dcmqrscp }),
    outward: await startBox(join(folder, 'outward'), { title: 'OUTWARD', dimsePort: ports.OUTWARD, pacs: orthanc, program: join(import.meta.dirname, 'receivers/outward-box.ts') }),
    files: await startStoreScp(join(folder, 'files'), 'FILES', { port: ports.FILES, noDelay: true }),
    filesAsShipped: await startStoreScp(join(folder, 'shipped'), 'SHIPPED', { port: ports.SHIPPED })
  }
}
