import { test } from 'tap'
import { bytes } from '#test/fixtures/bytes.ts'
import {
  CT, EXPLICIT, IMPLICIT, associateRequest, associatedPeer, echoRequest, peerOf, rawPeer, storeCommand, testScp, type RawPeer
} from '#test/fixtures/dimse.ts'
import { openAssociation } from '#standards/dimse/association.ts'
import { decodeAssociateAccept, encodeAssociateRequest, type AssociateRequest } from '#standards/dimse/associate.ts'
import { COMMAND, NO_DATA_SET, decodeCommand, type CommandSet } from '#standards/dimse/command.ts'
import { VERIFICATION, echo } from '#standards/dimse/echo.ts'
import { LIMITS } from '#standards/dimse/limits.ts'
import { encodeMessage } from '#standards/dimse/message.ts'
import { encodeAbort, encodeReleaseRequest, writeFragmentHeader } from '#standards/dimse/pdu.ts'
import type { Flow, StoreSink } from '#standards/dimse/store-provider.ts'

/** The command set of the next response, each of which must come as one PDU. */
async function response (peer: RawPeer): Promise<CommandSet> {
  const pdu = await peer.next()
  if (pdu?.type !== 4) throw new Error(`PDU ${pdu?.type} instead of a response`)
  return decodeCommand(pdu.body.subarray(6))
}

function storeRequest (dataset: Uint8Array, changes: Partial<CommandSet> = {}, contextId = 3): Buffer {
  return encodeMessage(contextId, storeCommand(1, changes), dataset, 16384)
}

const ABORTED_BY_PROVIDER = (reason: number): { type: number, body: Buffer } => ({ type: 7, body: Buffer.of(0, 0, 2, reason) })
const RELEASED = { type: 6, body: Buffer.alloc(4) }

test('after the server is closed nothing of it is left: no socket, no timer', async t => {
  const before = process.getActiveResourcesInfo().toSorted()
  const scp = await testScp(t)
  const peers = [await rawPeer(t, scp.port), await associatedPeer(t, scp.port), await associatedPeer(t, scp.port)]
  peers[1]!.write(storeRequest(Buffer.alloc(1000)).subarray(0, 500))
  peers[2]!.write(bytes`09 00 00 00 00 00`)
  const closed = peers.map(async peer => { await peer.closed() })
  await scp.close()
  await Promise.all(closed)
  for (let turn = 0; turn < 10; turn++) await new Promise(resolve => { setImmediate(resolve) })
  t.same(process.getActiveResourcesInfo().filter(kind => kind !== 'Immediate').toSorted(), before)
})

test('an echo is answered, and a release', async t => {
  const scp = await testScp(t)
  const peer = await associatedPeer(t, scp.port)
  t.equal(scp.associations, 1)
  peer.write(echoRequest(7))
  t.same(await response(peer), { AffectedSOPClassUID: VERIFICATION, CommandField: 0x8030, MessageIDBeingRespondedTo: 7, CommandDataSetType: NO_DATA_SET, Status: 0 })
  peer.write(encodeReleaseRequest())
  t.same(await peer.next(), RELEASED)
  t.equal(await peer.next(), undefined, 'and the connection is closed')
  t.equal(scp.associations, 0)
  t.same(scp.events.map(({ type }) => type), ['accepted', 'released'])
})

test('an object is stored byte for byte, and says which move brought it', async t => {
  const scp = await testScp(t)
  const peer = await associatedPeer(t, scp.port)
  const dataset = Buffer.from(Array.from({ length: 100_000 }, (_, index) => index % 253))
  peer.write(storeRequest(dataset, { MoveOriginatorApplicationEntityTitle: 'BOX', MoveOriginatorMessageID: 12 }))
  t.same(await response(peer), {
    AffectedSOPClassUID: CT, CommandField: 0x8001, MessageIDBeingRespondedTo: 1, CommandDataSetType: NO_DATA_SET, Status: 0, AffectedSOPInstanceUID: '1.2.3.4'
  })
  const { request, bytes: stored } = scp.stored[0]!
  t.ok(stored.equals(dataset))
  t.match(request, {
    sopClassUid: CT,
    sopInstanceUid: '1.2.3.4',
    transferSyntaxUid: EXPLICIT,
    moveOriginator: { title: 'BOX', messageId: 12 },
    peer: { title: 'PACS', address: '127.0.0.1', calledTitle: 'BOX' }
  })
})

