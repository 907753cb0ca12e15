/**
 * TCP, and TLS where the peer wants it, up to the first byte of DICOM.
 *
 * Source: DICOM PS3.8 §9.1 (transport), PS3.15 §B (secure transport). What is wrong is told as a word that a
 * technician can act upon.
 */

import { connect as connectTcp, type Socket } from 'node:net'
import { connect as connectTls, type ConnectionOptions } from 'node:tls'
import { PeerError } from '#core/errors.ts'
import { Alarm } from './alarm.ts'

export interface Peer {
  readonly host: string
  readonly port: number
  readonly calledTitle: string
  readonly callingTitle: string
  /** Secure transport: trust anchors, our certificate, versions, as `node:tls` takes them. */
  readonly tls?: ConnectionOptions
}

/** @throws PeerError PACS_UNREACHABLE, CANCELLED */
export async function connect (peer: Peer, connectSeconds: number, signal?: AbortSignal): Promise<Socket> {
  const { host, port } = peer
  const { promise, resolve, reject } = Promise.withResolvers<Socket>()
  const socket = peer.tls === undefined
    ? connectTcp({ host, port, noDelay: true })
    : connectTls({ ...peer.tls, host, port })
  let reached = false
  const fail = (error: PeerError): void => {
    reject(error)
    socket.destroy()
  }
  const alarm = new Alarm(() => { fail(unreachable(peer, reached ? 'tls' : 'timeout')) })
  const onAbort = (): void => { fail(new PeerError('CANCELLED', 'cancelled while connecting', { cause: signal?.reason })) }
  const onError = (error: Error): void => { fail(unreachable(peer, reached ? 'tls' : word(error), error)) }
  const onClose = (): void => { fail(unreachable(peer, reached ? 'tls' : 'closed')) }
  alarm.start(connectSeconds)
  signal?.addEventListener('abort', onAbort)
  socket.once('connect', () => { reached = true })
  socket.once(peer.tls === undefined ? 'connect' : 'secureConnect', () => { resolve(socket) })
  socket.on('error', onError)
  socket.on('close', onClose)
  if (signal?.aborted === true) onAbort()
  try {
    return await promise
  } finally {
    alarm.stop()
    signal?.removeEventListener('abort', onAbort)
    // A socket that we give up may still say why; then nobody listens any more.
    if (!socket.destroyed) {
      socket.off('error', onError)
      socket.off('close', onClose)
    }
  }
}

function unreachable ({ host, port }: Peer, reason: string, cause?: Error): PeerError {
  return new PeerError('PACS_UNREACHABLE', 'no connection', { cause, facts: { host, port, reason } })
}

function word (error: Error & { code?: string }): string {
  if (error.code === 'ENOTFOUND' || error.code === 'EAI_AGAIN') return 'name-unknown'
  return error.code ?? 'unknown'
}
