/**
 * DCMTK's dcmqrscp as the PACS: forks for each association.
 */

import { existsSync } from 'node:fs'
import { link, mkdir, rm, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { writeHugeObject } from '#sim/study-files.ts'
import { blast } from '../blast.ts'
import type { LongSample, ObjectFile } from '../data.ts'
import { freePort, NO_DELAY, run, start } from '../processes.ts'
import type { PacsOptions, PacsPeer } from './orthanc.ts'

export interface DcmqrscpOptions extends PacsOptions {
  /** As Debian ships it: with Nagle's algorithm. */
  readonly asShipped?: boolean
  /** Objects that are too long to be sent into it. Then it gives, and takes, uncompressed ones alone. */
  readonly long?: readonly LongSample[]
}

/** @param folder kept between runs, with what it was filled with */
export async function startDcmqrscp (folder: string, { samples, long = [], destinations, host = '127.0.0.1', within, asShipped = false }: DcmqrscpOptions): Promise<PacsPeer> {
  const storage = join(folder, 'storage')
  await mkdir(storage, { recursive: true })
  const port = await freePort()
  const settings = join(folder, `dcmqrscp-${port}.cfg`)
  await writeFile(settings, [
    `NetworkTCPPort = ${port}`,
    'MaxPDUSize = 16384',
    'MaxAssociations = 16',
    'HostTable BEGIN',
    ...[...destinations].map(([title, to], index) => `host${index} = (${title}, ${to.host}, ${to.port})`),
    'HostTable END',
    'VendorTable BEGIN',
    'VendorTable END',
    'AETable BEGIN',
    `QR ${storage} RW (20, 4gb) ANY`,
    'AETable END',
    ''
  ].join('\n'))
  for (const sample of long) await register(storage, folder, sample)
  // What it proposes first is what it can send: it converts nothing.
  const held = long.length > 0 ? 'uncompr' : 'jls-lossless'
  const peer = await start('dcmqrscp', 'dcmqrscp', ['--disable-host-lookup', '--config', settings, `--prefer-${held}`, `--propose-${held}`], { env: asShipped ? {} : NO_DELAY, within, ready: { host, port } })
  for (const sample of samples) {
    const filled = join(folder, `filled-${basename(dirname(sample.files[0]!.path))}`)
    if (existsSync(filled)) continue
    await blast(sample, { host, port }, 'QR')
    await writeFile(filled, '')
  }
  return { ...peer, title: 'QR', host, port }
}

/** Its index takes a gigabyte for a study and no more: a small object is made known, and the long one put in its place. */
async function register (storage: string, folder: string, { files, seed }: LongSample): Promise<void> {
  const [{ path }] = files as [ObjectFile]
  const filled = join(folder, `filled-${basename(dirname(path))}`)
  if (existsSync(filled)) return
  const known = join(storage, basename(dirname(path)))
  await writeHugeObject(known, 1, seed)
  await run('dcmqridx', [storage, known])
  await rm(known)
  await link(path, known)
  await writeFile(filled, '')
}
