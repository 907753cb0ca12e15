import { test } from 'tap'
import { PNG } from 'pngjs'
import { decodeFrame } from '#standards/pixels/decode.ts'
import { isProfileFor, isSrgb, srgbProfile } from '#standards/pixels/icc.ts'
import { pictureFile } from '#standards/pixels/picture-file.ts'
import { presentationOf } from '#standards/pixels/presentation.ts'
import { windowed } from '#standards/pixels/voi.ts'
import { render } from '#box/pixels/render-job.ts'
import { EXPLICIT_LE, JPEG_BASELINE } from '#standards/dicom/transfer-syntax.ts'
import { imageFile, pictureOfFile, sourceOf } from '#test/fixtures/picture-files.ts'

const size = { Rows: 4, Columns: 4 }
const wide = Uint16Array.from({ length: 16 }, (_, at) => 100 * at)
const bytes = Uint8Array.from({ length: 16 }, (_, at) => 16 * at)
const greys = async (...args: Parameters<typeof pictureOfFile>): Promise<number[]> => [...(await pictureOfFile(...args)).pixels]

test('the examples of PS3.3 §C.11.2.1.2 come out as they are written there', async t => {
  const linear = windowed({ center: 2048, width: 4096, function: 'LINEAR' })
  t.same([linear(0), linear(4095), linear(2047.5)], [0, 1, 0.5])
  const least = windowed({ center: 2048, width: 1, function: 'LINEAR' })
  t.same([least(2047), least(2047.5), least(2048)], [0, 0, 1])
  const exact = windowed({ center: 0, width: 100, function: 'LINEAR_EXACT' })
  t.same([exact(-50), exact(0), exact(25), exact(50)], [0, 0.5, 0.75, 1])
  t.equal(windowed({ center: 10, width: 4, function: 'SIGMOID' })(10), 0.5)
})

test('without a window, padding doesn\'t count and stays dark', async t => {
  const padded = Uint16Array.from(wide, value => value === 0 ? 60000 : value)
  t.ok((await greys(imageFile(size, padded)))[15] < 10, 'one outlier makes all the rest black')
  t.equal((await greys(imageFile({ ...size, PixelPaddingValue: 60000 }, padded)))[15], 255)
  t.equal((await greys(imageFile({ ...size, PixelPaddingValue: 59000, PixelPaddingRangeLimit: 61000 }, padded)))[15], 255)
})

test('MONOCHROME1 is turned once, whether or not a presentation shape says so as well', async t => {
  for (const [attributes, first] of [[{}, 0], [{ PhotometricInterpretation: 'MONOCHROME1' }, 255], [{ PhotometricInterpretation: 'MONOCHROME1', PresentationLUTShape: 'INVERSE' }, 255], [{ PresentationLUTShape: 'INVERSE' }, 255], [{ PresentationLUTShape: 'IDENTITY' }, 0]] as const) {
    t.equal((await greys(imageFile({ ...size, ...attributes }, bytes)))[0], first)
  }
})

test('in an enhanced object each frame has its own window and rescaling, or shares them', async t => {
  const windowOf = (center: number, width: number) => ({ FrameVOILUTSequence: [{ WindowCenter: String(center), WindowWidth: String(width) }] })
  const file = imageFile({
    ...size,
    NumberOfFrames: '2',
    SharedFunctionalGroupsSequence: [{ PixelValueTransformationSequence: [{ RescaleIntercept: '-100', RescaleSlope: '2', RescaleType: 'US' }], PixelMeasuresSequence: [{ PixelSpacing: '2\\1' }] }],
    PerFrameFunctionalGroupsSequence: [windowOf(50, 10), windowOf(1000, 400)]
  }, Uint16Array.from([...wide, ...wide]))
  const { head } = await sourceOf(file)
  t.match(presentationOf(head, 1), { modality: { slope: 2, intercept: -100 }, voi: { center: 50, width: 10 }, aspect: 2 })
  t.match(presentationOf(head, 2), { modality: { slope: 2, intercept: -100 }, voi: { center: 1000, width: 400 } })
  const { width, height } = await pictureOfFile(file, 2)
  t.same([width, height], [4, 8], 'pixels twice as high as wide')
})

test('a supplemental palette colours what it begins with, and leaves the rest grey', async t => {
  const table = (values: readonly number[]) => ({ vr: 'OW', bytes: Buffer.from(Uint16Array.from(values).buffer) })
  const colours = Object.fromEntries(['Red', 'Green', 'Blue'].flatMap((colour, place) => [
    [`${colour}PaletteColorLookupTableDescriptor`, { vr: 'US', bytes: Buffer.from(Uint16Array.of(2, 1000, 16).buffer) }],
    [`${colour}PaletteColorLookupTableData`, table([place === 0 ? 65535 : 0, place === 2 ? 65535 : 0])]
  ]))
  const { channels, pixels } = await pictureOfFile(imageFile({ ...size, PixelPresentation: 'MIXED', WindowCenter: '500', WindowWidth: '1000', ...colours }, wide))
  t.equal(channels, 3)
  t.same([...pixels.subarray(0, 3)], [0, 0, 0])
  t.equal(pixels[3 * 5], pixels[3 * 5 + 2], 'grey below')
  t.same([...pixels.subarray(30, 36)], [255, 0, 0, 0, 0, 255])
})

