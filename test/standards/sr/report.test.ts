import { spawnSync } from 'node:child_process'
import { readFileSync, readdirSync } from 'node:fs'
import fc from 'fast-check'
import { test } from 'tap'
import { decodeDataset } from '#standards/dicom/dataset.ts'
import type { DicomJson } from '#standards/dicom/json.ts'
import { readPart10Head } from '#standards/dicom/part10.ts'
import { readReport } from '#standards/sr/content.ts'
import { reportHtml } from '#standards/sr/html.ts'
import { reportText } from '#standards/sr/text.ts'
import { readDate, readDateTime, readName, readTime } from '#standards/sr/values.ts'
import { skipWithoutDcmtk } from '#test/fixtures/dcmtk.ts'
import { sample, skipWithoutShared } from '#test/fixtures/shared.ts'

const DCMTK_RENDERER = 'dsr2html'
const REPORTS = /^(test-SR|reportsi.*)\.dcm$/

function headOf (file: Buffer): DicomJson {
  const { datasetOffset, transferSyntaxUid } = readPart10Head(file)
  return decodeDataset(file.subarray(datasetOffset), transferSyntaxUid, { stopAtPixelData: true })
}

/** Words and numbers of a page, without its markup, addresses and entities. */
function wordsOf (html: string): string[] {
  return html
    .replace(/<(style|title)[^]*?<\/\1>|<[^>]*>/g, ' ')
    .replace(/&(#\d+|#x[\da-f]+|\w+);/gi, ' ')
    .split(/[^\p{L}\p{N}.]+/u).map(word => word.replace(/^\.+|\.+$/g, '')).filter(word => /[\p{L}\p{N}]{2}|\d/u.test(word))
}

/** What DCMTK's page says in its own words: labels, relationships, sexes, and classes that it doesn't know. */
const OF_DCMTK = new Set((
  'Patient Study Series Completion Flag Predecessor Docs Verification Verifying Observers Content Date Time Manufacturer Referring Physician ' +
  'observed Observation Context Concept Modifier Properties Inferred from Footnote Annex Code Text by This page was generated OFFIS DICOM Toolkit DCMTK ' +
  'COMPLETE PARTIAL VERIFIED UNVERIFIED Document Image Composite Waveform Storage SR Comprehensive Basic Enhanced Organisation Structured Report version other unknown image Acquisition Selected Item reference with presentation state Circle Segment'
).split(' '))
/** dcmtk says "ComprehensiveSRStorage", "1963-05-13"; both are told in another form here. */
const IN_ANOTHER_FORM = /Storage$|^\d{4}$|^\d{2}$|^\d$|^\d\.\d\.\d$|^(19|20)\d\d/

test('a report says all that DCMTK\'s page of it says', { skip: skipWithoutShared || skipWithoutDcmtk }, async t => {
  const names = readdirSync(sample('dicom')).filter(name => REPORTS.test(name))
  for (const name of names) {
    const theirs = spawnSync(DCMTK_RENDERER, ['-Ei', sample(`dicom/${name}`)], { encoding: 'latin1' })
    const html = reportHtml(readReport(headOf(readFileSync(sample(`dicom/${name}`)))))
    const text = reportText(readReport(headOf(readFileSync(sample(`dicom/${name}`)))))
    const ours = new Set(wordsOf(html))
    const plain = new Set(wordsOf(text))
    const wanted = wordsOf(theirs.stdout).filter(word => !OF_DCMTK.has(word) && !IN_ANOTHER_FORM.test(word))
    t.ok(wanted.length > 20, `${name}: ${wanted.length} words`)
    t.same(wanted.filter(word => !ours.has(word)), [], `${name} as HTML`)
    t.same(wanted.filter(word => !plain.has(word)), [], `${name} as text`)
  }
  t.equal(names.length, 3)
})

const sq = (...Value: object[]): DicomJson[string] => ({ vr: 'SQ', Value })
const code = (meaning: string, value = '1'): DicomJson => ({ '00080100': { vr: 'SH', Value: [value] }, '00080102': { vr: 'SH', Value: ['DCM'] }, '00080104': { vr: 'LO', Value: [meaning] } })
const textItem = (name: string, text: string): DicomJson => ({
  '0040A010': { vr: 'CS', Value: ['CONTAINS'] }, '0040A040': { vr: 'CS', Value: ['TEXT'] }, '0040A043': sq(code(name)), '0040A160': { vr: 'UT', Value: [text] }
})
const report = (title: string, ...items: DicomJson[]): DicomJson => ({
  '00080016': { vr: 'UI', Value: ['1.2.840.10008.5.1.4.1.1.88.11'] },
  '00100010': { vr: 'PN', Value: [{ Alphabetic: title }] },
  '0040A040': { vr: 'CS', Value: ['CONTAINER'] },
  '0040A043': sq(code(title)),
  '0040A730': sq(...items)
})

test('whatever a report says, it is text and never markup', async t => {
  const tags = (html: string): string[] => [...html.matchAll(/<\/?([a-z0-9]+)/gi)].map(([, tag]) => tag.toLowerCase())
  const plainTags = new Set(tags(reportHtml(readReport(report('a', textItem('b', 'c'))))))
  fc.assert(fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('<script>alert(1)</script>', '"><img src=x onerror=alert(1)>', '</style><script>', '<!--', ']]>', '&lt;script&gt;', '\u202e<b>')), text => {
    const html = reportHtml(readReport(report(text, textItem(text, text))))
    return tags(html).every(tag => plainTags.has(tag)) && !/[\0\u202e]/.test(html) && !html.includes('<script') && !html.includes('<img')
  }))
  t.match(reportHtml(readReport(report('<b>&"'))), '&lt;b&gt;&amp;&quot;')
  t.notMatch(reportText(readReport(report('x', textItem('y', '\u001b[2Jgone')))), '\u001b')
})

