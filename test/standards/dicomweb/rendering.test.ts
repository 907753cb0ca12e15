import fc from 'fast-check'
import { test } from 'tap'
import { parseRendering, parseThumbnail, renderingKey, QUALITY_DEFAULT, THUMBNAIL_SIDE, VIEWPORT_PIXELS_MAX, VIEWPORT_SIDE_MAX } from '#standards/dicomweb/rendering.ts'

const NONE = { quality: QUALITY_DEFAULT, profile: 'any', overlays: true }

test('without parameters, a picture is what its object says', async t => {
  t.same(parseRendering({}), NONE)
  t.same(parseRendering({ foo: '1', charset: 'utf-8', accept: ['a', 'b'] }), NONE, 'others are passed over')
})

test('every parameter of PS3.18 §8.3.5.1, as it is written there', async t => {
  t.same(parseRendering({ window: '-40.5,400,linear-exact' }).window, { center: -40.5, width: 400, function: 'LINEAR_EXACT' })
  t.same(parseRendering({ viewport: '512,256' }).viewport, { width: 512, height: 256, x: 0, y: 0, mirrored: false, flipped: false })
  t.same(parseRendering({ viewport: '512,256,,,-10.5,20' }).viewport, { width: 512, height: 256, x: 0, y: 0, regionWidth: 10.5, regionHeight: 20, mirrored: true, flipped: false })
  t.same(parseRendering({ viewport: '5,6,-7,8,9' }).viewport, { width: 5, height: 6, x: 7, y: 8, regionWidth: 9, mirrored: false, flipped: false }, 'of the corner, the absolute values count')
  t.equal(parseRendering({ quality: '1' }).quality, 1)
  t.equal(parseRendering({ iccprofile: 'srgb' }).profile, 'srgb')
  t.equal(parseRendering({ overlays: 'no' }).overlays, false)
})

test('a thumbnail has a size and nothing else', async t => {
  t.match(parseThumbnail({ window: '1,2,linear', annotation: 'patient' }), { viewport: { width: THUMBNAIL_SIDE, height: THUMBNAIL_SIDE }, overlays: false })
  t.match(parseThumbnail({ viewport: '64,32' }).viewport, { width: 64, height: 32 })
  for (const viewport of ['64', '64,32,1,1,2,2', '0,4', '2000,10']) t.throws(() => parseThumbnail({ viewport }), { code: 'QUERY_INVALID', facts: { parameter: 'viewport' } })
})

test('whatever text stands there is read or refused by the name of its parameter', async t => {
  const part = fc.oneof(fc.double().map(String), fc.integer().map(String), fc.constantFrom('', 'linear', 'sigmoid', '-0', '1e99', '0x10', ' 5', '٣'), fc.string())
  const text = fc.array(part, { maxLength: 8 }).map(parts => parts.join(','))
  fc.assert(fc.property(fc.constantFrom('window', 'viewport', 'quality', 'iccprofile', 'annotation', 'overlays'), text, (name, value) => {
    try {
      const { window, viewport, quality } = parseRendering({ [name]: value })
      if (window !== undefined && !(Number.isFinite(window.center) && window.width > 0)) return false
      if (viewport !== undefined && !(viewport.width >= 1 && viewport.height >= 1 && viewport.width <= VIEWPORT_SIDE_MAX && viewport.width * viewport.height <= VIEWPORT_PIXELS_MAX && viewport.x >= 0 && (viewport.regionWidth ?? 1) > 0)) return false
      return quality >= 1 && quality <= 100
    } catch (error) {
      const { code, facts } = error as { code: string, facts: { parameter: string } }
      return (code === 'QUERY_INVALID' || code === 'NOT_OFFERED') && facts.parameter === name
    }
  }))
  t.throws(() => parseRendering({ window: ['1,1,linear', '2,2,linear'] }), { code: 'QUERY_INVALID' }, 'given twice')
})

test('two pictures have the same key only if they are asked for in the same way', async t => {
  t.equal(renderingKey(parseRendering({ viewport: '5,5,0' })), renderingKey(parseRendering({ viewport: '5,5' })))
  const keys = [{}, { window: '1,2,linear' }, { window: '1,2,sigmoid' }, { viewport: '2,1' }, { viewport: '1,2' }, { quality: '50' }, { iccprofile: 'no' }, { overlays: 'no' }].map(query => renderingKey(parseRendering(query)))
  t.equal(new Set(keys).size, keys.length)
})
