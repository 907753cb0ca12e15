import { pino } from 'pino'
import { test } from 'tap'
import { baseUrl } from '#box/http/base-url.ts'
import { httpServer } from '#box/http/server.ts'

test('behind a front its word counts for how a caller came; without one, nobody\'s does', async t => {
  for (const [socket, expected] of [['/run/drimbox/http.sock', 'https://box.lan/dicom-web'], [undefined, 'http://box.lan/dicom-web']] as const) {
    const app = httpServer({ connectionsMax: 1, ...socket === undefined ? {} : { socket } }, pino({ level: 'silent' }))
    t.teardown(async () => { await app.close() })
    const base = baseUrl({ prefix: '/dicom-web' })
    app.get('/', async request => base(request))
    t.equal((await app.inject({ url: '/', headers: { host: 'box.lan', 'x-forwarded-proto': 'https', 'x-forwarded-for': '192.0.2.1' } })).body, expected)
  }
})