test('a report too long or too deep is refused, one that is merely deep is drawn', async t => {
  let deep = textItem('leaf', 'the deepest word')
  for (let level = 0; level < 60; level++) deep = { '0040A040': { vr: 'CS', Value: ['CONTAINER'] }, '0040A043': sq(code(`level ${level}`)), '0040A730': sq(deep) }
  t.match(reportHtml(readReport(report('deep', deep))), 'the deepest word')
  t.match(reportText(readReport(report('deep', deep))), 'the deepest word')
  const many = Array.from({ length: 60_000 }, () => textItem('a', 'b'))
  t.throws(() => readReport(report('long', ...many)), { code: 'RENDER_UNSUPPORTED' })
  t.throws(() => readReport({}), { code: 'RENDER_UNSUPPORTED' })
})

test('measures, dates and names are written as in France', async t => {
  const measure = (number: string, unit: string, scheme = 'UCUM'): DicomJson => ({
    '0040A040': { vr: 'CS', Value: ['NUM'] },
    '0040A043': sq(code('Diamètre')),
    '0040A300': sq({ '0040A30A': { vr: 'DS', Value: [number] }, '004008EA': sq({ '00080100': { vr: 'SH', Value: [unit] }, '00080102': { vr: 'SH', Value: [scheme] }, '00080104': { vr: 'LO', Value: ['millimètre'] } }) })
  })
  t.match(reportText(readReport(report('m', measure('12.5', 'mm')))), 'Diamètre : 12.5 mm\n')
  t.match(reportText(readReport(report('m', measure('3', '1')))), 'Diamètre : 3\n')
  t.match(reportText(readReport(report('m', measure('3', '121070', 'DCM')))), 'Diamètre : 3 millimètre\n')
  t.same([readDate('20260203'), readDate('2026'), readTime('101500.123'), readTime('10'), readDateTime('20260203101500+0100'), readDateTime('hier'), readName('LEFÈVRE^Zoé^^Dr')], ['03/02/2026', '2026', '10:15:00', '10:00', '03/02/2026 10:15:00 (UTC+01:00)', 'hier', 'Dr LEFÈVRE Zoé'])
})
