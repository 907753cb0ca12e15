import fc from 'fast-check'
import { test } from 'tap'
import { parseAccept } from '#standards/dicomweb/accept.ts'
import { closing, contentType, newBoundary, partHead, readMultipart, type MultipartLimits } from '#standards/dicomweb/multipart.ts'

interface WholePart { headers: Record<string, string>, body: string }

async function * inPieces (bytes: Buffer, sizes: Iterable<number> = []): AsyncGenerator<Uint8Array> {
  let at = 0
  for (const size of sizes) {
    yield bytes.subarray(at, at + size)
    at += size
  }
  yield bytes.subarray(at)
}

async function readAll (source: AsyncIterable<Uint8Array>, boundary: string, limits?: Partial<MultipartLimits>): Promise<WholePart[]> {
  const parts: WholePart[] = []
  for await (const { headers, body } of readMultipart(source, boundary, limits)) {
    const chunks: Uint8Array[] = []
    for await (const chunk of body) chunks.push(chunk)
    parts.push({ headers: Object.fromEntries(headers), body: Buffer.concat(chunks).toString('latin1') })
  }
  return parts
}

const read = (text: string, boundary = 'b', limits?: Partial<MultipartLimits>) => readAll(inPieces(Buffer.from(text, 'latin1')), boundary, limits)

test('two images are laid out as RFC 2046 prints them', async t => {
  const written = Buffer.concat([
    partHead('simple', { 'Content-Type': 'application/dicom; transfer-syntax=1.2.840.10008.1.2.4.80', 'Content-ID': '<1@box>' }, true),
    Buffer.from('DICM'),
    partHead('simple', { 'Content-Type': 'application/dicom' }, false),
    Buffer.from('DICM\r\n'),
    closing('simple')
  ])
  t.equal(written.toString(), [
    '--simple',
    'Content-Type: application/dicom; transfer-syntax=1.2.840.10008.1.2.4.80',
    'Content-ID: <1@box>',
    '',
    'DICM',
    '--simple',
    'Content-Type: application/dicom',
    '',
    'DICM',
    '',
    '--simple--',
    ''
  ].join('\r\n'))
  t.throws(() => partHead('b', { 'Content-Type': 'a/b\r\nX: y' }, true), 'a header that would be two is a bug of ours')
})

test('the type of the whole can be read by our own reader of media types', async t => {
  const boundary = newBoundary()
  t.not(boundary, newBoundary())
  const [range] = parseAccept(contentType(boundary, 'application/dicom', { start: '1@box', transferSyntax: '1.2.840.10008.1.2.1' }))
  t.match(range, { type: 'multipart/related', inner: 'application/dicom', boundary, transferSyntax: '1.2.840.10008.1.2.1' })
  t.equal(range?.parameters.get('start'), '<1@box>')
  t.equal(contentType('b', 'application/dicom'), 'multipart/related; type="application/dicom"; boundary=b')
})

test('what is written is read back, however the network cuts it', async () => {
  const nearly = fc.constantFrom('\r', '\n', '\r\n', '-', '--', '\r\n--', '\r\n--b', '\r\n--bo', '--bo', '\r\n--bo-', '\r\n--boX', '\r\n--bo \t', '\r\n--bo \rX', '\0', 'x', '\xff')
  const body = fc.array(nearly, { maxLength: 12 }).map(pieces => pieces.join(''))
    // A sender picks a boundary whose line isn't in the data (RFC 2046 §5.1.1).
    .filter(text => !/\r\n--bo(--|[ \t]*\r\n)/.test(text + '\r\n--bo'))
  const headers = fc.dictionary(fc.constantFrom('content-type', 'content-id', 'content-location'), fc.constantFrom('application/dicom', '<1@x>', ''))
  await fc.assert(fc.asyncProperty(
    fc.array(fc.record({ headers, body }), { maxLength: 6 }), fc.array(fc.integer({ min: 0, max: 40 }), { maxLength: 200 }), fc.constantFrom('', 'preamble', '--b'), fc.constantFrom('', 'epilogue\r\n--bo\r\n'),
    async (parts, sizes, preamble, epilogue) => {
      const written = Buffer.concat([
        Buffer.from(preamble),
        ...parts.flatMap((part, i) => [partHead('bo', part.headers, i === 0 && preamble === ''), Buffer.from(part.body, 'latin1')]),
        parts.length === 0 && preamble === '' ? closing('bo').subarray(2) : closing('bo'),
        Buffer.from(epilogue)
      ])
      const back = await readAll(inPieces(written, sizes), 'bo')
      if (JSON.stringify(back) !== JSON.stringify(parts.map(({ headers, body }) => ({ headers: { ...headers }, body })))) throw new Error(JSON.stringify({ back, parts }))
    }
  ), { numRuns: 500 })
})

test('one byte at a time is enough', async t => {
  const text = '--b\r\nContent-Type: a/b\r\n\r\none\r\n--b \t \r\n\r\n\r\n--b--'
  t.same(await readAll(inPieces(Buffer.from(text), Array(text.length).fill(1)), 'b'), [{ headers: { 'content-type': 'a/b' }, body: 'one' }, { headers: {}, body: '' }])
})

