/**
 * A TPM key in a file: both halves, the private one wrapped by its parent, as OpenSSL's TPM provider reads it.
 *
 * Source: "ASN.1 Specification for TPM 2.0 Key Files" (draft-bottomley-tpm2-keys), TPMKey. Written here
 * because tpm2_encodeobject writes one that asks for a passphrase.
 */

import { boolean, der, fromPem, integer, objectIdentifier, octetString, readElements, sequence, toPem } from '#standards/x509/der.ts'

const LABEL = 'TSS2 PRIVATE KEY'
/** id-loadablekey */
const LOADABLE = objectIdentifier('2.23.133.10.1.3')

export interface KeyBlobs {
  /** TPM2B_PUBLIC */
  readonly publicArea: Uint8Array
  /** TPM2B_PRIVATE, that only this TPM unwraps. */
  readonly privateArea: Uint8Array
  /** Persistent handle of the key that wraps it. */
  readonly parent: number
}

export function writeTss2Pem ({ publicArea, privateArea, parent }: KeyBlobs): string {
  return toPem(LABEL, sequence(
    LOADABLE,
    der(0xA0, boolean(true)), // emptyAuth
    integer(handleBytes(parent)),
    octetString(publicArea),
    octetString(privateArea)
  ))
}

/** @throws RangeError when it isn't what {@link writeTss2Pem} writes */
export function readTss2Pem (text: string): KeyBlobs {
  const bytes = fromPem(LABEL, text)
  const [whole, ...behind] = readElements(bytes)
  const [, , parent, publicArea, privateArea] = whole === undefined ? [] : readElements(whole.content)
  if (behind.length > 0 || parent === undefined || publicArea === undefined || privateArea === undefined) throw new RangeError('not a TPM key')
  const blobs = {
    parent: Buffer.concat([Buffer.alloc(4), parent.content]).subarray(-4).readUInt32BE(),
    publicArea: publicArea.content,
    privateArea: privateArea.content
  }
  // What we write is the only form: anything else is somebody else's, or damaged.
  if (writeTss2Pem(blobs).replace(/\s/g, '') !== text.replace(/\s/g, '')) throw new RangeError('a TPM key of another form')
  return blobs
}

function handleBytes (handle: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(handle)
  return bytes
}
