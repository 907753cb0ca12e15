/**
 * The routes of a service, as they are registered: for each of its resources the methods that it has
 * are told, and the others refused by name.
 *
 * Source: RFC 9110 §9.3.7 (OPTIONS), §10.2.1 (Allow), §15.5.6 (405).
 */

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { RequestError } from '#core/errors.ts'
import type { RouteDescription, ServedRoute } from '#standards/dicomweb/served-route.ts'

/** The others that Fastify knows are nobody's, here or elsewhere. */
const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'] as const

export class Resources {
  readonly #app: FastifyInstance
  readonly #described: Readonly<Record<string, RouteDescription>>
  /** Methods of each path. */
  readonly #methods = new Map<string, Set<string>>()
  /** Routes that only say that they are switched off (route config `off`). */
  readonly #off = new Set<string>()
  #closed = false

  /** Takes note of every route that is registered from now on. */
  constructor (app: FastifyInstance, described: Readonly<Record<string, RouteDescription>>) {
    this.#app = app
    this.#described = described
    app.addHook('onRoute', ({ routePath, method, config }) => {
      if (this.#closed) return
      // With a prefix, the root is registered with and without a slash.
      const path = routePath === '' ? '/' : routePath
      const methods = this.#methods.get(path) ?? new Set()
      this.#methods.set(path, methods)
      for (const one of [method].flat()) {
        methods.add(one)
        if ((config as { off?: boolean } | undefined)?.off === true) this.#off.add(`${one} ${path}`)
      }
    })
  }

  /** Those that somebody has described. */
  get routes (): readonly ServedRoute[] {
    return this.registered.flatMap(name => {
      const description = this.#described[name]
      const [method, path] = name.split(' ') as [string, string]
      return description === undefined ? [] : [{ method, path, description }]
    })
  }

  /** Method and path of every route that serves something: 'GET /studies'. */
  get registered (): readonly string[] {
    return [...this.#methods].flatMap(([path, methods]) => [...methods].filter(method => method !== 'HEAD' && method !== 'OPTIONS' && !this.#off.has(`${method} ${path}`)).map(method => `${method} ${path}`))
  }

  /** After the last route: answers OPTIONS for every resource, and 405 for the methods that it lacks. */
  close (options: (request: FastifyRequest, reply: FastifyReply, path: string) => Promise<unknown>): void {
    this.#closed = true
    for (const [path, methods] of this.#methods) {
      const allow = [...[...methods].filter(method => !this.#off.has(`${method} ${path}`)), 'OPTIONS'].join(', ')
      if (!methods.has('OPTIONS')) {
        this.#app.options(path, async (request, reply) => {
          reply.header('allow', allow)
          return await options(request, reply, path)
        })
      }
      const others = METHODS.filter(method => !methods.has(method))
      // Before the payload is looked at: a wrong method isn't a wrong media type.
      this.#app.route({
        method: others,
        url: path,
        onRequest: async ({ method }) => {
          throw new RequestError('METHOD_REFUSED', 'the resource has no such method', { facts: { method, allow } })
        },
        handler: async () => {}
      })
    }
  }
}