test('bytes are handed on as they come: the first image is read before the second is sent', async t => {
  const seen: string[] = []
  async function * source () {
    yield Buffer.from('--b\r\n\r\nfirst')
    seen.push('second is sent')
    yield Buffer.from('\r\n--b\r\n\r\nsecond\r\n--b--')
  }
  for await (const { body } of readMultipart(source(), 'b')) for await (const chunk of body) seen.push(Buffer.from(chunk).toString())
  t.same(seen, ['first', 'second is sent', 'second'])
})

test('large bodies are handed on as views, not copies', async t => {
  const chunk = Buffer.alloc(65536, 'x')
  async function * source () {
    yield Buffer.from('--b\r\n\r\n')
    yield chunk
    yield Buffer.from('\r\n--b--')
  }
  for await (const { body } of readMultipart(source(), 'b')) {
    for await (const bytes of body) t.equal(bytes.buffer, chunk.buffer)
  }
})

test('a part that nobody reads, or not to its end, is passed over', async t => {
  const text = '--b\r\nn: 1\r\n\r\naaaa\r\n--b\r\nn: 2\r\n\r\nbbbb\r\n--b\r\nn: 3\r\n\r\ncccc\r\n--b--'
  const bodies: AsyncIterable<Uint8Array>[] = []
  const seen: string[] = []
  for await (const { headers, body } of readMultipart(inPieces(Buffer.from(text), Array(60).fill(1)), 'b')) {
    bodies.push(body)
    seen.push(headers.get('n') ?? '')
    const late = await bodies.at(-2)?.[Symbol.asyncIterator]().next()
    t.not(late?.done, false, 'the part before is over')
    if (headers.get('n') !== '2') continue
    const reader = body[Symbol.asyncIterator]()
    seen.push(Buffer.from((await reader.next()).value).toString())
    await reader.return?.()
  }
  t.same(seen, ['1', '2', 'b', '3'])
})

test('leaving early gives the connection back', async t => {
  let back = false
  async function * source () {
    try {
      yield Buffer.from('--b\r\n\r\na\r\n--b\r\n\r\n')
      t.fail('read on')
    } finally {
      back = true
    }
  }
  const parts = readMultipart(source(), 'b')
  await parts.next()
  await parts.return(undefined)
  t.ok(back)
})

test('a body that was cut is never taken for a whole one', async t => {
  const whole = '--b\r\nContent-Type: a/b\r\n\r\none\r\n--b\r\n\r\ntwo\r\n--b--'
  for (let length = 0; length < whole.length; length++) {
    await t.rejects(read(whole.slice(0, length)), { code: 'DATA_MALFORMED' }, `${length} bytes`)
  }
  t.equal((await read(whole)).length, 2)
})

test("an error of the source stays the source's", async t => {
  async function * source () {
    yield Buffer.from('--b\r\n\r\na')
    throw new Error('reset by peer')
  }
  await t.rejects(readAll(source(), 'b'), { message: 'reset by peer' })
})

test('hostile bodies end at a limit', async t => {
  const refused = { code: 'DATA_MALFORMED' }
  await t.rejects(read('x'.repeat(100) + '\r\n--b--', 'b', { aroundBytesMax: 99 }), refused, 'preamble')
  await t.rejects(read('--b\r\nx: ' + 'y'.repeat(100) + '\r\n\r\n\r\n--b--', 'b', { headerBytesMax: 99 }), refused, 'headers in one chunk')
  await t.rejects(readAll(inPieces(Buffer.from('--b\r\nx: ' + 'y'.repeat(1000)), Array(900).fill(1)), 'b', { headerBytesMax: 99 }), refused, 'headers without an end')
  await t.rejects(read('--b\r\n\r\n\r\n'.repeat(3) + '--b--', 'b', { partsMax: 2 }), refused, 'parts')
  await t.rejects(read('--b\r\nno colon\r\n\r\n\r\n--b--'), refused)
  await t.rejects(read('--b\r\n: nameless\r\n\r\n\r\n--b--'), refused)
  await t.rejects(read('--b\r\nx: \0\r\n\r\n\r\n--b--'), refused)
  for (const boundary of ['', 'a'.repeat(71), 'a\r\nb', 'ends with a blank ', 'é', '**']) await t.rejects(read('--b--', boundary), refused, JSON.stringify(boundary))

  let sent = 0
  async function * endless () {
    yield Buffer.from('--b--')
    while (true) {
      sent += 1000
      yield Buffer.alloc(1000)
    }
  }
  t.same(await readAll(endless(), 'b', { aroundBytesMax: 5000 }), [], 'an epilogue without an end')
  t.ok(sent <= 6000)
})

test('folded and repeated headers, as RFC 822 allowed them', async t => {
  t.same(await read('--b\r\nContent-Type: application/dicom;\r\n\ttransfer-syntax=1.2\r\nX: 1\r\nx : 2\r\n\r\n\r\n--b--'), [
    { headers: { 'content-type': 'application/dicom; transfer-syntax=1.2', x: '1, 2' }, body: '' }
  ])
})
