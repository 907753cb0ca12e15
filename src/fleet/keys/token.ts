/**
 * What a device shows after it has been let in: a JSON Web Token of ours.
 *
 * Source: RFC 7519, RFC 7515 (compact form), RFC 7518 §3.4 (ES256).
 * Bound to the device and to the key that it proved: both are looked up again with every request, so
 * that a withdrawn device is out at once.
 */

import { randomUUID, sign, verify } from 'node:crypto'
import { Type } from 'typebox'
import { Value } from 'typebox/value'
import { FleetError } from '../errors.ts'
import type { ServerKeys } from './server-keys.ts'

export interface Bearer {
  readonly deviceId: string
  /** SHA-256 of its public key, in hexadecimal. */
  readonly fingerprint: string
}

const ISSUER = 'drimbox-fleet'
/** The only one: a token never says how it wants to be checked (RFC 8725 §3.1). */
const HEADER = encode({ alg: 'ES256', typ: 'JWT' })
/** Ours take 400. */
const CHARS_MAX = 2048

const Claims = Type.Object({
  iss: Type.Literal(ISSUER),
  sub: Type.String({ minLength: 1 }),
  key: Type.String({ pattern: '^[0-9a-f]{64}$' }),
  exp: Type.Integer()
})

export class Tokens {
  readonly #keys: ServerKeys['token']
  readonly #seconds: number
  readonly #now: () => number

  /** @param now in milliseconds since 1970 */
  constructor (keys: ServerKeys['token'], seconds: number, now: () => number) {
    this.#keys = keys
    this.#seconds = seconds
    this.#now = now
  }

  issue ({ deviceId, fingerprint }: Bearer): string {
    const at = Math.floor(this.#now() / 1000)
    const claims = { iss: ISSUER, sub: deviceId, key: fingerprint, jti: randomUUID(), iat: at, exp: at + this.#seconds, 'mender.device': true }
    const signed = `${HEADER}.${encode(claims)}`
    return `${signed}.${sign('sha256', Buffer.from(signed), { key: this.#keys.private, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`
  }

  /** @throws FleetError TOKEN_REFUSED */
  check (authorization: string | undefined): Bearer {
    const [, token] = /^Bearer ([A-Za-z0-9_.-]+)$/i.exec(authorization?.slice(0, CHARS_MAX) ?? '') ?? []
    const [header, claims, signature, ...more] = (token ?? '').split('.')
    if (header !== HEADER || claims === undefined || signature === undefined || more.length > 0) throw refused('no token of ours')
    const isOurs = verify('sha256', Buffer.from(`${header}.${claims}`), { key: this.#keys.public, dsaEncoding: 'ieee-p1363' }, Buffer.from(signature, 'base64url'))
    if (!isOurs) throw refused('the token\'s signature is wrong')
    // Signed by us, hence in our form; a claim of a later release may still be missing.
    const said: unknown = JSON.parse(Buffer.from(claims, 'base64url').toString())
    if (!Value.Check(Claims, said)) throw refused('the token is of another form')
    if (said.exp * 1000 <= this.#now()) throw refused('the token has expired')
    return { deviceId: said.sub, fingerprint: said.key }
  }
}

function encode (json: object): string {
  return Buffer.from(JSON.stringify(json)).toString('base64url')
}

function refused (message: string): FleetError {
  return new FleetError('TOKEN_REFUSED', message)
}
