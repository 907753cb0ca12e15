/**
 * DCMTK's dcmqrscp as the PACS: forks for each association.
 */

import { existsSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { blast } from '../blast.ts'
import type { Data } from '../data.ts'
import { freePort, NO_DELAY, start } from '../processes.ts'
import type { Destinations, PacsPeer } from './orthanc.ts'

/** @param folder kept between runs, with what it was filled with */
export async function startDcmqrscp (folder: string, data: Data, destinations: Destinations): Promise<PacsPeer> {
  const storage = join(folder, 'storage')
  const filled = existsSync(join(folder, 'filled'))
  await mkdir(storage, { recursive: true })
  const port = await freePort()
  const settings = join(folder, 'dcmqrscp.cfg')
  await writeFile(settings, [
    `NetworkTCPPort = ${port}`,
    'MaxPDUSize = 16384',
    'MaxAssociations = 16',
    'HostTable BEGIN',
    ...[...destinations].map(([title, to], index) => `host${index} = (${title}, 127.0.0.1, ${to})`),
    'HostTable END',
    'VendorTable BEGIN',
    'VendorTable END',
    'AETable BEGIN',
    `QR ${storage} RW (10, 4gb) ANY`,
    'AETable END',
    ''
  ].join('\n'))
  // JPEG-LS is taken and sent on as it is.
  const peer = await start('dcmqrscp', 'dcmqrscp', ['--disable-host-lookup', '--config', settings, '--prefer-jls-lossless', '--propose-jls-lossless'], { env: NO_DELAY, ready: port })
  if (!filled) {
    await blast(data.ct, port, 'QR')
    await writeFile(join(folder, 'filled'), '')
  }
  return { ...peer, title: 'QR', port }
}
