import { test } from 'tap'
import { IMPLICIT, USER, scriptedPacs, type RawPeer } from '#test/fixtures/dimse.ts'
import { element } from '#test/fixtures/dataset.ts'
import { openAssociation, type Association } from '#standards/dimse/association.ts'
import { DATA_SET, NO_DATA_SET, decodeCommand, type CommandSet } from '#standards/dimse/command.ts'
import type { Peer } from '#standards/dimse/connect.ts'
import { RELATIONAL_QUERIES, find } from '#standards/dimse/find.ts'
import { encodeMessage } from '#standards/dimse/message.ts'
import { QUERY_RETRIEVE } from '#standards/dimse/query-retrieve.ts'

const CLASS = QUERY_RETRIEVE.study.find
const STUDIES = { '00080052': { vr: 'CS' as const, Value: ['STUDY'] }, '0020000D': { vr: 'UI' as const } }

/** The command set of the next request, with its identifier read over. */
async function request (peer: RawPeer): Promise<CommandSet> {
  const command = decodeCommand((await peer.next())!.body.subarray(6))
  if (command.CommandDataSetType !== NO_DATA_SET) await peer.next()
  return command
}

function match (asked: CommandSet, number: number, changes: Partial<CommandSet> = {}): Buffer {
  return encodeMessage(1, {
    AffectedSOPClassUID: CLASS, CommandField: 0x8020, MessageIDBeingRespondedTo: asked.MessageID, CommandDataSetType: DATA_SET, Status: 0xff00, ...changes
  }, element(0x0020000d, 'UI', `1.2.${number}`, 'implicit'), 16384)
}

function final (asked: CommandSet, status: number, changes: Partial<CommandSet> = {}): Buffer {
  return encodeMessage(1, {
    AffectedSOPClassUID: CLASS, CommandField: 0x8020, MessageIDBeingRespondedTo: asked.MessageID, CommandDataSetType: NO_DATA_SET, Status: status, ...changes
  }, undefined, 16384)
}

async function open (pacs: Peer): Promise<Association> {
  return await openAssociation(pacs, [{ abstractSyntax: CLASS, transferSyntaxes: [IMPLICIT] }], { timers: { cancelSeconds: 0.1 } })
}

const uids = (count: number): string[] => Array.from({ length: count }, (_, index) => `1.2.${index}`)
const uidOf = (json: Record<string, { Value?: unknown[] }>): unknown => json['0020000D']!.Value![0]

test('a reader who is slower than the PACS gets every match, in order', async t => {
  const pacs = await scriptedPacs(t, async peer => {
    const asked = await request(peer)
    t.match(asked, { AffectedSOPClassUID: CLASS, CommandField: 0x0020, Priority: 0 })
    for (let number = 0; number < 1000; number++) peer.write(match(asked, number, number % 2 === 0 ? {} : { Status: 0xff01 }))
    peer.write(final(asked, 0))
  })
  const association = await open(pacs)
  const seen: unknown[] = []
  for await (const json of find(association, STUDIES)) {
    seen.push(uidOf(json))
    if (seen.length % 50 === 0) await new Promise(resolve => { setTimeout(resolve, 1) })
  }
  t.same(seen, uids(1000))
  association.abort()
})

test('a PACS that fails after some matches: they are read, then the failure is told', async t => {
  const pacs = await scriptedPacs(t, async peer => {
    const asked = await request(peer)
    peer.write(match(asked, 0), final(asked, 0xa700, { ErrorComment: 'too many matches' }))
  })
  const association = await open(pacs)
  const seen: unknown[] = []
  await t.rejects(async () => { for await (const json of find(association, STUDIES)) seen.push(uidOf(json)) }, {
    code: 'PACS_STATUS', facts: { status: '0xA700', errorComment: 'too many matches' }
  })
  t.same(seen, uids(1))
  t.ok(association.open)
  association.abort()
})

