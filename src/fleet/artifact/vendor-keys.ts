/**
 * The vendor's public keys, and whether one of them signed an artifact.
 *
 * Source: Mender artifact format v3, `manifest.sig`: base64 of an ECDSA or RSA signature over SHA-256 of
 * the manifest. mender-artifact writes ECDSA as the two numbers side by side (IEEE P1363); signers in
 * hardware often write ASN.1 (X9.62), which is told apart by its length.
 */

import { createHash, createPublicKey, verify, type KeyObject } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { SettingError } from '#core/errors.ts'
import { FleetError } from '../errors.ts'

export interface VendorKey {
  readonly key: KeyObject
  /** SHA-256 of its SubjectPublicKeyInfo, in hexadecimal. */
  readonly fingerprint: string
}

/** Below this RSA isn't taken. */
const RSA_BITS_MIN = 2048
/** RSA of 8192 bits takes 1366. */
const SIGNATURE_CHARS_MAX = 4096

/** @throws SettingError */
export async function readVendorKeys (files: readonly string[]): Promise<VendorKey[]> {
  return await Promise.all(files.map(async file => {
    try {
      return vendorKey(await readFile(file))
    } catch (error) {
      throw new SettingError(`no public key of a vendor: ${file}`, { cause: error })
    }
  }))
}

/** @param pem a private key is refused: it has no business on this machine */
export function vendorKey (pem: Buffer | string): VendorKey {
  if (pem.includes('PRIVATE KEY')) throw new Error('a private key, where a public one belongs')
  const key = createPublicKey(pem)
  const { namedCurve, modulusLength } = key.asymmetricKeyDetails ?? {}
  const isGood = (key.asymmetricKeyType === 'ec' && namedCurve === 'prime256v1') || (key.asymmetricKeyType === 'rsa' && (modulusLength ?? 0) >= RSA_BITS_MIN)
  if (!isGood) throw new Error('neither ECDSA P-256 nor RSA of 2048 bits')
  return { key, fingerprint: createHash('sha256').update(key.export({ type: 'spki', format: 'der' })).digest('hex') }
}

/**
 * @param signature the content of manifest.sig
 * @returns the fingerprint of the key that signed
 * @throws FleetError ARTIFACT_SIGNATURE_WRONG
 */
export function signerOf (manifest: Buffer, signature: string, keys: readonly VendorKey[]): string {
  const base64 = signature.trim()
  if (base64.length <= SIGNATURE_CHARS_MAX && /^[A-Za-z0-9+/]+={0,2}$/.test(base64)) {
    const bytes = Buffer.from(base64, 'base64')
    const signer = keys.find(({ key }) => verify('sha256', manifest, { key, dsaEncoding: bytes.length === 64 ? 'ieee-p1363' : 'der' }, bytes))
    if (signer !== undefined) return signer.fingerprint
  }
  throw new FleetError('ARTIFACT_SIGNATURE_WRONG', 'no key of the vendor has signed this artifact')
}
