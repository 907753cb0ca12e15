/**
 * Download links: whoever has one may download one deployment's artifact until it expires.
 *
 * A device's token isn't asked for there: Mender's client sends none to the place where an artifact
 * lies, since that is usually another server's. The query keys are those of Mender's own server.
 */

import { createHmac, timingSafeEqual, type KeyObject } from 'node:crypto'
import { FleetError } from '../errors.ts'

export const LINK_PREFIX = '/api/devices/v1/deployments/download'

export class Links {
  readonly #key: KeyObject
  readonly #seconds: number
  readonly #now: () => number

  /** @param now in milliseconds since 1970 */
  constructor (key: KeyObject, seconds: number, now: () => number) {
    this.#key = key
    this.#seconds = seconds
    this.#now = now
  }

  make (base: string, deploymentId: string): { readonly uri: string, readonly expire: string } {
    const expire = new Date((Math.floor(this.#now() / 1000) + this.#seconds) * 1000).toISOString()
    const path = `${LINK_PREFIX}/${deploymentId}`
    return { uri: `${base}${path}?x-men-expire=${encodeURIComponent(expire)}&x-men-signature=${this.#sign(path, expire)}`, expire }
  }

  /** @throws FleetError LINK_REFUSED, LINK_EXPIRED */
  check (deploymentId: string, query: Readonly<Record<string, unknown>>): void {
    const expire = query['x-men-expire']
    const signature = query['x-men-signature']
    if (typeof expire !== 'string' || typeof signature !== 'string') throw new FleetError('LINK_REFUSED', 'the link is not signed')
    const wanted = Buffer.from(this.#sign(`${LINK_PREFIX}/${deploymentId}`, expire))
    const given = Buffer.from(signature)
    if (wanted.length !== given.length || !timingSafeEqual(wanted, given)) throw new FleetError('LINK_REFUSED', 'the link\'s signature is wrong')
    if (Date.parse(expire) <= this.#now()) throw new FleetError('LINK_EXPIRED', 'the link has expired', { facts: { expire } })
  }

  #sign (path: string, expire: string): string {
    return createHmac('sha256', this.#key).update(`GET\n${path}\n${expire}`).digest('base64url')
  }
}
