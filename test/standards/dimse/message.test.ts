import fc from 'fast-check'
import { test } from 'tap'
import { storeCommand } from '#test/fixtures/dimse.ts'
import { encodeCommand, type CommandSet } from '#standards/dimse/command.ts'
import { LIMITS } from '#standards/dimse/limits.ts'
import { MessageReader, encodeMessage } from '#standards/dimse/message.ts'
import { PduReader } from '#standards/dimse/reader.ts'

interface Seen { readonly contextId: number, readonly command: CommandSet, dataset: Buffer, ended: boolean }

function reader (): { messages: MessageReader, seen: Seen[] } {
  const seen: Seen[] = []
  const messages = new MessageReader({
    command (contextId, command) { seen.push({ contextId, command, dataset: Buffer.alloc(0), ended: false }) },
    data (chunk) { seen.at(-1)!.dataset = Buffer.concat([seen.at(-1)!.dataset, chunk]) },
    messageEnds () { seen.at(-1)!.ended = true }
  }, LIMITS)
  return { messages, seen }
}

test('a message is put together whatever PDU length it was cut for', async t => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 5000 }), fc.integer({ min: 128, max: 3000 }), (bytes, pduBytesMax) => {
    const { messages, seen } = reader()
    const pdus = new PduReader({
      dataBegins () {},
      fragment (chunk, contextId, control) { messages.fragment(chunk, contextId, control) },
      fragmentEnds (contextId, control) { messages.fragmentEnds(contextId, control) },
      pdu () {}
    }, { ...LIMITS, pduBytesMax })
    pdus.feed(encodeMessage(3, storeCommand(), bytes, pduBytesMax))
    t.same(seen, [{ contextId: 3, command: storeCommand(), dataset: Buffer.from(bytes), ended: true }])
  }))
})

test('a command set that comes byte by byte, each in its own value, is one command set', async t => {
  const { messages, seen } = reader()
  const command = encodeCommand(storeCommand())
  for (const [index, byte] of command.entries()) {
    const control = index === command.length - 1 ? 3 : 1
    messages.fragment(Buffer.of(byte), 3, control)
    messages.fragmentEnds(3, control)
    if (index === 5) messages.fragmentEnds(3, 1) // an empty value in between
  }
  t.same(seen, [{ contextId: 3, command: storeCommand(), dataset: Buffer.alloc(0), ended: false }])
})

test('what cannot be part of a message is a violation', async t => {
  const violation = { code: 'PROTOCOL_VIOLATION' }
  const command = encodeCommand(storeCommand())
  t.throws(() => { reader().messages.fragment(Buffer.of(1), 3, 0) }, violation, 'a data set without a command')
  t.throws(() => { reader().messages.fragmentEnds(3, 2) }, violation, 'an empty data set without a command')
  t.throws(() => { reader().messages.fragment(Buffer.alloc(LIMITS.commandBytesMax + 1), 3, 1) }, violation, 'a command set beyond the limit')
  t.throws(() => { reader().messages.fragmentEnds(3, 3) }, violation, 'a command set of no bytes')
  const busy = reader().messages
  busy.fragment(command, 3, 3)
  t.throws(() => { busy.fragment(Buffer.of(1), 1, 1) }, violation, 'another context in the middle of a command')
  busy.fragmentEnds(3, 3)
  t.throws(() => { busy.fragment(Buffer.of(1), 1, 0) }, violation, 'a data set on another context')
  t.throws(() => { busy.fragment(command, 3, 1) }, violation, 'a command where a data set is due')
})
