import fc from 'fast-check'
import { test } from 'tap'
import type { DicomJson } from '#standards/dicom/json.ts'
import { ITEM_TABLE, readTable } from '#standards/pixels/lookup-table.ts'

const PALETTE = { descriptor: '00281101', data: '00281201', segmented: '00281221' }
const ow = (words: readonly number[]): DicomJson[string] => ({ vr: 'OW', InlineBinary: Buffer.from(Uint16Array.from(words).buffer).toString('base64') })
const us = (...Value: number[]): DicomJson[string] => ({ vr: 'US', Value })

test('segments expand as PS3.3 §C.7.9.2 says: discrete, linear, and copies of both', async t => {
  const table = readTable({
    '00281101': us(16, 0, 16),
    '00281221': ow([0, 2, 100, 200, /* line to 400 in 4 */ 1, 4, 400, /* both again */ 2, 2, 0, 0, /* line */ 1, 4, 0])
  }, PALETTE, false)
  t.same([...table?.entries ?? []], [100, 200, 250, 300, 350, 400, 100, 200, 250, 300, 350, 400, 300, 200, 100, 0])
})

test('a table of bytes, of words, of values, and of as many entries as a descriptor can\'t count', async t => {
  t.same(readTable({ '00283002': us(4, 0, 8), '00283006': { vr: 'OW', InlineBinary: Buffer.of(1, 2, 3, 4).toString('base64') } }, ITEM_TABLE, false)?.entries, Uint16Array.of(1, 2, 3, 4))
  t.same(readTable({ '00283002': us(4, 0, 12), '00283006': ow([1, 2, 3, 4]) }, ITEM_TABLE, false)?.entries, Uint16Array.of(1, 2, 3, 4))
  t.same(readTable({ '00283002': us(2, 65436, 12), '00283006': us(7, 9) }, ITEM_TABLE, true), { first: -100, entries: Uint16Array.of(7, 9), bits: 12 })
  t.equal(readTable({ '00283002': us(0, 0, 16), '00283006': ow(Array.from({ length: 65536 }, () => 5)) }, ITEM_TABLE, false)?.entries.length, 65536)
  t.equal(readTable({ '00283002': us(2, 0, 8), '00283006': us(1, 4095) }, ITEM_TABLE, false)?.bits, 12, 'more bits than were promised')
  t.equal(readTable({}, ITEM_TABLE, false), undefined)
  t.throws(() => readTable({ '00283002': us(2, 0, 8), '00283006': ow([]) }, ITEM_TABLE, false), { code: 'DATA_MALFORMED' })
})

test('whatever the segments are, the table ends where its descriptor says', async t => {
  fc.assert(fc.property(fc.array(fc.oneof(fc.nat(3), fc.nat(65535)), { maxLength: 200 }), fc.integer({ min: 1, max: 65535 }), (words, count) => {
    try {
      const table = readTable({ '00281101': us(count, 0, 16), '00281221': ow(words) }, PALETTE, false)
      return table === undefined || table.entries.length <= count
    } catch (error) {
      return (error as { code?: string }).code === 'DATA_MALFORMED'
    }
  }))
  t.pass()
})
