/**
 * From a name to an association: resolution, TCP, TLS, A-ASSOCIATE, each step by itself, so that the one which
 * fails is known.
 *
 * Source: DICOM PS3.8 §9.1, Table 9-21; PS3.15 §B.
 */

import { lookup } from 'node:dns/promises'
import { isIP } from 'node:net'
import { TLSSocket } from 'node:tls'
import { DrimboxError, PeerError } from '#core/errors.ts'
import { withAssociation } from '#standards/dimse/association.ts'
import { connect, type Peer } from '#standards/dimse/connect.ts'
import { VERIFICATION } from '#standards/dimse/echo.ts'
import type { Timers } from '#standards/dimse/limits.ts'
import { QUERY_RETRIEVE } from '#standards/dimse/query-retrieve.ts'
import { FIND_PROPOSAL, GET_PROPOSAL, MOVE_PROPOSAL, QUERY_SYNTAXES } from '../questions.ts'
import { found, type Finding, type Outcome } from './step.ts'

export interface Reach {
  readonly peer: Peer
  readonly timers: Partial<Timers>
  readonly signal: AbortSignal
}

export async function resolveName (host: string): Promise<Outcome> {
  if (isIP(host) !== 0) return { facts: { address: host } }
  try {
    const addresses = await lookup(host, { all: true })
    return { facts: { host, addresses: addresses.map(({ address }) => address) } }
  } catch (error) {
    return { mark: 'failed', findings: [found('name-unknown', { reason: (error as NodeJS.ErrnoException).code })] }
  }
}

/** @returns besides, our own address towards the PACS */
export async function reachTcp ({ peer, timers, signal }: Reach): Promise<Outcome & { readonly localAddress?: string }> {
  try {
    const socket = await connect({ ...peer, tls: undefined }, timers.connectSeconds ?? 10, signal)
    const { localAddress, remoteAddress } = socket
    socket.destroy()
    return { localAddress, facts: { remoteAddress, localAddress } }
  } catch (error) {
    return { mark: 'failed', findings: [refusal(error)] }
  }
}

const TCP_FINDINGS: Readonly<Record<string, 'tcp-refused' | 'tcp-silent' | 'tcp-no-route'>> = {
  ECONNREFUSED: 'tcp-refused',
  ECONNRESET: 'tcp-refused',
  timeout: 'tcp-silent',
  ETIMEDOUT: 'tcp-silent',
  EHOSTUNREACH: 'tcp-no-route',
  ENETUNREACH: 'tcp-no-route'
}

function tcpFinding (error: unknown): Finding['name'] {
  return TCP_FINDINGS[reasonOf(error) ?? ''] ?? 'tcp-failed'
}

export async function reachTls ({ peer, timers, signal }: Reach): Promise<Outcome> {
  try {
    const socket = await connect(peer, timers.connectSeconds ?? 10, signal) as TLSSocket
    const facts = { protocol: socket.getProtocol() ?? undefined, cipher: socket.getCipher().name, certificateUntil: socket.getPeerCertificate().valid_to }
    socket.destroy()
    return { facts }
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause.message : undefined
    return { mark: 'failed', findings: [found('tls-failed', { reason: reasonOf(error), comment: cause })] }
  }
}

/** Asks for every service at once and tells what was granted. C-GET is a bonus unless the box is set to it. */
export async function associate ({ peer, timers, signal }: Reach, method: 'move' | 'get'): Promise<Outcome> {
  const proposals = [{ abstractSyntax: VERIFICATION, transferSyntaxes: QUERY_SYNTAXES }, FIND_PROPOSAL, MOVE_PROPOSAL, GET_PROPOSAL]
  try {
    return await withAssociation(peer, proposals, { signal, timers }, async association => {
      const granted = association.contexts.map(({ abstractSyntax }) => abstractSyntax)
      const needed = [VERIFICATION, QUERY_RETRIEVE.study.find, QUERY_RETRIEVE.study[method]]
      const lacking = association.refusals.filter(({ abstractSyntax }) => needed.includes(abstractSyntax))
      const { implementationVersion, implementationClassUid, pduBytesMax } = association.peer
      return {
        mark: lacking.length === 0 ? 'passed' as const : 'failed' as const,
        facts: {
          granted: granted.map(serviceName),
          refused: association.refusals.map(({ abstractSyntax, why }) => `${serviceName(abstractSyntax)} (${why})`),
          implementationVersion,
          implementationClassUid,
          pduBytesMax
        },
        findings: lacking.map(({ abstractSyntax, why }) => found('service-not-offered', { service: serviceName(abstractSyntax), uid: abstractSyntax, reason: why }))
      }
    })
  } catch (error) {
    return { mark: 'failed', findings: [refusal(error)] }
  }
}

const REFUSALS: Readonly<Record<string, Finding['name']>> = {
  'called-AE-title-not-recognized': 'called-title-refused',
  'calling-AE-title-not-recognized': 'calling-title-refused',
  'temporary-congestion': 'association-busy',
  'local-limit-exceeded': 'association-busy'
}

/** What an association that could not be had teaches us. */
export function refusal (error: unknown): Finding {
  if (!(error instanceof DrimboxError)) throw error
  const { code, facts } = error
  if (code === 'PACS_REJECTED') {
    return found(REFUSALS[String(facts.why)] ?? 'association-refused', { code, reason: facts.why, result: facts.result, source: facts.source, number: facts.reason })
  }
  if (code === 'PACS_TIMEOUT') return found('association-silent', { code })
  if (code === 'PACS_CONTEXT') return found('service-not-offered', { code, service: 'Verification, Study Root', reason: 'abstract-syntax-not-supported' })
  if (code === 'CANCELLED') return found('interrupted', { code })
  if (code === 'PACS_UNREACHABLE') return found(tcpFinding(error), { code, reason: reasonOf(error) })
  return found(code === 'PACS_ABORTED' ? 'association-closed' : 'protocol-broken', { code, reason: code === 'PACS_ABORTED' ? facts.reason : error.message })
}

export function reasonOf (error: unknown): string | undefined {
  return error instanceof PeerError && typeof error.facts.reason === 'string' ? error.facts.reason : undefined
}

const SERVICES: Readonly<Record<string, string>> = {
  [VERIFICATION]: 'C-ECHO',
  [QUERY_RETRIEVE.study.find]: 'C-FIND',
  [QUERY_RETRIEVE.study.move]: 'C-MOVE',
  [QUERY_RETRIEVE.study.get]: 'C-GET'
}

function serviceName (uid: string): string {
  return SERVICES[uid] ?? uid
}
