/**
 * A certification request (PKCS#10), made without ever seeing the private key.
 *
 * Source: RFC 2986, RFC 5280 §4.1.2.4 (names), §4.2.1.6 (subjectAltName), RFC 2985 §5.4.2 (extensionRequest).
 */

import { isIPv4, isIPv6 } from 'node:net'
import { bitString, der, objectIdentifier, octetString, printableString, sequence, set, toPem, utf8String } from './der.ts'
import { signatureAlgorithm, type KeyType } from './public-key.ts'

export interface Subject {
  readonly commonName: string
  readonly organizationalUnit?: string
  readonly organization?: string
  /** Two letters, as ISO 3166 has them. */
  readonly country?: string
}

export interface CertificationRequest {
  readonly subject: Subject
  /** Of hosts, in ASCII. */
  readonly names: readonly string[]
  /** IPv4 or IPv6, as text. */
  readonly addresses: readonly string[]
  readonly type: KeyType
  /** SubjectPublicKeyInfo, in DER. */
  readonly publicKey: Uint8Array
}

/**
 * @param sign over the bytes given: a DER ECDSA-Sig-Value, or RSA's number
 * @returns PEM
 */
export async function certificationRequest (request: CertificationRequest, sign: (bytes: Uint8Array) => Promise<Uint8Array>): Promise<string> {
  const info = sequence(der(0x02, Buffer.from([0])), distinguishedName(request.subject), request.publicKey, attributes(request))
  return toPem('CERTIFICATE REQUEST', sequence(info, signatureAlgorithm(request.type), bitString(await sign(info))))
}

/** From the widest to the narrowest, as certificates print them. */
function distinguishedName ({ country, organization, organizationalUnit, commonName }: Subject): Buffer {
  return sequence(
    ...country === undefined ? [] : [attribute('2.5.4.6', printableString(country))],
    ...organization === undefined ? [] : [attribute('2.5.4.10', utf8String(organization))],
    ...organizationalUnit === undefined ? [] : [attribute('2.5.4.11', utf8String(organizationalUnit))],
    attribute('2.5.4.3', utf8String(commonName))
  )
}

const attribute = (type: string, value: Buffer): Buffer => set(sequence(objectIdentifier(type), value))

function attributes ({ names, addresses }: CertificationRequest): Buffer {
  if (names.length + addresses.length === 0) return der(0xA0)
  const alternatives = sequence(
    ...names.map(name => der(0x82, Buffer.from(name, 'latin1'))),
    ...addresses.map(address => der(0x87, addressBytes(address)))
  )
  const extensions = sequence(sequence(objectIdentifier('2.5.29.17'), octetString(alternatives)))
  return der(0xA0, sequence(objectIdentifier('1.2.840.113549.1.9.14'), set(extensions)))
}

/** @throws RangeError when it is no address */
function addressBytes (text: string): Buffer {
  if (isIPv4(text)) return Buffer.from(text.split('.').map(Number))
  if (!isIPv6(text) || text.includes('%')) throw new RangeError('not an IP address')
  // An IPv4 address at its end is written as two groups; '::' stands for the groups that lack.
  const groups = text.replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (_all, a, b, c, d) => `${(Number(a) << 8 | Number(b)).toString(16)}:${(Number(c) << 8 | Number(d)).toString(16)}`)
  const [head = '', tail] = groups.split('::')
  const before = head.split(':').filter(group => group !== '')
  const behind = tail === undefined ? [] : tail.split(':').filter(group => group !== '')
  const all = [...before, ...Array<string>(8 - before.length - behind.length).fill('0'), ...behind]
  return Buffer.from(all.map(group => group.padStart(4, '0')).join(''), 'hex')
}
