import { test } from 'tap'
import fc from 'fast-check'
import assert from 'node:assert/strict'
import { characterSetFor, decodeText, encodeText } from '#standards/dicom/charset.ts'

/** A name as PS3.5 prints it: ESC for the byte 1B, \x.. for bytes beyond ASCII. */
function printed (text: string): Buffer {
  return Buffer.from(text.replaceAll('ESC', '\x1b'), 'latin1')
}

const EXAMPLES = [
  {
    name: 'H.3.1, Japanese in ASCII and JIS X 0208',
    sets: ['', 'ISO 2022 IR 87'],
    text: 'Yamada^Tarou=山田^太郎=やまだ^たろう',
    bytes: printed('Yamada^Tarou=ESC$B;3EDESC(B^ESC$BB@O:ESC(B=ESC$B$d$^$@ESC(B^ESC$B$?$m$&ESC(B')
  },
  {
    name: 'H.3.2, Japanese in JIS X 0201 and JIS X 0208',
    sets: ['ISO 2022 IR 13', 'ISO 2022 IR 87'],
    text: 'ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう',
    bytes: printed('\xd4\xcf\xc0\xde^\xc0\xdb\xb3=ESC$B;3EDESC(J^ESC$BB@O:ESC(J=ESC$B$d$^$@ESC(J^ESC$B$?$m$&ESC(J')
  },
  {
    name: 'I.2, Korean',
    sets: ['', 'ISO 2022 IR 149'],
    text: 'Hong^Gildong=洪^吉洞=홍^길동',
    bytes: printed('Hong^Gildong=ESC$)C\xfb\xf3^ESC$)C\xd1\xce\xd4\xd7=ESC$)C\xc8\xab^ESC$)C\xb1\xe6\xb5\xbf')
  },
  {
    name: 'K.2, Chinese in GB 2312',
    sets: ['', 'ISO 2022 IR 58'],
    text: 'Zhang^XiaoDong=张^小东=',
    bytes: printed('Zhang^XiaoDong=ESC$)A\xd5\xc5^ESC$)A\xd0\xa1\xb6\xab=')
  },
  { name: 'J.1, Chinese in UTF-8', sets: ['ISO_IR 192'], text: 'Wang^XiaoDong=王^小東=', bytes: Buffer.from('Wang^XiaoDong=王^小東=') },
  { name: 'J.3, Chinese in GB 18030', sets: ['GB18030'], text: 'Wang^XiaoDong=王^小东=', bytes: printed('Wang^XiaoDong=\xcd\xf5^\xd0\xa1\xb6\xab=') }
]

for (const { name, sets, text, bytes } of EXAMPLES) {
  test(`the name of PS3.5 ${name}, is read and written as printed there`, async t => {
    t.equal(decodeText(bytes, sets, 'PN'), text)
    t.same(encodeText(text, sets, 'PN'), bytes)
  })
}

const SINGLE_BYTE: Record<string, string> = {
  'ISO_IR 100': 'Lefèvre^Hélène Ångström ß',
  'ISO_IR 203': 'Sacré-Cœur Ÿ Œuvre 10 €',
  'ISO_IR 101': 'Dvořák^Łukasz',
  'ISO_IR 109': 'Ġorġ^Ħamrun',
  'ISO_IR 110': 'Jūratė^Šķiņa',
  'ISO_IR 144': 'Люкceмбypг',
  'ISO_IR 127': 'قباني^لنزار',
  'ISO_IR 126': 'Διονυσιος',
  'ISO_IR 138': 'שרון^דבורה',
  'ISO_IR 148': 'Gökçe^Işıl',
  'ISO_IR 166': 'สมชาย',
  'ISO_IR 13': 'ﾔﾏﾀﾞ^ﾀﾛｳ'
}

test('every character set of one byte is read and written without losing a letter', async t => {
  for (const [term, text] of Object.entries(SINGLE_BYTE)) {
    const bytes = encodeText(text, [term], 'PN')
    t.equal(bytes.length, [...text].length, term)
    t.equal(decodeText(bytes, [term], 'PN'), text, term)
    const asExtension = ['', term.replace('ISO_IR', 'ISO 2022 IR')]
    t.equal(decodeText(encodeText(text, asExtension, 'PN'), asExtension, 'PN'), text, `${term} by escape`)
  }
})

