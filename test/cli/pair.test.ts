import { writeFile, readFile } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { once } from 'node:events'
import { join } from 'node:path'
import { test, type Test } from 'tap'
import { openBox } from '#box/box.ts'
import { parseConfig } from '#box/config.ts'
import { pairVerb } from '#cli/pair.ts'
import { prove, type Proof } from '#cli/pair/proof.ts'
import type { FindingName } from '#cli/pair/step.ts'
import { STORAGE_CLASSES } from '#standards/dicom/sop-class.ts'
import { listen, type ScpOptions } from '#standards/dimse/server.ts'
import { startDcmqrscp } from '#test/fixtures/dcmqrscp.ts'
import { freePort, run, selfSigned, skipWithout, temporaryFolder } from '#test/fixtures/peer.ts'
import { studyOnDisk } from '#test/fixtures/studies.ts'
import { say } from '#test/fixtures/terminal.ts'

const skip = skipWithout('dcmqrscp', 'storescu')

interface Destination { readonly title: string, readonly port: number }
interface Archive extends Destination {
  /** As `--pacs=` takes it. */
  readonly name: string
}

/** @param files sent to it by `storescu` before the test begins */
async function startArchive (t: Test, { destinations, files = [] }: { destinations: readonly Destination[], files?: readonly string[] }): Promise<Archive> {
  const { aeTitle: title, host, port } = await startDcmqrscp(t, destinations.map(one => ({ aeTitle: one.title, host: '127.0.0.1', port: one.port })))
  if (files.length > 0) {
    const { code, output } = await run('storescu', ['-aec', title, '--propose-lossless', host, String(port), ...files])
    if (code !== 0) throw new Error(output)
  }
  return { title, port, name: `${title}@${host}:${port}` }
}

async function filledArchive (t: Test, destinations: readonly Destination[]): Promise<Archive> {
  const { files } = await studyOnDisk(t, 'sr')
  return await startArchive(t, { destinations, files })
}

function settings (archive: Archive, port: number, changes: { pacs?: object, dimse?: object } = {}) {
  return {
    pacs: { host: '127.0.0.1', port: archive.port, calledTitle: archive.title, connectSeconds: 2, responseSeconds: 10, ...changes.pacs },
    dimse: { aeTitle: 'DRIMBOX', port, ...changes.dimse },
    cache: { folder: '/nowhere' }
  }
}

async function proofOf (config: object): Promise<Proof> {
  return await prove(parseConfig(config), { signal: new AbortController().signal, language: 'fr', lateSeconds: 0.1 })
}

function findings ({ steps }: Proof): FindingName[] {
  return steps.flatMap(step => step.findings.map(({ name }) => name))
}

function marks ({ steps }: Proof): string[] {
  return steps.map(({ step, mark }) => `${step} ${mark}`)
}

test('a PACS that knows us is proved end to end', { skip }, async t => {
  const port = await freePort()
  const archive = await filledArchive(t, [{ title: 'DRIMBOX', port }])
  const proof = await proofOf(settings(archive, port))
  t.same(findings(proof), [])
  t.same(marks(proof), ['name passed', 'tcp passed', 'association passed', 'echo passed', 'find passed', 'move passed', 'get passed'])
  t.equal(proof.passed, true)
  t.match(proof.steps.find(({ step }) => step === 'association')?.facts, { granted: ['C-ECHO', 'C-FIND', 'C-MOVE', 'C-GET'], implementationVersion: /^OFFIS_DCMTK/, pduBytesMax: 131072 })
  const moved = proof.steps.find(({ step }) => step === 'move')?.facts
  t.match(moved, { status: '0x0000', callingTitle: archive.title, fromAddress: '127.0.0.1', transferSyntaxUid: '1.2.840.10008.1.2.1' })
  t.ok((moved?.offeredSyntaxes as string[]).includes('1.2.840.10008.1.2'), 'what the PACS offers is told')
  t.equal(proof.steps.find(({ step }) => step === 'get')?.facts.bytes, moved?.bytes, 'C-GET brings the same object')
})

test('a PACS that does not know our title is told which title, address and port to declare', { skip }, async t => {
  const port = await freePort()
  const archive = await filledArchive(t, [])
  const { code, out } = await say(pairVerb, [`--pacs=${archive.name}`, '--title=CABINET_A', `--port=${port}`])
  t.equal(code, 1)
  t.match(out, '✗ C-MOVE d\'un objet vers nous')
  t.match(out, '[move-title-unknown]')
  t.match(out, `déclarer dans le PACS la destination AE title CABINET_A, adresse 127.0.0.1, port ${port}`)
  t.match(out, 'mettre pacs.method à "get"', 'and C-GET is shown as a way out')
})

