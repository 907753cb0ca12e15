import { spawn } from 'node:child_process'
import { buffer } from 'node:stream/consumers'
import { crc32, gunzipSync } from 'node:zlib'
import fc from 'fast-check'
import { test } from 'tap'
import { combineCrc, compressFragment, joinFragments, storedFragment, type Fragment } from '#standards/dicomweb/gzip-fragments.ts'

const join = (fragments: Iterable<Fragment> | AsyncIterable<Fragment>) => buffer(joinFragments(fragments))

test('nothing, joined, is the shortest gzip member there is', async t => {
  t.equal((await join([])).toString('hex'), '1f8b08000000000000ff' + '0300' + '00000000' + '00000000')
  t.equal(gunzipSync(await join([])).length, 0)
})

test('a comma between two series is a stored block of RFC 1951 §3.2.4', async t => {
  t.equal(storedFragment(',').deflated.toString('hex'), '00' + '0100' + 'feff' + '2c')
  t.throws(() => storedFragment('x'.repeat(65_536)))
  t.equal(gunzipSync(await join([storedFragment('x'.repeat(65_535))])).length, 65_535)
})

test('the metadata of three series leaves as one study without being compressed again', async t => {
  const series = ['DUPONT^Zoé', 'LEFÈVRE^Éloïse', 'x'.repeat(100_000)].map(name => JSON.stringify({ '00100010': { vr: 'PN', Value: [{ Alphabetic: name }] } }))
  const compressed = await Promise.all(series.map(json => compressFragment(Buffer.from(json))))
  const joined = await join([
    storedFragment('['), ...compressed.flatMap((fragment, i) => i === 0 ? [fragment] : [storedFragment(','), fragment]), storedFragment(']')
  ])
  t.equal(gunzipSync(joined).toString(), `[${series.join(',')}]`)
  t.ok(joined.length < 1000)
})

test('whatever is joined is read back, in any order and as often as wanted', async () => {
  const piece = fc.oneof(fc.uint8Array({ maxLength: 300 }), fc.nat(200_000).map(length => new Uint8Array(length).map((_, i) => i * i)))
  await fc.assert(fc.asyncProperty(fc.array(fc.tuple(piece, fc.boolean()), { maxLength: 8 }), async pieces => {
    const fragments = await Promise.all(pieces.map(([bytes, stored]) => {
      return stored && bytes.length < 300 ? storedFragment(Buffer.from(bytes).toString('latin1')) : compressFragment(bytes)
    }))
    const plain = pieces.map(([bytes, stored]) => stored && bytes.length < 300 ? Buffer.from(Buffer.from(bytes).toString('latin1')) : bytes)
    async function * twice () {
      yield * fragments
      yield * fragments.toReversed()
    }
    if (!gunzipSync(await join(fragments)).equals(Buffer.concat(plain))) throw new Error('once')
    if (!gunzipSync(await join(twice())).equals(Buffer.concat([...plain, ...plain.toReversed()]))) throw new Error('twice')
  }), { numRuns: 60 })
})

test('checksums of two pieces give the checksum of the whole', async t => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 5000 }), fc.uint8Array({ maxLength: 5000 }), (a, b) => {
    return combineCrc(crc32(a), crc32(b), b.length) === crc32(Buffer.concat([a, b]))
  }))
  const zeros = Buffer.alloc(1 << 20)
  let crc = crc32('')
  let bytes = 0
  for (let i = 0; i < 13; i++) { // doubling: 4 GiB of zeros, in 12 steps from one MiB
    crc = i === 0 ? crc32(zeros) : combineCrc(crc, crc, bytes)
    bytes = i === 0 ? zeros.length : bytes * 2
  }
  const half = combineCrc(combineCrc(crc32('x'), crc32(''), 0), crc, bytes)
  t.equal(combineCrc(half, crc32('y'), 1), combineCrc(crc32('x'), combineCrc(crc, crc32('y'), 1), bytes + 1), 'the order of joining does not matter, beyond 4 GiB either')
})

test('gzip itself reads it', async t => {
  const text = Buffer.from('{"00080060":{"vr":"CS","Value":["CT"]}}'.repeat(1000))
  const joined = await join([storedFragment('['), await compressFragment(text), storedFragment(','), await compressFragment(text), storedFragment(']')])
  const gzip = spawn('gzip', ['-dc'], { stdio: ['pipe', 'pipe', 'inherit'] })
  const exited = new Promise(resolve => gzip.once('close', resolve))
  gzip.stdin.end(joined)
  t.equal((await buffer(gzip.stdout)).toString(), `[${text.toString()},${text.toString()}]`)
  t.equal(await exited, 0)
})
