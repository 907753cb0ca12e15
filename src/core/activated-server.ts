/**
 * A small HTTP server that exists only while somebody asks: systemd holds its socket and starts it at the
 * first call, and it ends by itself when nobody has called for a while, so that it costs no memory at rest.
 *
 * Source: sd_listen_fds(3). At a desk it listens on a path instead.
 */

import { once } from 'node:events'
import { chmodSync, rmSync } from 'node:fs'
import type { Server } from 'node:http'
import { SettingError } from './errors.ts'

/** The first descriptor that systemd hands over. */
const FIRST_FD = 3

export interface Activation {
  /** Path of a UNIX socket; not needed where systemd hands one over. */
  readonly socket?: string
  /** Ends after so long without a connection; 0 never. */
  readonly idleSeconds: number
}

/**
 * Listens, and resolves when the server has closed: by its idleness, or by `server.close()`.
 * Connections serve one request each: one that is kept open would keep the process alive.
 *
 * @param listening told where
 * @throws SettingError when there is nothing to listen on
 */
export async function serveWhileAsked (server: Server, { socket, idleSeconds }: Activation, listening: (where: string) => void = () => {}): Promise<void> {
  server.maxRequestsPerSocket = 1
  const where = await listen(server, socket)
  const closed = once(server, 'close')
  listening(where)
  let open = 0
  let timer: NodeJS.Timeout | undefined
  const rest = (): void => {
    // Who calls from here on waits in the socket, and systemd starts the next process for him.
    if (idleSeconds > 0) timer = setTimeout(() => { server.close() }, idleSeconds * 1000)
  }
  server.on('connection', connection => {
    clearTimeout(timer)
    open++
    connection.once('close', () => { if (--open === 0 && server.listening) rest() })
  })
  rest()
  await closed
  clearTimeout(timer)
}

async function listen (server: Server, socket: string | undefined): Promise<string> {
  const handed = process.env.LISTEN_PID === String(process.pid) && process.env.LISTEN_FDS === '1'
  if (!handed && socket === undefined) throw new SettingError('neither systemd nor --socket says where to listen')
  if (handed) server.listen({ fd: FIRST_FD })
  else {
    // A socket left by a killed process would make listening fail.
    rmSync(socket as string, { force: true })
    server.listen({ path: socket as string })
  }
  await once(server, 'listening')
  if (handed) return `fd ${FIRST_FD}`
  chmodSync(socket as string, 0o660)
  return socket as string
}
