import { test } from 'tap'
import { encodeAttributes, encodePixels } from '#sim/dataset-writer.ts'

const hex = (text: string): string => text.replace(/\s/g, '').toLowerCase()

test('text is written in the character set that the data set declares', async t => {
  t.equal(encodeAttributes({ PatientName: 'ÇELIK', SpecificCharacterSet: 'ISO_IR 100' }, true).toString('hex'), hex(`
    08 00 05 00 43 53 0A 00 49 53 4F 5F 49 52 20 31 30 30
    10 00 10 00 50 4E 06 00 C7 45 4C 49 4B 20`))
  t.equal(encodeAttributes({ PatientName: 'ÇELIK', SpecificCharacterSet: 'ISO_IR 192' }, false).subarray(18).toString('hex'), hex(`
    10 00 10 00 06 00 00 00 C3 87 45 4C 49 4B`))
  t.throws(() => encodeAttributes({ PatientName: 'Œ', SpecificCharacterSet: 'ISO_IR 100' }, true))
})

test('sequences, numbers and tags are laid out as PS3.5 says', async t => {
  t.equal(encodeAttributes({ Rows: 512, FrameIncrementPointer: 0x00181063, ReferencedStudySequence: [{ StudyID: '7' }] }, true).toString('hex'), hex(`
    08 00 10 11 53 51 00 00 12 00 00 00
      FE FF 00 E0 0A 00 00 00
        20 00 10 00 53 48 02 00 37 20
    28 00 09 00 41 54 04 00 18 00 63 10
    28 00 10 00 55 53 02 00 00 02`))
})

test('compressed frames are fragments behind an offset table', async t => {
  t.equal(Buffer.concat(encodePixels({ frames: [Buffer.of(1, 2, 3), Buffer.of(4, 5)], offsetTable: true }, true)).toString('hex'), hex(`
    E0 7F 10 00 4F 42 00 00 FF FF FF FF
    FE FF 00 E0 08 00 00 00 00 00 00 00 0C 00 00 00
    FE FF 00 E0 04 00 00 00 01 02 03 00
    FE FF 00 E0 02 00 00 00 04 05
    FE FF DD E0 00 00 00 00`))
})
