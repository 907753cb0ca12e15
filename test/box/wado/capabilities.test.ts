import { readFile } from 'node:fs/promises'
import { test } from 'tap'
import { EVERY_DESCRIPTION, everyRoute } from '#box/http/every-route.ts'
import { openApiText } from '#box/wado/capabilities.ts'
import { templated } from '#standards/dicomweb/served-route.ts'
import { wadl } from '#standards/dicomweb/wadl.ts'
import { ask, codeOf } from '#test/fixtures/answer.ts'
import { openRooms } from '#test/fixtures/rooms.ts'
import { wellFormed } from '#test/fixtures/xmllint.ts'

const SCHEMA = new URL('../../fixtures/wadl.rng', import.meta.url).pathname

/** Every method of a WADL document with its whole path, read from its nesting. */
function methodsIn (xml: string): string[] {
  const path: string[] = []
  const found: string[] = []
  for (const [, closing, resource, method] of xml.matchAll(/<(?:(\/)resource>|resource path="([^"]*)">|method name="(\w+)")/g)) {
    if (closing !== undefined) path.pop()
    else if (resource !== undefined) path.push(resource)
    else found.push(`${method} /${path.filter(part => part !== '').join('/')}`)
  }
  return found.sort()
}

test('every route is described, and nothing else is', async t => {
  const { routes, registered } = await everyRoute()
  t.same([...registered].sort(), Object.keys(EVERY_DESCRIPTION).sort())
  const expected = routes.map(({ method, path }) => `${method} ${templated(path)}`).sort()
  t.same(methodsIn(wadl(routes, 'https://box')), expected)
  const { paths, openapi } = JSON.parse(openApiText(routes, '')) as { paths: Record<string, object>, openapi: string }
  t.equal(openapi, '3.1.0')
  t.same(Object.entries(paths).flatMap(([path, methods]) => Object.keys(methods).map(method => `${method.toUpperCase()} ${path}`)).sort(), expected)
  t.equal(new Set(routes.map(({ description }) => description.id)).size, routes.length, 'each by a name of its own')
})

test('the OpenAPI document that is checked in is what the routes are (node scripts/openapi.ts)', async t => {
  const { routes } = await everyRoute()
  t.equal(await readFile(new URL('../../../docs/standards/openapi.json', import.meta.url), 'utf8'), openApiText(routes, '/dicom-web'))
})

test('OPTIONS tells what a resource and those below it can do, as WADL that is valid', async t => {
  const { url, sim } = await openRooms(t, [])
  for (const [path, some, none] of [['/', 'GET /studies', undefined], ['/studies/1.2', 'GET /studies/{study}/metadata', 'GET /series'], ['/studies/1.2/series/1.3/instances/1.4/bulkdata/7FE00010', 'GET /studies/{study}/series/{series}/instances/{instance}/bulkdata/{path}', 'GET /studies/{study}/metadata']] as const) {
    const answer = await ask(url + path, {}, { method: 'OPTIONS' })
    t.equal(answer.status, 200)
    t.equal(answer.headers['content-type'], 'application/vnd.sun.wadl+xml')
    t.match(answer.headers.allow, /^GET, HEAD/)
    const xml = answer.body.toString()
    await wellFormed(xml, SCHEMA)
    t.match(xml, `<resources base="${url}/">`)
    const methods = methodsIn(xml)
    t.ok(methods.includes(some), some)
    if (none !== undefined) t.notOk(methods.includes(none), none)
  }
  t.match((await ask(`${url}/`, { accept: 'application/vnd.sun.wadl+xml' })).body.toString(), /^<\?xml/)
  t.equal((await ask(`${url}/studies`, { accept: 'text/html' }, { method: 'OPTIONS' })).status, 406)
  const asJson = await ask(`${url}/studies`, { accept: 'application/json' }, { method: 'OPTIONS' })
  t.equal((JSON.parse(asJson.body.toString()) as { openapi: string }).openapi, '3.1.0')
  t.same(JSON.parse((await ask(`${url}/openapi.json`)).body.toString()), JSON.parse(asJson.body.toString()))
  t.equal(sim.control.seen.associations, 0)
})

test('a method that a resource lacks is refused with those that it has, before its payload is looked at', async t => {
  const { url } = await openRooms(t, [])
  for (const method of ['PUT', 'DELETE', 'PATCH', 'POST']) {
    const answer = await ask(`${url}/studies/1.2/series/1.3`, { 'content-type': 'application/x-unknown', 'content-length': '0' }, { method })
    t.equal(answer.status, 405, method)
    t.equal(codeOf(answer), 'METHOD_REFUSED')
    t.equal(answer.headers.allow, 'GET, HEAD, OPTIONS')
  }
  t.equal((await ask(`${url}/nowhere`, {}, { method: 'DELETE' })).status, 404)
})

test('a Host that is none never comes back as an address, and a setting says the address for all', async t => {
  const { url } = await openRooms(t, [])
  for (const host of ['evil.example/"><x', 'a b', 'user@host']) {
    const answer = await ask(`${url}/`, { host }, { method: 'OPTIONS' })
    t.ok(answer.status === 400, `${host}: ${answer.status}`)
    t.notMatch(answer.body.toString(), /evil/)
  }
  const fixed = await openRooms(t, [], { publicUrl: 'https://images.centre.example/dicom-web' })
  t.match((await ask(`${fixed.url}/`, { host: 'evil.example' }, { method: 'OPTIONS' })).body.toString(), '<resources base="https://images.centre.example/dicom-web/">')
})

test('a page of another web site reads only where a setting lets it', async t => {
  const page = 'https://viewer.centre.example'
  const closed = await openRooms(t, [])
  t.equal((await ask(`${closed.url}/`, { origin: page })).headers['access-control-allow-origin'], undefined)
  const { url } = await openRooms(t, [], { cors: { origins: [page], credentials: true } })
  const preflight = await ask(`${url}/studies`, { origin: page, 'access-control-request-method': 'GET', 'access-control-request-headers': 'range' }, { method: 'OPTIONS' })
  t.equal(preflight.status, 204)
  t.match(preflight.headers, { 'access-control-allow-origin': page, 'access-control-allow-credentials': 'true', 'access-control-max-age': '600' })
  t.match(preflight.headers['access-control-allow-headers'], /Range/)
  const read = await ask(`${url}/studies`, { origin: page })
  t.match(read.headers, { 'access-control-allow-origin': page, vary: /Origin/ })
  t.match(read.headers['access-control-expose-headers'], /ETag/)
  t.match(read.headers.vary, /Accept/)
  const stranger = await ask(`${url}/studies`, { origin: 'https://evil.example' })
  t.not(stranger.headers['access-control-allow-origin'], 'https://evil.example')
  t.equal((await ask(`${url}/`, {}, { method: 'OPTIONS' })).headers['content-type'], 'application/vnd.sun.wadl+xml', 'which is no preflight')
  const anyone = await openRooms(t, [], { cors: { origins: ['*'], credentials: true } })
  const open = await ask(`${anyone.url}/`, { origin: page })
  t.same([open.headers['access-control-allow-origin'], open.headers['access-control-allow-credentials']], ['*', undefined])
})
