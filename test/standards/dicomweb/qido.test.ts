import fc from 'fast-check'
import { test } from 'tap'
import { decodeDataset, encodeDataset } from '#standards/dicom/dataset.ts'
import { keywordOf, tagOf } from '#standards/dicom/dictionary.ts'
import type { DicomJson } from '#standards/dicom/json.ts'
import { parseQido, qidoAnswer, warningHeader } from '#standards/dicomweb/qido.ts'
import type { Level } from '#standards/dicomweb/query-levels.ts'

const studies = (query: string) => parseQido('STUDY', {}, new URLSearchParams(query))
const series = (query: string, study?: string) => parseQido('SERIES', study === undefined ? {} : { study }, new URLSearchParams(query))

/** The matching keys of an identifier, by keyword. */
function matching (identifier: DicomJson): Record<string, unknown> {
  return Object.fromEntries(Object.entries(identifier).filter(([, { Value }]) => Value !== undefined).map(([tag, { Value }]) => [keywordOf(tag), Value]))
}

const keywords = (identifier: DicomJson) => Object.keys(identifier).map(keywordOf).sort()

test('a search for a patient by name finds accents as they were typed', async t => {
  const { identifier } = studies('PatientName=LEF%C3%88VRE%5E%C3%89lo%C3%AFse*')
  t.same(identifier['00100010'], { vr: 'PN', Value: [{ Alphabetic: 'LEFÈVRE^Éloïse*' }] })
  t.same(studies('00100010=E%CC%81loi%CC%88se').identifier['00100010']?.Value, [{ Alphabetic: 'Éloïse' }], 'decomposed accents are composed')
  t.same(studies('PatientName=Yamada^Tarou=山田^太郎=やまだ^たろう').identifier['00100010']?.Value, [{ Alphabetic: 'Yamada^Tarou', Ideographic: '山田^太郎', Phonetic: 'やまだ^たろう' }])
})

test('accents that are not UTF-8 are told, instead of finding nobody', async t => {
  t.throws(() => studies('PatientName=LEF%C8VRE'), { code: 'QUERY_INVALID', facts: { key: 'PatientName' } })
})

test('a name is never quoted in an error', async t => {
  try {
    studies('PatientName=DUPONT=A=B=C')
    t.fail('taken')
  } catch (error) {
    t.notMatch(JSON.stringify({ error, message: (error as Error).message }), /DUPONT/)
  }
})

test('a search for studies without any key asks for the attributes of PS3.18 Table 10.6.3-3', async t => {
  const { identifier, relational, steps, limit, offset, fuzzy, warnings } = studies('')
  t.same(keywords(identifier), [
    'AccessionNumber', 'InstanceAvailability', 'ModalitiesInStudy', 'NumberOfStudyRelatedInstances', 'NumberOfStudyRelatedSeries', 'PatientBirthDate',
    'PatientID', 'PatientName', 'PatientSex', 'QueryRetrieveLevel', 'ReferringPhysicianName', 'StudyDate', 'StudyID', 'StudyInstanceUID', 'StudyTime',
    'TimezoneOffsetFromUTC'
  ])
  t.same(matching(identifier), { QueryRetrieveLevel: ['STUDY'] })
  t.same({ relational, limit, offset, fuzzy, warnings }, { relational: false, limit: undefined, offset: 0, fuzzy: false, warnings: [] })
  t.same(steps, [{ level: 'STUDY', identifier }])
})

test('series of a study and instances of a series are one question each', async t => {
  const ofStudy = series('', '1.2')
  t.same(matching(ofStudy.identifier), { QueryRetrieveLevel: ['SERIES'], StudyInstanceUID: ['1.2'], RequestAttributesSequence: [{ '00400009': { vr: 'SH' }, '00401001': { vr: 'SH' } }] })
  t.same(ofStudy.steps, [{ level: 'SERIES', identifier: ofStudy.identifier }])
  t.notOk(ofStudy.relational)
  t.notOk('00100010' in ofStudy.identifier, 'who the patient is was known already')

  const ofSeries = parseQido('IMAGE', { study: '1.2', series: '1.3' }, new URLSearchParams())
  t.same(matching(ofSeries.identifier), { QueryRetrieveLevel: ['IMAGE'], StudyInstanceUID: ['1.2'], SeriesInstanceUID: ['1.3'] })
  t.same(keywords(ofSeries.identifier), [
    'BitsAllocated', 'Columns', 'InstanceAvailability', 'InstanceNumber', 'NumberOfFrames', 'QueryRetrieveLevel', 'Rows', 'SOPClassUID', 'SOPInstanceUID',
    'SeriesInstanceUID', 'StudyInstanceUID', 'TimezoneOffsetFromUTC'
  ])
  t.notOk(ofSeries.relational)
})

