import { test } from 'tap'
import fc from 'fast-check'
import assert from 'node:assert/strict'
import { RequestError } from '#core/errors.ts'
import { decodeDataset, encodeDataset, firstText } from '#standards/dicom/dataset.ts'
import { jsonText, type DicomJson, type JsonElement } from '#standards/dicom/json.ts'
import { DEFLATED_LE, EXPLICIT_BE, EXPLICIT_LE, IMPLICIT_LE, JPEG_LS_LOSSLESS } from '#standards/dicom/transfer-syntax.ts'
import { deflateRawSync } from 'node:zlib'
import { ctInstance, element, fragments, sequence, u16, type Writing } from '#test/fixtures/dataset.ts'

const SYNTAX: Record<Writing, string> = { explicit: EXPLICIT_LE, implicit: IMPLICIT_LE, 'big-endian': EXPLICIT_BE }

const CT: DicomJson = {
  '00080005': { vr: 'CS', Value: ['ISO_IR 192'] },
  '00080016': { vr: 'UI', Value: ['1.2.840.10008.5.1.4.1.1.2'] },
  '00080018': { vr: 'UI', Value: ['1.2.3.4.1.1.1'] },
  '00080020': { vr: 'DA', Value: ['20261122'] },
  '00080060': { vr: 'CS', Value: ['CT'] },
  '00100010': { vr: 'PN', Value: [{ Alphabetic: 'LEFÈVRE^Hélène' }] },
  '00100020': { vr: 'LO', Value: ['IPP-0042'] },
  '0020000D': { vr: 'UI', Value: ['1.2.3.4.1'] },
  '0020000E': { vr: 'UI', Value: ['1.2.3.4.1.1'] },
  '00200013': { vr: 'IS', Value: [1] },
  '00280002': { vr: 'US', Value: [1] },
  '00280010': { vr: 'US', Value: [8] },
  '00280011': { vr: 'US', Value: [8] },
  '00280100': { vr: 'US', Value: [16] }
}

test('a slice becomes DICOM JSON, with the name as the patient spells it', async t => {
  for (const writing of ['explicit', 'implicit', 'big-endian'] as const) {
    const options = { stopAtPixelData: true, bulkDataUri: (path: string) => `bulk/${path}` }
    const withPixels = { ...CT, '7FE00010': { vr: 'OW', BulkDataURI: 'bulk/7FE00010' } }
    const bytes = ctInstance({ writing })
    t.strictSame(decodeDataset(bytes, SYNTAX[writing], options), withPixels, writing)
    t.strictSame(decodeDataset(bytes.subarray(0, -100), SYNTAX[writing], options), withPixels, 'cut inside of the pixels')
    const head = bytes.subarray(0, bytes.length - element(0x7fe00010, 'OW', Buffer.alloc(128), writing).length)
    t.strictSame(decodeDataset(head, SYNTAX[writing], options), CT, 'cut where the pixels begin')
    t.strictSame(decodeDataset(bytes, SYNTAX[writing], { stopAtPixelData: true }), CT, 'nobody wants an address')
  }
  t.strictSame(decodeDataset(deflateRawSync(ctInstance()), DEFLATED_LE, { stopAtPixelData: true }), CT)
})

test('pixel data are told of though a group length or an offset table stands before them', t => {
  const options = { stopAtPixelData: true, bulkDataUri: (path: string) => `bulk/${path}` }
  const groupLength = element(0x7fe00000, 'UL', Buffer.of(0x4c, 0x38, 0, 0))
  // As far as a reader of heads goes: the bytes of the pixels aren't there.
  const native = Buffer.concat([groupLength, element(0x7fe00010, 'OB', '', 'explicit', 14400)])
  t.strictSame(decodeDataset(native, EXPLICIT_LE, options), { '7FE00010': { vr: 'OB', BulkDataURI: 'bulk/7FE00010' } })
  const encapsulated = element(0x7fe00001, 'OV', Buffer.alloc(12), 'explicit', 10400)
  t.strictSame(decodeDataset(encapsulated, JPEG_LS_LOSSLESS, options), { '7FE00010': { vr: 'OB', BulkDataURI: 'bulk/7FE00010' } })
  t.end()
})

