/**
 * What the command line asks a running fleet server, over a UNIX socket that only the machine's own
 * people open.
 */

import { Readable } from 'node:stream'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import type { Desk } from '../desk.ts'
import { FleetError } from '../errors.ts'
import { parseBody } from '../mender/body.ts'

const Preauthorised = Type.Object({ identity: Type.String(), key: Type.Optional(Type.String()) })
const Chosen = Type.Object({ fingerprint: Type.Optional(Type.String({ pattern: '^[0-9a-f]{4,64}$' })) })
const Wanted = Type.Object({ release: Type.String(), device: Type.String() })

export function adminRoutes (app: FastifyInstance, desk: Desk): void {
  const param = (request: FastifyRequest): string => (request.params as { which: string }).which
  // As it comes: an artifact is read while it arrives.
  app.addContentTypeParser('application/vnd.mender-artifact', async (_request: unknown, body: Readable) => body)

  app.get('/releases', async () => desk.releases())
  app.post('/releases', { bodyLimit: Number.MAX_SAFE_INTEGER }, async request => {
    if (!(request.body instanceof Readable)) throw new FleetError('MEDIA_UNSUPPORTED', 'an artifact is sent as application/vnd.mender-artifact')
    const { body } = request
    try {
      return await desk.addRelease(body.iterator({ destroyOnReturn: false }) as AsyncIterableIterator<Buffer>)
    } finally {
      // Refused in its middle, it is still read to its end: whoever sends it would else see a broken line, not the reason.
      body.resume()
    }
  })
  app.delete('/releases/:which', async request => await desk.removeRelease(param(request)))

  app.get('/devices', async () => desk.devices())
  app.post('/devices', async request => {
    const { identity, key } = parseBody(Preauthorised, request.body)
    return desk.preauthorise(identity, key)
  })
  app.get('/devices/:which', async request => desk.device(param(request)))
  app.post('/devices/:which/accept', async request => desk.accept(param(request), parseBody(Chosen, request.body).fingerprint))
  app.post('/devices/:which/reject', async request => desk.reject(param(request), parseBody(Chosen, request.body).fingerprint))

  app.get('/deployments', async () => desk.deployments())
  app.post('/deployments', async request => {
    const { release, device } = parseBody(Wanted, request.body)
    return desk.deploy(release, device)
  })
  app.get('/deployments/:which', async request => desk.deployment(param(request)))
  app.post('/deployments/:which/abort', async request => desk.abort(param(request)))
  app.get('/events', async request => {
    const { after = '0' } = request.query as { after?: unknown }
    if (typeof after !== 'string' || !/^\d{1,15}$/.test(after)) throw new FleetError('REQUEST_UNREADABLE', 'after is no number')
    return desk.eventsAfter(Number(after))
  })
}