test('series of all studies are asked relationally, or step by step of a PACS that cannot', async t => {
  const request = series('PatientID=42&Modality=CT')
  t.ok(request.relational)
  t.match(matching(request.identifier), { QueryRetrieveLevel: ['SERIES'], PatientID: ['42'], Modality: ['CT'] })
  t.same(request.steps.map(({ level }) => level), ['STUDY', 'SERIES'])
  t.same(matching(request.steps[0]!.identifier), { QueryRetrieveLevel: ['STUDY'], PatientID: ['42'] })
  t.match(matching(request.steps[1]!.identifier), { QueryRetrieveLevel: ['SERIES'], Modality: ['CT'] })
  t.notOk('00100020' in request.steps[1]!.identifier)
  t.ok('00100010' in request.identifier, 'series from everywhere say whose they are')

  const instances = parseQido('IMAGE', { study: '1.2' }, new URLSearchParams('SOPClassUID=1.2.840.10008.5.1.4.1.1.2'))
  t.same(instances.steps.map(({ level }) => level), ['SERIES', 'IMAGE'])
  t.same(instances.steps.map(({ identifier }) => identifier['0020000D']?.Value), [['1.2'], ['1.2']])
  t.same(parseQido('IMAGE', {}, new URLSearchParams()).steps.map(({ level }) => level), ['STUDY', 'SERIES', 'IMAGE'])
})

test('a key that the level cannot match is refused: silence would answer too much', async t => {
  for (const query of ['Modality=CT', 'SOPInstanceUID=1.2', '0020000E=1.2', 'RequestAttributesSequence.ScheduledProcedureStepID=1']) t.throws(() => studies(query), { code: 'QUERY_INVALID', facts: { key: query.split('=')[0]! } }, query)
  t.throws(() => series('StudyInstanceUID=1.2', '1.2'), { code: 'QUERY_INVALID' }, 'in the path already')
  t.notOk('00080060' in studies('includefield=Modality').identifier, 'PS3.18 §10.6.3.3: not returned')
})

test('dates and times are single values or ranges, each of them possible', async t => {
  const valid: Record<string, string[]> = {
    StudyDate: ['20240229', '20240101-20241231', '20240101-', '-20241231', '20000229', '00010101'],
    StudyTime: ['10', '1030', '103015', '103015.5', '103015.123456', '10-12', '-1030', '235960', '000000-235959.999999'],
    FrameReferenceDateTime: ['2024', '202402', '20240229', '2024022910', '20240229103015.123456+0100', '2024-2025', '20240101-0500', '20240101+0100-20250101+0100', '-2024', '2024-', '20240101-0500-20240102-0500', '20240101-0500-', '20240101 0100']
  }
  const invalid: Record<string, string[]> = {
    StudyDate: ['2024', '20230229', '19000229', '20241301', '20240100', '20240132', '2024-01-01', '2024.01.01', '-', '20240101-20241301', '20240101-20240102-20240103', 'hier', '20240101*', '20240101\\20240102', ' 20240101'],
    StudyTime: ['24', '1', '1060', '10:30', '103015.', '103015.1234567', '-', '10-12-14', '10-25'],
    FrameReferenceDateTime: ['20', '20241', '202413', '20240230', '2024022924', '20240229+1500', '20240229+0160', '-', '2024-13']
  }
  const ask = (keyword: string, text: string) => parseQido('IMAGE', { study: '1.2', series: '1.3' }, new URLSearchParams([[keyword, text]]))
  for (const [keyword, texts] of Object.entries(valid)) {
    for (const text of texts) t.same(ask(keyword, text).identifier[tagOf(keyword)!]?.Value, [text.replace(' ', '+')], `${keyword} ${text}`)
  }
  for (const [keyword, texts] of Object.entries(invalid)) {
    for (const text of texts) t.throws(() => ask(keyword, text), { code: 'QUERY_INVALID', facts: { key: keyword } }, `${keyword} ${text}`)
  }
})

