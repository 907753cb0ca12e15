/**
 * Where an HTTP side listens: an address and port, or a UNIX socket that only its owner's group opens.
 */

import { chmod, rm } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import type { FastifyInstance } from 'fastify'

/** @returns the URL of its root, or the path of the socket */
export async function listenOn (app: FastifyInstance, where: { readonly socket?: string, readonly host?: string, readonly port?: number }): Promise<string> {
  if (where.socket !== undefined) {
    // A socket left by a killed process would make listening fail.
    await rm(where.socket, { force: true })
    await app.listen({ path: where.socket })
    await chmod(where.socket, 0o660)
    return where.socket
  }
  await app.listen({ host: where.host, port: where.port })
  const { address, port, family } = app.server.address() as AddressInfo
  return `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`
}