test('requests sent without waiting are answered in order, also where one takes its time', async t => {
  const answers: PromiseWithResolvers<number>[] = []
  const scp = await testScp(t, {
    onStore: () => ({
      write () {},
      end () {
        const answer = Promise.withResolvers<number>()
        answers.push(answer)
        return answer.promise
      },
      abort () {}
    })
  })
  const peer = await associatedPeer(t, scp.port)
  peer.write(storeRequest(Buffer.of(1), { MessageID: 5 }), storeRequest(Buffer.of(2), { MessageID: 5 }), echoRequest(6), encodeReleaseRequest())
  for (let count = 1; count <= 2; count++) {
    while (answers.length < count) await new Promise(resolve => { setImmediate(resolve) })
    t.equal(answers.length, count, 'the next one is not begun before')
    answers[count - 1]!.resolve(count)
    t.match(await response(peer), { MessageIDBeingRespondedTo: 5, Status: count }, 'the same message ID may be used again once answered')
  }
  t.match(await response(peer), { MessageIDBeingRespondedTo: 6, CommandField: 0x8030 })
  t.same(await peer.next(), RELEASED)
})

test('a sink that pauses gets nothing more until it resumes, and then all of it', async t => {
  const chunks: Buffer[] = []
  let flow: Flow | undefined
  const firsts = Promise.withResolvers<void>()
  const scp = await testScp(t, {
    onStore (_, given): StoreSink {
      flow = given
      return {
        write (chunk) {
          chunks.push(chunk)
          flow!.pause()
          firsts.resolve()
        },
        end: () => 0,
        abort () {}
      }
    }
  })
  const peer = await associatedPeer(t, scp.port)
  const dataset = Buffer.from(Array.from({ length: 300_000 }, (_, index) => index % 241))
  peer.write(storeRequest(dataset))
  await firsts.promise
  const other = await associatedPeer(t, scp.port)
  other.write(echoRequest())
  await response(other)
  t.equal(chunks.length, 1, 'an echo later, still one piece')
  const steady = setInterval(() => { flow!.resume() }, 1)
  t.match(await response(peer), { Status: 0 })
  clearInterval(steady)
  t.ok(Buffer.concat(chunks).equals(dataset))
  t.ok(chunks.length > 10)
  flow!.pause()
  peer.write(echoRequest())
  t.match(await response(peer), { Status: 0 }, 'the flow of an object that was answered steers nothing any more')
})

test('what is refused is answered by a status after its last byte', async t => {
  const scp = await testScp(t, { onStore: () => 0xa700 })
  const peer = await associatedPeer(t, scp.port)
  const big = Buffer.alloc(50_000)
  peer.write(storeRequest(big))
  t.match(await response(peer), { Status: 0xa700 }, 'out of resources')
  peer.write(storeRequest(big, { AffectedSOPClassUID: '1.2.840.10008.5.1.4.1.1.4' }))
  t.match(await response(peer), { Status: 0x0122 }, 'a class that is not the context\'s')
  peer.write(storeRequest(big, { AffectedSOPInstanceUID: '../../etc/passwd' }))
  t.match(await response(peer), { Status: 0x0117 }, 'an instance UID that is none')
  peer.write(storeRequest(big, { AffectedSOPInstanceUID: undefined }))
  t.match(await response(peer), { Status: 0x0117 }, 'no instance UID')
  peer.write(encodeMessage(3, storeCommand(1, { CommandDataSetType: NO_DATA_SET }), undefined, 16384))
  t.match(await response(peer), { Status: 0xc000 }, 'no data set')
})

