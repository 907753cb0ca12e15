import { test } from 'tap'
import { CT, EXPLICIT, IMPLICIT, scriptedPacs, storeCommand, type RawPeer } from '#test/fixtures/dimse.ts'
import { element } from '#test/fixtures/dataset.ts'
import { openAssociation, type Association, type AssociationOptions } from '#standards/dimse/association.ts'
import { DATA_SET, NO_DATA_SET, decodeCommand, type CommandSet } from '#standards/dimse/command.ts'
import type { Peer } from '#standards/dimse/connect.ts'
import { get } from '#standards/dimse/get.ts'
import { encodeMessage } from '#standards/dimse/message.ts'
import { move } from '#standards/dimse/move.ts'
import { encodeAbort } from '#standards/dimse/pdu.ts'
import { QUERY_RETRIEVE, type SubOperations } from '#standards/dimse/query-retrieve.ts'

const STUDY = { '00080052': { vr: 'CS' as const, Value: ['STUDY'] }, '0020000D': { vr: 'UI' as const, Value: ['1.2'] } }

async function request (peer: RawPeer): Promise<CommandSet> {
  const command = decodeCommand((await peer.next())!.body.subarray(6))
  if (command.CommandDataSetType !== NO_DATA_SET) await peer.next()
  return command
}

function response (asked: CommandSet, contextId: number, changes: Partial<CommandSet>, identifier?: Buffer): Buffer {
  return encodeMessage(contextId, {
    CommandField: asked.CommandField | 0x8000, MessageIDBeingRespondedTo: asked.MessageID, CommandDataSetType: identifier === undefined ? NO_DATA_SET : DATA_SET, ...changes
  }, identifier, 16384)
}

async function open (pacs: Peer, options: AssociationOptions = {}): Promise<Association> {
  return await openAssociation(pacs, [
    { abstractSyntax: QUERY_RETRIEVE.study.move, transferSyntaxes: [IMPLICIT] },
    { abstractSyntax: QUERY_RETRIEVE.study.get, transferSyntaxes: [IMPLICIT] },
    { abstractSyntax: CT, transferSyntaxes: [EXPLICIT], scpRole: true }
  ], { timers: { cancelSeconds: 0.1 }, ...options })
}

test('a C-MOVE in which some instances fail ends with a warning, and names them', async t => {
  const pacs = await scriptedPacs(t, async (peer, association) => {
    t.same(association.userInformation.roles, [{ sopClassUid: CT, scu: false, scp: true }])
    const asked = await request(peer)
    t.match(asked, { AffectedSOPClassUID: QUERY_RETRIEVE.study.move, CommandField: 0x0021, MoveDestination: 'BOX', MessageID: 4711, Priority: 1 })
    peer.write(response(asked, 1, { Status: 0xff00, NumberOfRemainingSuboperations: 2, NumberOfCompletedSuboperations: 1, NumberOfFailedSuboperations: 0, NumberOfWarningSuboperations: 0 }))
    peer.write(response(asked, 1, { Status: 0xb000, NumberOfCompletedSuboperations: 1, NumberOfFailedSuboperations: 2, NumberOfWarningSuboperations: 0, ErrorComment: 'two are on tape' },
      element(0x00080058, 'UI', '1.2.3\\1.2.4', 'implicit')))
  })
  const association = await open(pacs)
  const progress: SubOperations[] = []
  const result = await move(association, { identifier: STUDY, destination: 'BOX', messageId: 4711, priority: 1, onPending (counts) { progress.push(counts) } })
  t.same(result, { status: 0xb000, completed: 1, failed: 2, warning: 0, failedUids: ['1.2.3', '1.2.4'], errorComment: 'two are on tape' })
  t.same(progress, [{ remaining: 2, completed: 1, failed: 0, warning: 0 }])
  association.abort()
})

test('a C-MOVE that is cancelled says what was done before', async t => {
  const controller = new AbortController()
  const pacs = await scriptedPacs(t, async peer => {
    const asked = await request(peer)
    peer.write(response(asked, 1, { Status: 0xff00, NumberOfRemainingSuboperations: 9, NumberOfCompletedSuboperations: 1 }))
    t.match(await request(peer), { CommandField: 0x0fff, MessageIDBeingRespondedTo: asked.MessageID })
    peer.write(response(asked, 1, { Status: 0xfe00, NumberOfRemainingSuboperations: 8, NumberOfCompletedSuboperations: 2 }))
  })
  const association = await open(pacs)
  const result = await move(association, { identifier: STUDY, destination: 'BOX', signal: controller.signal, onPending () { controller.abort() } })
  t.match(result, { status: 0xfe00, completed: 2, remaining: 8 })
  t.ok(association.open)
  association.abort()
})

test('a C-MOVE whose cancel isn\'t heard, or whose PACS aborts, has no result', async t => {
  const deaf = await open(await scriptedPacs(t, async peer => { await request(peer) }))
  await t.rejects(move(deaf, { identifier: STUDY, destination: 'BOX', signal: AbortSignal.timeout(10) }), { code: 'CANCELLED' })
  await deaf.closed
  const aborting = await open(await scriptedPacs(t, async peer => {
    await request(peer)
    peer.write(encodeAbort({ source: 2, reason: 0 }))
  }))
  await t.rejects(move(aborting, { identifier: STUDY, destination: 'BOX' }), { code: 'PACS_ABORTED' })
})

test('objects of a C-GET come between the request and its end, each answered; one that is cut is told to its sink', async t => {
  const statuses: unknown[] = []
  const aborted = Promise.withResolvers<Error>()
  const pacs = await scriptedPacs(t, async peer => {
    const asked = await request(peer)
    for (const messageId of [1, 2]) {
      peer.write(encodeMessage(5, storeCommand(messageId), Buffer.alloc(40_000, messageId), 16384))
      statuses.push((await request(peer)).Status)
      peer.write(response(asked, 3, { Status: 0xff00, NumberOfCompletedSuboperations: messageId }))
    }
    peer.write(encodeMessage(5, storeCommand(3), Buffer.alloc(40_000), 16384).subarray(0, 20_000))
    await aborting.promise
    peer.socket.destroy()
  })
  const aborting = Promise.withResolvers<void>()
  const sizes: number[] = []
  const association = await open(pacs, {
    onStore () {
      let bytes = 0
      return {
        write (chunk) {
          bytes += chunk.length
          if (sizes.length === 2) aborting.resolve()
        },
        end () { sizes.push(bytes); return sizes.length === 1 ? 0 : 0xb007 },
        abort (reason) { aborted.resolve(reason) }
      }
    }
  })
  const completed: (number | undefined)[] = []
  await t.rejects(get(association, { identifier: STUDY, onPending (counts) { completed.push(counts.completed) } }), { code: 'PACS_ABORTED' })
  t.match(await aborted.promise, { code: 'PACS_ABORTED' })
  t.same({ sizes, completed, statuses }, { sizes: [40_000, 40_000], completed: [1, 2], statuses: [0, 0xb007] })
})

test('an object that nobody asked for on our association is a violation', async t => {
  const pacs = await scriptedPacs(t, async peer => {
    await request(peer)
    peer.write(encodeMessage(5, storeCommand(1), Buffer.alloc(10), 16384))
  })
  const association = await open(pacs)
  await t.rejects(get(association, { identifier: STUDY }), { code: 'PROTOCOL_VIOLATION' })
})
