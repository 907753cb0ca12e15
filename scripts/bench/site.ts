/**
 * Archives that hold the same, boxes before them, and who else may be sent to; each started when a
 * row first asks for it, all of them ended with that row. On loopback, or with the archives at the far
 * end of a cable.
 */

import { join } from 'node:path'
import type { Data } from './data.ts'
import { lazily } from './lazily.ts'
import type { Cable, Place } from './network/own-network.ts'
import { startBox, type BoxOptions, type BoxPeer } from './peers/box.ts'
import { startDcmqrscp } from './peers/dcmqrscp.ts'
import { startNginx, type Nginx } from './peers/nginx.ts'
import { startOrthanc, type Orthanc, type PacsPeer } from './peers/orthanc.ts'
import { startStoreScp, type StoreScp } from './peers/storescp.ts'
import { freePort } from './processes.ts'

const TITLES = ['BOX', 'BOX4', 'BOXQR', 'BOXQR4', 'BOXSLOW', 'BOXLONG', 'OUTWARD', 'FILES', 'SHIPPED', 'MEASURE'] as const
type Title = typeof TITLES[number]

/** Associations, and series moved at the same time, where a site's PACS bears more than one. */
export const SLOTS = 4

export interface Site {
  readonly orthanc: () => Promise<Orthanc>
  readonly dcmqrscp: () => Promise<PacsPeer>
  /** With Nagle's algorithm, as it ships. */
  readonly dcmqrscpAsShipped: () => Promise<PacsPeer>
  /** Before Orthanc, as it ships. */
  readonly box: () => Promise<BoxPeer>
  /** Before Orthanc, with four slots. */
  readonly boxInParallel: () => Promise<BoxPeer>
  readonly boxOfDcmqrscp: () => Promise<BoxPeer>
  readonly boxOfDcmqrscpInParallel: () => Promise<BoxPeer>
  readonly boxOfDcmqrscpAsShipped: () => Promise<BoxPeer>
  /** Before an archive of uncompressed objects, the longest among them. */
  readonly boxOfLong: () => Promise<BoxPeer>
  /** Before Orthanc, with a face of its own for objects with the INS. */
  readonly outward: () => Promise<BoxPeer>
  readonly files: () => Promise<StoreScp>
  readonly filesAsShipped: () => Promise<StoreScp>
  readonly nginx: () => Promise<Nginx>
  /** A title that every archive may send to, and its port; nobody listens there by himself. */
  readonly measurer: { readonly title: string, readonly port: number }
  /** Where a PACS is reached from the near end. */
  placeOf (pacs: PacsPeer): Promise<Place>
}

/**
 * @param kept folder of the archives, filled once
 * @param folder of all else
 */
export async function openSite (kept: string, folder: string, data: Data, cable?: Cable): Promise<Site> {
  const ports = Object.fromEntries(await Promise.all(TITLES.map(async title => [title, await freePort()]))) as Record<Title, number>
  // The PACS learns them all at its start; a relay starts when it is needed, and stays.
  const destinations = lazily(async () => new Map(await Promise.all(TITLES.map(async title => [title, await nearOf(ports[title])] as const))))
  const nearOf = async (port: number): Promise<Place> => cable === undefined ? { host: '127.0.0.1', port } : await cable.toNear(port)
  const where = cable === undefined ? {} : { host: cable.farHost, within: cable.farSide }
  const places = new Map<PacsPeer, Promise<Place>>()
  const placeOf = async (pacs: PacsPeer): Promise<Place> => {
    let place = places.get(pacs)
    if (place === undefined) places.set(pacs, place = cable === undefined ? Promise.resolve(pacs) : cable.toFar(pacs.port))
    return await place
  }
  const archive = (name: string): string => join(kept, `${name}-${data.sizes.ctImages}`)
  const box = (title: Title, pacsOf: () => Promise<PacsPeer>, options: Pick<BoxOptions, 'program' | 'pacsSettings'> = {}) => lazily(async () => {
    const pacs = await pacsOf()
    return await startBox(join(folder, title.toLowerCase()), { title, dimsePort: ports[title], pacs: { title: pacs.title, ...await placeOf(pacs) }, ...options })
  })
  const orthanc = lazily(async () => await startOrthanc(archive('orthanc'), { samples: [await data.ct(), await data.manySeries(), await data.list()], destinations: await destinations(), ...where }))
  const dcmqrscp = lazily(async () => await startDcmqrscp(archive('dcmqrscp'), { samples: [await data.ct()], destinations: await destinations(), ...where }))
  const dcmqrscpAsShipped = lazily(async () => {
    // The same storage, which the other one fills.
    await dcmqrscp()
    return await startDcmqrscp(archive('dcmqrscp'), { samples: [], destinations: await destinations(), ...where, asShipped: true })
  })
  const dcmqrscpOfLong = lazily(async () => await startDcmqrscp(archive('dcmqrscp-long'), { samples: [await data.raw()], long: [await data.huge(), await data.longest()], destinations: await destinations(), ...where }))
  const parallel = { pacsSettings: { associationsMax: SLOTS, seriesAtOnce: SLOTS } }
  return {
    orthanc,
    dcmqrscp,
    dcmqrscpAsShipped,
    box: box('BOX', orthanc),
    boxInParallel: box('BOX4', orthanc, parallel),
    boxOfDcmqrscp: box('BOXQR', dcmqrscp),
    boxOfDcmqrscpInParallel: box('BOXQR4', dcmqrscp, parallel),
    boxOfDcmqrscpAsShipped: box('BOXSLOW', dcmqrscpAsShipped),
    boxOfLong: box('BOXLONG', dcmqrscpOfLong),
    outward: box('OUTWARD', orthanc, { program: join(import.meta.dirname, 'receivers/outward-box.ts') }),
    files: lazily(async () => await startStoreScp(join(folder, 'files'), 'FILES', { port: ports.FILES, noDelay: true })),
    filesAsShipped: lazily(async () => await startStoreScp(join(folder, 'shipped'), 'SHIPPED', { port: ports.SHIPPED })),
    nginx: lazily(async () => await startNginx(join(folder, 'nginx'))),
    measurer: { title: 'MEASURE', port: ports.MEASURE },
    placeOf
  }
}
