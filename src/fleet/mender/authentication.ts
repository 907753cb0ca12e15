/**
 * A device asks to be let in.
 *
 * Source: Mender device API, authentication v1. The request carries no nonce, so whoever has seen one can
 * send it again; the answer lets in the holder of a token, hence TLS is what keeps both private.
 */

import type { FastifyInstance } from 'fastify'
import { Type } from 'typebox'
import { FleetError } from '../errors.ts'
import type { Budget } from '../http/budget.ts'
import type { Tokens } from '../keys/token.ts'
import type { DeviceTable } from '../store/devices.ts'
import { parseBody } from './body.ts'
import { assertSigned, parseDeviceKey } from './device-key.ts'
import { parseIdentity } from './identity.ts'

export interface AuthenticationParts {
  readonly devices: Pick<DeviceTable, 'introduce'>
  readonly tokens: Pick<Tokens, 'issue'>
  readonly budget: Pick<Budget, 'spend'>
  readonly pendingMax: number
}

/** An RSA key of 8192 bits takes 1.5 kB, a long identity 4 kB. */
const BODY_BYTES_MAX = 16 << 10

/** Others (`tenant_token`, 5.x's `tier`) are for servers of several customers. */
const AuthRequest = Type.Object({
  id_data: Type.String({ minLength: 2, maxLength: 8192 }),
  pubkey: Type.String({ minLength: 1, maxLength: 4096 })
})

export function authenticationRoutes (app: FastifyInstance, { devices, tokens, budget, pendingMax }: AuthenticationParts): void {
  app.post('/api/devices/v1/authentication/auth_requests', { bodyLimit: BODY_BYTES_MAX, onRequest: async request => { budget.spend(request.ip ?? '') } }, async (request, reply) => {
    const { id_data: identityText, pubkey } = parseBody(AuthRequest, request.body)
    const key = parseDeviceKey(pubkey)
    // Before anything is written or looked up: an unproved request learns nothing and leaves nothing.
    assertSigned(request.body as Buffer, request.headers['x-men-signature'], key)
    const { id, standing } = devices.introduce(parseIdentity(identityText), key, { pendingMax })
    if (standing !== 'accepted') {
      const facts = { device: id, fingerprint: key.fingerprint }
      request.log.info({ ...facts, standing }, 'a device is not let in')
      throw standing === 'pending'
        ? new FleetError('DEVICE_PENDING', 'the device waits to be accepted', { facts })
        : new FleetError('DEVICE_REJECTED', 'the device was rejected', { facts })
    }
    request.log.info({ device: id }, 'a device is let in')
    return await reply.type('application/jwt').serializer(String).send(tokens.issue({ deviceId: id, fingerprint: key.fingerprint }))
  })
}
