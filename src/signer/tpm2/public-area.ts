/**
 * The public half of a TPM key, as tpm2_create writes it.
 *
 * Source: TPM 2.0 Library Part 2 §12.2.4 (TPMT_PUBLIC), §8.3 (TPMA_OBJECT), §6.3 (TPM_ALG_ID).
 */

import type { PublicKey } from '#standards/x509/public-key.ts'

/**
 * A key that signs, that this TPM made and that never leaves it (fixedTPM, fixedParent,
 * sensitiveDataOrigin), and that goes on in lockout (noDA).
 */
export const KEY_ATTRIBUTES = 'fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda|sign'
const KEY_BITS = 1 << 1 | 1 << 4 | 1 << 5 | 1 << 6 | 1 << 10 | 1 << 18

const ALGORITHM = { rsa: 0x0001, sha256: 0x000B, null: 0x0010, ecc: 0x0023 } as const
const P256 = 0x0003
/** TPM 2.0 Part 2 §12.2.3.5: zero stands for it. */
const EXPONENT = 65537

/**
 * @param bytes TPM2B_PUBLIC, its size in front
 * @throws RangeError when it isn't a key as we make them: another kind, other attributes, other lengths
 */
export function readPublicArea (bytes: Uint8Array): PublicKey {
  const area = new Reader(bytes)
  if (area.u16() !== bytes.length - 2) throw new RangeError('not a public area')
  const type = area.u16()
  if (area.u16() !== ALGORITHM.sha256) throw new RangeError('named by another hash than SHA-256')
  if (area.u32() !== KEY_BITS) throw new RangeError('other attributes than those of our keys')
  if (area.sized().length > 0) throw new RangeError('a key with a policy')
  if (area.u16() !== ALGORITHM.null) throw new RangeError('a key that also encrypts')
  if (area.u16() !== ALGORITHM.null) area.u16() // the scheme's hash
  const key = type === ALGORITHM.ecc ? ecc(area) : type === ALGORITHM.rsa ? rsa(area) : undefined
  if (key === undefined || !area.atEnd) throw new RangeError('neither P-256 nor RSA-2048')
  return key
}

function ecc (area: Reader): PublicKey | undefined {
  if (area.u16() !== P256) return undefined
  if (area.u16() !== ALGORITHM.null) return undefined // a key derivation is no signing key's
  return { type: 'P-256', x: area.sized(), y: area.sized() }
}

function rsa (area: Reader): PublicKey | undefined {
  if (area.u16() !== 2048) return undefined
  const exponent = area.u32()
  const modulus = area.sized()
  return modulus.length === 256 ? { type: 'RSA-2048', modulus, exponent: exponent === 0 ? EXPONENT : exponent } : undefined
}

/** Numbers are big endian; reading past the end throws RangeError. */
class Reader {
  readonly #bytes: Buffer
  #at = 0

  constructor (bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  get atEnd (): boolean { return this.#at === this.#bytes.length }
  u16 (): number { return this.#take(2).readUInt16BE() }
  u32 (): number { return this.#take(4).readUInt32BE() }
  sized (): Buffer { return this.#take(this.u16()) }

  #take (length: number): Buffer {
    const start = this.#at
    this.#at += length
    if (this.#at > this.#bytes.length) throw new RangeError('longer than what holds it')
    return this.#bytes.subarray(start, this.#at)
  }
}
