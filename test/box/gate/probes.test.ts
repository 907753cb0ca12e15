import { createServer as plainServer, type RequestListener } from 'node:http'
import { createServer as tlsServer } from 'node:https'
import { once } from 'node:events'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { AddressInfo } from 'node:net'
import { test } from 'tap'
import { PLACES, probes, type Finding, type Places, type ServiceState } from '#box/gate/probes.ts'
import { watch } from '#box/gate/watch.ts'
import { smallDisk, skipWithoutMount } from '#test/fixtures/small-disk.ts'
import { selfSigned, skipWithout, temporaryFolder, type Test } from '#test/fixtures/peer.ts'

const skip = skipWithout('openssl')
const health = (status: number, body = '{"status":"ok"}'): RequestListener => (_, response) => { response.writeHead(status).end(body) }

interface Parts { readonly gateway?: RequestListener, readonly front?: RequestListener, readonly signer?: RequestListener, readonly presents?: 'stored' | 'another' }

/** A box that is up, each part of it as a test wants it. */
async function site (t: Test, { gateway = health(200), front = health(200), signer = health(200), presents = 'stored' }: Parts = {}): Promise<Places> {
  const folder = temporaryFolder(t)
  const stored = await selfSigned(folder, 'stored')
  const another = await selfSigned(folder, 'another')
  const at = (name: string): string => join(folder, name)
  mkdirSync(at('facts'))
  mkdirSync(at('state'))
  writeFileSync(at('facts/disk.json'), '{"state":"open","code":null}')
  writeFileSync(at('config.json'), '{}')
  for (const [name, answer] of [['gateway', gateway], ['signer', signer]] as const) {
    const server = plainServer(answer).listen(at(name))
    await once(server, 'listening')
    t.teardown(() => { server.close().closeAllConnections() })
  }
  const shown = presents === 'stored' ? stored : another
  const server = tlsServer({ key: readFileSync(shown.key), cert: readFileSync(shown.cert) }, front).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => { server.close().closeAllConnections() })
  return { ...PLACES, factsFolder: at('facts'), stateFolder: at('state'), configFile: at('config.json'), gatewaySocket: at('gateway'), signerSocket: at('signer'), frontPort: (server.address() as AddressInfo).port, frontCertificate: stored.cert }
}

const up: ServiceState = { active: 'active', restarts: 0 }
const judge = async (places: Places, service: (unit: string) => ServiceState | undefined = () => up): Promise<readonly Finding[]> =>
  (await Promise.all(probes(places, async unit => service(unit)).map(async probe => await probe()))).filter(finding => finding !== undefined)
const codes = (findings: readonly Finding[]): readonly string[] => findings.map(({ code }) => code)

test('all is well: also with a PACS that is off, and in a box that was never set up', { skip }, async t => {
  t.same(await judge(await site(t)), [])
  t.same(await judge(await site(t, { gateway: health(503, '{"status":"down"}') })), [])
  t.same(codes(await judge({ ...await site(t), configFile: '/nowhere', gatewaySocket: '/nowhere' })), [])
})

test('each part that fails has its code', { skip }, async t => {
  t.same(codes(await judge(await site(t, { gateway: health(503, 'Bad gateway') }))), ['GATE_GATEWAY_SILENT'])
  t.same(codes(await judge(await site(t, { gateway: health(404) }))), ['GATE_GATEWAY_SILENT'])
  t.match(await judge({ ...await site(t), gatewaySocket: '/nowhere' }), [{ code: 'GATE_GATEWAY_SILENT', detail: 'ENOENT' }])
  t.same(codes(await judge(await site(t, { front: health(502, '<html>') }))), ['GATE_FRONT_SILENT'])
  t.same(codes(await judge(await site(t, { presents: 'another' }))), ['GATE_FRONT_KEY'])
  t.match(await judge({ ...await site(t), frontPort: 1 }), [{ code: 'GATE_FRONT_SILENT', detail: 'ECONNREFUSED' }])
  t.same(codes(await judge(await site(t, { signer: health(500) }))), ['GATE_SIGNER_SILENT'])
  const readOnly = await judge({ ...await site(t), stateFolder: '/proc' })
  t.same(codes(readOnly), ['GATE_DISK_READ_ONLY'])
})

test('a full disk is no reason to go back to another version', { skip: skip || skipWithoutMount }, async t => {
  const disk = smallDisk(t, 64 << 10)
  t.throws(() => { writeFileSync(join(disk, 'filled'), Buffer.alloc(1 << 20)) }, { code: 'ENOSPC' })
  t.same(await judge({ ...await site(t), stateFolder: disk }), [])
})

test('a signer that nobody has needed yet is not asked', { skip }, async t => {
  const places = await site(t, { signer: health(500) })
  t.same(await judge(places, unit => unit === 'drimbox-signer.service' ? { active: 'inactive', restarts: 0 } : up), [])
})

test('waiting ends at once where it cannot help', { skip }, async t => {
  const places = await site(t)
  const crashed = await judge(places, unit => unit === 'drimbox.service' ? { active: 'activating', restarts: 5 } : up)
  t.match(crashed, [{ code: 'GATE_GATEWAY_FAILED', isFinal: true }])
  writeFileSync(join(places.factsFolder, 'disk.json'), '{"state":"closed","code":"TPM_LOCKOUT"}')
  t.match(await judge(places), [{ code: 'GATE_DISK_CLOSED', detail: 'TPM_LOCKOUT', isFinal: true }])
})

test('one waits as long as something moves, and no longer than the limit', async t => {
  const silent: Finding = { code: 'GATE_FRONT_SILENT', detail: '' }
  let asked = 0
  const told: string[] = []
  const tell = ({ detail }: Finding): void => { told.push(detail) }
  const slow = async (): Promise<Finding | undefined> => ++asked < 6 ? { ...silent, detail: `step ${asked}` } : undefined
  t.equal(await watch([slow], { seconds: 5, standstillSeconds: 0.1 }, tell, 30), undefined, 'each step is new')
  t.equal(told.length, 5)
  const began = performance.now()
  t.same(await watch([async () => silent], { seconds: 5, standstillSeconds: 0.1 }, tell, 20), silent)
  t.ok(performance.now() - began < 1000, 'at a standstill')
  let step = 0
  t.match(await watch([async () => ({ ...silent, detail: String(step++) })], { seconds: 0.2, standstillSeconds: 5 }, tell, 20), { code: 'GATE_FRONT_SILENT' }, 'moving, but for too long')
})
