/**
 * A device asks for its next update, and tells how it goes.
 *
 * Source: Mender device API, deployments v1; v2 for `deployments/next` with all that the device provides.
 */

import type { FastifyInstance, FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { Value } from 'typebox/value'
import { FleetError } from '../errors.ts'
import type { Links } from '../keys/link.ts'
import type { Store } from '../store/open-store.ts'
import { parseBody } from './body.ts'
import { parseLog } from './log-messages.ts'
import { nextFor, type Provides } from './next.ts'
import { toldState } from './states.ts'
import { deviceOf } from './who.ts'

export interface DeploymentParts {
  readonly store: Pick<Store, 'devices' | 'deployments' | 'releases'>
  readonly links: Pick<Links, 'make'>
  /** Our URL, as this caller sees it. */
  readonly base: (request: FastifyRequest) => string
  readonly admit: (request: FastifyRequest) => Promise<void>
  readonly logBytesMax: number
}

const BASE = '/api/devices/v1/deployments/device/deployments'
const STATUS_BYTES_MAX = 16 << 10
const SUBSTATE_CHARS_MAX = 500

const word = Type.String({ minLength: 1, maxLength: 256 })
/** A device that was never updated may have no artifact's name yet. */
const provided = Type.String({ maxLength: 1024 })
const Asked = Type.Object({
  device_provides: Type.Intersect([
    Type.Object({ device_type: word, artifact_name: provided }),
    Type.Record(Type.String(), provided, { maxProperties: 200 })
  ])
})
const AskedV1 = Type.Object({ device_type: word, artifact_name: provided })
const Status = Type.Object({ status: Type.String({ maxLength: 64 }), substate: Type.Optional(Type.String({ maxLength: 8192 })) })

export function deploymentRoutes (app: FastifyInstance, { store, links, base, admit, logBytesMax }: DeploymentParts): void {
  const { devices, deployments, releases } = store
  const own = (request: FastifyRequest): string => deployments.ofDevice((request.params as { id: string }).id, deviceOf(request)).id

  const next = (request: FastifyRequest, provides: Provides): object | undefined => {
    const deviceId = deviceOf(request)
    devices.noteProvides(deviceId, { deviceType: provides.device_type!, artifactName: provides.artifact_name! })
    const offer = nextFor(deviceId, provides, { deployments, releaseOf: ({ releaseId }) => releases.get(releaseId) })
    if (offer === undefined) return undefined
    const { deployment: { id }, release } = offer
    return {
      id,
      artifact: { id: release.id, artifact_name: release.name, device_types_compatible: release.deviceTypes, source: links.make(base(request), id) }
    }
  }

  for (const url of ['/api/devices/v2/deployments/device/deployments/next', `${BASE}/next`]) {
    app.post(url, { onRequest: admit }, async (request, reply) => {
      const offer = next(request, parseBody(Asked, request.body).device_provides)
      return offer ?? await reply.code(204).send()
    })
  }
  app.get(`${BASE}/next`, { onRequest: admit }, async (request, reply) => {
    if (!Value.Check(AskedV1, request.query)) throw new FleetError('REQUEST_UNREADABLE', 'artifact_name and device_type are needed, once each')
    const { artifact_name: artifactName, device_type: deviceType } = request.query
    return next(request, { artifact_name: artifactName, device_type: deviceType }) ?? await reply.code(204).send()
  })

  app.put(`${BASE}/:id/status`, { bodyLimit: STATUS_BYTES_MAX, onRequest: admit }, async (request, reply) => {
    const { status, substate } = parseBody(Status, request.body)
    const id = own(request)
    const state = toldState(status)
    if (state === undefined) throw new FleetError('STATE_UNKNOWN', 'no state that a device can tell')
    deployments.report(id, state, substate?.slice(0, SUBSTATE_CHARS_MAX) || undefined)
    request.log.info({ device: request.deviceId, deployment: id, state }, 'a deployment goes on')
    return await reply.code(204).send()
  })

  app.put(`${BASE}/:id/log`, { bodyLimit: logBytesMax, onRequest: admit }, async (request, reply) => {
    const id = own(request)
    const { messages, isWhole } = parseLog(request.body)
    deployments.putLog(id, messages, isWhole)
    return await reply.code(204).send()
  })
}
