/**
 * How the box is, from everything that was found out: one state, and the reasons in words.
 *
 * This is what `/status.json` says and what the page shows. No patient, no secret: anybody on the centre's
 * network may read it.
 */

import type { Certificate } from './certificate.ts'
import type { Fact, FactName, Facts } from './facts.ts'
import type { Gateway } from './gateway.ts'
import type { Boot, Machine } from './machine.ts'
import { english } from './words-en.ts'
import { french, type Words } from './words-fr.ts'

/** First boots under emulation took up to ten minutes; later than this, what isn't there won't come by itself. */
const STARTING_SECONDS = 600
/** Scripts that run at every boot leave these. The others come with their occasion. */
const EXPECTED: readonly FactName[] = ['disk', 'tpm', 'key']
/** Worth a line, while the box does all its work. */
const NOTICES = new Set(['SETTINGS_ABSENT', 'FLOOR_NO_TPM'])
/** How an update ended that didn't stay: its cause is a line, no fault of the version that runs. */
const PAST = new Set(['refused', 'rolled-back'])
/** A certificate signed by itself has no end that matters; any other is renewed long before. Milliseconds. */
const EXPIRES_SOON_MS = 24 * 3600_000

/** ready: it serves. starting: not yet. degraded: it serves, or should, with something wrong. closed: its data can't be opened. */
export type State = 'ready' | 'starting' | 'degraded' | 'closed'

export interface Problem {
  readonly code: string
  readonly fr: string
  readonly en: string
  /** As the script or the machine put it, in its own language. */
  readonly detail?: string
}

export interface Report {
  readonly version: string | null
  readonly release: number | null
  readonly slot: 'a' | 'b' | null
  readonly state: State
  readonly problems: readonly Problem[]
  readonly boot: Boot
  readonly disk: Fact | null
  readonly tpm: Fact | null
  readonly key: { readonly kind: string | null, readonly fingerprint: string | null, readonly selfSigned: boolean | null, readonly notAfter: string | null }
  readonly update: Fact | null
  readonly stick: Fact | null
  readonly network: Machine['network']
  readonly time: { readonly synchronised: boolean | null, readonly offsetSeconds: number | null }
  readonly gateway: Gateway
  readonly memory: Machine['memory']
  readonly uptimeSeconds: number
}

export interface Found {
  readonly facts: Facts
  readonly machine: Machine
  readonly certificate: Certificate | undefined
  readonly gateway: Gateway
  readonly now: number
}

export function report ({ facts: { found, broken }, machine, certificate, gateway, now }: Found): Report {
  const isClosed = found.disk?.state === 'closed'
  const missing = EXPECTED.filter(name => found[name] === undefined && !broken.includes(name))
  const waits = missing.length > 0 || !gateway.answering || found.gate?.state === 'waiting'
  const isStarting = !isClosed && waits && machine.uptimeSeconds < STARTING_SECONDS && (found.gate?.code ?? null) === null

  const undone = found.update !== undefined && PAST.has(found.update.state) ? found.update : undefined

  const problems: Problem[] = []
  const tell = (code: string, words: (catalogue: Words) => string | undefined, detail?: string | null): void => {
    problems.push({ code, fr: words(french) ?? french.unknownCode(code), en: words(english) ?? english.unknownCode(code), ...detail != null && { detail } })
  }
  const tellCode = (code: string, detail?: string | null): void => { tell(code, words => words.problems[code], detail) }

  for (const fact of Object.values(found)) {
    // The disk stays closed for the TPM's reason: once is enough.
    if (fact === undone || fact.code === null || (fact !== found.disk && problems.some(({ code }) => code === fact.code))) continue
    tell(fact.code, words => causeOf(fact, words), fact.detail)
  }
  for (const name of broken) tell('FACT_BROKEN', words => words.factBroken(words.facts[name]))
  if (!isStarting) for (const name of missing) tell('FACT_MISSING', words => words.factMissing(words.facts[name]))
  // With its data closed, the gateway isn't started at all.
  if (gateway.code !== null && !isClosed && !(isStarting && !gateway.answering)) tellCode(gateway.code)
  if (machine.boot.secureBoot === false) tellCode('SECURE_BOOT_OFF')
  if (certificate === undefined) {
    if (!isStarting) tellCode('CERTIFICATE_MISSING')
  } else if (!certificate.selfSigned && Date.parse(certificate.notAfter) - now < EXPIRES_SOON_MS) {
    tellCode(Date.parse(certificate.notAfter) <= now ? 'CERTIFICATE_EXPIRED' : 'CERTIFICATE_EXPIRES')
  }
  const isWell = problems.every(({ code }) => NOTICES.has(code))
  if (undone?.code != null) {
    const { code, version, detail } = undone
    tell(code, words => words.updateNotKept(version, causeOf(undone, words) ?? words.unknownCode(code)), detail)
  }

  return {
    version: machine.version,
    release: machine.release,
    slot: machine.slot,
    state: isClosed ? 'closed' : isStarting ? 'starting' : isWell ? 'ready' : 'degraded',
    problems,
    boot: machine.boot,
    disk: found.disk ?? null,
    tpm: found.tpm ?? null,
    key: {
      kind: found.key?.state ?? null,
      fingerprint: certificate?.fingerprint ?? null,
      selfSigned: certificate?.selfSigned ?? null,
      notAfter: certificate?.notAfter ?? null
    },
    update: found.update ?? null,
    stick: found.stick ?? null,
    network: machine.network,
    time: clock(found.time),
    gateway,
    memory: machine.memory,
    uptimeSeconds: machine.uptimeSeconds
  }
}

function causeOf ({ code, fr, en }: Fact, words: Words): string | undefined {
  return (words.language === 'fr' ? fr : en) ?? words.problems[code ?? '']
}

/** The offset, in seconds, is the fact's detail. */
function clock (fact: Fact | undefined): Report['time'] {
  const offset = fact?.detail == null || !/^-?\d+(\.\d+)?(e-?\d+)?$/i.test(fact.detail) ? Number.NaN : Number(fact.detail)
  return {
    synchronised: fact === undefined || fact.state === 'unknown' ? null : fact.state === 'synchronised',
    offsetSeconds: Number.isFinite(offset) ? offset : null
  }
}
