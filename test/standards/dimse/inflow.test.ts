import { test } from 'tap'
import { COMMAND, DATA_SET } from '#standards/dimse/command.ts'
import { encodeMessage } from '#standards/dimse/message.ts'
import { Inflow } from '#standards/dimse/inflow.ts'
import type { Flow, StoreSink } from '#standards/dimse/store-provider.ts'
import { associatedPeer, CT, testScp, type RawPeer } from '#test/fixtures/dimse.ts'

const MIB = 1 << 20
/** As the SCP of the fixture takes them. */
const PDU_BYTES = 131072

/** No two of them look alike, at any place. */
function dataset (seed: number, bytes: number): Buffer {
  const words = new Uint32Array(bytes / 4)
  for (let place = 0, state = seed * 2654435761 >>> 0; place < words.length; place++) words[place] = state = (state * 1664525 + 1013904223) >>> 0
  return Buffer.from(words.buffer)
}

function storeRequest (seed: number, bytes: number): Buffer {
  return encodeMessage(3, {
    AffectedSOPClassUID: CT, CommandField: COMMAND.store, MessageID: seed, Priority: 0, CommandDataSetType: DATA_SET, AffectedSOPInstanceUID: `1.2.${seed}`
  }, dataset(seed, bytes), PDU_BYTES)
}

function seedOf (sopInstanceUid: string): number {
  return Number(sopInstanceUid.split('.')[2])
}

/** One read of a socket. @returns where its bytes lie */
function read (inflow: Inflow, bytes: number, { isUsed = true } = {}): Buffer {
  inflow.onBytes = () => isUsed
  const place = inflow.onread.buffer()
  inflow.onread.callback(bytes, place)
  return place.subarray(0, bytes)
}

async function answers (peer: RawPeer, count: number): Promise<void> {
  for (let place = 0; place < count; place++) await peer.next()
}

test('the blocks of an object that is taken in pieces go round, though each piece ends in the middle of a read', t => {
  const inflow = new Inflow()
  const memory = new Set<ArrayBufferLike>()
  inflow.keep()
  for (let piece = 0; piece < 100; piece++) {
    // A quarter of a block at once, four times; then the sink stops, and has written what it had.
    for (let place = 0; place < 4; place++) {
      memory.add(read(inflow, MIB / 4, { isUsed: place < 3 }).buffer)
      inflow.keep()
    }
    inflow.free()
  }
  inflow.close()
  t.ok(memory.size <= 3, `${memory.size} blocks for 100 MB`)
  t.end()
})

test('what is left of the last read is nobody else\'s until it has been looked at', t => {
  const inflow = new Inflow()
  inflow.keep()
  for (let place = 0; place < 3; place++) read(inflow, MIB)
  const rest = read(inflow, MIB, { isUsed: false })
  inflow.free()
  const other = new Inflow()
  other.keep()
  const given = Array.from({ length: 12 }, () => read(other, MIB).buffer)
  t.notOk(given.includes(rest.buffer))
  t.not(read(inflow, 1000).buffer, rest.buffer, 'nor read into by its own association')
  inflow.keep()
  inflow.free()
  inflow.close()
  other.close()
  t.end()
})

test('an association that ends gives back what nobody uses, and no more', t => {
  const inUse = new Inflow()
  inUse.keep()
  const kept = read(inUse, MIB)
  inUse.close()
  const idle = new Inflow()
  idle.keep()
  const free = read(idle, MIB)
  idle.free()
  idle.close()
  const next = new Inflow()
  next.keep()
  t.equal(read(next, MIB).buffer, free.buffer)
  t.notOk(Array.from({ length: 12 }, () => read(next, MIB).buffer).includes(kept.buffer))
  next.close()
  t.end()
})

test('what a sink was given stays as it is until it has answered, however many associations read meanwhile', async t => {
  const BYTES = 3 * MIB + 4
  let checked = 0
  const scp = await testScp(t, {
    onStore ({ sopInstanceUid }): StoreSink {
      const chunks: Buffer[] = []
      return {
        write (chunk) { chunks.push(chunk) },
        // Others are read in the turns between.
        async end () {
          for (let turn = 0; turn < 20; turn++) await new Promise(resolve => { setImmediate(resolve) })
          if (!Buffer.concat(chunks).equals(dataset(seedOf(sopInstanceUid), BYTES))) t.fail(`object ${sopInstanceUid} is not what was sent`)
          checked++
          return 0
        },
        abort () {}
      }
    }
  })
  await Promise.all([100, 200, 300, 400].map(async first => {
    const peer = await associatedPeer(t, scp.port)
    // Sent without waiting: the beginning of the next lies behind the end of the last in the same read.
    for (let place = 0; place < 4; place++) peer.write(storeRequest(first + place, BYTES))
    await answers(peer, 4)
  }))
  t.equal(checked, 16)
})

test('an object of any size passes through a few blocks, if its sink uses it as it comes', async t => {
  const BYTES = 40 * MIB
  const memory = new Set<ArrayBufferLike>()
  let crc = 0
  const expected = dataset(1, BYTES)
  const scp = await testScp(t, {
    onStore (_, flow: Flow): StoreSink {
      return {
        write (chunk) {
          memory.add(chunk.buffer)
          if (!chunk.equals(expected.subarray(crc, crc += chunk.length))) t.fail('not what was sent')
          flow.used()
        },
        end: () => 0,
        abort () {}
      }
    }
  })
  const peer = await associatedPeer(t, scp.port)
  peer.write(storeRequest(1, BYTES))
  await answers(peer, 1)
  t.equal(crc, BYTES)
  t.ok(memory.size <= 4, `${memory.size} blocks`)
})

test('a sink that still works on an object whose association broke off has its bytes to itself', async t => {
  const broken = Promise.withResolvers<void>()
  const kept: Buffer[] = []
  const scp = await testScp(t, {
    onStore: ({ sopInstanceUid }) => ({
      write (chunk) { if (seedOf(sopInstanceUid) === 1) kept.push(chunk) },
      end: () => 0,
      abort () { broken.resolve() }
    })
  })
  const first = await associatedPeer(t, scp.port)
  first.write(storeRequest(1, 2 * MIB).subarray(0, MIB))
  while (kept.reduce((sum, { length }) => sum + length, 0) < MIB - 4096) await new Promise(resolve => { setImmediate(resolve) })
  first.socket.destroy()
  await broken.promise
  const bytes = Buffer.concat(kept)
  for (let place = 0; place < 3; place++) {
    const other = await associatedPeer(t, scp.port)
    for (let object = 0; object < 3; object++) {
      other.write(storeRequest(2, 2 * MIB))
      await answers(other, 1)
    }
  }
  t.ok(Buffer.concat(kept).equals(bytes))
  t.ok(bytes.equals(dataset(1, 2 * MIB).subarray(0, bytes.length)))
})
