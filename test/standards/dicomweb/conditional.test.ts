import { test } from 'tap'
import { contentRange, parseByteRange } from '#standards/dicomweb/byte-range.ts'
import { isNotModified, isSameState, validatorHeaders } from '#standards/dicomweb/conditional.ts'
import { chooseCoding } from '#standards/dicomweb/content-coding.ts'

const modifiedAt = Date.UTC(2026, 1, 3, 10, 15, 0, 500)
const now = { etag: '"abc-1"', modifiedAt }
const weak = { etag: 'W/"abc-1"', modifiedAt }
const AT = 'Tue, 03 Feb 2026 10:15:00 GMT'
const BEFORE = 'Tue, 03 Feb 2026 10:14:59 GMT'

test('who has the current state already is told so (RFC 9110 §13.1.2, §13.1.3)', t => {
  for (const tags of ['"abc-1"', 'W/"abc-1"', '*', '"x", "abc-1"', '"x" , W/"abc-1"']) {
    t.equal(isNotModified({ 'if-none-match': tags }, now), true, tags)
    t.equal(isNotModified({ 'if-none-match': tags }, weak), true, `${tags} against a weak one`)
  }
  for (const tags of ['"abc"', 'abc-1', '""', '"abc-1', '', 'W/"abc-2"']) t.equal(isNotModified({ 'if-none-match': tags }, now), false, tags)
  t.equal(isNotModified({ 'if-modified-since': AT }, now), true)
  t.equal(isNotModified({ 'if-modified-since': BEFORE }, now), false)
  t.equal(isNotModified({ 'if-modified-since': 'yesterday' }, now), false)
  t.equal(isNotModified({ 'if-modified-since': 'Tuesday, 03-Feb-26 10:15:00 GMT' }, now), true, 'RFC 850')
  t.equal(isNotModified({ 'if-modified-since': 'Tue Feb  3 10:15:00 2026' }, now), true, 'asctime')
  t.equal(isNotModified({ 'if-none-match': '"other"', 'if-modified-since': AT }, now), false, 'the tag decides')
  t.equal(isNotModified({}, now), false)
  t.same(validatorHeaders({ etag: '"a"', modifiedAt }), { etag: '"a"', 'last-modified': AT })
  t.end()
})

test('who expects another state is refused (RFC 9110 §13.1.1, §13.1.4)', t => {
  const refused = { code: 'PRECONDITION_FAILED' }
  t.throws(() => isNotModified({ 'if-match': '"other"' }, now), refused)
  t.throws(() => isNotModified({ 'if-match': 'W/"abc-1"' }, now), refused, 'a weak tag proves nothing')
  t.throws(() => isNotModified({ 'if-match': '"abc-1"' }, weak), refused)
  t.throws(() => isNotModified({ 'if-unmodified-since': BEFORE }, now), refused)
  t.equal(isNotModified({ 'if-match': '"abc-1"', 'if-unmodified-since': BEFORE }, now), false)
  t.equal(isNotModified({ 'if-match': '*' }, now), false)
  t.equal(isNotModified({ 'if-unmodified-since': AT }, now), false)
  t.equal(isSameState({ 'if-range': '"abc-1"' }, now), true)
  t.equal(isSameState({ 'if-range': 'W/"abc-1"' }, now), false)
  t.equal(isSameState({ 'if-range': AT }, now), true)
  t.equal(isSameState({ 'if-range': BEFORE }, now), false)
  t.equal(isSameState({ 'if-range': '"abc-1"' }, undefined), false)
  t.end()
})

test('one range of bytes is given, however it is written; nonsense means the whole (RFC 9110 §14)', t => {
  const cases: [string, [number, number] | undefined][] = [
    ['bytes=0-0', [0, 1]], ['bytes=0-99', [0, 100]], ['bytes=99-', [99, 100]], ['bytes=-1', [99, 100]], ['bytes=-1000', [0, 100]],
    ['bytes=10-5000', [10, 100]], ['BYTES = 1-2', undefined], ['Bytes=1-2', [1, 3]], ['bytes= 1 - 2', [1, 3]],
    ['bytes=5-4', undefined], ['bytes=0-1,3-4', undefined], ['bytes=-', undefined], ['bytes=a-b', undefined], ['items=0-1', undefined],
    [`bytes=0-${'9'.repeat(40)}`, [0, 100]], [`bytes=${'0,'.repeat(5000)}`, undefined], ['bytes=-5-', undefined], ['bytes=0x1-2', undefined]
  ]
  for (const [header, expected] of cases) {
    const range = parseByteRange(header, 100)
    t.same(range && [range.from, range.end], expected, header.slice(0, 30))
  }
  for (const header of ['bytes=100-', 'bytes=100-101', 'bytes=-0', `bytes=${'9'.repeat(40)}-`]) t.throws(() => parseByteRange(header, 100), { code: 'RANGE_UNSATISFIABLE', facts: { bytes: 100 } }, header)
  t.throws(() => parseByteRange('bytes=0-', 0), { code: 'RANGE_UNSATISFIABLE' })
  t.equal(parseByteRange(undefined, 100), undefined)
  t.equal(contentRange({ from: 3, end: 7 }, 100), 'bytes 3-6/100')
  t.end()
})

test('compression is what the caller likes best of ours', t => {
  const ours = ['zstd', 'gzip'] as const
  for (const [header, expected] of [
    [undefined, 'identity'], ['', 'identity'], ['gzip', 'gzip'], ['gzip, deflate, br, zstd', 'zstd'], ['gzip;q=1, zstd;q=0.5', 'gzip'],
    ['*', 'zstd'], ['gzip;q=0', 'identity'], ['x-gzip', 'gzip'], ['identity, gzip;q=0.5', 'identity'], ['identity;q=0.1, gzip;q=0.5', 'gzip'], ['*;q=0', 'identity'], ['br', 'identity']
  ] as const) t.equal(chooseCoding(header, ours), expected, String(header))
  t.end()
})