test('whatever can be written is read again as it was', async t => {
  const sets = [[], ['ISO_IR 192'], ['GB18030'], ['GBK'], ['', 'ISO 2022 IR 87', 'ISO 2022 IR 159', 'ISO 2022 IR 13'],
    ['ISO 2022 IR 100', 'ISO 2022 IR 144', 'ISO 2022 IR 126', 'ISO 2022 IR 149', 'ISO 2022 IR 58'],
    ...Object.keys(SINGLE_BYTE).map(term => [term])]
  const letters = [...new Set([...Object.values(SINGLE_BYTE).join(''), ...EXAMPLES.map(({ text }) => text).join(''), ...'aZ ^=\\\r\n丂髙𠀀😀¥‾~'])]
  const text = fc.oneof(
    fc.array(fc.constantFrom(...letters), { maxLength: 12 }).map(parts => parts.join('')),
    fc.string({ unit: 'grapheme', maxLength: 8 })
  )
  let written = 0
  fc.assert(fc.property(fc.constantFrom(...sets), text, fc.constantFrom('PN', 'LO', 'LT'), (set, text, vr) => {
    let bytes
    try {
      bytes = encodeText(text, set, vr)
    } catch {
      return
    }
    written++
    assert.deepEqual(decodeText(bytes, set, vr), text)
  }), { numRuns: 3000 })
  t.ok(written > 300, 'the property speaks about something')
})

test('GB 18030 and UTF-8 can write every character there is', async () => {
  fc.assert(fc.property(fc.string({ unit: fc.integer({ min: 0x20, max: 0x10ffff }).filter(point => point < 0xd800 || point > 0xdfff).map(point => String.fromCodePoint(point)) }), text => {
    for (const set of [['GB18030'], ['ISO_IR 192']]) {
      if (set[0] === 'GB18030' && UNMAPPED.test(text)) continue
      assert.deepEqual(decodeText(encodeText(text, set, 'LT'), set, 'LT'), text)
    }
  }), { numRuns: 500 })
})
/** Private use and U+FFFD: ICU's table and ours may differ there, and no name has them. */
const UNMAPPED = /[\ue000-\uf8ff\ufffd]|\ue5e5/

test('any bytes at all are read as some text, and never refused', async t => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 40 }), fc.constantFrom([], ['ISO_IR 192'], ['GB18030'], ['ISO 2022 IR 13', 'ISO 2022 IR 87'], ['', 'ISO 2022 IR 149']), (bytes, sets) => {
    assert.equal(typeof decodeText(bytes, sets, 'PN'), 'string')
  }))
  t.equal(decodeText(printed('aESC(Zb'), ['', 'ISO 2022 IR 87'], 'LO'), 'a\ufffd(Zb')
})

test('the defined terms are understood as the field spells them', async t => {
  const bytes = printed('\xe9')
  for (const term of ['ISO_IR 100', 'ISO IR 100', 'ISO-IR 100', 'ISO_IR100', 'iso_ir 100', 'ISO 2022 IR 100', ' ISO_IR 100 ']) {
    t.equal(decodeText(bytes, [term], 'LO'), 'é', term)
  }
  for (const term of ['ISO_IR 192', 'UTF-8', 'ISO 2022 IR 192']) t.equal(decodeText(Buffer.from('é'), [term], 'LO'), 'é', term)
})

test('an accent without any declared character set is read as the sender most likely meant it', async t => {
  t.equal(decodeText(Buffer.from('Hélène'), [], 'PN'), 'Hélène')
  t.equal(decodeText(printed('H\xe9l\xe8ne'), [], 'PN'), 'Hélène')
  t.equal(decodeText(printed('\xc8\xab'), ['', 'ISO 2022 IR 149'], 'PN'), '홍')
})

test('a text that its character set cannot hold is refused rather than changed', async t => {
  t.throws(() => encodeText('Œuvre', ['ISO_IR 100'], 'PN'), { code: 'QUERY_INVALID' })
  t.throws(() => encodeText('é', [], 'PN'), { code: 'QUERY_INVALID' })
  t.throws(() => encodeText('\ud800', ['ISO_IR 192'], 'PN'), { code: 'QUERY_INVALID' })
  t.throws(() => encodeText('5¥', ['ISO_IR 13'], 'LO'), { code: 'QUERY_INVALID' }, 'a yen would separate two values')
  t.same(encodeText('5¥', ['ISO_IR 13'], 'LT'), printed('5\x5c'))
})

test('a query is written in the smallest character set that an old PACS can read', async t => {
  t.same(characterSetFor(['DUPONT', 'CT']), [])
  t.same(characterSetFor(['Lefèvre']), ['ISO_IR 100'])
  t.same(characterSetFor(['Lefèvre', 'Sacré-Cœur']), ['ISO_IR 203'])
  t.same(characterSetFor(['Dvořák']), ['ISO_IR 192'])
  t.same(characterSetFor(['Dvořák'], ['ISO_IR 101']), ['ISO_IR 101'])
  t.same(characterSetFor(['山田'], ['ISO_IR 100']), ['ISO_IR 192'])
})
