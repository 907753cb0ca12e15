import { test } from 'tap'
import fc from 'fast-check'
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { decodeDataset } from '#standards/dicom/dataset.ts'
import { HeadReader } from '#standards/dicom/head.ts'
import { spliceIns } from '#standards/dicom/ins.ts'
import { encodePart10Head, readPart10Head } from '#standards/dicom/part10.ts'
import { DEFLATED_LE, EXPLICIT_BE, EXPLICIT_LE, IMPLICIT_LE } from '#standards/dicom/transfer-syntax.ts'
import { CT_IMAGE_STORAGE, ctInstance, element, sequence, u32, type Writing } from '#test/fixtures/dataset.ts'
import { dcmtk, skipWithoutDcmtk } from '#test/fixtures/dcmtk.ts'
import { sample, skipWithoutShared } from '#test/fixtures/shared.ts'

/** Test identity of the national samples. */
const INS = { value: '279035121518989', oid: '1.2.250.1.213.1.4.10' }

const SYNTAX: Record<Writing, string> = { explicit: EXPLICIT_LE, implicit: IMPLICIT_LE, 'big-endian': EXPLICIT_BE }
const WRITINGS = Object.keys(SYNTAX) as Writing[]

/** The item as the profile asks for it, written without the code under test. */
function insItem (writing: Writing): Buffer {
  return element(0xfffee000, '', Buffer.concat([
    element(0x00100020, 'LO', INS.value, writing),
    element(0x00100022, 'CS', 'TEXT', writing),
    sequence(0x00100024, [Buffer.concat([
      element(0x00400032, 'UT', INS.oid, writing),
      element(0x00400033, 'CS', 'ISO', writing)
    ])], writing)
  ]), writing)
}

function splice (head: Uint8Array, syntax: string): Buffer {
  const { pieces, growth } = spliceIns(head, syntax, INS)
  const bytes = Buffer.concat(pieces)
  assert.equal(bytes.length, head.length + growth)
  return bytes
}

test('the INS is added byte for byte as the profile describes it', async t => {
  t.same(splice(Buffer.alloc(0), EXPLICIT_LE).toString('hex').toUpperCase(), [
    '10000210 5351 0000 6C000000', // (0010,1002) SQ, 108 bytes
    'FEFF00E0 64000000', // item, 100 bytes
    '10002000 4C4F 1000 32373930333531323135313839383920', // (0010,0020) LO 279035121518989
    '10002200 4353 0400 54455854', // (0010,0022) CS TEXT
    '10002400 5351 0000 34000000', // (0010,0024) SQ, 52 bytes
    'FEFF00E0 2C000000', // item, 44 bytes
    '40003200 5554 0000 14000000 312E322E3235302E312E3231332E312E342E3130', // (0040,0032) UT 1.2.250.1.213.1.4.10
    '40003300 4353 0400 49534F20' // (0040,0033) CS ISO
  ].join('').replaceAll(' ', ''))
})

test('an object without other identifiers gets the INS in its place, and nothing else changes', async t => {
  for (const writing of WRITINGS) {
    const head = ctInstance({ writing })
    const before = Buffer.concat([element(0x00100020, 'LO', 'IPP-0042', writing)])
    const at = head.indexOf(before) + before.length
    const items = insItem(writing)
    const expected = Buffer.concat([head.subarray(0, at), element(0x00101002, 'SQ', items, writing), head.subarray(at)])
    t.same(splice(head, SYNTAX[writing]), expected, writing)
  }
})

test('identifiers that the hospital wrote stay byte for byte, and the INS comes after them', async t => {
  const before = (writing: Writing): Buffer => element(0x00100020, 'LO', 'IPP', writing)
  const after = (writing: Writing): Buffer => element(0x00101010, 'AS', '042Y', writing)
  for (const writing of WRITINGS) {
    const item = Buffer.concat([
      element(0x00100020, 'LO', 'OLD-ID', writing),
      sequence(0x00100024, [element(0x00400032, 'UT', '1.2.3', writing)], writing, 'undefined')
    ])
    for (const items of [[], [item], [item, item]]) {
      const withItems = (added: Buffer): Buffer => {
        const inner = items.map(each => element(0xfffee000, '', each, writing))
        return Buffer.concat([before(writing), element(0x00101002, 'SQ', Buffer.concat([...inner, added]), writing), after(writing)])
      }
      t.same(splice(withItems(Buffer.alloc(0)), SYNTAX[writing]), withItems(insItem(writing)), `${writing}, ${items.length} items`)

      const open = sequence(0x00101002, items, writing, 'undefined')
      const expected = Buffer.concat([before(writing), open.subarray(0, -8), insItem(writing), open.subarray(-8), after(writing)])
      t.same(splice(Buffer.concat([before(writing), open, after(writing)]), SYNTAX[writing]), expected, `${writing}, without lengths`)
    }
  }
})

test('a sequence that an archive stored as UN is continued in the form that it has inside', async t => {
  const item = element(0xfffee000, '', element(0x00100020, 'LO', 'OLD-ID', 'implicit'), 'implicit')
  t.same(splice(element(0x00101002, 'UN', item), EXPLICIT_LE),
    element(0x00101002, 'UN', Buffer.concat([item, insItem('implicit')])))
  const end = element(0xfffee0dd, '')
  t.same(splice(element(0x00101002, 'UN', Buffer.concat([item, end]), 'explicit', 0xffffffff), EXPLICIT_LE),
    element(0x00101002, 'UN', Buffer.concat([item, insItem('implicit'), end]), 'explicit', 0xffffffff))
})

