/**
 * A device's public key, and the signature that proves that it holds the private one.
 *
 * Source: Mender device API, authentication v1, `X-MEN-Signature`: RSA (PKCS #1 v1.5, SHA-256), ECDSA
 * P-256 (ASN.1, SHA-256) and Ed25519 (over the body itself), in base64. Clients of 5.x make Ed25519 keys,
 * those of 3.x RSA of 3072 bits.
 */

import { createHash, createPublicKey, verify, type KeyObject } from 'node:crypto'
import { FleetError } from '../errors.ts'
import type { DeviceKey } from '../store/devices.ts'

const RSA_BITS_MIN = 2048
/** Beyond this, checking one signature costs too much. */
const RSA_BITS_MAX = 8192
const SIGNATURE_CHARS_MAX = 2048

export interface ProvableKey extends DeviceKey {
  readonly key: KeyObject
}

/** @throws FleetError KEY_UNSUPPORTED */
export function parseDeviceKey (pem: string): ProvableKey {
  if (!/^\s*-----BEGIN (RSA )?PUBLIC KEY-----/.test(pem)) throw unsupported('no public key in PEM')
  let key: KeyObject
  try {
    key = createPublicKey(pem)
  } catch (error) {
    throw unsupported('the public key cannot be read', error)
  }
  const { namedCurve, modulusLength = 0 } = key.asymmetricKeyDetails ?? {}
  let kind: string
  if (key.asymmetricKeyType === 'ed25519') kind = 'ed25519'
  else if (key.asymmetricKeyType === 'ec' && namedCurve === 'prime256v1') kind = 'p-256'
  else if (key.asymmetricKeyType === 'rsa' && modulusLength >= RSA_BITS_MIN && modulusLength <= RSA_BITS_MAX) kind = `rsa-${modulusLength}`
  else throw unsupported('neither Ed25519, ECDSA P-256 nor RSA of 2048 to 8192 bits')
  return {
    key,
    kind,
    // As we would write it: the same key in other words is the same key.
    pem: key.export({ type: 'spki', format: 'pem' }) as string,
    fingerprint: createHash('sha256').update(key.export({ type: 'spki', format: 'der' })).digest('hex')
  }
}

/** @throws FleetError SIGNATURE_REFUSED */
export function assertSigned (body: Buffer, header: unknown, { key, kind }: ProvableKey): void {
  const base64 = typeof header === 'string' && header.length <= SIGNATURE_CHARS_MAX && /^[A-Za-z0-9+/]+={0,2}$/.test(header) ? header : undefined
  if (base64 === undefined) throw new FleetError('SIGNATURE_REFUSED', 'X-MEN-Signature is missing or cannot be read')
  const isGood = verify(kind === 'ed25519' ? null : 'sha256', body, { key, dsaEncoding: 'der' }, Buffer.from(base64, 'base64'))
  if (!isGood) throw new FleetError('SIGNATURE_REFUSED', 'the signature is not of this key over this body')
}

function unsupported (message: string, cause?: unknown): FleetError {
  return new FleetError('KEY_UNSUPPORTED', message, { cause })
}