test('a sink that fails is a failure of one object, not of the association', async t => {
  const aborted: Error[] = []
  const failing: StoreSink[] = [
    { write () { throw new Error('disk') }, end: () => 0, abort (reason) { aborted.push(reason) } },
    { write () {}, end () { throw new Error('disk') }, abort (reason) { aborted.push(reason) } },
    { write () {}, end: async () => await Promise.reject(new Error('disk')), abort (reason) { aborted.push(reason) } }
  ]
  const scp = await testScp(t, {
    onStore () {
      const sink = failing.shift()
      if (sink === undefined) throw new Error('no sink')
      return sink
    }
  })
  const peer = await associatedPeer(t, scp.port)
  for (const name of ['while it is written', 'at its end', 'after its end', 'before it begins']) {
    peer.write(storeRequest(Buffer.alloc(40_000)))
    t.match(await response(peer), { Status: 0x0110 }, name)
  }
  t.equal(aborted.length, 1, 'only the one that was not ended is aborted')
})

test('operations that we don\'t offer are told so', async t => {
  const scp = await testScp(t)
  const peer = await associatedPeer(t, scp.port)
  for (const [name, field] of [['N-EVENT-REPORT', 0x0100], ['N-GET', 0x0110], ['N-SET', 0x0120], ['N-ACTION', 0x0130], ['N-CREATE', 0x0140], ['N-DELETE', 0x0150], ['C-FIND', 0x0020], ['C-MOVE', 0x0021], ['C-GET', 0x0010], ['no operation at all', 0x0777]] as const) {
    peer.write(encodeMessage(3, { RequestedSOPClassUID: CT, CommandField: field, MessageID: 9, CommandDataSetType: 1 }, Buffer.alloc(20), 16384))
    t.match(await response(peer), { CommandField: field | 0x8000, MessageIDBeingRespondedTo: 9, Status: 0x0211 }, name)
  }
  peer.write(encodeMessage(3, { CommandField: COMMAND.cancel, MessageIDBeingRespondedTo: 77, CommandDataSetType: NO_DATA_SET }, undefined, 16384), echoRequest(10))
  t.match(await response(peer), { MessageIDBeingRespondedTo: 10 }, 'a C-CANCEL of nothing is passed over')
})

const REFUSED: readonly (readonly [string, Partial<AssociateRequest>, readonly number[], string])[] = [
  ['a title that isn\'t ours', { calledTitle: 'OTHER' }, [1, 1, 7], 'called-AE-title-not-recognized'],
  ['a caller whom we don\'t know', { callingTitle: 'STRANGER' }, [1, 1, 3], 'calling-AE-title-not-recognized'],
  ['a caller to whom we say nothing', { callingTitle: 'SECRET' }, [1, 1, 1], 'no-reason-given'],
  ['a caller who must come back later', { callingTitle: 'LATER' }, [2, 3, 1], 'temporary-congestion'],
  ['another application context', { applicationContext: '1.2.3' }, [1, 1, 2], ''],
  ['another protocol version', { protocolVersion: 2 }, [1, 2, 2], '']
]

for (const [name, changes, reject, why] of REFUSED) {
  test(`${name} is refused with the standard's reason`, async t => {
    const scp = await testScp(t, {
      admit: ({ callingTitle }) => callingTitle === 'STRANGER' ? 'calling-title-unknown' : callingTitle === 'SECRET' ? 'no-reason' : callingTitle === 'LATER' ? 'busy' : 'accept'
    })
    const peer = await rawPeer(t, scp.port)
    peer.write(encodeAssociateRequest(associateRequest(changes)))
    t.same(await peer.next(), { type: 3, body: Buffer.of(0, ...reject) })
    t.equal(await peer.next(), undefined, 'closed')
    t.same(scp.events.filter(({ type }) => type === 'rejected').map(event => 'why' in event && event.why), why === '' ? [] : [why])
  })
}