test('a wrong called title is told in the standard\'s words, and nothing further is tried', { skip }, async t => {
  const archive = await filledArchive(t, [])
  const proof = await proofOf(settings(archive, await freePort(), { pacs: { calledTitle: 'AUTRE_PACS' } }))
  t.same(findings(proof), ['called-title-refused'])
  t.match(proof.steps.find(({ step }) => step === 'association')?.findings[0]?.facts, { code: 'PACS_REJECTED', reason: 'called-AE-title-not-recognized' })
  t.same(marks(proof).slice(2), ['association failed', 'echo skipped', 'find skipped', 'move skipped', 'get skipped'])
})

test('a port on which nothing listens is told apart from a host that is silent', async t => {
  const proof = await proofOf(settings({ title: 'PACS', port: await freePort(), name: '' }, await freePort()))
  t.same(findings(proof), ['tcp-refused'])
  t.equal(proof.passed, false)
})

test('a name that no DNS knows is told before anything is tried', async t => {
  const proof = await proofOf(settings({ title: 'PACS', port: 104, name: '' }, 11112, { pacs: { host: 'pacs.invalid' } }))
  t.same(findings(proof), ['name-unknown'])
  t.same(marks(proof).slice(0, 2), ['name failed', 'tcp skipped'])
})

test('a PACS that has our title under a wrong port tries in vain, and the right one is named', { skip }, async t => {
  const archive = await filledArchive(t, [{ title: 'DRIMBOX', port: await freePort() }])
  const port = await freePort()
  const { code, out } = await say(pairVerb, [`--pacs=${archive.name}`, `--port=${port}`], 'en')
  t.equal(code, 1)
  t.match(out, '[move-unreachable]')
  t.match(out, `correct in the PACS the destination DRIMBOX: address 127.0.0.1, port ${port}`)
})

test('a PACS that sends our images to another machine is found out, though it reports success', { skip }, async t => {
  const other = await listen({
    host: '127.0.0.1',
    port: 0,
    titles: ['DRIMBOX'],
    admit: () => 'accept',
    transferSyntaxes: ['1.2.840.10008.1.2.1', '1.2.840.10008.1.2'],
    abstractSyntaxes: new Set(STORAGE_CLASSES.keys()),
    onStore: () => ({ write () {}, end: () => 0, abort () {} })
  })
  t.teardown(async () => { await other.close() })
  const archive = await filledArchive(t, [{ title: 'DRIMBOX', port: other.port }])
  const proof = await proofOf(settings(archive, await freePort()))
  t.same(findings(proof), ['move-elsewhere', 'method-get-works'])
})

test('a PACS behind TLS is proved by steps, and one that speaks in the clear is told from one that is silent', { skip: skipWithout('openssl') }, async t => {
  const { key, cert } = await selfSigned(temporaryFolder(t))
  const common: ScpOptions = { host: '127.0.0.1', port: 0, titles: ['PACS'], admit: () => 'accept', transferSyntaxes: ['1.2.840.10008.1.2'], abstractSyntaxes: new Set(['1.2.840.10008.1.1']), onStore: () => 0x0122 }
  const secure = await listen({ ...common, tls: { key: await readFile(key), cert: await readFile(cert) } })
  const clear = await listen(common)
  t.teardown(async () => { await Promise.all([secure.close(), clear.close()]) })
  const proof = await proofOf(settings({ title: 'PACS', port: secure.port, name: '' }, await freePort(), { pacs: { tls: { caFile: cert } } }))
  t.same(marks(proof).slice(0, 5), ['name passed', 'tcp passed', 'tls passed', 'association failed', 'echo passed'])
  t.same(findings(proof), ['service-not-offered', 'service-not-offered'], 'C-FIND and C-MOVE, each by its name')
  t.same(findings(await proofOf(settings({ title: 'PACS', port: clear.port, name: '' }, await freePort(), { pacs: { tls: { caFile: cert } } }))), ['tls-failed'])
  t.same(findings(await proofOf(settings({ title: 'PACS', port: secure.port, name: '' }, await freePort()))), ['association-closed'])
})

test('an archive without a study proves nothing, and says so', { skip }, async t => {
  const port = await freePort()
  const archive = await startArchive(t, { destinations: [{ title: 'DRIMBOX', port }] })
  const proof = await proofOf(settings(archive, port))
  t.same(findings(proof), ['find-empty'])
  t.match(proof.steps.find(({ step }) => step === 'find')?.facts, { recentStudies: '0', allStudies: '0' })
  t.equal(proof.passed, false)
})

