import fc from 'fast-check'
import { test } from 'tap'
import { parseUid } from '#core/uid.ts'
import { formatResource, parseFrames, parseResource, resourceOf } from '#standards/dicomweb/paths.ts'

test('a path names a study, a series, an instance or its frames', async t => {
  t.same(parseResource('/studies/1.2'), { level: 'study', study: '1.2' })
  t.same(parseResource('/studies/1.2/series/1.3'), { level: 'series', study: '1.2', series: '1.3' })
  t.same(parseResource('/studies/1.2/series/1.3/instances/1.4'), { level: 'instance', study: '1.2', series: '1.3', instance: '1.4' })
  t.same(parseResource('/studies/1.2/series/1.3/instances/1.4/frames/1'), { level: 'frames', study: '1.2', series: '1.3', instance: '1.4', frames: [1] })
})

test('frames come in the order asked for, as often as asked for', async t => {
  t.same(parseFrames('3,1,3'), [3, 1, 3])
  t.same(parseFrames('1, 2'), [1, 2])
  t.same(parseResource('/studies/1.2/series/1.3/instances/1.4/frames/2%2C1%2c2'), { level: 'frames', study: '1.2', series: '1.3', instance: '1.4', frames: [2, 1, 2] })
})

test('a list of frames that is none is refused, a number that no frame has is unknown', async t => {
  for (const text of ['', ',', '1,', 'a', '1-3', '-1', '1.5', '0x1', '1e3', ' ', '١', '1\0', '1,'.repeat(4096) + '1', '1'.repeat(100_000) + 'a']) t.throws(() => parseFrames(text), { code: 'QUERY_INVALID' }, text.slice(0, 20))
  for (const text of ['0', '1,0', '2147483648', '9'.repeat(400)]) t.throws(() => parseFrames(text), { code: 'FRAME_UNKNOWN' }, text.slice(0, 20))
  t.same(parseFrames('2147483647'), [2147483647])
  t.equal(parseFrames(Array(4096).fill('1').join(',')).length, 4096)
})

test('a path of another shape is no resource', async t => {
  for (const path of ['', '/', '/studies', '/studies/', '/studies/1.2/', '/series/1.2', '/studies/1.2/instances/1.3', '/studies/1.2/series/1.3/frames/1', '/studies/1.2/metadata', '/studies/1.2/series/1.3/instances/1.4/frames/1/rendered', 'x/studies/1.2']) {
    t.throws(() => parseResource(path), { code: 'ROUTE_UNKNOWN' }, path)
  }
})

test('a name in the path that is no UID is refused before anyone is asked', async t => {
  for (const study of ['..', '1..2', 'a', '%2e%2e', '1.2\0', '1'.repeat(65), '*', '1.2 ']) t.throws(() => resourceOf({ study }), { code: 'UID_INVALID' }, study)
  t.throws(() => resourceOf({ study: '1.2', series: 'x' }), { code: 'UID_INVALID' })
  t.throws(() => resourceOf({ study: '1.2', series: '1.3', instance: 'x' }), { code: 'UID_INVALID' })
  t.equal(resourceOf({ study: '1.02' }).study, parseUid('1.02'), 'leading zeros exist in the field')
})

test('what is formatted is parsed back', async () => {
  fc.assert(fc.property(fc.integer({ min: 1, max: 4 }), fc.array(fc.integer({ min: 1, max: 2 ** 31 - 1 }), { minLength: 1, maxLength: 20 }), (depth, frames) => {
    const [study, series, instance] = [parseUid('2.25.1'), parseUid('2.25.1.20'), parseUid('2.25.1.20.300')]
    const resource = resourceOf({ study, ...depth > 1 && { series }, ...depth > 2 && { instance }, ...depth > 3 && { frames: frames.join(',') } })
    return JSON.stringify(parseResource(formatResource(resource))) === JSON.stringify(resource)
  }))
})
