/**
 * Orthanc as the PACS: its storage on disk, uncompressed, and its own DICOMweb for comparison.
 */

import { existsSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { blast } from '../blast.ts'
import type { Data } from '../data.ts'
import { dicomwebPlugin } from '../packages.ts'
import { freePort, NO_DELAY, run, start, type Started } from '../processes.ts'

/** Where a PACS may send to, by AE title. */
export type Destinations = ReadonlyMap<string, number>

export interface PacsPeer extends Started {
  readonly title: string
  readonly port: number
}

export interface Orthanc extends PacsPeer {
  /** Root of its own DICOMweb. */
  readonly dicomweb: string
}

/** @param folder kept between runs, with what it was filled with */
export async function startOrthanc (folder: string, data: Data, destinations: Destinations): Promise<Orthanc> {
  const storage = join(folder, 'storage')
  const filled = existsSync(join(folder, 'filled'))
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
    DicomModalities: Object.fromEntries([...destinations].map(([title, to]) => [title, [title, '127.0.0.1', to]])),
    HttpPort: http,
    RemoteAccessAllowed: false,
    AuthenticationEnabled: false,
    DicomWeb: { Enable: true, Root: '/dicom-web/' }
  }, undefined, 2))
  const peer = await start('Orthanc', 'Orthanc', [settings], { env: NO_DELAY, ready: http })
  if (!filled) {
    await blast(data.ct, port, 'ORTHANC')
    await run('storescu', ['-aec', 'ORTHANC', '127.0.0.1', String(port), data.huge.files[0]!.path], NO_DELAY)
    await writeFile(join(folder, 'filled'), '')
  }
  return { ...peer, title: 'ORTHANC', port, dicomweb: `http://127.0.0.1:${http}/dicom-web` }
}
