import fc from 'fast-check'
import { test } from 'tap'
import { storeCommand } from '#test/fixtures/dimse.ts'
import { decodeCommand } from '#standards/dimse/command.ts'
import { LIMITS } from '#standards/dimse/limits.ts'
import { PduReader } from '#standards/dimse/reader.ts'
import { sendObject } from '#standards/dimse/send-object.ts'
import type { UpperLayer } from '#standards/dimse/upper-layer.ts'

test('however a source cuts an object, it is sent whole, in fragments of even length that no PDU exceeds', async t => {
  await fc.assert(fc.asyncProperty(fc.array(fc.uint8Array({ maxLength: 700 }), { maxLength: 12 }), fc.integer({ min: 128, max: 400 }), async (pieces, pduBytesMax) => {
    const written: Uint8Array[] = []
    await sendObject({
      established: true,
      corked (write: () => void) { write() },
      send (...parts: Uint8Array[]) { written.push(...parts) },
      async drained () {}
    } as unknown as UpperLayer, 3, storeCommand(), pieces, pduBytesMax)

    const command: Buffer[] = []
    const dataset: Buffer[] = []
    const lengths: number[] = []
    const lasts: boolean[] = []
    let length = 0
    new PduReader({
      dataBegins () { length = 0 },
      fragment (chunk, _, control) {
        length += chunk.length
        ;(control & 1 ? command : dataset).push(chunk)
      },
      fragmentEnds (_, control) {
        lengths.push(length)
        if ((control & 1) === 0) lasts.push(control === 2)
      },
      pdu () {}
    }, { ...LIMITS, pduBytesMax }).feed(Buffer.concat(written))

    t.same(decodeCommand(Buffer.concat(command)), storeCommand())
    t.ok(Buffer.concat(dataset).equals(Buffer.concat(pieces)))
    t.ok(lengths.slice(0, -1).every(bytes => bytes % 2 === 0))
    t.same(lasts.filter(Boolean), [true], 'one fragment is the last')
    t.ok(lasts.at(-1))
  }))
})

test('pixels are sent as views of what the source gave', async t => {
  const pixels = Buffer.alloc(100_000)
  const written: Uint8Array[] = []
  await sendObject({
    established: true,
    corked (write: () => void) { write() },
    send (...parts: Uint8Array[]) { written.push(...parts) },
    async drained () {}
  } as unknown as UpperLayer, 3, storeCommand(), pixels, 16384)
  const views = written.filter(part => part.length > 300)
  t.equal(views.length, 7)
  t.ok(views.every(view => view.buffer === pixels.buffer))
})