test('a data set is written as the standard prints it', async t => {
  t.same(encodeDataset({
    '00100020': { vr: 'LO', Value: ['A', null, 'BC'] },
    '00100010': { vr: 'PN', Value: [{ Alphabetic: 'Lefèvre', Phonetic: 'lo' }] },
    '00081115': { vr: 'SQ', Value: [{ '00081150': { vr: 'UI', Value: ['1.2'] } }, {}] },
    '00280010': { vr: 'US', Value: [512] }
  }, EXPLICIT_LE).toString('hex').toUpperCase(), [
    '08000500 4353 0A00 49534F5F495220313030', // (0008,0005) CS ISO_IR 100
    '08001511 5351 0000 1C000000', // (0008,1115) SQ, 28 bytes
    'FEFF00E0 0C000000 08005011 5549 0400 312E3200', // item: (0008,1150) UI 1.2
    'FEFF00E0 00000000', // empty item
    '10001000 504E 0C00 4C6566E87672653D3D6C6F20', // (0010,0010) PN Lefèvre==lo
    '10002000 4C4F 0600 415C5C424320', // (0010,0020) LO A\\BC
    '28001000 5553 0200 0002' // (0028,0010) US 512
  ].join('').replaceAll(' ', ''))
  t.same(encodeDataset({ '00280010': { vr: 'US', Value: [512] }, '00080018': { vr: 'UI', Value: ['1.2'] } }, IMPLICIT_LE)
    .toString('hex'), '0800180004000000312e3200280010000200000000' + '02')
  t.same(encodeDataset({ '00280010': { vr: 'US', Value: [512] } }, EXPLICIT_BE).toString('hex'), '00280010555300020200')
})

test('values take the form that PS3.18 Annex F gives them', async t => {
  const f64 = (value: number): Buffer => Buffer.from(new Float64Array([value]).buffer)
  for (const [bytes, expected] of [
    [element(0x00080018, 'UI', '1.2'), { vr: 'UI', Value: ['1.2'] }],
    [element(0x00080008, 'CS', 'ORIGINAL\\\\AXIAL '), { vr: 'CS', Value: ['ORIGINAL', null, 'AXIAL'] }],
    [element(0x00080008, 'CS', '    '), { vr: 'CS' }],
    [element(0x00080008, 'CS'), { vr: 'CS' }],
    [element(0x00104000, 'LT', ' a\\b  '), { vr: 'LT', Value: [' a\\b'] }],
    [element(0x00101030, 'DS', '72.50\\1e2\\abc'), { vr: 'DS', Value: [72.5, 100, 'abc'] }],
    [element(0x00200013, 'IS', ' +12\\1.5\\99999999999999999999'), { vr: 'IS', Value: [12, '1.5', '99999999999999999999'] }],
    [element(0x00200062, 'AT', Buffer.from('2800 1000'.replace(' ', ''), 'hex')), { vr: 'AT', Value: ['00280010'] }],
    [element(0x00091001, 'FD', Buffer.concat([f64(NaN), f64(-Infinity), f64(0.1)])), { vr: 'FD', Value: ['NaN', '-inf', 0.1] }],
    [element(0x00091001, 'UV', Buffer.from('ffffffffffffffff', 'hex')), { vr: 'UV', Value: ['18446744073709551615'] }],
    [element(0x00091001, 'SV', Buffer.from('ffffffffffffffff', 'hex')), { vr: 'SV', Value: [-1] }],
    [element(0x00091001, 'UN', 'ab'), { vr: 'UN', InlineBinary: 'YWI=' }],
    [element(0x00091001, 'OB'), { vr: 'OB' }],
    [element(0x00100010, 'PN', '=\\A=B=C\\=X'), { vr: 'PN', Value: [null, { Alphabetic: 'A', Ideographic: 'B', Phonetic: 'C' }, { Ideographic: 'X' }] }],
    [sequence(0x00081115, []), { vr: 'SQ' }],
    [sequence(0x00081115, [Buffer.alloc(0)], 'explicit', 'undefined'), { vr: 'SQ', Value: [{}] }]
  ] as const) {
    t.strictSame(Object.values(decodeDataset(bytes, EXPLICIT_LE)), [expected])
  }
  t.strictSame(decodeDataset(element(0x00091001, 'OW', Buffer.of(1, 2), 'big-endian'), EXPLICIT_BE),
    { '00091001': { vr: 'OW', InlineBinary: 'AgE=' } }, 'words of a big endian data set come in little endian')
})

