import { readdirSync, readFileSync } from 'node:fs'
import fc from 'fast-check'
import { test } from 'tap'
import { choose, objectAccept, parseAccept, type MediaRange } from '#standards/dicomweb/accept.ts'
import { sample, skipWithoutShared } from '#test/fixtures/shared.ts'

const JPEG = '1.2.840.10008.1.2.4.50'
const JPEG_LOSSLESS = '1.2.840.10008.1.2.4.70'
const JPEG_LS = '1.2.840.10008.1.2.4.80'
const EXPLICIT_LE = '1.2.840.10008.1.2.1'

/** [last number of the UID, q] of each range, as the national samples weigh them. */
const LOSSLESS = [['70', 0.9], ['80', 0.8], ['91', 0.6], ['50', 0.5], ['51', 0.5], ['100', 0.5], ['101', 0.5], ['102', 0.5], ['103', 0.5], ['1', 0.4]]
const LOSSY = [['50', 0.9], ['51', 0.9], ['70', 0.6], ['80', 0.5], ['91', 0.5], ['100', 0.5], ['101', 0.5], ['102', 0.5], ['103', 0.5], ['1', 0.4]]
const EVEN = ['70', '80', '91', '50', '51', '100', '101', '102', '103', '1'].map(last => [last, 0.5])
const REPEATED = [['50', 0.9], ['51', 0.9], ['70', 0.6], ['100', 0.5], ['101', 0.5], ['91', 0.5], ['102', 0.5], ['103', 0.5], ['80', 0.5], ['1', 0.4]]
const MIN_MAX = [['70', 1], ['80', 1], ['91', 0.5], ['100', 0.5], ['101', 0.5], ['102', 0.5], ['103', 0.5], ['1', 0.5], ['50', 0.1], ['51', 0.1]]

const NATIONAL: Record<string, { weights: (string | number)[][], boundary: string }> = {
  'OK_ExempleCISIS_TSLossless.txt': { weights: LOSSLESS, boundary: '**' },
  'OK_Frames.txt': { weights: EVEN, boundary: '**' },
  'OK_Instances_v1.txt': { weights: REPEATED, boundary: 'myboundary' },
  'OK_QParameterMinMax.txt': { weights: MIN_MAX, boundary: '**' },
  'OK_Requete_CISIS_TSLossless.txt': { weights: LOSSLESS, boundary: '**' },
  'OK_Requete_CISIS_TSLossy.txt': { weights: LOSSY, boundary: '**' },
  'OK_Study.txt': { weights: EVEN, boundary: '**' },
  'OK_SwitchHeaders.txt': { weights: REPEATED, boundary: 'myboundary' },
  'Requête WADO-RS - Instance.txt': { weights: LOSSLESS, boundary: '**' },
  'Requête WADO-RS - Série.txt': { weights: LOSSLESS, boundary: '**' }
}

/** The Accept headers of a raw request, one entry per header line. */
function acceptLines (name: string): string[] {
  return readFileSync(sample(`wado-rs/${name}`), 'utf8').split(/\r?\n/)
    .flatMap(line => /^accept:(.*)$/i.exec(line)?.[1] ?? [])
}

test('every national request is read to its list of preferences', { skip: skipWithoutShared }, async t => {
  for (const [name, { weights, boundary }] of Object.entries(NATIONAL)) {
    const lines = acceptLines(name.normalize('NFC'))
    for (const header of [lines, lines.join(', ')]) {
      const ranges = parseAccept(header)
      t.same(ranges.map(({ transferSyntax, q }) => [transferSyntax?.split('.').at(-1), q]), weights, name)
      for (const range of ranges) t.match(range, { type: 'multipart/related', inner: 'application/dicom', boundary, source: 'header' })

      const accept = objectAccept(ranges, 'application/dicom')
      t.equal(accept.multipart, true)
      t.equal(accept.any, false)
      t.same(accept.preference.map(uid => uid.split('.').at(-1)), weights.map(([last]) => last))
      t.equal(accept.accepts(JPEG_LS), weights.find(([last]) => last === '80')?.[1])
      t.equal(accept.accepts('1.2.840.10008.1.2.4.90'), 0)
    }
  }
})

test('the national health probe asks for plain JSON', { skip: skipWithoutShared }, async t => {
  t.match(parseAccept(acceptLines('OK_Healthcheck_Request.txt')), [{ type: 'application/json', q: 1 }])
})

test('no national request was left out of these tests', { skip: skipWithoutShared }, async t => {
  const requests = readdirSync(sample('wado-rs')).map(name => name.normalize('NFC')).filter(name => !name.startsWith('Réponse'))
  t.same(requests.sort(), [...Object.keys(NATIONAL), 'OK_Healthcheck_Request.txt'].map(name => name.normalize('NFC')).sort())
})

