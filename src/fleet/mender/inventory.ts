/**
 * A device tells what it is made of.
 *
 * Source: Mender device API, inventory v1: PUT replaces, PATCH adds.
 */

import type { FastifyInstance, FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import type { InventoryTable } from '../store/inventory.ts'
import { parseBody } from './body.ts'
import { deviceOf } from './who.ts'

export interface InventoryParts {
  readonly inventory: Pick<InventoryTable, 'put'>
  readonly admit: (request: FastifyRequest) => Promise<void>
}

const BODY_BYTES_MAX = 256 << 10

const scalar = Type.Union([Type.String({ maxLength: 4096 }), Type.Number(), Type.Boolean(), Type.Null()])
const Attributes = Type.Array(Type.Object({
  name: Type.String({ minLength: 1, maxLength: 256 }),
  value: Type.Union([scalar, Type.Array(scalar, { maxItems: 200 })])
}), { maxItems: 500 })

export function inventoryRoutes (app: FastifyInstance, { inventory, admit }: InventoryParts): void {
  const options = { bodyLimit: BODY_BYTES_MAX, onRequest: admit }
  const put = async (request: FastifyRequest, replace: boolean): Promise<void> => {
    const attributes = new Map(parseBody(Attributes, request.body).map(({ name, value }) => [name, value]))
    inventory.put(deviceOf(request), attributes, { replace })
  }
  const url = '/api/devices/v1/inventory/device/attributes'
  app.put(url, options, async (request, reply) => {
    await put(request, true)
    return await reply.code(200).send()
  })
  app.patch(url, options, async (request, reply) => {
    await put(request, false)
    return await reply.code(200).send()
  })
}
