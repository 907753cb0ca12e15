import { setTimeout as sleep } from 'node:timers/promises'
import { test } from 'tap'
import {
  CT, EXPLICIT, IMPLICIT, USER, associateRequest, peerOf, scriptedPacs, silentPacs, testScp, type RawPeer
} from '#test/fixtures/dimse.ts'
import { openAssociation, withAssociation } from '#standards/dimse/association.ts'
import { decodeAssociateRequest, encodeAssociateAccept, encodeAssociateRequest } from '#standards/dimse/associate.ts'
import { COMMAND, NO_DATA_SET, decodeCommand, type CommandSet } from '#standards/dimse/command.ts'
import type { Peer } from '#standards/dimse/connect.ts'
import { VERIFICATION, echo } from '#standards/dimse/echo.ts'
import { nextMessageId } from '#standards/dimse/message-id.ts'
import { encodeMessage } from '#standards/dimse/message.ts'
import { encodeAbort, encodeReject, encodeReleaseRequest, encodeReleaseResponse } from '#standards/dimse/pdu.ts'
import { oneContextPerSyntax, type Proposal } from '#standards/dimse/proposal.ts'
import { store } from '#standards/dimse/store.ts'

const PROPOSALS: readonly Proposal[] = [
  { abstractSyntax: VERIFICATION, transferSyntaxes: [IMPLICIT] },
  { abstractSyntax: CT, transferSyntaxes: [EXPLICIT] }
]

async function request (peer: RawPeer): Promise<CommandSet> {
  const pdu = await peer.next()
  if (pdu?.type !== 4) throw new Error(`PDU ${pdu?.type} instead of a request`)
  return decodeCommand(pdu.body.subarray(6))
}

function echoResponse (messageId: number | undefined, changes: Partial<CommandSet> = {}): Buffer {
  return encodeMessage(1, { CommandField: 0x8030, MessageIDBeingRespondedTo: messageId, CommandDataSetType: NO_DATA_SET, Status: 0, ...changes }, undefined, 16384)
}

test('an association leaves nothing behind, however it ended: no socket, no timer', async t => {
  const before = process.getActiveResourcesInfo().toSorted()
  const scp = await testScp(t)
  const peer: Peer = peerOf(scp)
  await (await openAssociation(peer, PROPOSALS)).release()
  const aborted = await openAssociation(peer, PROPOSALS)
  aborted.abort()
  await aborted.closed
  await t.rejects(openAssociation({ ...peer, calledTitle: 'WRONG' }, PROPOSALS))
  await scp.close()
  for (let turn = 0; turn < 10; turn++) await new Promise(resolve => { setImmediate(resolve) })
  t.same(process.getActiveResourcesInfo().filter(kind => kind !== 'Immediate').toSorted(), before)
})

test('an association is opened, used and released, and says who the peer is', async t => {
  const scp = await testScp(t)
  const association = await openAssociation(peerOf(scp), PROPOSALS)
  t.ok(association.open)
  t.same(association.contexts, [{ id: 1, abstractSyntax: VERIFICATION, transferSyntax: IMPLICIT }, { id: 3, abstractSyntax: CT, transferSyntax: EXPLICIT }])
  t.match(association.peer, { title: 'BOX', address: '127.0.0.1', implementationClassUid: /^2\.25\./, implementationVersion: /^DRIMBOX/, pduBytesMax: 131072 })
  t.same(association.refusals, [])
  await Promise.all([echo(association), echo(association), echo(association)])
  await association.release()
  t.notOk(association.open)
  await association.release()
  association.abort()
  await t.rejects(echo(association), { code: 'PACS_ABORTED' })
})

test('an association lent is released after use, and aborted after a failure', async t => {
  const scp = await testScp(t)
  t.equal(await withAssociation(peerOf(scp), PROPOSALS, {}, async association => { await echo(association); return 7 }), 7)
  await t.rejects(withAssociation(peerOf(scp), PROPOSALS, {}, async () => await Promise.reject(new Error('mine'))), { message: 'mine' })
  const controller = new AbortController()
  await t.rejects(withAssociation(peerOf(scp), PROPOSALS, { signal: controller.signal }, async association => {
    controller.abort()
    await echo(association)
  }), { code: 'CANCELLED' })
  while (scp.associations > 0) await sleep(1)
  t.same(scp.events.filter(({ type }) => type !== 'accepted').map(({ type }) => type), ['released', 'ended', 'ended'])
})