test('more associations than we bear are refused for now, in all and for each address', async t => {
  const all = await testScp(t, { associationsMax: 1 })
  await associatedPeer(t, all.port)
  const late = await rawPeer(t, all.port)
  late.write(encodeAssociateRequest(associateRequest()))
  t.same((await late.next())?.body, Buffer.of(0, 2, 3, 1), 'temporary-congestion')

  const each = await testScp(t, { associationsPerAddressMax: 1 })
  const first = await associatedPeer(t, each.port)
  const second = await rawPeer(t, each.port)
  second.write(encodeAssociateRequest(associateRequest()))
  t.same((await second.next())?.body, Buffer.of(0, 2, 3, 2), 'local-limit-exceeded')
  first.write(encodeAbort({ source: 0, reason: 0 }))
  await first.closed()
  t.ok(await associatedPeer(t, each.port), 'and its place is free again')
})

test('of what is offered we take the first in our own order; what we don\'t know is refused one by one', async t => {
  const scp = await testScp(t)
  const peer = await rawPeer(t, scp.port)
  peer.write(encodeAssociateRequest(associateRequest({
    contexts: [
      { id: 1, abstractSyntax: CT, transferSyntaxes: [IMPLICIT, EXPLICIT] },
      { id: 3, abstractSyntax: CT, transferSyntaxes: ['1.2.3.4'] },
      { id: 5, abstractSyntax: '1.2.3', transferSyntaxes: [IMPLICIT] },
      { id: 5, abstractSyntax: CT, transferSyntaxes: [IMPLICIT] },
      { id: 6, abstractSyntax: CT, transferSyntaxes: [IMPLICIT] },
      { id: 255, abstractSyntax: CT, transferSyntaxes: [] }
    ]
  })))
  const accept = decodeAssociateAccept((await peer.next())!.body)
  t.same(accept.contexts, [
    { id: 1, result: 0, transferSyntax: EXPLICIT },
    { id: 3, result: 4, transferSyntax: '1.2.3.4' },
    { id: 5, result: 3, transferSyntax: IMPLICIT },
    { id: 255, result: 4, transferSyntax: '' }
  ])
  t.equal(accept.userInformation.pduBytesMax, LIMITS.pduBytesMax)
})

const VIOLATIONS: readonly (readonly [string, Buffer, number])[] = [
  ['a PDU longer than we announced', bytes`04 00 00 02 00 01`, 6],
  ['a PDU announced as 4 GB', bytes`04 00 ff ff ff ff`, 6],
  ['a PDU of unknown type', bytes`09 00 00 00 00 04 00 00 00 00`, 1],
  ['a second association request', encodeAssociateRequest(associateRequest()), 2],
  ['an association accepted that we never asked for', bytes`02 00 00 00 00 04 00 00 00 00`, 2],
  ['a release answered that we never asked for', bytes`06 00 00 00 00 04 00 00 00 00`, 2],
  ['a value that leaves its PDU', bytes`04 00 00 00 00 06 00 00 00 09 01 03`, 6],
  ['a data set without a command', bytes`04 00 00 00 00 07 00 00 00 03 03 02 00`, 5],
  ['a context that was never proposed', echoRequest(1, 99), 6],
  ['a response to nothing', encodeMessage(1, { CommandField: 0x8030, MessageIDBeingRespondedTo: 1, CommandDataSetType: NO_DATA_SET, Status: 0 }, undefined, 16384), 5],
  ['a request without message ID', encodeMessage(1, { CommandField: COMMAND.echo, CommandDataSetType: NO_DATA_SET }, undefined, 16384), 6],
  ['a store without message ID', encodeMessage(3, storeCommand(1, { MessageID: undefined }), Buffer.of(1), 16384), 6],
  ['a command set that doesn\'t end', Buffer.concat(Array.from({ length: 3 }, () => longCommandPart())), 6]
]

function longCommandPart (): Buffer {
  const part = Buffer.alloc(12 + 8000)
  writeFragmentHeader(part, 0, 1, 1, 8000)
  return part
}

