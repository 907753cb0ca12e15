/**
 * Orthanc as the PACS: its storage on disk, uncompressed, and its own DICOMweb for comparison.
 */

import { existsSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { blast } from '../blast.ts'
import type { Sample } from '../data.ts'
import type { Place } from '../network/own-network.ts'
import { dicomwebPlugin } from '../packages.ts'
import { freePort, NO_DELAY, start, type Started } from '../processes.ts'

/** Where a PACS may send to, by AE title. */
export type Destinations = ReadonlyMap<string, Place>

export interface PacsPeer extends Started, Place {
  readonly title: string
}

export interface Orthanc extends PacsPeer {
  /** Root of its REST interface, of which its DICOMweb is a part. */
  readonly rest: string
  readonly dicomweb: string
}

export interface PacsOptions {
  readonly samples: readonly Sample[]
  readonly destinations: Destinations
  /** Where it runs, as others see it; this machine unless said. */
  readonly host?: string
  readonly within?: readonly string[]
}

/** @param folder kept between runs, with what it was filled with */
export async function startOrthanc (folder: string, { samples, destinations, host = '127.0.0.1', within }: PacsOptions): Promise<Orthanc> {
  const storage = join(folder, 'storage')
  await mkdir(storage, { recursive: true })
  const [port, http] = [await freePort(), await freePort()]
  const settings = join(folder, 'orthanc.json')
  await writeFile(settings, JSON.stringify({
    Name: 'Orthanc',
    StorageDirectory: storage,
    IndexDirectory: storage,
    StorageCompression: false,
    Plugins: [dicomwebPlugin()],
    DicomAet: 'ORTHANC',
    DicomPort: port,
    DicomCheckCalledAet: false,
    DicomAlwaysAllowMove: true,
    DicomAlwaysAllowFind: true,
    DicomAlwaysAllowGet: true,
    LimitFindResults: 0,
    DicomModalities: Object.fromEntries([...destinations].map(([title, to]) => [title, [title, to.host, to.port]])),
    HttpPort: http,
    // Its other callers come from the far end of a cable, in a network where nobody else is.
    RemoteAccessAllowed: true,
    AuthenticationEnabled: false,
    DicomWeb: { Enable: true, Root: '/dicom-web/' }
  }, undefined, 2))
  const peer = await start('Orthanc', 'Orthanc', [settings], { env: NO_DELAY, within, ready: { host, port: http } })
  for (const sample of samples) {
    const filled = join(folder, `filled-${basename(dirname(sample.files[0]!.path))}`)
    if (existsSync(filled)) continue
    await blast(sample, { host, port }, 'ORTHANC')
    await writeFile(filled, '')
  }
  return { ...peer, title: 'ORTHANC', host, port, rest: `http://${host}:${http}`, dicomweb: `http://${host}:${http}/dicom-web` }
}