test('whatever length the peer wants its PDUs in, none is longer, and the object is whole', async t => {
  for (const pduBytesMax of [128, 4096, 0]) {
    const received: Buffer[] = []
    let longest = 0
    const done = Promise.withResolvers<CommandSet>()
    const pacs = await scriptedPacs(t, async peer => {
      const command = await request(peer)
      for (;;) {
        const { type, body } = (await peer.next())!
        t.equal(type, 4)
        longest = Math.max(longest, body.length)
        if ((body[5]! & 1) === 1) continue
        received.push(body.subarray(6))
        if (body[5] === 2) break
      }
      peer.write(encodeMessage(3, { CommandField: 0x8001, MessageIDBeingRespondedTo: command.MessageID, CommandDataSetType: NO_DATA_SET, Status: 0xb000, ErrorComment: 'coerced' }, undefined, 16384))
      done.resolve(command)
    }, { ...USER, pduBytesMax })
    const association = await openAssociation(pacs, PROPOSALS)
    const dataset = Buffer.from(Array.from({ length: 200_000 }, (_, index) => index % 239))
    async function * pieces (): AsyncGenerator<Buffer> {
      yield dataset.subarray(0, 10)
      yield Buffer.alloc(0)
      yield dataset.subarray(10, 70_000)
      await sleep(1)
      yield dataset.subarray(70_000)
    }
    if (pduBytesMax === 128) {
      // A command set beyond one such PDU comes in several; the script above reads the first only.
      association.abort()
      continue
    }
    t.same(await store(association, { sopClassUid: CT, sopInstanceUid: '1.2.3', transferSyntaxUid: EXPLICIT, dataset: pieces() }), { status: 0xb000, errorComment: 'coerced' })
    t.match(await done.promise, { AffectedSOPClassUID: CT, AffectedSOPInstanceUID: '1.2.3', CommandField: COMMAND.store, Priority: 0 })
    t.ok(Buffer.concat(received).equals(dataset))
    t.ok(longest <= (pduBytesMax === 0 ? 131072 : pduBytesMax), `${longest}`)
    association.abort()
  }
})

test('an object arrives whole at a peer with the shortest PDUs, and from a source of any shape', async t => {
  const scp = await testScp(t, { limits: { pduBytesMax: 128 } })
  const association = await openAssociation(peerOf(scp), PROPOSALS)
  const dataset = Buffer.from(Array.from({ length: 30_000 }, (_, index) => index % 239))
  const shapes = [dataset, [dataset.subarray(0, 122), dataset.subarray(122)], (function * () { yield dataset })(), [], [Buffer.alloc(0)]]
  for (const shape of shapes) {
    t.match(await store(association, {
      sopClassUid: CT, sopInstanceUid: '1.2.3', transferSyntaxUid: EXPLICIT, dataset: shape, moveOriginator: { title: 'SOMEBODY', messageId: 9 }
    }), { status: 0 })
  }
  t.same(scp.stored.map(({ bytes }) => bytes.length), [30_000, 30_000, 30_000, 0, 0])
  t.ok(scp.stored.slice(0, 3).every(({ bytes }) => bytes.equals(dataset)))
  t.match(scp.stored[0]!.request.moveOriginator, { title: 'SOMEBODY', messageId: 9 })
  await association.release()
})

test('a peer who reads slowly is waited for, and one who stops reading is cut off', async t => {
  const pacs = await scriptedPacs(t, async peer => { peer.socket.pause() })
  let pulled = 0
  function * endless (): Generator<Buffer> {
    for (;;) {
      pulled++
      yield Buffer.alloc(1 << 20)
    }
  }
  const association = await openAssociation(pacs, PROPOSALS, { timers: { writeSeconds: 0.2 } })
  await t.rejects(store(association, { sopClassUid: CT, sopInstanceUid: '1.2.3', transferSyntaxUid: EXPLICIT, dataset: endless() }), { code: 'PACS_TIMEOUT', facts: { phase: 'write' } })
  t.ok(pulled < 40, `${pulled} MB were pulled: what the kernel's buffers take`)
  await association.closed
})

