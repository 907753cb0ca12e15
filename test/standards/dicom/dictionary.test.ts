import { test } from 'tap'
import { isUsOrSs, keywordOf, tagOf, vrOf } from '#standards/dicom/dictionary.ts'

test('an attribute is found by its keyword or by its tag, however that is written', async t => {
  for (const spelling of ['StudyInstanceUID', '0020000D', '0020000d', '(0020,000D)']) t.equal(tagOf(spelling), '0020000D')
  t.equal(keywordOf('0020000D'), 'StudyInstanceUID')
  t.equal(tagOf('IssuerOfPatientIDQualifiersSequence'), '00100024')
  for (const unknown of ['', 'studyinstanceuid', '0020000', 'constructor', '__proto__', '0020000D0', 'Nonsense']) {
    t.equal(tagOf(unknown), undefined, unknown)
  }
})

test('each attribute has the value representation of the standard', async t => {
  for (const [tag, vr] of [
    ['00100010', 'PN'], ['0020000D', 'UI'], ['00081115', 'SQ'], ['00400032', 'UT'], ['7FE00001', 'OV'], ['00280008', 'IS'],
    ['7FE00010', 'OW'], ['60003000', 'OW'], ['60FE0010', 'US'], ['50000005', 'US'], ['00203100', 'CS'], ['00203142', 'CS'],
    ['00280106', 'US'], ['00283006', 'OW'], ['00041200', 'UL'],
    ['00080000', 'UL'], ['00090010', 'LO'], ['00091001', 'UN'], ['60013000', 'UN'], ['0008FFFF', 'UN']
  ] as const) t.equal(vrOf(tag), vr, tag)
  t.ok(isUsOrSs(0x00280106))
  t.notOk(isUsOrSs(0x00280100))
  t.equal(keywordOf('60023000'), 'OverlayData')
  t.equal(keywordOf('00091001'), undefined)
})
