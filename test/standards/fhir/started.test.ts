import { test } from 'tap'
import { parseStarted, PREFIXES, startedText, studySpan } from '#standards/fhir/started.ts'

const holds = (asked: string, date: string, time?: string, offset?: string): boolean => {
  const started = parseStarted(asked)
  const span = studySpan(date, time, offset)
  if (started === undefined || span === undefined) throw new Error(asked)
  return PREFIXES[started.prefix](span, started.span)
}

test('a date means all of its day, month or year', t => {
  t.ok(holds('2025-03-12', '20250312', '235959'))
  t.notOk(holds('2025-03-12', '20250313', '000000'))
  t.ok(holds('2025-03', '20250331'))
  t.ok(holds('2025', '20251231'))
  t.notOk(holds('2025', '20260101'))
  t.end()
})

test('prefixes compare as R4 says', t => {
  t.ok(holds('ge2025-03-12', '20250312'))
  t.notOk(holds('gt2025-03-12', '20250312', '10'))
  t.ok(holds('gt2025-03-12', '20250313'))
  t.ok(holds('le2025-03-12', '20250312'))
  t.notOk(holds('lt2025-03-12', '20250312'))
  t.ok(holds('lt2025-03-12', '20250311'))
  t.ok(holds('sa2025-03-12', '20250313', '0000'))
  t.ok(holds('eb2025-03-12', '20250311', '2359'))
  t.end()
})

test('times are compared where both sides have them, offsets included', t => {
  t.ok(holds('ge2025-03-12T10:00:00+01:00', '20250312', '101500', '+0100'))
  t.notOk(holds('ge2025-03-12T10:00:00Z', '20250312', '101500', '+0100'))
  t.ok(holds('2025-03-12T10:15:00+01:00', '20250312', '101500', '+0100'))
  t.end()
})

test('what is no date of the calendar, or has a prefix that isn\'t supported, is none', t => {
  for (const text of ['2025-02-30', '2025-13', '25-01-01', 'ne2025', 'ap2025-01-01', '2025-01-01T25:00', 'yesterday', '', '2025-01-01 10:00']) t.equal(parseStarted(text), undefined, text)
  t.end()
})

test('a study\'s start is told to the day, or with time and offset', t => {
  t.equal(startedText('20250312', undefined, undefined), '2025-03-12')
  t.equal(startedText('20250312', '10', '+0100'), '2025-03-12', 'an hour alone is no FHIR time')
  t.equal(startedText('20250312', '1015', '+0100'), '2025-03-12T10:15:00+01:00')
  t.match(startedText('20250312', '101500.250', undefined), /^2025-03-12T10:15:00[+-]\d\d:\d\d$/)
  t.equal(startedText('00000000', '101500', undefined), undefined)
  t.end()
})
