/** Journeys with DCMTK's programs, in both roles. */

import { once } from 'node:events'
import { connect } from 'node:net'
import { readFileSync, readdirSync, writeFileSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'
import { openAssociation } from '#standards/dimse/association.ts'
import { VERIFICATION, echo } from '#standards/dimse/echo.ts'
import { find } from '#standards/dimse/find.ts'
import { get } from '#standards/dimse/get.ts'
import { move } from '#standards/dimse/move.ts'
import { nextMessageId } from '#standards/dimse/message-id.ts'
import type { Proposal } from '#standards/dimse/proposal.ts'
import { QUERY_RETRIEVE } from '#standards/dimse/query-retrieve.ts'
import { store } from '#standards/dimse/store.ts'
import { encodePart10Head, readPart10Head } from '#standards/dicom/part10.ts'
import { CT_IMAGE_STORAGE, ctInstance } from '#test/fixtures/dataset.ts'
import { CT, EXPLICIT, IMPLICIT, peerOf, testScp, type Stored } from '#test/fixtures/dimse.ts'
import { freePort, run, selfSigned, skipWithout, startProcess, temporaryFolder } from '#test/fixtures/peer.ts'

interface Sample { readonly sopInstanceUid: string, readonly dataset: Buffer }

const SAMPLES: readonly Sample[] = ['1', '2', '3'].map(number => ({
  sopInstanceUid: `1.2.3.4.1.1.${number}`,
  dataset: ctInstance({ sopInstanceUid: `1.2.3.4.1.1.${number}`, instanceNumber: Number(number), pixelBytes: 16 * 8192 })
}))

const PROPOSALS: readonly Proposal[] = [
  { abstractSyntax: VERIFICATION, transferSyntaxes: [IMPLICIT] },
  { abstractSyntax: CT, transferSyntaxes: [EXPLICIT], scpRole: true },
  { abstractSyntax: QUERY_RETRIEVE.study.find, transferSyntaxes: [EXPLICIT, IMPLICIT] },
  { abstractSyntax: QUERY_RETRIEVE.study.move, transferSyntaxes: [EXPLICIT, IMPLICIT] },
  { abstractSyntax: QUERY_RETRIEVE.study.get, transferSyntaxes: [EXPLICIT, IMPLICIT] },
  { abstractSyntax: QUERY_RETRIEVE.patient.find, transferSyntaxes: [IMPLICIT] }
]

function file (folder: string, { sopInstanceUid, dataset }: Sample): string {
  const path = join(folder, sopInstanceUid)
  writeFileSync(path, Buffer.concat([encodePart10Head({ sopClassUid: CT_IMAGE_STORAGE, sopInstanceUid, transferSyntaxUid: EXPLICIT }), dataset]))
  return path
}

function sameAsSamples (stored: readonly Stored[]): boolean {
  return SAMPLES.every(({ sopInstanceUid, dataset }) => stored.find(({ request }) => request.sopInstanceUid === sopInstanceUid)?.bytes.equals(dataset))
}

test('echoscu is answered, and told why when it calls another title', { skip: skipWithout('echoscu') }, async t => {
  const scp = await testScp(t)
  t.equal((await run('echoscu', ['-aec', 'BOX', '127.0.0.1', String(scp.port)])).code, 0)
  const refused = await run('echoscu', ['-aec', 'WRONG', '127.0.0.1', String(scp.port)])
  t.not(refused.code, 0)
  t.match(refused.output, /Called AE Title Not Recognized/i)
  t.equal((await run('echoscu', ['--propose-ts', '3', '--propose-pc', '128', '-aec', 'BOX', '127.0.0.1', String(scp.port)])).code, 0, '128 contexts')
  t.equal((await run('echoscu', ['--abort', '-aec', 'BOX', '127.0.0.1', String(scp.port)])).code, 0, 'and one that aborts')
})

test('what storescu sends arrives byte for byte', { skip: skipWithout('storescu') }, async t => {
  const folder = temporaryFolder(t)
  const scp = await testScp(t)
  const { code, output } = await run('storescu', ['-aec', 'BOX', '-aet', 'CT1', '127.0.0.1', String(scp.port), ...SAMPLES.map(sample => file(folder, sample))])
  t.equal(code, 0, output)
  t.equal(scp.stored.length, 3)
  t.ok(sameAsSamples(scp.stored))
  t.equal(scp.stored[0]!.request.peer.title, 'CT1')
})

test('what we send, storescp writes byte for byte', { skip: skipWithout('storescp') }, async t => {
  const folder = temporaryFolder(t)
  const port = await freePort()
  await startProcess(t, 'storescp', ['--bit-preserving', '-od', folder, String(port)], { port })
  const association = await openAssociation({ host: '127.0.0.1', port, calledTitle: 'STORESCP', callingTitle: 'BOX' }, PROPOSALS)
  await echo(association)
  for (const { sopInstanceUid, dataset } of SAMPLES) {
    const pieces = [dataset.subarray(0, 1001), dataset.subarray(1001, 90_001), dataset.subarray(90_001)]
    t.same(await store(association, { sopClassUid: CT, sopInstanceUid, transferSyntaxUid: EXPLICIT, dataset: pieces }), { status: 0 })
  }
  await association.release()
  const files = readdirSync(folder).toSorted()
  t.equal(files.length, 3)
  for (const [index, name] of files.entries()) {
    const bytes = readFileSync(join(folder, name))
    t.ok(bytes.subarray(readPart10Head(bytes).datasetOffset).equals(SAMPLES[index]!.dataset))
  }
})

test('dcmqrscp is asked, and brings what it has by C-MOVE and by C-GET', { skip: skipWithout('dcmqrscp') }, async t => {
  const folder = temporaryFolder(t)
  const scp = await testScp(t)
  const port = await freePort()
  mkdirSync(join(folder, 'images'))
  writeFileSync(join(folder, 'dcmqrscp.cfg'), [
    `NetworkTCPPort = ${port}`, 'MaxPDUSize = 16384', 'MaxAssociations = 16',
    'HostTable BEGIN', `box = (BOX, 127.0.0.1, ${scp.port})`, 'HostTable END',
    'VendorTable BEGIN', 'VendorTable END',
    'AETable BEGIN', `PACS ${join(folder, 'images')} RW (9, 64mb) ANY`, 'AETable END', ''
  ].join('\n'))
  await startProcess(t, 'dcmqrscp', ['-c', join(folder, 'dcmqrscp.cfg')], { port })

  const taken: Stored[] = []
  const association = await openAssociation({ host: '127.0.0.1', port, calledTitle: 'PACS', callingTitle: 'BOX' }, PROPOSALS, {
    onStore (request) {
      const chunks: Buffer[] = []
      return {
        write (chunk) { chunks.push(chunk) },
        async end () {
          await Promise.resolve()
          taken.push({ request, bytes: Buffer.concat(chunks) })
          return 0
        },
        abort () {}
      }
    }
  })
  t.teardown(() => { association.abort() })
  for (const { sopInstanceUid, dataset } of SAMPLES) {
    t.match(await store(association, { sopClassUid: CT, sopInstanceUid, transferSyntaxUid: EXPLICIT, dataset }), { status: 0 })
  }

  const study = { '00080052': { vr: 'CS' as const, Value: ['STUDY'] }, '0020000D': { vr: 'UI' as const, Value: ['1.2.3.4.1'] } }
  const images = {
    ...study,
    '00080052': { vr: 'CS' as const, Value: ['IMAGE'] },
    '0020000E': { vr: 'UI' as const, Value: ['1.2.3.4.1.1'] },
    '00080018': { vr: 'UI' as const }
  }
  const matches = await Array.fromAsync(find(association, { ...study, '00080005': { vr: 'CS', Value: ['ISO_IR 100'] }, '00100010': { vr: 'PN', Value: [{ Alphabetic: 'LEFÈVRE*' }] } }))
  t.equal(matches.length, 1)
  t.match(matches[0]!['00100010'], { Value: [{ Alphabetic: 'LEFÈVRE^Hélène' }] }, 'as the patient spells it')
  t.equal((await Array.fromAsync(find(association, images))).length, 3)
  t.same(await Array.fromAsync(find(association, { ...study, '0020000D': { vr: 'UI', Value: ['1.2.9'] } })), [])
  const first = find(association, images)
  t.ok((await first.next()).value['00080018'])
  await first.return(undefined)
  t.ok(association.open, 'a loop left early leaves the association usable')

  const messageId = nextMessageId()
  const pending: (number | undefined)[] = []
  const moved = await move(association, { identifier: study, destination: 'BOX', messageId, onPending ({ completed }) { pending.push(completed) } })
  t.match(moved, { status: 0, completed: 3, failed: 0, failedUids: [] })
  t.same(pending, [1, 2, 3])
  t.ok(sameAsSamples(scp.stored))
  t.same(scp.stored.map(({ request }) => request.moveOriginator), Array.from({ length: 3 }, () => ({ title: 'BOX', messageId })))
  t.match(await move(association, { identifier: study, destination: 'NOWHERE' }), { status: 0xa801 }, 'move destination unknown')

  t.match(await get(association, { identifier: study }), { status: 0, completed: 3, failed: 0 })
  t.ok(sameAsSamples(taken))
  t.match(taken[0]!.request.peer, { title: 'PACS', calledTitle: 'BOX' })
  await association.release()
})

test('secure transport: echoscu and storescu come in by TLS, plain ones don\'t', { skip: skipWithout('echoscu', 'storescu', 'openssl') }, async t => {
  const folder = temporaryFolder(t)
  const { key, cert } = await selfSigned(folder)
  const scp = await testScp(t, { tls: { key: readFileSync(key), cert: readFileSync(cert) } })
  const echoed = await run('echoscu', ['+tla', '+cf', cert, '-aec', 'BOX', '127.0.0.1', String(scp.port)])
  t.equal(echoed.code, 0, echoed.output)
  const sent = await run('storescu', ['+tla', '+cf', cert, '-aec', 'BOX', '127.0.0.1', String(scp.port), ...SAMPLES.map(sample => file(folder, sample))])
  t.equal(sent.code, 0, sent.output)
  t.ok(sameAsSamples(scp.stored))
  t.not((await run('echoscu', ['-to', '2', '-aec', 'BOX', '127.0.0.1', String(scp.port)])).code, 0)
  t.ok(scp.events.some(({ type }) => type === 'tls-failed'))
})

test('secure transport: we go out by TLS to storescp, with our own certificate', { skip: skipWithout('storescp', 'openssl') }, async t => {
  const folder = temporaryFolder(t)
  const theirs = await selfSigned(folder, 'storescp')
  const ours = await selfSigned(folder, 'box')
  const port = await freePort()
  mkdirSync(join(folder, 'images'))
  await startProcess(t, 'storescp', ['+tls', theirs.key, theirs.cert, '+cf', ours.cert, '--bit-preserving', '-od', join(folder, 'images'), String(port)], { port })
  const peer = { host: '127.0.0.1', port, calledTitle: 'STORESCP', callingTitle: 'BOX' }
  const association = await openAssociation({ ...peer, tls: { ca: readFileSync(theirs.cert), key: readFileSync(ours.key), cert: readFileSync(ours.cert) } }, PROPOSALS)
  for (const { sopInstanceUid, dataset } of SAMPLES) {
    t.same(await store(association, { sopClassUid: CT, sopInstanceUid, transferSyntaxUid: EXPLICIT, dataset }), { status: 0 })
  }
  await association.release()
  t.equal(readdirSync(join(folder, 'images')).length, 3)
  await t.rejects(openAssociation({ ...peer, tls: { ca: readFileSync(ours.cert) } }, PROPOSALS), { code: 'PACS_UNREACHABLE', facts: { reason: 'tls' } }, 'a certificate that we don\'t trust')
})

test('secure transport both ways: nothing is left open, and a silent handshake ends', { skip: skipWithout('openssl') }, async t => {
  const folder = temporaryFolder(t)
  const { key, cert } = await selfSigned(folder)
  const scp = await testScp(t, { tls: { key: readFileSync(key), cert: readFileSync(cert) }, timers: { associateSeconds: 0.1 } })
  const association = await openAssociation(peerOf(scp, { tls: { ca: readFileSync(cert) } }), PROPOSALS.slice(0, 2))
  await echo(association)
  t.match(await store(association, { sopClassUid: CT, sopInstanceUid: '1.2.3', transferSyntaxUid: EXPLICIT, dataset: Buffer.alloc(5_000_000) }), { status: 0 })
  t.equal(scp.stored[0]!.bytes.length, 5_000_000)
  const silent = connect({ port: scp.port, host: '127.0.0.1' })
  silent.on('error', () => {})
  silent.resume()
  await once(silent, 'close')
  await association.release()
  await scp.close()
  t.equal(scp.associations, 0)
  for (let turn = 0; turn < 10; turn++) await new Promise(resolve => { setImmediate(resolve) })
  t.same(process.getActiveResourcesInfo().filter(kind => /TCP|TLS/.test(kind)), [])
})