test('one wish in many spellings', async t => {
  const spellings = [
    `multipart/related; type="application/dicom"; transfer-syntax=${JPEG_LS}; q=0.8; boundary=**`,
    `multipart/related;type=application/dicom;transfer-syntax=${JPEG_LS};q=0.8;boundary=**`,
    `multipart/related;q=0.8;boundary="**";transfer-syntax="${JPEG_LS}";type="application/dicom"`,
    `Multipart/Related ; TYPE = "Application/DICOM" ;Transfer-Syntax=${JPEG_LS};Q=0.800;boundary=**,`,
    `,, multipart/related; ;type="application/di\\com"; transfer-syntax=${JPEG_LS};q=.8;boundary=**\t,`
  ]
  for (const spelling of spellings) {
    const ranges = parseAccept(spelling)
    t.equal(ranges.length, 1, spelling)
    t.match(ranges[0], { type: 'multipart/related', inner: 'application/dicom', transferSyntax: JPEG_LS, q: 0.8, boundary: '**' }, spelling)
  }
})

test('no Accept, an empty one or a lone comma mean anything', async t => {
  for (const header of [undefined, '', ' ', ',', []]) {
    const ranges = parseAccept(header)
    t.match(ranges, [{ type: '*/*', q: 1 }])
    t.match(objectAccept(ranges, 'application/dicom'), { multipart: true, preference: [], any: true })
  }
})

test('what Java sends when nobody told it what to accept', async t => {
  const ranges = parseAccept('text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2')
  t.same(ranges.map(({ type, q }) => [type, q]), [['text/html', 1], ['image/gif', 1], ['image/jpeg', 1], ['*/*', 0.2], ['*/*', 0.2]])
  t.equal(objectAccept(ranges, 'application/dicom').accepts(JPEG_LS), 0.2)
})

test('a quoted string may hold separators', async t => {
  const [range, next] = parseAccept('multipart/related; start="<a,b;c\\"d>"; type="application/dicom", application/json;q=0.1')
  t.equal(range?.parameters.get('start'), '<a,b;c"d>')
  t.equal(range?.inner, 'application/dicom')
  t.equal(next?.type, 'application/json')
})

test('a header that cannot be read is told so, however hostile', async t => {
  const hostile = [
    'application', 'application/', '/dicom', '*/dicom', 'a b/c', 'application/dicom;q', 'application/dicom;q=', 'application/dicom;=1',
    'application/dicom;q=1.1', 'application/dicom;q=-1', 'application/dicom;q=0.1234', 'application/dicom;q=NaN', 'application/dicom;q=1e0',
    'application/dicom;q=0.5;q=0.6', 'application/dicom;q=,', 'multipart/related;type="application/dicom', 'multipart/related;type=dicom',
    'application/dicom;transfer-syntax=jpeg', 'application/dicom;transfer-syntax=1..2', `application/dicom;transfer-syntax=${'1'.repeat(65)}`,
    'application/dicom\0', 'application/dicom\r\nX: y', 'application/dicom;x="\x7f"', 'application/é',
    'a/b,'.repeat(200), 'a/b' + ';x=y'.repeat(2), 'a/b' + Array.from({ length: 17 }, (_, i) => `;p${i}=1`).join(''), ','.repeat(10_000), 'a'.repeat(1_000_000)
  ]
  for (const header of hostile) t.throws(() => parseAccept(header), { code: 'ACCEPT_INVALID' }, JSON.stringify(header.slice(0, 60)))
})

test('any text is either read or refused by name', async () => {
  const pieces = fc.constantFrom('multipart/related', 'application/dicom', '*/*', 'image/*', '*', ';', ',', '"', '\\', '=', 'q=0.5', 'type=', 'transfer-syntax=', '1.2.3', ' ', '\t', '**', 'boundary=', '\0', 'é')
  fc.assert(fc.property(fc.oneof(fc.string(), fc.array(pieces, { maxLength: 40 }).map(list => list.join(''))), header => {
    let ranges: readonly MediaRange[]
    try {
      ranges = parseAccept(header)
    } catch (error) {
      return (error as { code?: string }).code === 'ACCEPT_INVALID'
    }
    return ranges.length > 0 && ranges.every(({ q }) => q >= 0 && q <= 1)
  }))
})