test('lists of UIDs are separated by commas, as the standard has it, or by backslashes, as DIMSE has it', async t => {
  for (const list of ['1.2,1.3', '1.2\\1.3', '1.2%2C1.3', '1.2, 1.3']) t.same(studies(`StudyInstanceUID=${list}`).identifier['0020000D'], { vr: 'UI', Value: ['1.2', '1.3'] }, list)
  for (const list of ['1.2,', 'a', '1.2*', '*', '1..2', '1'.repeat(65)]) t.throws(() => studies(`StudyInstanceUID=${list}`), { code: 'QUERY_INVALID' }, list)
})

test('attributes inside sequences are matched by path, in keywords or tags', async t => {
  for (const key of ['00400275.00400009', 'RequestAttributesSequence.ScheduledProcedureStepID', 'RequestAttributesSequence.00400009']) {
    t.same(series(`${key}=SPS1&00400275.RequestedProcedureID=RP1`, '1.2').identifier['00400275'], {
      vr: 'SQ', Value: [{ '00400009': { vr: 'SH', Value: ['SPS1'] }, '00401001': { vr: 'SH', Value: ['RP1'] } }]
    }, key)
  }
  t.same(studies('OtherPatientIDsSequence.IssuerOfPatientIDQualifiersSequence.UniversalEntityID=1.2.250.1.213.1.4.8').identifier['00101002'], {
    vr: 'SQ', Value: [{ '00100024': { vr: 'SQ', Value: [{ '00400032': { vr: 'UT', Value: ['1.2.250.1.213.1.4.8'] } }] } }]
  })
  for (const key of ['PatientName.PatientID', 'RequestAttributesSequence.', '.PatientID', 'RequestAttributesSequence.Nonsense', Array(9).fill('00400275').join('.')]) t.throws(() => studies(`${key}=x`), { code: 'QUERY_INVALID' }, key)
  t.throws(() => studies('ProcedureCodeSequence=x'), { code: 'QUERY_INVALID' }, 'a sequence itself has no value')
})

test('wildcards and numbers go as the standard has them', async t => {
  t.same(studies('PatientID=12?4*').identifier['00100020'], { vr: 'LO', Value: ['12?4*'] })
  for (const nothing of ['PatientID=', 'PatientID=*', 'PatientName=*']) t.same(matching(studies(nothing).identifier), { QueryRetrieveLevel: ['STUDY'] }, nothing)
  t.same(studies('ModalitiesInStudy=CT%5CPT').identifier['00080061']?.Value, ['CT', 'PT'])
  t.same(series('SeriesNumber=%2B3', '1.2').identifier['00200011']?.Value, [3])
  const image = (query: string) => parseQido('IMAGE', { study: '1.2', series: '1.3' }, new URLSearchParams(query)).identifier
  t.same(image('Rows=512')['00280010'], { vr: 'US', Value: [512] })
  t.same(image('SliceThickness=1.25')['00180050'], { vr: 'DS', Value: [1.25] })
  t.same(image('PatientAge=045Y')['00101010'], { vr: 'AS', Value: ['045Y'] })
  t.same(image('FrameIncrementPointer=00181063')['00280009'], { vr: 'AT', Value: ['00181063'] })
  for (const query of ['Rows=-1', 'Rows=65536', 'Rows=a', 'Rows=1*', 'SliceThickness=1,25', 'SliceThickness=1e999', 'PatientAge=45', 'InstanceNumber=1.5', 'InstanceNumber=99999999999', 'FrameIncrementPointer=x', 'PixelData=x', 'PatientID=a%00b', 'PatientID=%1B(B', 'PatientID=%0D%0AX', `PatientID=${'x'.repeat(5000)}`]) {
    t.throws(() => image(query), { code: 'QUERY_INVALID' }, query.slice(0, 40))
  }
})