for (const [name, stream, reason] of VIOLATIONS) {
  test(`on an association, ${name} is aborted with the standard's reason`, async t => {
    const scp = await testScp(t)
    const peer = await associatedPeer(t, scp.port)
    peer.write(stream)
    t.same(await peer.next(), ABORTED_BY_PROVIDER(reason))
    t.equal(await peer.next(), undefined, 'and the connection is closed')
    t.match(scp.events.at(-1), { type: 'ended', reason: { code: 'PROTOCOL_VIOLATION' } })
    t.equal(scp.associations, 0)
  })
}

test('a context that was refused is not one to make requests on', async t => {
  const scp = await testScp(t)
  const peer = await associatedPeer(t, scp.port, { contexts: [{ id: 1, abstractSyntax: '1.2.3', transferSyntaxes: [IMPLICIT] }] })
  peer.write(echoRequest(1, 1))
  t.same(await peer.next(), ABORTED_BY_PROVIDER(6))
})

test('bytes before an association are aborted: data, releases, 4 GB, HTTP', async t => {
  const scp = await testScp(t)
  for (const [stream, reason] of [[echoRequest(), 2], [encodeReleaseRequest(), 2], [bytes`01 00 ff ff ff ff`, 6], [Buffer.from('GET / HTTP/1.1\r\n\r\n'), 1]] as const) {
    const peer = await rawPeer(t, scp.port)
    peer.write(stream)
    t.same(await peer.next(), ABORTED_BY_PROVIDER(reason))
    t.equal(await peer.next(), undefined)
  }
})

test('bytes after a release are ignored', async t => {
  const scp = await testScp(t)
  const peer = await associatedPeer(t, scp.port)
  peer.write(encodeReleaseRequest(), echoRequest(), echoRequest(), encodeAssociateRequest(associateRequest()))
  t.same(await peer.next(), RELEASED)
  t.equal(await peer.next(), undefined)
})

test('a peer who wants PDUs of 10 bytes is aborted', async t => {
  const scp = await testScp(t)
  const peer = await rawPeer(t, scp.port)
  peer.write(encodeAssociateRequest(associateRequest({ userInformation: { pduBytesMax: 10, roles: [], extended: [] } })))
  t.same(await peer.next(), ABORTED_BY_PROVIDER(6))
})

test('an object that is cut by an abort, a release, a violation or a lost line is told to its sink once', async t => {
  const half = storeRequest(Buffer.alloc(100_000)).subarray(0, 60_000)
  const whole = storeRequest(Buffer.alloc(10_000), {}).subarray(0, 10_000)
  const ends: readonly (readonly [string, (peer: RawPeer) => void])[] = [
    ['abort', peer => { peer.write(whole.subarray(0, 200), encodeAbort({ source: 0, reason: 0 })) }],
    ['lost line', peer => { peer.socket.resetAndDestroy() }],
    ['end of the stream', peer => { peer.socket.end() }]
  ]
  for (const [name, end] of ends) {
    const begun = Promise.withResolvers<void>()
    const aborted = Promise.withResolvers<void>()
    let times = 0
    const scp = await testScp(t, {
      onStore: () => ({ write () { begun.resolve() }, end () { t.fail('never complete'); return 0 }, abort () { times++; aborted.resolve() } })
    })
    const peer = await associatedPeer(t, scp.port)
    if (name === 'abort') {
      // Between two fragments: an abort inside of a PDU would be part of it.
      const fragment = Buffer.alloc(12 + 100)
      writeFragmentHeader(fragment, 0, 3, 0, 100)
      peer.write(encodeMessage(3, storeCommand(), undefined, 16384), fragment, encodeAbort({ source: 0, reason: 0 }))
    } else {
      peer.write(half)
      await begun.promise
      end(peer)
    }
    await aborted.promise
    await peer.closed()
    await scp.close()
    t.equal(times, 1, name)
  }
})

