/**
 * What callers of the signer may ask, read strictly: every field is known, of its form, and bounded.
 *
 * Small on purpose, and without a schema library: this process is started for a single signature.
 */

import { isIP } from 'node:net'
import { RequestError } from '#core/errors.ts'
import type { Subject } from '#standards/x509/certification-request.ts'
import type { KeyType } from '#standards/x509/public-key.ts'
import { DIGEST_BYTES } from './tpm2/tpm.ts'

/** Names and addresses of one certificate, each. */
const ALTERNATIVES_MAX = 8
/** RFC 5280 Appendix A.1: ub-common-name and its relatives. */
const NAME_CHARS_MAX = 64
/** RFC 1035 §2.3: labels of at most 63 letters, digits and hyphens; perhaps a wildcard. */
const HOST = /^(?=.{1,253}$)(\*\.)?([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/i
/** No control character, and none that looks like nothing. */
const PRINTED = /^[^\p{C}\p{Zl}\p{Zp}]+$/u

type Fields = Readonly<Record<string, unknown>>

/** `{ "type": "P-256" }` */
export function readMake (json: unknown): KeyType {
  const { type } = fields(json, ['type'])
  if (type !== 'P-256' && type !== 'RSA-2048') throw wrong('type')
  return type
}

/** `{ "digest": "<64 hexadecimal digits>" }` */
export function readSign (json: unknown): Buffer {
  const { digest } = fields(json, ['digest'])
  if (typeof digest !== 'string' || digest.length !== 2 * DIGEST_BYTES || !/^[0-9a-f]+$/i.test(digest)) throw wrong('digest')
  return Buffer.from(digest, 'hex')
}

export interface AskedRequest {
  readonly subject: Subject
  readonly names: readonly string[]
  readonly addresses: readonly string[]
}

/** `{ "subject": { "commonName": …, "organizationalUnit"?, "organization"?, "country"? }, "names"?: […], "addresses"?: […] }` */
export function readCsr (json: unknown): AskedRequest {
  const { subject, names = [], addresses = [] } = fields(json, ['subject', 'names', 'addresses'])
  const { commonName, organizationalUnit, organization, country } = fields(subject, ['commonName', 'organizationalUnit', 'organization', 'country'])
  if (country !== undefined && !(typeof country === 'string' && /^[A-Z]{2}$/.test(country))) throw wrong('country')
  return {
    subject: {
      commonName: printed('commonName', commonName) ?? refuse('commonName'),
      organizationalUnit: printed('organizationalUnit', organizationalUnit),
      organization: printed('organization', organization),
      country
    },
    names: texts('names', names, name => HOST.test(name)),
    addresses: texts('addresses', addresses, address => isIP(address) !== 0 && !address.includes('%'))
  }
}

function fields (json: unknown, known: readonly string[]): Fields {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) throw new RequestError('DATA_MALFORMED', 'not a JSON object')
  const stranger = Object.keys(json).find(name => !known.includes(name))
  if (stranger !== undefined) throw new RequestError('DATA_MALFORMED', 'a field that is not known', { facts: { known } })
  // Only its own: a field named after something of every object's isn't one.
  return Object.assign(Object.create(null) as Fields, json)
}

function printed (name: string, value: unknown): string | undefined {
  if (value === undefined) return undefined
  if (typeof value !== 'string' || value.length > NAME_CHARS_MAX || value.trim() === '' || !value.isWellFormed() || !PRINTED.test(value)) throw wrong(name)
  return value
}

function texts (name: string, value: unknown, isGood: (text: string) => boolean): readonly string[] {
  if (!Array.isArray(value) || value.length > ALTERNATIVES_MAX || !value.every(text => typeof text === 'string' && isGood(text))) throw wrong(name)
  return value as string[]
}

function refuse (field: string): never {
  throw wrong(field)
}

function wrong (field: string): RequestError {
  return new RequestError('DATA_MALFORMED', 'a field has no value that is taken', { facts: { field } })
}