test('an item may have a character set of its own, which ends with it', async t => {
  const bytes = Buffer.concat([
    element(0x00080005, 'CS', 'ISO_IR 100'),
    sequence(0x00081140, [
      Buffer.concat([element(0x00080005, 'CS', 'ISO_IR 144'), element(0x00100020, 'LO', '\xbb\xee')]),
      element(0x00100020, 'LO', '\xe9')
    ]),
    element(0x00100020, 'LO', '\xe9')
  ])
  const json = decodeDataset(bytes, EXPLICIT_LE)
  const [first, second] = json['00081140']!.Value as [DicomJson, DicomJson]
  t.strictSame([firstText(first, '00100020'), firstText(second, '00100020'), firstText(json, '00100020')], ['Лю', 'é', 'é'])
  t.equal(firstText(decodeDataset(element(0x00100020, 'LO', '\xbb\xee'), EXPLICIT_LE, { characterSet: ['ISO_IR 144'] }), '00100020'), 'Лю')
})

test('a character set that is not text is no character set', async t => {
  const bytes = Buffer.concat([element(0x00080005, 'US', u16(7)), element(0x00100020, 'LO', '\xe9')])
  t.equal(firstText(decodeDataset(bytes, EXPLICIT_LE), '00100020'), 'é')
})

test('what archives have made of data sets is still read', async t => {
  const inside = Buffer.concat([
    element(0xfffee000, '', element(0x00080018, 'UI', '1.2', 'implicit'), 'implicit'), element(0xfffee0dd, '')
  ])
  t.strictSame(decodeDataset(Buffer.concat([
    element(0x00080000, 'UL', Buffer.alloc(4)), // group length
    element(0x00081140, 'UN', inside, 'explicit', 0xffffffff), // PS3.5 §6.2.2
    element(0x00100020, 'UN', 'IPP'), // an attribute that the archive's dictionary lacked
    element(0x00101030, 'XX', Buffer.concat([u16(0), Buffer.from('12')]), 'explicit', 0), // a VR of the future
    element(0x00280010, '??', u16(7)), // no VR at all
    element(0x00280011, 'US', u16(9), 'implicit'), // implicit form among explicit ones
    element(0x00280106, 'xs', u16(0xffff), 'implicit'), // US or SS, without anything that says which
    element(0x00280107, 'US', Buffer.alloc(3)), // not a whole number
    element(0xfffcfffc, 'OB', Buffer.alloc(6)), // trailing padding
    Buffer.alloc(5)
  ].filter((_, index) => index !== 3)), EXPLICIT_LE), {
    '00081140': { vr: 'SQ', Value: [{ '00080018': { vr: 'UI', Value: ['1.2'] } }] },
    '00100020': { vr: 'LO', Value: ['IPP'] },
    '00280010': { vr: 'US', Value: [7] },
    '00280011': { vr: 'US', Value: [9] },
    '00280106': { vr: 'US', Value: [65535] },
    '00280107': { vr: 'UN', InlineBinary: 'AAAA' }
  })
  const future = Buffer.concat([Buffer.from('0900011058590000 02000000'.replace(' ', ''), 'hex'), Buffer.from('ab')])
  t.strictSame(decodeDataset(future, EXPLICIT_LE), { '00091001': { vr: 'UN', InlineBinary: 'YWI=' } })
  t.strictSame(decodeDataset(Buffer.concat([
    element(0x00280103, 'US', u16(1), 'implicit'), element(0x00280106, 'xs', u16(0xffff), 'implicit')
  ]), IMPLICIT_LE)['00280106'], { vr: 'SS', Value: [-1] })
})

test('long values are given by reference where the caller can serve them', async t => {
  const bytes = Buffer.concat([
    sequence(0x00081140, [element(0x00091002, 'OB', Buffer.alloc(2000)), element(0x00091002, 'OB', Buffer.alloc(2000))]),
    element(0x00420011, 'OB', Buffer.alloc(12)),
    fragments([Buffer.alloc(4)])
  ])
  const json = decodeDataset(bytes, JPEG_LS_LOSSLESS, { bulkDataUri: path => `/bulk/${path}` })
  t.strictSame(json['00081140']!.Value!.map(item => (item as DicomJson)['00091002']!.BulkDataURI),
    ['/bulk/00081140/0/00091002', '/bulk/00081140/1/00091002'])
  t.strictSame(json['00420011'], { vr: 'OB', InlineBinary: Buffer.alloc(12).toString('base64') })
  t.strictSame(json['7FE00010'], { vr: 'OB', BulkDataURI: '/bulk/7FE00010' })
})