test('a key that nobody knows, or that comes twice, is refused by name', async t => {
  for (const key of ['PatientNom', 'patientname', '00000000', '00020010', '00080000', '0008FFFF', 'FFFEE000', 'Limit', '', '__proto__', 'constructor', 'QueryRetrieveLevel', 'SpecificCharacterSet', 'RetrieveURL', '00091001', 'x'.repeat(1000)]) {
    t.throws(() => studies(`${key}=1`), { code: 'QUERY_INVALID', facts: { key: key.slice(0, 64) } }, key.slice(0, 40))
  }
  t.throws(() => studies('PatientID=1&00100020=2'), { code: 'QUERY_INVALID', facts: { key: '00100020' } })
  t.throws(() => studies('limit=1&limit=2'), { code: 'QUERY_INVALID', facts: { key: 'limit' } })
  t.throws(() => studies(Array.from({ length: 200 }, (_, i) => `6000${(0x10 + i).toString(16).padStart(4, '0')}=`).join('&')), { code: 'QUERY_INVALID' })
  t.throws(() => studies('includefield=' + 'PatientID,'.repeat(200)), { code: 'QUERY_INVALID' })
})

test('fields are included by keyword or tag, repeated or in a list, or all', async t => {
  for (const query of ['includefield=StudyDescription,00101010', 'includefield=StudyDescription&includefield=PatientAge', 'includefield=00081030&includefield=,PatientAge,']) {
    const { identifier } = studies(query)
    t.same([identifier['00081030'], identifier['00101010']], [{ vr: 'LO' }, { vr: 'AS' }], query)
  }
  t.same(studies('includefield=PatientID&PatientID=42').identifier['00100020']?.Value, ['42'], 'a key that matches goes on matching')
  const all = studies('includefield=all').identifier
  t.ok('00081030' in all && '00100010' in all && !('0008103E' in all))
  t.ok('0008103E' in series('includefield=all', '1.2').identifier)
  t.notOk(series('includefield=all', '1.2').relational)
  t.ok(series('includefield=PatientName', '1.2').relational, 'an attribute of the study has to be asked above')
  t.same(studies('includefield=00091001').identifier['00091001'], { vr: 'UN' })
  t.same(studies('includefield=RetrieveURL').identifier['00081190'], undefined, 'ours to add')
  t.throws(() => studies('includefield=Nonsense'), { code: 'QUERY_INVALID', facts: { key: 'Nonsense' } })
})

test('limit and offset are whole numbers; accept and charset are none of ours', async t => {
  t.match(studies('limit=25&offset=50&accept=application/json&charset=utf-8'), { limit: 25, offset: 50 })
  t.match(studies('limit=0'), { limit: 0 })
  for (const query of ['limit=-1', 'limit=', 'limit=1.5', 'limit=x', 'offset=1e3', 'offset=99999999999']) t.throws(() => studies(query), { code: 'QUERY_INVALID' }, query)
})

test('fuzzy matching is declined honestly', async t => {
  const { fuzzy, warnings } = studies('fuzzymatching=true&PatientName=DUPON')
  t.ok(fuzzy)
  t.equal(warningHeader('https://db1.111.example/dicomweb', warnings[0]!), '299 https://db1.111.example/dicomweb: "The fuzzymatching parameter is not supported. Only literal matching has been performed."')
  t.same(studies('fuzzymatching=false&emptyvaluematching=true&multiplevaluematching=true').warnings.length, 2)
  t.throws(() => studies('fuzzymatching=yes'), { code: 'QUERY_INVALID', facts: { key: 'fuzzymatching' } })
})

test('a path that names no UID is refused', async t => {
  t.throws(() => series('', '1.2\0'), { code: 'UID_INVALID' })
})

