/** The certificate that the front shows, as far as a person compares it in his browser. */

import { X509Certificate } from 'node:crypto'
import { readSmall } from './facts.ts'

/** A certificate with its chain. */
const BYTES_MAX = 32 << 10

export interface Certificate {
  /** SHA-256, in pairs of hexadecimal digits, as browsers print it. */
  readonly fingerprint: string
  readonly selfSigned: boolean
  readonly notAfter: string
}

/** @returns the first of these files that holds one; undefined where none does */
export async function readCertificate (paths: readonly string[]): Promise<Certificate | undefined> {
  for (const path of paths) {
    try {
      const text = await readSmall(path, BYTES_MAX)
      if (text === undefined) continue
      const certificate = new X509Certificate(text)
      return {
        fingerprint: certificate.fingerprint256,
        selfSigned: certificate.subject === certificate.issuer && certificate.verify(certificate.publicKey),
        notAfter: certificate.validToDate.toISOString()
      }
    } catch {
      // Not readable, or not a certificate: perhaps the next one is.
    }
  }
  return undefined
}