test('bytes that lie about themselves are refused with the place where it shows', async t => {
  const bottomless = Buffer.concat(Array.from({ length: 200 }, () => Buffer.concat([
    element(0x00081140, 'SQ', '', 'explicit', 0xffffffff), element(0xfffee000, '', '', 'explicit', 0xffffffff)
  ])))
  for (const bytes of [
    element(0x00080018, 'UI', '1.2', 'explicit', 100),
    element(0x00091001, 'OB', 'ab', 'explicit', 0xfffffffe),
    element(0x00091001, 'LT', 'ab').subarray(0, 5),
    element(0x00081140, 'SQ', '', 'explicit', 0xffffffff),
    element(0x00081140, 'SQ', element(0x00080018, 'UI', '1.2')),
    sequence(0x00081140, [element(0x00080018, 'UI', '1.2')], 'explicit', 'undefined').subarray(0, -8),
    element(0x00081140, 'SQ', element(0xfffee000, '', '', 'explicit', 8)),
    bottomless
  ]) t.throws(() => decodeDataset(bytes, EXPLICIT_LE), { code: 'DATA_MALFORMED', facts: { offset: Number } })
  t.throws(() => decodeDataset(deflateRawSync(Buffer.alloc(70_000_000)), DEFLATED_LE), { code: 'DATA_MALFORMED' })
})

test('values that their VR cannot have are refused, not bent', async t => {
  const bad: JsonElement[] = [
    { vr: 'US', Value: [65536] }, { vr: 'US', Value: ['1'] }, { vr: 'SS', Value: [-40000] }, { vr: 'FD', Value: ['x'] },
    { vr: 'UV', Value: [-1] }, { vr: 'SV', Value: ['9223372036854775808'] }, { vr: 'AT', Value: ['0010'] },
    { vr: 'LO', Value: ['a\\b'] }, { vr: 'CS', Value: ['日'] }, { vr: 'LT', Value: ['a', 'b'] }, { vr: 'OB', Value: [1] },
    { vr: 'LO', Value: [{}] }, { vr: 'OB', BulkDataURI: 'x' }, { vr: 'ZZ' as 'OB' }
  ]
  for (const each of bad) {
    t.throws(() => encodeDataset({ '00091001': each }, EXPLICIT_LE), { code: 'DATA_MALFORMED' }, JSON.stringify(each))
  }
  t.throws(() => encodeDataset({ nonsense: { vr: 'LO' } }, EXPLICIT_LE), { code: 'DATA_MALFORMED' })
})

test('what is too long for its VR is written as UN, and read for what it was', async t => {
  const json: DicomJson = { '00081160': { vr: 'IS', Value: Array.from({ length: 20_000 }, (_, index) => index) } }
  const bytes = encodeDataset(json, EXPLICIT_LE)
  t.equal(bytes.toString('latin1', 4, 6), 'UN')
  t.strictSame(decodeDataset(bytes, EXPLICIT_LE), json)
})

test('a decimal is written in the 16 characters that it may have', async () => {
  fc.assert(fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), value => {
    const written = encodeDataset({ '00101030': { vr: 'DS', Value: [value] } }, EXPLICIT_LE).toString('latin1', 8).trim()
    assert.ok(written.length <= 16)
    assert.ok(Math.abs(Number(written) - value) <= Math.abs(value) * 1e-8 || Math.abs(value) < 1e-300)
  }))
})

test('metadata leave in the order of their tags', async t => {
  t.equal(jsonText({ 30060010: { vr: 'SQ', Value: [{ 10000010: { vr: 'LO' }, '00080018': { vr: 'UI' } }] }, '00080016': { vr: 'UI' } }),
    '{"00080016":{"vr":"UI"},"30060010":{"vr":"SQ","Value":[{"00080018":{"vr":"UI"},"10000010":{"vr":"LO"}}]}}')
})

