import fc from 'fast-check'
import { test } from 'tap'
import { bytes } from '#test/fixtures/bytes.ts'
import { associateRequest, echoRequest, storeCommand } from '#test/fixtures/dimse.ts'
import { encodeAssociateRequest } from '#standards/dimse/associate.ts'
import { LIMITS } from '#standards/dimse/limits.ts'
import { encodeMessage } from '#standards/dimse/message.ts'
import { encodeAbort, encodeReleaseRequest } from '#standards/dimse/pdu.ts'
import { PduReader } from '#standards/dimse/reader.ts'

interface Seen { readonly events: string[], readonly values: Buffer[] }

/** What the reader hands on, with the fragments of each value joined, since their cuts mean nothing. */
function read (chunks: readonly Buffer[]): Seen {
  const events: string[] = []
  const values: Buffer[] = []
  let value: Buffer[] = []
  const reader = new PduReader({
    dataBegins () { events.push('P-DATA-TF') },
    fragment (chunk) { value.push(chunk) },
    fragmentEnds (contextId, control) {
      const whole = Buffer.concat(value)
      value = []
      values.push(whole)
      events.push(`value ${contextId} ${control} ${whole.toString('hex')}`)
    },
    pdu (type, body) { events.push(`PDU ${type} ${body.toString('hex')}`) }
  }, LIMITS)
  for (const chunk of chunks) reader.feed(chunk)
  return { events, values }
}

const dataset = Buffer.from(Array.from({ length: 500 }, (_, index) => index % 251))
const STREAM = Buffer.concat([
  encodeAssociateRequest(associateRequest()),
  echoRequest(),
  encodeMessage(3, storeCommand(), dataset, 130),
  bytes`04 00 00 00 00 0e 00 00 00 02 03 00 00 00 00 04 03 02 aa bb`, // an empty value, then one of two bytes
  encodeReleaseRequest(),
  encodeAbort({ source: 0, reason: 0 })
])

test('however TCP cuts the stream, the same is read', async t => {
  const whole = read([STREAM])
  t.ok(whole.events.length > 10)
  t.same(read(Array.from(STREAM, byte => Buffer.of(byte))), whole, 'byte by byte')
  fc.assert(fc.property(fc.array(fc.integer({ min: 1, max: 200 }), { minLength: 1, maxLength: 50 }), sizes => {
    const chunks: Buffer[] = []
    for (let at = 0, i = 0; at < STREAM.length; i++) {
      const size = sizes[i % sizes.length]!
      chunks.push(STREAM.subarray(at, at + size))
      at += size
    }
    t.same(read(chunks), whole)
  }), { numRuns: 50 })
})

test('pixels are handed on as views of what the socket read, before their PDU is complete', async t => {
  const message = encodeMessage(3, storeCommand(), dataset, 16384)
  const chunk = message.subarray(0, message.length - 100)
  const views: Buffer[] = []
  const reader = new PduReader({ dataBegins () {}, fragment (view, _, control) { if (control === 2) views.push(view) }, fragmentEnds () {}, pdu () {} }, LIMITS)
  reader.feed(chunk)
  t.equal(views.length, 1)
  t.equal(views[0]!.length, 400)
  t.equal(views[0]!.buffer, message.buffer)
})

test('a reader that is told to stop loses nothing', async t => {
  const seen: string[] = []
  const reader = new PduReader({ dataBegins () {}, fragment () {}, fragmentEnds () { seen.push('value'); reader.stop() }, pdu () {} }, LIMITS)
  const two = Buffer.concat([echoRequest(1), echoRequest(2)])
  const used = reader.feed(two)
  t.same(seen, ['value'])
  t.equal(used, two.length / 2)
  reader.feed(two.subarray(used))
  t.same(seen, ['value', 'value'])
})

const VIOLATIONS: readonly (readonly [string, Buffer, number])[] = [
  ['a PDU announced as 4 GB', bytes`04 00 ff ff ff ff`, 6],
  ['an association request announced as 4 GB', bytes`01 00 ff ff ff ff`, 6],
  ['a PDU one byte longer than we announced', bytes`04 00 00 02 00 01`, 6],
  ['a P-DATA-TF without any value', bytes`04 00 00 00 00 00`, 6],
  ['a release of five bytes', bytes`05 00 00 00 00 05`, 6],
  ['a release of no bytes', bytes`05 00 00 00 00 00`, 6],
  ['an abort of 256 bytes', bytes`07 00 00 00 01 00`, 6],
  ['an unknown type', bytes`08 00 00 00 00 04`, 1],
  ['type 0', bytes`00 00 00 00 00 04`, 1],
  ['HTTP', Buffer.from('GET / HTTP/1.1\r\n\r\n'), 1],
  ['TLS to a plain port', bytes`16 03 01 02 00 01`, 1],
  ['a value of length 0', bytes`04 00 00 00 00 06 00 00 00 00 01 03`, 6],
  ['a value of length 1', bytes`04 00 00 00 00 06 00 00 00 01 01 03`, 6],
  ['a value longer than its PDU', bytes`04 00 00 00 00 06 00 00 00 03 01 03`, 6],
  ['a value of 4 GB', bytes`04 00 00 00 00 06 ff ff ff ff 01 03`, 6],
  ['bytes after the last value', bytes`04 00 00 00 00 0b 00 00 00 02 01 03 00 00 00 00 00`, 6]
]

for (const [name, stream, reason] of VIOLATIONS) {
  test(`${name} is refused when it is announced, with the standard's reason`, async t => {
    t.throws(() => read([stream]), { code: 'PROTOCOL_VIOLATION', abortReason: reason })
    t.throws(() => read(Array.from(stream, byte => Buffer.of(byte))), { code: 'PROTOCOL_VIOLATION', abortReason: reason })
  })
}
