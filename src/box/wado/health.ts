/**
 * Whether this box can do its work, for the national service monitor ("météo des services") and for
 * the centre's own: a GET on the DICOMweb root, without a token.
 *
 * Source: docs/standards/dicomweb.md, "Health". Says nothing of patients, addresses or titles, since
 * anybody may ask.
 */

import type { FastifyReply, FastifyRequest } from 'fastify'
import { RequestError } from '#core/errors.ts'
import { choose, parseAccept } from '#standards/dicomweb/accept.ts'
import type { Cache } from '../cache/cache.ts'
import type { Slots } from '../pacs/slots.ts'
import { serveCapabilities, WADL_TYPE, type CapabilityParts } from './capabilities.ts'
import { acceptParameter } from './objects.ts'

/** However many ask, the disk and the PACS are looked at once in this time. Milliseconds. */
const KEPT_MS = 5000
/** What the PACS showed longer ago says nothing of now: it is asked for a sign of life. Milliseconds. */
const PACS_KNOWN_MS = 60_000
/** A monitor doesn't wait longer for an answer that nobody knows yet. Milliseconds. */
const PROBE_MS = 3000

export type Condition = 'up' | 'degraded' | 'down'

export interface HealthReport {
  readonly status: Condition
  readonly checkedAt: string
  readonly dependencies: {
    readonly pacs: { readonly status: Condition, readonly lastAskedAt?: string, readonly code?: string }
    readonly disk: { readonly status: Condition }
    readonly index: { readonly status: Condition }
  }
}

export interface HealthParts {
  readonly slots: Pick<Slots, 'last' | 'echo'>
  readonly cache: Pick<Cache, 'check'>
  readonly now?: () => number
}

export class Health {
  readonly #parts: HealthParts
  readonly #now: () => number
  #report: Promise<HealthReport> | undefined
  #until = 0
  #probing = false

  constructor (parts: HealthParts) {
    this.#parts = parts
    this.#now = parts.now ?? Date.now
  }

  async report (): Promise<HealthReport> {
    const now = this.#now()
    if (this.#report === undefined || now >= this.#until || now < this.#until - KEPT_MS) {
      this.#until = now + KEPT_MS
      this.#report = this.#look(now)
    }
    return await this.#report
  }

  async #look (now: number): Promise<HealthReport> {
    const [{ disk, index }] = await Promise.all([this.#parts.cache.check(), this.#askPacs(now)])
    const pacs = this.#pacs()
    const found = {
      pacs,
      // A full disk still serves what it holds.
      disk: { status: disk === 'full' ? 'degraded' as const : disk },
      // Without its index the cache goes on, from memory and from the packs.
      index: { status: index === 'down' ? 'degraded' as const : index }
    }
    const worst = (condition: Condition): boolean => Object.values(found).some(({ status }) => status === condition)
    return { status: worst('down') ? 'down' : worst('degraded') ? 'degraded' : 'up', checkedAt: new Date(now).toISOString(), dependencies: found }
  }

  #pacs (): HealthReport['dependencies']['pacs'] {
    const { last } = this.#parts.slots
    // Never asked, since it isn't to be asked at this hour or all its associations are busy.
    if (last === undefined) return { status: 'degraded' }
    return { status: last.reached ? 'up' : 'down', lastAskedAt: new Date(last.at).toISOString(), ...last.code !== undefined && { code: last.code } }
  }

  /** Waits for it only where nothing is known; never more than one at a time. */
  async #askPacs (now: number): Promise<void> {
    const { slots } = this.#parts
    const { last } = slots
    if (this.#probing || (last?.reached === true && Math.abs(now - last.at) < PACS_KNOWN_MS)) return
    this.#probing = true
    // How it went is told by the slots themselves.
    const asked = slots.echo(AbortSignal.timeout(PROBE_MS)).catch(() => {}).finally(() => { this.#probing = false })
    if (last === undefined || !last.reached) await asked
  }
}

const JSON_TYPE = 'application/json'
const OFFERS = [{ type: JSON_TYPE }, { type: WADL_TYPE }]

/** The root of the service: how it is, or, for who wants WADL, what it can do. */
export async function serveRoot (health: Health, capabilities: CapabilityParts, request: FastifyRequest, reply: FastifyReply): Promise<unknown> {
  const offer = choose(parseAccept(request.headers.accept, acceptParameter(request)), OFFERS)
  if (offer === undefined) throw new RequestError('ACCEPT_UNSUPPORTED', 'health is told as JSON, capabilities as WADL', { facts: { offered: OFFERS.map(({ type }) => type) } })
  if (offer.type === WADL_TYPE) return serveCapabilities(capabilities, request, reply, '/')
  const report = await health.report()
  return reply.code(report.status === 'down' ? 503 : 200).headers({ 'cache-control': 'no-store', vary: 'Accept' }).serializer(JSON.stringify).type(JSON_TYPE).send(report)
}
