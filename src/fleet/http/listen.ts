/**
 * Where the server listens: an address and port, or a UNIX socket that only its owner's group opens.
 */

import { chmod, rm } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import type { FastifyInstance } from 'fastify'

export interface Place { readonly socket?: string, readonly host?: string, readonly port?: number, readonly tls?: object }

/** @returns the URL of its root, or the path of the socket */
export async function listenOn (app: FastifyInstance, { socket, host, port, tls }: Place): Promise<string> {
  if (socket !== undefined) {
    // A socket left by a killed process would make listening fail.
    await rm(socket, { force: true })
    await app.listen({ path: socket })
    await chmod(socket, 0o660)
    return socket
  }
  await app.listen({ host, port })
  const address = app.server.address() as AddressInfo
  return `${tls === undefined ? 'http' : 'https'}://${address.family === 'IPv6' ? `[${address.address}]` : address.address}:${address.port}`
}