test('a socket that says nothing, or half of a request, is closed by ARTIM', async t => {
  const scp = await testScp(t, { timers: { associateSeconds: 0.05 } })
  const silent = await rawPeer(t, scp.port)
  const half = await rawPeer(t, scp.port)
  half.write(encodeAssociateRequest(associateRequest()).subarray(0, 50))
  await Promise.all([silent.closed(), half.closed()])
  t.same(scp.events.map(event => event.type === 'ended' && event.reason.code), ['PACS_TIMEOUT', 'PACS_TIMEOUT'])
})

test('a peer that falls silent in the middle of a PDU, or between two, is aborted', async t => {
  const aborted: Error[] = []
  const scp = await testScp(t, { timers: { idleSeconds: 0.05 }, onStore: () => ({ write () {}, end: () => 0, abort (reason) { aborted.push(reason) } }) })
  const between = await associatedPeer(t, scp.port)
  const within = await associatedPeer(t, scp.port)
  within.write(storeRequest(Buffer.alloc(1000)).subarray(0, 700))
  for (const peer of [between, within]) t.same(await peer.next(), { type: 7, body: Buffer.alloc(4) })
  t.match(aborted, [{ code: 'PACS_TIMEOUT', facts: { phase: 'idle' } }])
})

test('a sink that takes its time is not the peer\'s silence', async t => {
  const scp = await testScp(t, {
    timers: { idleSeconds: 0.03 },
    onStore: () => ({ write () {}, end: async () => await new Promise(resolve => { setTimeout(() => { resolve(0) }, 120) }), abort () {} })
  })
  const peer = await associatedPeer(t, scp.port)
  peer.write(storeRequest(Buffer.of(1)))
  t.match(await response(peer), { Status: 0 })
})

test('an association has an end, however busy it is', async t => {
  const scp = await testScp(t, { timers: { totalSeconds: 0.1 } })
  const peer = await associatedPeer(t, scp.port)
  let answers = 0
  for (;;) {
    peer.write(echoRequest())
    const pdu = await peer.next()
    if (pdu?.type !== 4) break
    answers++
  }
  t.ok(answers > 0)
  t.match(scp.events.at(-1), { type: 'ended', reason: { code: 'PACS_TIMEOUT', facts: { phase: 'total' } } })
})

test('a peer who asks and never reads the answers is cut off, and we hold no more than a buffer of them', async t => {
  const scp = await testScp(t, { timers: { writeSeconds: 0.2 } })
  const peer = await associatedPeer(t, scp.port)
  peer.socket.pause()
  const flood = Buffer.concat(Array.from({ length: 1000 }, () => echoRequest()))
  const flooding = setInterval(() => { if (!peer.socket.writableNeedDrain) peer.socket.write(flood) }, 1)
  t.teardown(() => { clearInterval(flooding) })
  await peer.closed()
  clearInterval(flooding)
  while (scp.associations > 0) await new Promise(resolve => { setImmediate(resolve) })
  t.match(scp.events.at(-1), { type: 'ended', reason: { code: 'PACS_TIMEOUT', facts: { phase: 'write' } } })
})

test('an echo is answered while 500 sockets say nothing', async t => {
  const scp = await testScp(t)
  const silent = await Promise.all(Array.from({ length: 500 }, async () => await rawPeer(t, scp.port)))
  const association = await openAssociation(peerOf(scp), [{ abstractSyntax: VERIFICATION, transferSyntaxes: [IMPLICIT] }])
  await echo(association)
  const open = silent.filter(({ socket }) => !socket.destroyed && !socket.readableEnded).length
  t.ok(open <= 64, `${open} of them are still here, no more than one address may have`)
  await association.release()
  t.ok(scp.events.some(({ type }) => type === 'dropped'))
})

test('a port that is taken is an error, not a silence', async t => {
  const scp = await testScp(t)
  await t.rejects(testScp(t, { port: scp.port }), { code: 'EADDRINUSE' })
})