const word = fc.stringMatching(/^[A-Za-z0-9éÀœŁ山]([A-Za-z0-9 .éÀœŁ山-]{0,10}[A-Za-z0-9é])?$/)
const plain = fc.stringMatching(/^[A-Z0-9]{1,12}$/)
const list = <T>(of: fc.Arbitrary<T>): fc.Arbitrary<T[]> => fc.array(of, { minLength: 1, maxLength: 3 })
const binary = fc.uint8Array({ minLength: 1, maxLength: 5 })
const arbitraryElement: fc.Arbitrary<JsonElement> = fc.oneof(
  fc.record({ vr: fc.constantFrom('LO', 'SH', 'UC'), Value: list(word) }),
  fc.record({ vr: fc.constantFrom('LT', 'ST', 'UT'), Value: word.map(text => [text]) }),
  fc.record({ vr: fc.constantFrom('CS', 'AE', 'UI', 'DA', 'TM', 'DT', 'AS'), Value: list(plain) }),
  fc.record({ vr: fc.constant('PN'), Value: list(fc.record({ Alphabetic: word, Ideographic: word }, { requiredKeys: ['Alphabetic'] })) }),
  fc.record({ vr: fc.constant('IS'), Value: list(fc.integer()) }),
  fc.record({ vr: fc.constant('DS'), Value: list(fc.integer({ min: -99999, max: 99999 }).map(value => value / 100)) }),
  fc.record({ vr: fc.constant('US'), Value: list(fc.nat(65535)) }),
  fc.record({ vr: fc.constant('SS'), Value: list(fc.integer({ min: -32768, max: 32767 })) }),
  fc.record({ vr: fc.constant('SL'), Value: list(fc.integer()) }),
  fc.record({ vr: fc.constant('UL'), Value: list(fc.nat(0xffffffff)) }),
  fc.record({ vr: fc.constant('FL'), Value: list(fc.oneof(fc.float({ noNaN: true, noDefaultInfinity: true }), fc.constantFrom('NaN', 'inf', '-inf'))) }),
  fc.record({ vr: fc.constant('FD'), Value: list(fc.double({ noNaN: true, noDefaultInfinity: true })) }),
  fc.record({ vr: fc.constantFrom('SV', 'UV'), Value: list(fc.oneof(fc.nat(), fc.bigInt(2n ** 60n, 2n ** 63n - 1n).map(String))) }),
  fc.record({ vr: fc.constant('AT'), Value: list(fc.stringMatching(/^[0-9A-F]{8}$/)) }),
  fc.record({ vr: fc.constantFrom('OB', 'UN'), InlineBinary: binary.map(bytes => Buffer.concat([bytes, bytes]).toString('base64')) }),
  fc.record({ vr: fc.constantFrom('OD', 'OF', 'OL', 'OV', 'OW'), InlineBinary: binary.map(bytes => Buffer.alloc(16, bytes).toString('base64')) }),
  fc.record({ vr: fc.constantFrom('LO', 'OB', 'US', 'SQ', 'PN', 'UN') })
) as fc.Arbitrary<JsonElement>
/** Private, so that the explicit forms cannot lean on the dictionary. */
const privateTag = fc.stringMatching(/^(0009|4453)1[0-9A-F]{3}$/)
const arbitraryItem = fc.dictionary(privateTag, arbitraryElement, { maxKeys: 4 })
const arbitraryDataset = fc.dictionary(privateTag, fc.oneof(
  arbitraryElement,
  fc.array(arbitraryItem, { minLength: 1, maxLength: 2 }).map(Value => ({ vr: 'SQ', Value }) as JsonElement)
), { maxKeys: 6 })

test('whatever data set is written, the same is read', async () => {
  for (const syntax of [EXPLICIT_LE, EXPLICIT_BE, DEFLATED_LE]) {
    fc.assert(fc.property(arbitraryDataset, json => {
      const { '00080005': characterSet, ...others } = decodeDataset(encodeDataset(json, syntax), syntax)
      assert.deepEqual(JSON.parse(JSON.stringify(others)), JSON.parse(JSON.stringify(json)))
      assert.ok(characterSet === undefined || characterSet.Value?.[0] === 'ISO_IR 192')
    }), { numRuns: 200 })
  }
})

test('any bytes are read or refused, in each transfer syntax', async () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), fc.constantFrom(EXPLICIT_LE, IMPLICIT_LE, EXPLICIT_BE, DEFLATED_LE), (bytes, syntax) => {
    try {
      decodeDataset(bytes, syntax)
    } catch (error) {
      assert.ok(error instanceof RequestError)
    }
  }), { numRuns: 500 })
})
