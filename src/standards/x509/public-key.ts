/**
 * A public key as certificates carry it, and the name of what it signs with.
 *
 * Source: RFC 5480 §2 (P-256), RFC 3279 §2.3.1 (RSA), RFC 5758 §3.2 and RFC 4055 §5 (signatures).
 */

import { bitString, integer, NULL, objectIdentifier, sequence } from './der.ts'

/** What we make, and sign with: ECDSA, or RSASSA-PKCS1-v1_5, both with SHA-256. */
export type KeyType = 'P-256' | 'RSA-2048'

export type PublicKey =
  | { readonly type: 'P-256', readonly x: Uint8Array, readonly y: Uint8Array }
  | { readonly type: 'RSA-2048', readonly modulus: Uint8Array, readonly exponent: number }

const COORDINATE_BYTES = 32

/** SubjectPublicKeyInfo, in DER. */
export function subjectPublicKeyInfo (key: PublicKey): Buffer {
  if (key.type === 'P-256') {
    return sequence(
      sequence(objectIdentifier('1.2.840.10045.2.1'), objectIdentifier('1.2.840.10045.3.1.7')),
      bitString(Buffer.concat([Buffer.from([0x04]), coordinate(key.x), coordinate(key.y)]))
    )
  }
  const exponent = Buffer.alloc(4)
  exponent.writeUInt32BE(key.exponent)
  return sequence(
    sequence(objectIdentifier('1.2.840.113549.1.1.1'), NULL),
    bitString(sequence(integer(key.modulus), integer(exponent)))
  )
}

/** AlgorithmIdentifier of a signature by a key of this type. RSA's has a NULL, ECDSA's nothing. */
export function signatureAlgorithm (type: KeyType): Buffer {
  return type === 'P-256'
    ? sequence(objectIdentifier('1.2.840.10045.4.3.2'))
    : sequence(objectIdentifier('1.2.840.113549.1.1.11'), NULL)
}

/** A TPM leaves out leading zeros. */
function coordinate (bytes: Uint8Array): Buffer {
  if (bytes.length > COORDINATE_BYTES) throw new RangeError('not on P-256')
  return Buffer.concat([Buffer.alloc(COORDINATE_BYTES - bytes.length), bytes])
}