test('a source that fails ends the association, since half of an object cannot be taken back', async t => {
  const scp = await testScp(t)
  const association = await openAssociation(peerOf(scp), PROPOSALS)

  async function * broken (): AsyncGenerator<Buffer> {
    yield Buffer.alloc(100_000)
    yield Buffer.alloc(100_000)
    throw new Error('disk')
  }
  await t.rejects(store(association, { sopClassUid: CT, sopInstanceUid: '1.2.3', transferSyntaxUid: EXPLICIT, dataset: broken() }), { message: 'disk' })
  await association.closed
  while (scp.associations > 0) await sleep(1)
  t.equal(scp.aborted.length, 1)
  t.equal(scp.stored.length, 0)
})

test('a PACS that isn\'t there, has no such name or speaks no TLS is unreachable, and why is told', async t => {
  const scp = await testScp(t)
  const port = scp.port
  await t.rejects(openAssociation(peerOf(scp, { tls: {} }), PROPOSALS), { code: 'PACS_UNREACHABLE', facts: { reason: 'tls', port } })
  await scp.close()
  await t.rejects(openAssociation(peerOf(scp), PROPOSALS), { code: 'PACS_UNREACHABLE', facts: { reason: 'ECONNREFUSED', host: '127.0.0.1', port } })
  await t.rejects(openAssociation(peerOf(scp, { host: 'pacs.invalid' }), PROPOSALS), { code: 'PACS_UNREACHABLE', facts: { reason: 'name-unknown' } })
  const mute = await silentPacs(t, async () => {})
  await t.rejects(openAssociation({ ...mute, tls: {} }, PROPOSALS, { timers: { connectSeconds: 0.05 } }), { code: 'PACS_UNREACHABLE', facts: { reason: 'tls' } })
  await t.rejects(openAssociation(peerOf(scp), PROPOSALS, { signal: AbortSignal.abort() }), { code: 'CANCELLED' })
})

test('a refused association names the standard\'s reason', async t => {
  const scp = await testScp(t)
  await t.rejects(openAssociation(peerOf(scp, { calledTitle: 'WRONG' }), PROPOSALS), {
    code: 'PACS_REJECTED', facts: { result: 1, source: 1, reason: 7, why: 'called-AE-title-not-recognized' }
  })
  const busy = await silentPacs(t, async peer => {
    await peer.next()
    peer.write(encodeReject({ result: 2, source: 3, reason: 2 }))
  })
  await t.rejects(openAssociation(busy, PROPOSALS), { code: 'PACS_REJECTED', facts: { result: 2, why: 'local-limit-exceeded' } })
})

test('a PACS that accepts none of our contexts says so for each', async t => {
  const scp = await testScp(t)
  await t.rejects(openAssociation(peerOf(scp), [{ abstractSyntax: '1.2.3', transferSyntaxes: [IMPLICIT] }, { abstractSyntax: CT, transferSyntaxes: ['1.2.4'] }]), {
    code: 'PACS_CONTEXT', facts: { refusals: ['1.2.3 abstract-syntax-not-supported', `${CT} transfer-syntaxes-not-supported`] }
  })
  const association = await openAssociation(peerOf(scp), [...PROPOSALS, { abstractSyntax: '1.2.3', transferSyntaxes: [IMPLICIT] }])
  t.same(association.refusals, [{ abstractSyntax: '1.2.3', transferSyntaxes: [IMPLICIT], why: 'abstract-syntax-not-supported' }])
  t.throws(() => association.context('1.2.3'), { code: 'PACS_CONTEXT' })
  t.throws(() => association.context(CT, [IMPLICIT]), { code: 'PACS_CONTEXT' })
  t.equal(association.context(CT, [IMPLICIT, EXPLICIT]).id, 3)
  await association.release()
})