test('overlays are drawn where they lie, of their own frame, unless they mark a region', async t => {
  const overlay = (more: object) => ({ 60000010: { vr: 'US', bytes: Buffer.of(2, 0) }, 60000011: { vr: 'US', bytes: Buffer.of(2, 0) }, 60000040: { vr: 'CS', bytes: Buffer.from('G ') }, 60000050: { vr: 'SS', bytes: Buffer.of(2, 0, 3, 0) }, 60000100: { vr: 'US', bytes: Buffer.of(1, 0) }, 60003000: { vr: 'OW', bytes: Buffer.of(0b1001, 0) }, ...more })
  const black = new Uint8Array(16)
  const drawn = (await greys(imageFile({ ...size, ...overlay({}) }, black))).flatMap((value, at) => value === 255 ? [at] : [])
  t.same(drawn, [6, 11])
  t.same(await greys(imageFile({ ...size, ...overlay({}) }, black), 1, { overlays: false }), [...black])
  t.same(await greys(imageFile({ ...size, ...overlay({ 60000040: { vr: 'CS', bytes: Buffer.from('R ') } }) }, black)), [...black])
})

test('a picture bears the profile of its image, that of sRGB, or none, and never one that doesn\'t fit', async t => {
  const rgb = { rows: 1, columns: 1, samples: 3, bitsAllocated: 8, bitsStored: 8, highBit: 7, signed: false, planar: false, photometric: 'RGB' }
  const presentation = { modality: { slope: 1, intercept: 0 }, inverse: false, supplemental: false, aspect: 1, overlays: [] }
  const own = Buffer.from(srgbProfile(3))
  own.write('XRGB', own.indexOf('s\0R\0G\0B'), 'latin1')
  const made = async (profile: 'any' | 'no' | 'yes' | 'srgb', type: 'image/png' | 'image/jpeg', icc?: Uint8Array): Promise<Buffer> => Buffer.from((await render({
    coded: Buffer.of(9, 8, 7), transferSyntaxUid: EXPLICIT_LE, format: rgb, presentation: { ...presentation, ...icc && { icc } }, rendering: { quality: 90, profile, overlays: true }, type
  })).output)
  for (const type of ['image/png', 'image/jpeg'] as const) {
    const mark = type === 'image/png' ? 'iCCP' : 'ICC_PROFILE'
    t.equal((await made('any', type)).includes(mark), false)
    t.equal((await made('any', type, own)).includes(mark), true)
    t.equal((await made('no', type, own)).includes(mark), false)
    t.equal((await made('yes', type)).includes(mark), true)
    t.equal((await made('any', type, Buffer.from('no profile at all'))).includes(mark), false)
    await t.rejects(made('srgb', type, own), { code: 'NOT_OFFERED' })
  }
  t.same([...PNG.sync.read(await made('yes', 'image/png')).data], [9, 8, 7, 255], 'still a PNG')
  t.ok(isProfileFor(srgbProfile(1), 1) && isProfileFor(srgbProfile(3), 3) && !isProfileFor(srgbProfile(3), 1) && isSrgb(srgbProfile(3)))
})

test('what no file of a kind can hold is refused', async t => {
  const long = { width: 70000, height: 1, channels: 1 as const, pixels: new Uint8Array(70000) }
  for (const type of ['image/jpeg', 'image/gif'] as const) await t.rejects(pictureFile(long, type, { quality: 90 }), { code: 'PIXELS_TOO_LARGE' })
})

test('a picture that doesn\'t shrink, or is tiny, is a JPEG like any other', async t => {
  let seed = 1
  const noise = (length: number): Uint8Array => Uint8Array.from({ length }, () => (seed = seed * 48271 % 2147483647) & 255)
  for (const channels of [1, 3] as const) {
    for (const [width, height] of [[1, 1], [3, 5], [100, 1], [64, 64], [300, 200]] as const) {
      for (const quality of [1, 90, 92, 100]) {
        const picture = { width, height, channels, pixels: noise(width * height * channels) }
        const file = await pictureFile(picture, 'image/jpeg', { quality })
        const format = { rows: height, columns: width, samples: channels, bitsAllocated: 8, bitsStored: 8, highBit: 7, signed: false, planar: false, photometric: channels === 1 ? 'MONOCHROME2' : 'YBR_FULL' }
        const { pixels } = await decodeFrame(file, JPEG_BASELINE, format)
        t.equal(pixels.length, picture.pixels.length)
        if (quality === 100 && channels === 1) t.ok(pixels.every((value, at) => Math.abs(value - picture.pixels[at]) <= 3), `${width} × ${height}`)
      }
    }
  }
})