test('an answer says where to retrieve, in UTF-8, and no more than was asked', async t => {
  const base = 'https://box.example/dicomweb'
  const answer = qidoAnswer({
    '00080000': { vr: 'UL', Value: [100] },
    '00080005': { vr: 'CS', Value: ['ISO_IR 100'] },
    '00080052': { vr: 'CS', Value: ['STUDY'] },
    '00080054': { vr: 'AE', Value: ['OLDPACS'] },
    '00081030': { vr: 'LO', Value: ['nobody asked'] },
    '00100010': { vr: 'PN', Value: [{ Alphabetic: 'LEFÈVRE^Éloïse' }] },
    '0020000D': { vr: 'UI', Value: ['1.2'] }
  }, studies(''), base)
  t.same(answer, {
    '00080005': { vr: 'CS', Value: ['ISO_IR 192'] },
    '00080054': { vr: 'AE', Value: ['OLDPACS'] },
    '00081190': { vr: 'UR', Value: [`${base}/studies/1.2`] },
    '00100010': { vr: 'PN', Value: [{ Alphabetic: 'LEFÈVRE^Éloïse' }] },
    '0020000D': { vr: 'UI', Value: ['1.2'] }
  })
  const url = (level: Level, path: object, match: DicomJson) => qidoAnswer(match, parseQido(level, path, new URLSearchParams()), base)['00081190']?.Value?.[0]
  t.equal(url('SERIES', { study: '1.2' }, { '0020000E': { vr: 'UI', Value: ['1.3'] } }), `${base}/studies/1.2/series/1.3`, 'a PACS need not repeat what it was asked')
  t.equal(url('IMAGE', {}, { '0020000D': { vr: 'UI', Value: ['1.2'] }, '0020000E': { vr: 'UI', Value: ['1.3'] }, '00080018': { vr: 'UI', Value: ['1.4'] } }), `${base}/studies/1.2/series/1.3/instances/1.4`)
  t.equal(url('SERIES', {}, { '0020000E': { vr: 'UI', Value: ['1.3'] } }), undefined, 'a study that is not known has no address')
})

test('a private attribute comes with its creator', async t => {
  const answer = qidoAnswer({ '00090010': { vr: 'LO', Value: ['GEMS_IDEN_01'] }, '00091001': { vr: 'UN' }, '00110010': { vr: 'LO', Value: ['other'] } }, studies('includefield=00091001'), 'https://box.example')
  t.same(Object.keys(answer).sort(), ['00090010', '00091001'])
})

test('what is asked survives its way to the PACS', async t => {
  const query = new URLSearchParams([
    ['PatientName', 'LEFÈVRE^Éloïse'], ['StudyDate', '20240101-20241231'], ['StudyInstanceUID', '1.2,1.3'], ['SeriesNumber', '3'], ['Modality', 'CT'], ['includefield', 'all'],
    ['RequestAttributesSequence.ScheduledProcedureStepID', 'SPS1']
  ])
  const { identifier, steps } = parseQido('IMAGE', {}, query)
  for (const asked of [identifier, ...steps.map(step => step.identifier)]) {
    for (const syntax of ['1.2.840.10008.1.2', '1.2.840.10008.1.2.1']) {
      const { '00080005': _, ...received } = decodeDataset(encodeDataset(asked, syntax), syntax)
      t.same(received, asked, syntax)
    }
  }
})

test('any query is either understood or refused by name', async () => {
  const name = fc.oneof(fc.string(), fc.constantFrom('PatientName', '00100020', 'StudyDate', 'StudyTime', 'StudyInstanceUID', 'Rows', 'limit', 'offset', 'includefield', 'fuzzymatching', 'RequestAttributesSequence.ScheduledProcedureStepID', '00091001', '7FE00010'))
  const value = fc.oneof(fc.string(), fc.constantFrom('', '*', '1', 'true', 'all', '1.2', '1.2,1.3', '20240101-', '-', '%', 'É', '\ud800', 'a\\b'))
  fc.assert(fc.property(fc.constantFrom<Level>('STUDY', 'SERIES', 'IMAGE'), fc.array(fc.tuple(name, value), { maxLength: 6 }), (level, pairs) => {
    try {
      const { identifier, steps } = parseQido(level, {}, new URLSearchParams(pairs))
      const ordinary = (json: DicomJson) => Object.entries(json).every(([tag, { vr }]) => /^[\dA-F]{8}$/.test(tag) && /^[A-Z]{2}$/.test(vr))
      return ordinary(identifier) && steps.length > 0 && steps.every(step => ordinary(step.identifier))
    } catch (error) {
      return (error as { code?: string }).code === 'QUERY_INVALID'
    }
  }), { numRuns: 1000 })
})

test('whatever text is asked for arrives unchanged in the identifier', async () => {
  const text = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 40 }).map(value => value.normalize('NFC').replace(/[\p{Cc}\\]/gu, '').trim()).filter(value => value !== '' && value !== '*' && !value.includes('\ufffd'))
  fc.assert(fc.property(text, value => {
    const query = new URLSearchParams(new URLSearchParams({ PatientID: value }).toString())
    return studies(query.toString()).identifier['00100020']?.Value?.[0] === value
  }))
})
