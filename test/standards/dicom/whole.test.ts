import { test } from 'tap'
import { EXPLICIT_LE, IMPLICIT_LE, JPEG_BASELINE, DEFLATED_LE } from '#standards/dicom/transfer-syntax.ts'
import { WholeReader } from '#standards/dicom/whole.ts'
import { element, fragments, sequence } from '#test/fixtures/dataset.ts'

const TEXTS = [element(0x00080018, 'UI', '1.2.3'), element(0x00100010, 'PN', 'LEFEVRE^Zoe')]
const ITEMS = sequence(0x00081140, [element(0x00081155, 'UI', '1.2.3.4')], 'explicit', 'undefined')
const NATIVE = Buffer.concat([...TEXTS, ITEMS, element(0x7fe00010, 'OW', Buffer.alloc(64, 7))])
const ENCAPSULATED = Buffer.concat([...TEXTS, fragments([Buffer.alloc(30, 1), Buffer.alloc(12, 2)], [0])])

const isCut = (bytes: Uint8Array, syntax: string, pieceBytes = Infinity): boolean => {
  const reader = new WholeReader(syntax)
  for (let at = 0; at < bytes.length; at += pieceBytes) reader.push(bytes.subarray(at, Math.min(at + pieceBytes, bytes.length)))
  return reader.cut
}

test('a data set that ends where it says is whole, however it arrives', t => {
  for (const pieceBytes of [1, 3, 7, 64, Infinity]) {
    t.notOk(isCut(NATIVE, EXPLICIT_LE, pieceBytes))
    t.notOk(isCut(ENCAPSULATED, JPEG_BASELINE, pieceBytes))
    t.notOk(isCut(Buffer.concat([element(0x00080018, 'UI', '1.2.3', 'implicit'), element(0x7fe00010, 'OW', Buffer.alloc(8), 'implicit')]), IMPLICIT_LE, pieceBytes))
    t.notOk(isCut(Buffer.concat([NATIVE, Buffer.alloc(6)]), EXPLICIT_LE, pieceBytes), 'zeros that fill up a block')
  }
  t.end()
})

test('one that is cut anywhere but between two elements is seen to be', t => {
  const ends = new Set([TEXTS[0].length, TEXTS[0].length + TEXTS[1].length])
  const check = (bytes: Buffer, syntax: string): void => {
    for (let length = 1; length < bytes.length; length++) {
      const atEnd = ends.has(length) || (bytes === NATIVE && length === TEXTS[0].length + TEXTS[1].length + ITEMS.length)
      if (isCut(bytes.subarray(0, length), syntax, 5) === atEnd) t.fail(`cut after ${length}`)
    }
  }
  check(NATIVE, EXPLICIT_LE)
  check(ENCAPSULATED, JPEG_BASELINE)
  t.ok(isCut(Buffer.alloc(0), EXPLICIT_LE), 'nothing at all')
  t.end()
})

test('of what can\'t be followed nothing is said', t => {
  t.notOk(isCut(Buffer.from('4bca0000', 'hex'), DEFLATED_LE))
  t.notOk(isCut(Buffer.concat([element(0xfffee00d, ''), Buffer.alloc(3, 1)]), EXPLICIT_LE), 'an end without a beginning: the PACS may know better')
  t.end()
})