test('whatever list of preferences is written, in any spelling, is read back', async () => {
  const wish = fc.record({
    transferSyntax: fc.constantFrom(JPEG, JPEG_LOSSLESS, JPEG_LS, EXPLICIT_LE, '*', '1.2.840.10008.1.2.4.201'),
    q: fc.integer({ min: 0, max: 10 }).map(tenths => tenths / 10),
    quoted: fc.boolean(),
    blank: fc.constantFrom('', ' ', '\t '),
    order: fc.shuffledSubarray([0, 1, 2, 3], { minLength: 4 })
  })
  fc.assert(fc.property(fc.array(wish, { minLength: 1, maxLength: 20 }), fc.constantFrom(',', ', ', ' ,,'), fc.boolean(), (wishes, comma, trailing) => {
    const header = wishes.map(({ transferSyntax, q, quoted, blank, order }) => {
      const quote = quoted ? '"' : ''
      const parameters = [`type=${quote}application/dicom${quote}`, `transfer-syntax=${transferSyntax}`, `q=${q}`, 'boundary=**']
      return ['multipart/related', ...order.map(i => parameters[i])].join(`${blank};${blank}`)
    }).join(comma) + (trailing ? ',' : '')
    const specificity = (uid: string) => uid === '*' ? 0 : 1
    const expected = [...wishes].sort((a, b) => b.q - a.q || specificity(b.transferSyntax) - specificity(a.transferSyntax))
    const ranges = parseAccept(header)
    return ranges.length === expected.length &&
      ranges.every((range, i) => range.q === expected[i]?.q && range.transferSyntax === expected[i]?.transferSyntax && range.inner === 'application/dicom')
  }))
})

const METADATA = [{ type: 'application/dicom+json' }, { type: 'application/json' }]

test('metadata leaves as the JSON that the caller prefers', async t => {
  t.equal(choose(parseAccept('application/dicom+json'), METADATA)?.type, 'application/dicom+json')
  t.equal(choose(parseAccept('application/json'), METADATA)?.type, 'application/json')
  t.equal(choose(parseAccept('application/json;q=0.5, application/dicom+json;q=0.4'), METADATA)?.type, 'application/json')
  t.equal(choose(parseAccept('*/*'), METADATA)?.type, 'application/dicom+json')
  t.equal(choose(parseAccept('application/*;q=0.1'), METADATA)?.type, 'application/dicom+json')
  t.equal(choose(parseAccept('*/*, application/dicom+json;q=0'), METADATA)?.type, 'application/json')
  t.equal(choose(parseAccept('multipart/related; type="application/dicom+xml"'), METADATA), undefined)
})

test('the query parameter is asked first, then the header', async t => {
  const browser = 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8'
  t.equal(choose(parseAccept(browser, 'application/json'), METADATA)?.type, 'application/json')
  t.equal(choose(parseAccept('application/json', 'application/dicom json'), METADATA)?.type, 'application/dicom+json', 'a plus that was not encoded')
  t.equal(choose(parseAccept(browser, 'image/jpeg'), METADATA)?.type, 'application/dicom+json', 'the header still allows it')
  t.equal(choose(parseAccept(undefined, 'image/jpeg'), METADATA), undefined)
  t.match(objectAccept(parseAccept('*/*', `multipart/related; type="application/dicom"; transfer-syntax=${JPEG_LS}`), 'application/dicom'), { preference: [JPEG_LS], any: false })
})

test('a transfer syntax that is not named means any', async t => {
  for (const header of ['multipart/related; type="application/dicom"', 'multipart/related; type="application/dicom"; transfer-syntax=*', 'multipart/*', 'multipart/related']) {
    const accept = objectAccept(parseAccept(header), 'application/dicom')
    t.match(accept, { multipart: true, preference: [], any: true }, header)
    t.equal(accept.accepts(JPEG_LS), 1)
  }
})

test('the more exact wish counts: anything but lossy', async t => {
  const accept = objectAccept(parseAccept(`multipart/related; type="application/dicom"; transfer-syntax=*;q=0.5, multipart/related; type="application/dicom"; transfer-syntax=${JPEG};q=0, multipart/related; type="application/dicom"; transfer-syntax=${JPEG_LS}`), 'application/dicom')
  t.same([accept.accepts(JPEG), accept.accepts(JPEG_LS), accept.accepts(EXPLICIT_LE)], [0, 1, 0.5])
  t.same(accept.preference, [JPEG_LS])
  t.equal(accept.any, true)
})

test('one instance may leave as a single part, a series may not', async t => {
  const ranges = parseAccept('application/dicom')
  t.match(objectAccept(ranges, 'application/dicom', true), { multipart: false, any: true })
  t.throws(() => objectAccept(ranges, 'application/dicom'), { code: 'ACCEPT_UNSUPPORTED' })
  t.match(objectAccept(parseAccept('*/*'), 'application/dicom', true), { multipart: true })
  t.match(objectAccept(parseAccept('application/dicom, */*'), 'application/dicom', true), { multipart: false })
  t.match(objectAccept(parseAccept(`application/dicom;transfer-syntax=${JPEG_LS};q=0.5, multipart/related;type="application/dicom";transfer-syntax=${JPEG}`), 'application/dicom', true), { multipart: true, preference: [JPEG] })
})

test('images as JPEG pictures are not objects', async t => {
  for (const header of ['image/jpeg', 'multipart/related; type="image/jpeg"', 'multipart/related; type="application/dicom+xml"', 'application/dicom+json', 'multipart/related; type="application/dicom"; q=0']) {
    t.throws(() => objectAccept(parseAccept(header), 'application/dicom', true), { code: 'ACCEPT_UNSUPPORTED' }, header)
  }
})
