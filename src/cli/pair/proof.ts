/**
 * Proves a PACS end to end: every step in order, each with its mark, its facts and what it found missing. A step whose
 * ground is gone is skipped and says so.
 */

import { isIP } from 'node:net'
import type { Config } from '#box/config.ts'
import { PeerError } from '#core/errors.ts'
import { withAssociation } from '#standards/dimse/association.ts'
import { VERIFICATION, echo } from '#standards/dimse/echo.ts'
import { QUERY_SYNTAXES } from '../questions.ts'
import { peerOf, timersOf } from '../settings.ts'
import { getBack } from './get-back.ts'
import { moveBack, type MovedBack } from './move-back.ts'
import { associate, reachTcp, reachTls, refusal, resolveName, type Reach } from './reach.ts'
import { findSmallObject } from './small-object.ts'
import { found, type Outcome, type Site, type Step, type StepName } from './step.ts'
import { studiesInBox, throughBox } from './through-box.ts'

export interface ProofOptions {
  readonly signal: AbortSignal
  /** Of the box's answers. */
  readonly language: string
  readonly onBegin?: (step: StepName, site: Site) => void
  readonly onStep?: (step: Step, site: Site) => void
  /** How long an object may come after the PACS has said that all is sent. */
  readonly lateSeconds?: number
  readonly now?: Date
}

export interface Proof {
  /** No step failed. */
  readonly passed: boolean
  readonly steps: readonly Step[]
  readonly site: Site
}

/** What was seen of PACS that answer before they have sent: a few hundred milliseconds. */
const LATE_SECONDS = 5

const NOTHING: Outcome = { mark: 'skipped' }

export async function prove (config: Config, options: ProofOptions): Promise<Proof> {
  const { signal, language, onBegin, onStep, lateSeconds = LATE_SECONDS, now = new Date() } = options
  const { pacs, dimse } = config
  const reach: Reach = { peer: await peerOf(config), timers: timersOf(config), signal }
  const steps: Step[] = []
  let site: Site = {
    ourTitle: dimse.aeTitle,
    ourAddress: listeningAddress(dimse.host),
    ourPort: dimse.port,
    pacsTitle: pacs.calledTitle,
    pacsHost: pacs.host,
    pacsPort: pacs.port
  }
  const take = async <T extends Outcome>(step: StepName, work: () => Promise<T>): Promise<T> => {
    onBegin?.(step, site)
    const began = performance.now()
    const outcome = await work()
    const milliseconds = Math.round((performance.now() - began) * 10) / 10
    const done: Step = { step, mark: outcome.mark ?? 'passed', milliseconds, facts: outcome.facts ?? {}, findings: outcome.findings ?? [] }
    steps.push(done)
    onStep?.(done, site)
    return outcome
  }
  const isStanding = (): boolean => steps.every(({ mark }) => mark !== 'failed') && !signal.aborted

  await take('name', async () => await resolveName(pacs.host))
  const { localAddress } = await take<Awaited<ReturnType<typeof reachTcp>>>('tcp', async () => isStanding() ? await reachTcp(reach) : NOTHING)
  site = { ...site, ourAddress: site.ourAddress ?? localAddress?.replace(/^::ffff:(?=\d+\.)/, '') }
  if (pacs.tls !== undefined) await take('tls', async () => isStanding() ? await reachTls(reach) : NOTHING)
  // What C-ECHO, C-FIND and the rest need is an association; a service that it lacks is no reason to stop here.
  const isReached = isStanding()
  const associated = await take('association', async () => isReached ? await associate(reach, pacs.method) : NOTHING)
  const granted = associated.facts?.granted as readonly string[] | undefined ?? []

  await take('echo', async () => granted.includes('C-ECHO') ? await echoed(reach) : NOTHING)
  const held = await studiesInBox(config, language, signal)
  const { object } = await take<Awaited<ReturnType<typeof findSmallObject>>>('find', async () =>
    granted.includes('C-FIND') ? await findSmallObject(reach, now, held ?? new Set()) : NOTHING)

  const moved = await take<MovedBack>('move', async () => {
    if (object === undefined || !granted.includes('C-MOVE')) return NOTHING
    const outcome = held === undefined ? await moveBack(config, reach, object, lateSeconds) : await throughBox(config, object, held, signal)
    const findings = [...outcome.findings ?? [], ...elsewhere(config)]
    // Where the box is set to C-GET, a C-MOVE that fails is worth knowing, no more.
    return { ...outcome, findings, mark: outcome.mark === 'failed' && pacs.method === 'get' ? 'warned' : outcome.mark }
  })
  await take('get', async () => {
    if (object === undefined || !granted.includes('C-GET')) return NOTHING
    const outcome = await getBack(reach, { ...object, sopClassUid: object.sopClassUid ?? moved.sopClassUid })
    if (pacs.method === 'get') return outcome
    if (outcome.mark === 'failed') return { ...outcome, mark: 'warned' as const }
    const isMoveLost = moved.mark === 'failed' || !granted.includes('C-MOVE')
    return isMoveLost && held === undefined ? { ...outcome, findings: [found('method-get-works')] } : outcome
  })
  return { passed: isStanding() && object !== undefined, steps, site }
}

async function echoed ({ peer, timers, signal }: Reach): Promise<Outcome> {
  try {
    await withAssociation(peer, [{ abstractSyntax: VERIFICATION, transferSyntaxes: QUERY_SYNTAXES }], { signal, timers }, async association => {
      await echo(association, signal)
    })
    return {}
  } catch (error) {
    if (error instanceof PeerError && error.code === 'PACS_STATUS') return { mark: 'failed', findings: [found('echo-failed', { status: error.facts.status })] }
    return { mark: 'failed', findings: [refusal(error)] }
  }
}

/** The address of settings, where they name one. */
function listeningAddress (host: string): string | undefined {
  return isIP(host) === 0 || host === '0.0.0.0' || host === '::' ? undefined : host
}

/** A box that listens on its own loopback hears nobody but itself. */
function elsewhere ({ dimse, pacs }: Config): ReturnType<typeof found>[] {
  const isLoopback = (host: string): boolean => host === 'localhost' || host === '::1' || host.startsWith('127.')
  return isLoopback(dimse.host) && !isLoopback(pacs.host) ? [found('listens-elsewhere', { host: dimse.host })] : []
}