test('a port of ours that another program holds is named, with the way to proceed', { skip }, async t => {
  const holder = createServer().listen(0)
  await once(holder, 'listening')
  t.teardown(() => { holder.close() })
  const { port } = holder.address() as AddressInfo
  const archive = await filledArchive(t, [{ title: 'DRIMBOX', port }])
  const { code, out } = await say(pairVerb, [`--pacs=${archive.name}`, `--port=${port}`])
  t.equal(code, 1)
  t.match(out, `Le port ${port} est déjà pris`)
  t.match(out, 'systemctl stop drimbox')
})

test('a PACS that calls under a title which our settings do not admit is found before the box refuses it', { skip }, async t => {
  const port = await freePort()
  const archive = await filledArchive(t, [{ title: 'DRIMBOX', port }])
  const config = join(temporaryFolder(t), 'config.json')
  await writeFile(config, JSON.stringify(settings(archive, port, { pacs: { senders: [{ title: 'SENDER' }] } })))
  const { code, out } = await say(pairVerb, [`--config=${config}`])
  t.equal(code, 1)
  t.match(out, `"senders": [{ "title": "${archive.title}", "addresses": ["127.0.0.1"] }]`)
})

test('where C-GET is the method, a destination that nobody declared is worth a note only', { skip }, async t => {
  const archive = await filledArchive(t, [])
  const proof = await proofOf(settings(archive, await freePort(), { pacs: { method: 'get' } }))
  t.equal(proof.passed, true)
  t.same(marks(proof).slice(-2), ['move warned', 'get passed'])
})

test('while the box runs, the proof goes through it', { skip }, async t => {
  const port = await freePort()
  const archive = await filledArchive(t, [{ title: 'DRIMBOX', port }])
  const folder = temporaryFolder(t)
  const config = parseConfig({ ...settings(archive, port), http: { port: await freePort() }, cache: { folder: join(folder, 'cache'), diskFreeBytesMin: 0 }, adminSocket: join(folder, 'admin.sock'), logLevel: 'silent' })
  const box = await openBox(config)
  t.teardown(async () => { await box.close() })
  const proof = await proofOf(config)
  t.same(findings(proof), [])
  t.match(proof.steps.find(({ step }) => step === 'move'), { mark: 'passed', facts: { throughBox: true } })
  const again = await proofOf(config)
  t.same(findings(again), ['box-had-it'])
  t.equal(again.passed, false, 'what the box has already proves nothing')
})

test('the sheet for the PACS vendor says who we are and what to declare, and names no patient', { skip }, async t => {
  const port = await freePort()
  const { study, files } = await studyOnDisk(t, 'sr')
  const archive = await startArchive(t, { destinations: [{ title: 'DRIMBOX', port }], files })
  const sheet = join(temporaryFolder(t), 'fiche.txt')
  const { code, out } = await say(pairVerb, [`--pacs=${archive.name}`, `--port=${port}`, `--sheet=${sheet}`])
  t.equal(code, 0)
  const text = await readFile(sheet, 'utf8')
  t.match(text, 'Fiche de raccordement DICOM')
  t.match(text, `AE title DRIMBOX, adresse 127.0.0.1, port ${port}, autorisé à appeler ${archive.title}.`)
  t.match(text, /JPEG-LS Lossless[^]*Explicit VR Little Endian/, 'transfer syntaxes are in order')
  t.match(text, 'Mammography CAD SR Storage', 'every storage class is listed')
  const [family = ''] = study.patientName.split('^')
  t.notMatch(out + text, family)
  t.notMatch(out + text, String(study.attributes.PatientID))
})

test('a script reads the proof as JSON, with the text of each finding', { skip }, async t => {
  const archive = await filledArchive(t, [])
  const { code, out } = await say(pairVerb, [`--pacs=${archive.name}`, `--port=${await freePort()}`, '--json'], 'en')
  t.equal(code, 1)
  const proof = JSON.parse(out)
  t.match(proof, { passed: false, site: { ourTitle: 'DRIMBOX', ourAddress: '127.0.0.1' } })
  t.match(proof.steps.find(({ step }: { step: string }) => step === 'move'), { mark: 'failed', findings: [{ name: 'move-title-unknown', facts: { status: '0xA801' }, todo: /^declare in the PACS/ }] })
})
