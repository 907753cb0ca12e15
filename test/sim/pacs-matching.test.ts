import { test } from 'tap'
import { matches } from '#sim/pacs-matching.ts'

test('an empty key and a lone star match everything, even what has no value (PS3.4 C.2.2.2.3)', async t => {
  for (const key of [undefined, '', ' ', '*', []]) t.ok(matches('AccessionNumber', key, []))
})

test('stars and question marks are wild in text, not in dates or UIDs', async t => {
  t.ok(matches('StudyDescription', 'TDM*pelvien*', ['TDM thoraco-abdomino-pelvien']))
  t.ok(matches('AccessionNumber', 'ACC2?-0011', ['ACC25-0011']))
  t.notOk(matches('AccessionNumber', 'acc25-0011', ['ACC25-0011']), 'case counts outside names')
  t.notOk(matches('StudyInstanceUID', '1.2.*', ['1.2.3']))
  t.notOk(matches('StudyDescription', 'T.M', ['TDM']), 'a dot is a dot')
})

test('a name is found in any case, accents counting', async t => {
  t.ok(matches('PatientName', 'lefèvre^zoé', ['LEFÈVRE^Zoé']))
  t.ok(matches('PatientName', 'LEFÈVRE^Zoé^^^', ['LEFÈVRE^Zoé']))
  t.notOk(matches('PatientName', 'LEFEVRE*', ['LEFÈVRE^Zoé']))
})

test('ranges of dates and times include their ends', async t => {
  for (const key of ['20250101-20250131', '20250131', '-20250131', '20250131-']) t.ok(matches('StudyDate', key, ['20250131']), key)
  for (const key of ['20250201-', '-20250130', '20250130']) t.notOk(matches('StudyDate', key, ['20250131']), key)
  for (const key of ['1015', '10-11', '-101502', '101502-', '1015-1015']) t.ok(matches('StudyTime', key, ['101502']), key)
  t.notOk(matches('StudyDate', '20250101-', ['']))
})

test('any of a list of UIDs, and any of several values, will do', async t => {
  t.ok(matches('StudyInstanceUID', ['1.2', '1.3'], ['1.3']))
  t.ok(matches('ModalitiesInStudy', 'SR', ['CT', 'SR']))
  t.notOk(matches('ModalitiesInStudy', 'MR', ['CT', 'SR']))
})

test('a number asked for without a value matches every number', t => {
  t.ok(matches('Rows', '0', ['512']))
  t.ok(matches('Rows', '512', ['512']))
  t.notOk(matches('Rows', '256', ['512']))
  t.end()
})
