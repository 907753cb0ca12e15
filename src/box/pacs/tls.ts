/**
 * DICOM secure transport from settings: PEM files into what node:tls wants.
 *
 * Source: DICOM PS3.15 §B.9 (BCP 195 profile): TLS 1.2 or later.
 */

import { readFile } from 'node:fs/promises'
import type { ConnectionOptions, TlsOptions } from 'node:tls'
import type { Config } from '../config.ts'

type Tls = NonNullable<Config['pacs']['tls']>

export async function clientTls (tls: Tls | undefined): Promise<ConnectionOptions | undefined> {
  return tls && { ...await files(tls), servername: tls.serverName, minVersion: 'TLSv1.2' }
}

/** With authorities named, callers must show a certificate of theirs. */
export async function serverTls (tls: Tls | undefined): Promise<TlsOptions | undefined> {
  return tls && { ...await files(tls), minVersion: 'TLSv1.2', requestCert: tls.caFile !== undefined, rejectUnauthorized: tls.caFile !== undefined }
}

async function files ({ caFile, certFile, keyFile }: Tls): Promise<{ ca?: Buffer, cert?: Buffer, key?: Buffer }> {
  const [ca, cert, key] = await Promise.all([caFile, certFile, keyFile].map(async path => path === undefined ? undefined : await readFile(path)))
  return { ca, cert, key }
}