test('who leaves early cancels, and can ask again on the same association', async t => {
  const cancels: CommandSet[] = []
  const pacs = await scriptedPacs(t, async peer => {
    const asked = await request(peer)
    for (let number = 0; number < 200; number++) peer.write(match(asked, number))
    cancels.push(await request(peer))
    t.equal(cancels[0]!.MessageIDBeingRespondedTo, asked.MessageID)
    peer.write(match(asked, 200), final(asked, 0xfe00))
    peer.write(final(await request(peer), 0))
  })
  const association = await open(pacs)
  const matches = find(association, STUDIES)
  t.match((await matches.next()).value, { '0020000D': { Value: ['1.2.0'] } })
  await matches.return(undefined)
  t.match(cancels, [{ CommandField: 0x0fff, CommandDataSetType: NO_DATA_SET }])
  t.same(await Array.fromAsync(find(association, STUDIES)), [])
  association.abort()
})

test('a PACS that doesn\'t hear the cancel loses the association', async t => {
  const pacs = await scriptedPacs(t, async peer => {
    const asked = await request(peer)
    peer.write(match(asked, 0))
  })
  const association = await open(pacs)
  const matches = find(association, STUDIES)
  await matches.next()
  await matches.return(undefined)
  t.notOk(association.open)
  await association.closed
})

test('a signal cancels, and is told as such', async t => {
  const controller = new AbortController()
  const pacs = await scriptedPacs(t, async peer => {
    const asked = await request(peer)
    for (let number = 0; number < 100; number++) peer.write(match(asked, number))
    t.equal((await request(peer)).CommandField, 0x0fff)
    peer.write(final(asked, 0xfe00))
  })
  const association = await open(pacs)
  await t.rejects(async () => {
    for await (const json of find(association, STUDIES, { signal: controller.signal })) {
      t.ok(json)
      controller.abort()
    }
  }, { code: 'CANCELLED' })
  t.ok(association.open)
  await t.rejects(Array.fromAsync(find(association, STUDIES, { signal: controller.signal })), { code: 'CANCELLED' })
  association.abort()
})

test('a PACS that vanishes between two matches is not a short answer', async t => {
  const pacs = await scriptedPacs(t, async peer => {
    const asked = await request(peer)
    peer.socket.end(match(asked, 0))
  })
  await t.rejects(Array.fromAsync(find(await open(pacs), STUDIES)), { code: 'PACS_ABORTED' })
})

test('a match that names no character set is read in the one that was asked for', async t => {
  const pacs = await scriptedPacs(t, async peer => {
    const asked = await request(peer)
    peer.write(encodeMessage(1, { CommandField: 0x8020, MessageIDBeingRespondedTo: asked.MessageID, CommandDataSetType: DATA_SET, Status: 0xff00 },
      element(0x00100010, 'PN', 'LEF\xC8VRE^H\xE9l\xE8ne', 'implicit'), 16384), final(asked, 0))
  })
  const association = await open(pacs)
  const [json] = await Array.fromAsync(find(association, { ...STUDIES, '00080005': { vr: 'CS', Value: ['ISO_IR 100'] } }))
  t.match(json!['00100010'], { Value: [{ Alphabetic: 'LEFÈVRE^Hélène' }] })
  association.abort()
})

test('relational queries are asked only of a PACS that agreed to them', async t => {
  const answer = async (peer: RawPeer): Promise<void> => { peer.write(final(await request(peer), 0)) }
  const proposals = [{ abstractSyntax: CLASS, transferSyntaxes: [IMPLICIT], extended: RELATIONAL_QUERIES }]
  const strict = await openAssociation(await scriptedPacs(t, answer), proposals)
  await t.rejects(Array.fromAsync(find(strict, STUDIES, { relational: true })), { code: 'PACS_CONTEXT' })
  const agreed = await openAssociation(await scriptedPacs(t, async (peer, asked) => {
    t.same(asked.userInformation.extended, [{ sopClassUid: CLASS, information: Buffer.of(1) }])
    await answer(peer)
  }, { ...USER, extended: [{ sopClassUid: CLASS, information: Buffer.of(1) }] }), proposals)
  t.same(await Array.fromAsync(find(agreed, STUDIES, { relational: true })), [])
  for (const association of [strict, agreed]) association.abort()
})
