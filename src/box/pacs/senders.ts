/**
 * Who may send to us: titles, each from its addresses. Names are looked up now and then, never while a caller waits.
 */

import { lookup } from 'node:dns/promises'
import { isIP } from 'node:net'
import type { Config } from '../config.ts'

/** Where a PACS calls from is looked up again after so long, in milliseconds. */
const ADDRESS_MS = 60_000

export type SenderSettings = Pick<Config['pacs'], 'host' | 'calledTitle' | 'senders'>

export class Senders {
  readonly #pacs: SenderSettings
  readonly #timer: NodeJS.Timeout
  #own: ReadonlySet<string> = new Set()

  constructor (pacs: SenderSettings) {
    this.#pacs = pacs
    this.#timer = setInterval(() => { void this.refresh() }, ADDRESS_MS).unref()
  }

  /** A name that can't be resolved keeps what it led to before. */
  async refresh (): Promise<void> {
    const { host } = this.#pacs
    const found = isIP(host) !== 0 ? [host] : (await lookup(host, { all: true }).catch(() => [])).map(({ address }) => address)
    if (found.length > 0) this.#own = new Set(found)
  }

  admits (title: string, address: string): boolean {
    const plain = address.replace(/^::ffff:/, '')
    const { senders, calledTitle } = this.#pacs
    const rules = senders.length > 0 ? senders : [{ title: calledTitle }]
    return rules.some(rule => rule.title.trim() === title && (rule.addresses === undefined ? this.#own.has(plain) : rule.addresses.includes(plain)))
  }

  close (): void {
    clearInterval(this.#timer)
  }
}