const ANSWERS: readonly (readonly [string, (peer: RawPeer) => void, { code: string, facts?: object }])[] = [
  ['closes', peer => { peer.socket.destroy() }, { code: 'PACS_ABORTED', facts: { reason: 'connection-closed' } }],
  ['aborts', peer => { peer.write(encodeAbort({ source: 2, reason: 0 })) }, { code: 'PACS_ABORTED', facts: { source: 2, reason: 'reason-not-specified' } }],
  ['asks for an association itself', peer => { peer.write(encodeAssociateRequest(associateRequest())) }, { code: 'PROTOCOL_VIOLATION' }],
  ['announces 4 GB', peer => { peer.write(Buffer.of(2, 0, 255, 255, 255, 255)) }, { code: 'PROTOCOL_VIOLATION' }],
  ['speaks HTTP', peer => { peer.write(Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n')) }, { code: 'PROTOCOL_VIOLATION' }],
  ['accepts with bytes that make no sense', peer => { peer.write(Buffer.of(2, 0, 0, 0, 0, 4, 0, 1, 0, 0)) }, { code: 'PROTOCOL_VIOLATION' }],
  ['says nothing', () => {}, { code: 'PACS_TIMEOUT', facts: { phase: 'associate' } }]
]

for (const [name, answer, error] of ANSWERS) {
  test(`a PACS that ${name} in place of an answer is an error of its own, and no socket is left`, async t => {
    const closed = Promise.withResolvers<void>()
    const pacs = await silentPacs(t, async peer => {
      await peer.next()
      answer(peer)
      await peer.closed()
      closed.resolve()
    })
    await t.rejects(openAssociation(pacs, PROPOSALS, { timers: { associateSeconds: 0.1 } }), error)
    await closed.promise
  })
}

test('a PACS that wants PDUs of 10 bytes, or accepts what was not proposed, is not worked with', async t => {
  const tiny = await scriptedPacs(t, async () => {}, { ...USER, pduBytesMax: 10 })
  await t.rejects(openAssociation(tiny, PROPOSALS), { code: 'PROTOCOL_VIOLATION' })
  const inventive = await silentPacs(t, async peer => {
    const asked = decodeAssociateRequest((await peer.next())!.body)
    peer.write(encodeAssociateAccept({ ...asked, contexts: [{ id: 1, result: 0, transferSyntax: '1.2.3' }, { id: 99, result: 0, transferSyntax: IMPLICIT }] }))
  })
  await t.rejects(openAssociation(inventive, PROPOSALS), { code: 'PACS_CONTEXT' })
})

const RESPONSES: readonly (readonly [string, (peer: RawPeer, messageId: number) => void, { code: string, facts?: object }])[] = [
  ['aborts', peer => { peer.write(encodeAbort({ source: 0, reason: 0 })) }, { code: 'PACS_ABORTED', facts: { source: 0, reason: 'service-user' } }],
  ['releases', peer => { peer.write(encodeReleaseRequest()) }, { code: 'PACS_ABORTED', facts: { reason: 'released' } }],
  ['closes', peer => { peer.socket.destroy() }, { code: 'PACS_ABORTED' }],
  ['says nothing', () => {}, { code: 'PACS_TIMEOUT', facts: { phase: 'response' } }],
  ['answers another message', (peer, messageId) => { peer.write(echoResponse(messageId + 1)) }, { code: 'PROTOCOL_VIOLATION' }],
  ['answers another operation', (peer, messageId) => { peer.write(echoResponse(messageId, { CommandField: 0x8001 })) }, { code: 'PROTOCOL_VIOLATION' }],
  ['answers without a status', (peer, messageId) => { peer.write(echoResponse(messageId, { Status: undefined })) }, { code: 'PROTOCOL_VIOLATION' }],
  ['asks something itself', peer => { peer.write(encodeMessage(1, { CommandField: COMMAND.echo, MessageID: 1, CommandDataSetType: NO_DATA_SET }, undefined, 16384)) }, { code: 'PROTOCOL_VIOLATION' }],
  ['answers on another context', (peer, messageId) => { peer.write(encodeMessage(3, { CommandField: 0x8030, MessageIDBeingRespondedTo: messageId, CommandDataSetType: NO_DATA_SET, Status: 0 }, undefined, 16384)) }, { code: 'PROTOCOL_VIOLATION' }],
  ['sends a data set that doesn\'t end', (peer, messageId) => {
    peer.write(encodeMessage(1, { CommandField: 0x8030, MessageIDBeingRespondedTo: messageId, CommandDataSetType: 1, Status: 0 }, Buffer.alloc(70_000), 16384))
  }, { code: 'PROTOCOL_VIOLATION' }],
  ['answers with a failure', (peer, messageId) => { peer.write(echoResponse(messageId, { Status: 0x0122, ErrorComment: 'not here' })) }, { code: 'PACS_STATUS', facts: { status: '0x0122', errorComment: 'not here' } }]
]

for (const [name, respond, error] of RESPONSES) {
  test(`a PACS that ${name} in the middle of a request is an error of its own`, async t => {
    const pacs = await scriptedPacs(t, async peer => { respond(peer, (await request(peer)).MessageID!) })
    const association = await openAssociation(pacs, PROPOSALS, { timers: { responseSeconds: 0.1 }, limits: { identifierBytesMax: 65536 } })
    await t.rejects(echo(association), error)
    association.abort()
    await association.closed
  })
}

test('a PACS that releases an idle association is answered, and the association is no longer open', async t => {
  const answered = Promise.withResolvers<number | undefined>()
  const pacs = await scriptedPacs(t, async peer => {
    peer.write(encodeReleaseRequest())
    answered.resolve((await peer.next())?.type)
  })
  const association = await openAssociation(pacs, PROPOSALS)
  t.equal(await answered.promise, 6)
  await association.closed
  t.notOk(association.open)
})

test('releases that cross each other end in order', async t => {
  const types: (number | undefined)[] = []
  const pacs = await scriptedPacs(t, async peer => {
    types.push((await peer.next())?.type)
    peer.write(encodeReleaseRequest())
    types.push((await peer.next())?.type)
    peer.write(encodeReleaseResponse())
    types.push((await peer.next())?.type)
  })
  const association = await openAssociation(pacs, PROPOSALS)
  await association.release()
  while (types.length < 3) await sleep(1)
  t.same(types, [5, 6, undefined])
})

test('a PACS that doesn\'t answer a release is left all the same', async t => {
  const pacs = await scriptedPacs(t, async () => {})
  const association = await openAssociation(pacs, PROPOSALS, { timers: { associateSeconds: 0.05 } })
  await association.release()
  t.notOk(association.open)
})

test('a signal ends an echo together with its association, and one that fired before asks nothing', async t => {
  const pacs = await scriptedPacs(t, async peer => { await request(peer) })
  const association = await openAssociation(pacs, PROPOSALS)
  await t.rejects(echo(association, AbortSignal.abort()), { code: 'CANCELLED' })
  t.ok(association.open)
  await t.rejects(echo(association, AbortSignal.timeout(20)), { code: 'CANCELLED' })
  await association.closed
})

test('nobody waits for an association after its signal fired', async t => {
  const pacs = await silentPacs(t, async () => {})
  await t.rejects(openAssociation(pacs, PROPOSALS, { signal: AbortSignal.timeout(20) }), { code: 'CANCELLED' })
})

test('message IDs go round, so that moves in flight are told apart', async t => {
  const first = nextMessageId()
  const ids = new Set(Array.from({ length: 65535 }, () => nextMessageId()))
  t.equal(ids.size, 65535)
  t.notOk(ids.has(0))
  t.equal(nextMessageId(), first % 65535 + 1)
})

test('one context is proposed per syntax, the first choices first, 128 at most', async t => {
  t.same(oneContextPerSyntax([{ abstractSyntax: 'A', transferSyntaxes: ['1', '2'] }, { abstractSyntax: 'B', transferSyntaxes: ['1'], scpRole: true }]), [
    { abstractSyntax: 'A', transferSyntaxes: ['1'] },
    { abstractSyntax: 'B', transferSyntaxes: ['1'], scpRole: true },
    { abstractSyntax: 'A', transferSyntaxes: ['2'] }
  ])
  const many = oneContextPerSyntax(Array.from({ length: 100 }, (_, index) => ({ abstractSyntax: `1.${index}`, transferSyntaxes: ['1', '2'] })))
  t.equal(many.length, 128)
  t.equal(many[99]!.abstractSyntax, '1.99')
})
