/**
 * Fuzzes what reads a peer's bytes: the PDU reader, the A-ASSOCIATE items, command sets, and the served side of
 * an association as a whole. Valid streams are mutated, cut anywhere and fed; nothing but PROTOCOL_VIOLATION may
 * come out, and nothing may grow.
 *
 *   node test/fuzz/pdu.ts --seconds=60 [--seed=1]
 */

import { Duplex } from 'node:stream'
import type { Socket } from 'node:net'
import { parseArgs } from 'node:util'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { encodeAssociateRequest } from '#standards/dimse/associate.ts'
import { LIMITS, TIMERS } from '#standards/dimse/limits.ts'
import { encodeMessage } from '#standards/dimse/message.ts'
import { encodeAbort, encodeReleaseRequest, encodeReleaseResponse } from '#standards/dimse/pdu.ts'
import { ProtocolViolation } from '#standards/dimse/reasons.ts'
import { Served } from '#standards/dimse/served.ts'
import { VERIFICATION } from '#standards/dimse/echo.ts'
import { CT, EXPLICIT, IMPLICIT, associateRequest, echoRequest, storeCommand } from '#test/fixtures/dimse.ts'

/** Buffers are given back some time after their collection: this much comes and goes. */
const HEAP_GROWTH_BYTES_MAX = 64 << 20

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

const { values } = parseArgs({ options: { seconds: { type: 'string', default: '60' }, seed: { type: 'string', default: String(Date.now() % 2 ** 31) } } })
const random = mulberry32(Number(values.seed))
const pick = (count: number): number => Math.floor(random() * count)

const ASSOCIATE = encodeAssociateRequest(associateRequest())
const DATASET = Buffer.alloc(3000, 7)
const PARTS: readonly Buffer[] = [
  ASSOCIATE,
  echoRequest(),
  encodeMessage(3, storeCommand(), DATASET, 1024),
  encodeMessage(3, storeCommand(2), DATASET, 16384),
  encodeMessage(1, { CommandField: 0x0fff, MessageIDBeingRespondedTo: 1, CommandDataSetType: 0x0101 }, undefined, 128),
  encodeMessage(3, { RequestedSOPClassUID: CT, CommandField: 0x0120, MessageID: 3, CommandDataSetType: 1 }, DATASET.subarray(0, 99), 200),
  encodeReleaseRequest(),
  encodeReleaseResponse(),
  encodeAbort({ source: 2, reason: 1 })
]
const TELLING = [0, 1, 2, 3, 4, 5, 6, 7, 0x10, 0x20, 0x30, 0x40, 0x50, 0x51, 0x7f, 0x80, 0xff]

/** A valid beginning most of the time, then anything. */
function stream (): Buffer {
  const parts = random() < 0.9 ? [ASSOCIATE] : []
  for (let count = pick(8); count > 0; count--) parts.push(PARTS[pick(PARTS.length)]!)
  return Buffer.concat(parts)
}

function mutate (bytes: Buffer): Buffer {
  let mutated = Buffer.from(bytes)
  for (let count = pick(5); count > 0 && mutated.length > 0; count--) {
    const at = pick(mutated.length)
    switch (pick(5)) {
      case 0: mutated[at] = TELLING[pick(TELLING.length)]!; break
      case 1: mutated[at] = pick(256); break
      case 2: mutated = Buffer.concat([mutated.subarray(0, at), mutated.subarray(at + pick(20))]); break
      case 3: mutated = Buffer.concat([mutated.subarray(0, at), mutated.subarray(pick(at + 1), at), mutated.subarray(at)]); break
      default: if (at + 4 <= mutated.length) mutated.writeUInt32BE(pick(2) === 0 ? 0xffffffff : pick(70000), at)
    }
  }
  return mutated
}

/** A socket whose other end is this program. */
class Line extends Duplex {
  override _read (): void {}
  override _write (_chunk: unknown, _encoding: unknown, done: () => void): void { done() }
  setNoDelay (): void {}
}

/** @returns how the association ended, if it did */
function serve (bytes: Buffer): string {
  const line = new Line()
  let end = 'open'
  let sinks = 0
  const served = new Served(line as unknown as Socket, {
    associationId: 0,
    address: '',
    timers: TIMERS,
    limits: LIMITS,
    transferSyntaxes: [EXPLICIT, IMPLICIT],
    abstractSyntaxes: new Set([CT, VERIFICATION]),
    onStore () {
      sinks++
      return { write () {}, end () { sinks--; return 0 }, abort () { sinks-- } }
    },
    onRequest () {},
    refuse: () => undefined,
    onAccepted () {},
    onRejected () {},
    onOver (reason) { end = reason?.code ?? 'released' },
    onClosed () {}
  })
  for (let at = 0; at < bytes.length && !line.destroyed;) {
    const to = at + 1 + pick(random() < 0.3 ? 4 : 5000)
    line.emit('data', bytes.subarray(at, to))
    at = to
  }
  const ended = end
  served.abort()
  line.destroy()
  line.emit('close')
  if (sinks !== 0) throw new Error(`${sinks} sinks were neither ended nor aborted once`)
  return ended
}

const ends: Record<string, number> = {}
const until = Date.now() + Number(values.seconds) * 1000
let runs = 0
let heap = 0
while (Date.now() < until) {
  const bytes = mutate(stream())
  try {
    const end = serve(bytes)
    ends[end] = (ends[end] ?? 0) + 1
  } catch (error) {
    console.error(`seed ${values.seed}, run ${runs}: ${bytes.toString('hex')}`)
    throw error instanceof ProtocolViolation ? new Error('a violation left the engine', { cause: error }) : error
  }
  if (++runs % 10_000 === 0) {
    await new Promise(resolve => { setImmediate(resolve) })
    collectGarbage()
    const { heapUsed, external } = process.memoryUsage()
    if (heap === 0) heap = heapUsed + external
    else if (heapUsed + external - heap > HEAP_GROWTH_BYTES_MAX) throw new Error(`seed ${values.seed}: memory grew by ${heapUsed + external - heap} bytes in ${runs} runs`)
  }
}
console.log(JSON.stringify({ seed: Number(values.seed), runs, ends }))

/** A small generator of numbers from 0 to 1, so that a seed says everything. */
function mulberry32 (seed: number): () => number {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0
    let mixed = Math.imul(seed ^ (seed >>> 15), 1 | seed)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