test('a group length of the patient group is corrected', async t => {
  for (const writing of WRITINGS) {
    const name = element(0x00100010, 'PN', 'DUPONT', writing)
    const head = (length: number): Buffer => element(0x00100000, 'UL', u32(length, writing === 'big-endian'), writing)
    const added = element(0x00101002, 'SQ', insItem(writing), writing)
    const tail = element(0x0020000d, 'UI', '1.2', writing)
    t.same(splice(Buffer.concat([head(name.length), name, tail]), SYNTAX[writing]),
      Buffer.concat([head(name.length + added.length), name, added, tail]), writing)
  }
})

test('whatever else an object holds leaves as it came', async () => {
  const patientId = fc.stringMatching(/^[A-Z0-9]{0,12}$/)
  const other = fc.record({ tag: fc.integer({ min: 0x00080001, max: 0x7fdfffff }), value: fc.uint8Array({ maxLength: 40 }) })
  fc.assert(fc.property(fc.constantFrom(...WRITINGS), fc.array(other, { maxLength: 12 }), fc.array(patientId, { maxLength: 3 }),
    fc.constantFrom('absent', 'defined', 'undefined'), fc.uint8Array({ maxLength: 50 }), (writing, others, ids, lengths, pixels) => {
      const elements = others
        .filter(({ tag }) => tag % 0x10000 !== 0 && tag !== 0x00101002)
        .map(({ tag, value }) => ({ tag, bytes: element(tag, 'OB', value, writing) }))
      if (lengths !== 'absent') {
        const items = ids.map(id => element(0x00100020, 'LO', id, writing))
        elements.push({ tag: 0x00101002, bytes: sequence(0x00101002, items, writing, lengths as 'defined') })
      }
      elements.sort((a, b) => a.tag - b.tag)
      const head = Buffer.concat([...elements.map(({ bytes }) => bytes), element(0x7fe00010, 'OB', pixels, writing)])
      const spliced = splice(head, SYNTAX[writing])
      assert.ok(spliced.includes(insItem(writing)))
      for (const { tag, bytes } of elements) if (tag !== 0x00101002) assert.ok(spliced.includes(bytes))
      assert.ok(spliced.subarray(-pixels.length - 8).equals(head.subarray(-pixels.length - 8)))

      if (writing === 'implicit') return // arbitrary tags there would mean arbitrary VRs
      const { '00101002': before, ...restBefore } = decodeDataset(head, SYNTAX[writing])
      const { '00101002': after, ...restAfter } = decodeDataset(spliced, SYNTAX[writing])
      assert.deepEqual(restAfter, restBefore)
      assert.deepEqual(after?.Value?.slice(0, -1), before?.Value ?? [])
    }), { numRuns: 300 })
})

test('the head alone is looked at: the pieces are views of what came, not copies', async t => {
  const head = ctInstance({ pixelBytes: 512 * 512 * 2 })
  const { pieces } = spliceIns(head, EXPLICIT_LE, INS)
  t.equal(pieces.at(-1)!.buffer, head.buffer)
  t.ok(pieces.at(-1)!.length > 512 * 512 * 2)
})

test('what cannot be given an INS is told', async t => {
  t.throws(() => spliceIns(ctInstance(), DEFLATED_LE, INS), { code: 'NOT_OFFERED' })
  t.throws(() => spliceIns(element(0x00101002, 'LO', 'x'), EXPLICIT_LE, INS), { code: 'DATA_MALFORMED' })
  t.throws(() => spliceIns(element(0x00080018, 'UI', '1.2', 'explicit', 90), EXPLICIT_LE, INS), { code: 'DATA_MALFORMED' })
  for (const value of ['', '279035121518', '27903512151898\\', '2790351215189890']) {
    t.throws(() => spliceIns(ctInstance(), EXPLICIT_LE, { ...INS, value }), { code: 'DATA_MALFORMED', facts: {} })
  }
  t.same(spliceIns(ctInstance(), EXPLICIT_LE, { ...INS, value: '279032A12151898' }).growth, 120)
})

test('real objects keep all that they were', { skip: skipWithoutShared }, async t => {
  for (const name of ['CT_small.dcm', 'MR_small_implicit.dcm', 'MR_small_bigendian.dcm', 'JPEG2000.dcm', 'rtplan.dcm', 'test-SR.dcm']) {
    const bytes = readFileSync(sample(`dicom/${name}`))
    const meta = readPart10Head(bytes)
    const dataset = bytes.subarray(meta.datasetOffset)
    const reader = new HeadReader(meta.transferSyntaxUid)
    reader.push(dataset)
    const head = dataset.subarray(0, reader.pixelOffset)
    const { '00101002': before, ...restBefore } = decodeDataset(head, meta.transferSyntaxUid)
    const { '00101002': after, ...restAfter } = decodeDataset(splice(head, meta.transferSyntaxUid), meta.transferSyntaxUid)
    t.strictSame(restAfter, restBefore, name)
    t.equal(after?.Value?.length, (before?.Value?.length ?? 0) + 1, name)
  }
})

test('DCMTK reads the INS where we put it', { skip: skipWithoutDcmtk }, async t => {
  const path = `${t.testdir({})}/ins.dcm`
  writeFileSync(path, Buffer.concat([
    encodePart10Head({ sopClassUid: CT_IMAGE_STORAGE, sopInstanceUid: '1.2.3.4.1.1.1', transferSyntaxUid: EXPLICIT_LE }),
    splice(ctInstance(), EXPLICIT_LE)
  ]))
  const item = JSON.parse(dcmtk('dcm2json', path))['00101002'].Value[0]
  t.match(item, { '00100020': { Value: [INS.value] }, '00100022': { Value: ['TEXT'] } })
  t.match(item['00100024'].Value[0], { '00400032': { Value: [INS.oid] }, '00400033': { Value: ['ISO'] } })
})
