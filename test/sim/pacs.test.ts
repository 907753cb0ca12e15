import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type Test } from 'tap'
import { part10Head } from '#sim/object-bytes.ts'
import { startPacs, type SimulatedPacs } from '#sim/pacs.ts'
import { REJECTIONS } from '#sim/pacs-control.ts'
import { generateStudies, type GeneratedStudy, type StudyName } from '#sim/studies.ts'
import { freePort, run, skipWithout, startProcess, type Result } from '#test/fixtures/peer.ts'

const skip = skipWithout('echoscu', 'findscu', 'movescu', 'getscu', 'storescu', 'storescp', 'dcmdump', 'dcmdjpls', 'dcmdjpeg', 'dsrdump')

/** A day that every run agrees on. */
const TODAY = new Date(2026, 1, 3)
const STUDIES = generateStudies({ today: TODAY, ctImages: 40 })

function study (name: StudyName): GeneratedStudy {
  const found = STUDIES.find(one => one.name === name)
  if (found === undefined) throw new Error(`no study ${name}`)
  return found
}

async function folder (t: Test): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'simulated-pacs-'))
  t.teardown(async () => { await rm(path, { recursive: true }) })
  return path
}

interface Desk { pacs: SimulatedPacs, received: string }

/** A PACS, and a `storescp` named DESK that files what it sends. */
async function desk (t: Test, ...names: StudyName[]): Promise<Desk> {
  const received = await folder(t)
  const port = await freePort()
  await startProcess(t, 'storescp', ['-aet', 'DESK', '+xa', '-od', received, '+B', '-fe', '.dcm', String(port)], { port })
  const pacs = await startPacs({ studies: names.map(study), destinations: new Map([['DESK', { host: '127.0.0.1', port }]]) })
  t.teardown(async () => { await pacs.close() })
  return { pacs, received }
}

const find = async (pacs: SimulatedPacs, ...keys: string[]): Promise<Result> =>
  await run('findscu', ['-S', '-aet', 'DESK', '-aec', pacs.aeTitle, ...keys.flatMap(key => ['-k', key]), '127.0.0.1', String(pacs.port)])

const move = async (pacs: SimulatedPacs, keys: readonly string[], ...options: string[]): Promise<Result> =>
  await run('movescu', ['-v', '-S', '-aet', 'DESK', '-aec', pacs.aeTitle, '-aem', 'DESK', ...options, ...keys.flatMap(key => ['-k', key]), '127.0.0.1', String(pacs.port)])

const wholeStudy = ({ studyUid }: GeneratedStudy): string[] => ['QueryRetrieveLevel=STUDY', `StudyInstanceUID=${studyUid}`]

/** What a DCMTK tool says, read in the PACS's own Latin-1. */
const said = ({ stdout, stderr }: Result): string => Buffer.concat([stdout, stderr]).toString('latin1')

/** Values of an attribute in what a DCMTK tool says. */
const values = (result: Result, keyword: string): string[] =>
  said(result).split('\n').filter(line => line.endsWith(` ${keyword}`)).map(line => /\[(.*)\]/.exec(line)?.[1].trim() ?? '')

/** UIDs of what has been received. */
async function receivedUids (path: string): Promise<string[]> {
  const files = (await readdir(path)).map(file => join(path, file))
  return files.length === 0 ? [] : values(await run('dcmdump', ['+P', 'SOPInstanceUID', ...files]), 'SOPInstanceUID').sort()
}

const uidsOf = ({ series }: GeneratedStudy): string[] => series.flatMap(({ instances }) => instances.map(({ sopInstanceUid }) => sopInstanceUid)).sort()

test('a hospital asks for everybody, and names arrive as they are spelt', { skip }, async t => {
  const { pacs } = await desk(t, ...STUDIES.map(({ name }) => name))
  const answers = await find(pacs, 'QueryRetrieveLevel=STUDY', 'PatientName', 'StudyInstanceUID', 'ModalitiesInStudy', 'NumberOfStudyRelatedInstances', 'SpecificCharacterSet')
  t.equal(answers.code, 0)
  t.same(values(answers, 'PatientName'), ['LEFÈVRE^Zoé', 'MARTIN-BÉRANGER^Gaëtan', 'ÇELIK^Noëlle', 'HÉBRARD^Inès', 'D\'AVEZAC^Maël', 'LEFÈVRE^Zoé', 'NUÑEZ GARCÍA^Océane'])
  t.same(new Set(values(answers, 'SpecificCharacterSet')), new Set(['ISO_IR 100']))
  t.same(values(answers, 'ModalitiesInStudy'), ['CT', 'MR', 'CR', 'MG', 'US', 'SR', 'CR'])
  t.same(values(answers, 'NumberOfStudyRelatedInstances'), ['40', '60', '1', '4', '1', '1', '2'])
  t.equal(pacs.control.seen.finds, 1)
})

test('a search by part of a name, in any case, finds the patient', { skip }, async t => {
  const { pacs } = await desk(t, 'ct', 'mr', 'sr')
  t.same(values(await find(pacs, 'QueryRetrieveLevel=STUDY', 'PatientName=lef*', 'AccessionNumber'), 'PatientName'), ['LEFÈVRE^Zoé', 'LEFÈVRE^Zoé'])
  t.same(values(await find(pacs, 'QueryRetrieveLevel=STUDY', 'PatientName=MARTIN?B*'), 'PatientName'), ['MARTIN-BÉRANGER^Gaëtan'])
})

test('dates, times, UID lists and modalities narrow a search', { skip }, async t => {
  const { pacs } = await desk(t, ...STUDIES.map(({ name }) => name))
  const count = async (...keys: string[]): Promise<number> => values(await find(pacs, 'QueryRetrieveLevel=STUDY', ...keys), 'QueryRetrieveLevel').length
  t.equal(await count('StudyDate=20250101-20250331'), 4)
  t.equal(await count('StudyDate=-20241231'), 1)
  t.equal(await count('StudyDate=20260203'), 1, 'the study of today')
  t.equal(await count('StudyTime=10-1130'), 2)
  t.equal(await count('ModalitiesInStudy=MR'), 1)
  t.equal(await count(`StudyInstanceUID=${study('ct').studyUid}\\${study('us').studyUid}`), 2)
  t.equal(await count('PatientID=IPP-100201', 'ModalitiesInStudy=SR'), 1)
})

test('series and images are found below their study, and nowhere else', { skip }, async t => {
  const { pacs } = await desk(t, 'mr', 'ct')
  const { studyUid, series } = study('mr')
  const found = await find(pacs, 'QueryRetrieveLevel=SERIES', `StudyInstanceUID=${studyUid}`, 'SeriesDescription', 'NumberOfSeriesRelatedInstances')
  t.same(values(found, 'SeriesDescription'), ['Axial T1 après gadolinium', 'Axial T2 FLAIR', 'Diffusion b1000, carte ADC'])
  t.same(values(found, 'NumberOfSeriesRelatedInstances'), ['20', '20', '20'])
  const images = await find(pacs, 'QueryRetrieveLevel=IMAGE', `StudyInstanceUID=${studyUid}`, `SeriesInstanceUID=${series[1].seriesUid}`, 'SOPInstanceUID', 'InstanceNumber=7')
  t.same(values(images, 'SOPInstanceUID'), [series[1].instances[6].sopInstanceUid])
  const without = await run('findscu', ['-v', '-S', '-aec', pacs.aeTitle, '-k', 'QueryRetrieveLevel=SERIES', '-k', 'SeriesInstanceUID', '127.0.0.1', String(pacs.port)])
  t.match(said(without), /DoesNotMatchSOPClass/)
})

test('the patient root model finds a patient with two studies', { skip }, async t => {
  const { pacs } = await desk(t, 'ct', 'mr', 'sr')
  const answers = await run('findscu', ['-P', '-aec', pacs.aeTitle, '-k', 'QueryRetrieveLevel=PATIENT', '-k', 'PatientName', '-k', 'PatientID=IPP-100201', '-k', 'NumberOfPatientRelatedStudies', '127.0.0.1', String(pacs.port)])
  t.same(values(answers, 'PatientName'), ['LEFÈVRE^Zoé'])
  t.same(values(answers, 'NumberOfPatientRelatedStudies'), ['2'])
})

test('a moved study arrives whole, and byte for byte as the PACS holds it', { skip }, async t => {
  const { pacs, received } = await desk(t, 'mr', 'sr')
  t.equal((await move(pacs, wholeStudy(study('mr')))).code, 0)
  t.same(await receivedUids(received), uidsOf(study('mr')))
  for (const file of (await readdir(received)).slice(0, 3)) {
    const bytes = await readFile(join(received, file))
    const [uid] = values(await run('dcmdump', ['+P', 'SOPInstanceUID', join(received, file)]), 'SOPInstanceUID')
    const dataset = await pacs.datasetOf(uid)
    t.ok(dataset !== undefined && bytes.subarray(-dataset.length).equals(dataset))
  }
  t.equal(pacs.control.seen.moves, 1)
  t.match(pacs.control.asked.at(-1), { service: 'move', level: 'STUDY', destination: 'DESK', callingTitle: 'DESK' })
})

test('two images out of sixty can be moved by naming them', { skip }, async t => {
  const { pacs, received } = await desk(t, 'mr')
  const { studyUid, series: [first] } = study('mr')
  const uids = [first.instances[3].sopInstanceUid, first.instances[9].sopInstanceUid]
  await move(pacs, ['QueryRetrieveLevel=IMAGE', `StudyInstanceUID=${studyUid}`, `SeriesInstanceUID=${first.seriesUid}`, `SOPInstanceUID=${uids.join('\\')}`])
  t.same(await receivedUids(received), uids.sort())
})

test('compressed images can be decompressed by others, and a report can be read', { skip }, async t => {
  const { pacs, received } = await desk(t, 'ct', 'mg', 'us', 'sr')
  const out = join(await folder(t), 'decoded.dcm')
  for (const [name, decoder, syntax] of [['ct', 'dcmdjpls', 'JPEGLSLossless'], ['mg', 'dcmdjpeg', 'JPEGLossless'], ['us', 'dcmdjpeg', 'JPEGBaseline']] as const) {
    await move(pacs, wholeStudy(study(name)))
    const [file] = await readdir(received)
    t.match(said(await run('dcmdump', ['+P', 'TransferSyntaxUID', join(received, file)])), syntax)
    t.equal((await run(decoder, [join(received, file), out])).code, 0, name)
    for (const each of await readdir(received)) await rm(join(received, each))
  }
  await move(pacs, wholeStudy(study('sr')))
  const [report] = await readdir(received)
  t.match(said(await run('dsrdump', ['+Pl', join(received, report)])), 'Stabilité. Contrôle à distance proposé')
})

test('C-GET brings the images on the association that asked', { skip }, async t => {
  const { pacs } = await desk(t, 'mr')
  const path = await folder(t)
  const { studyUid, series: [, second] } = study('mr')
  const got = await run('getscu', ['-S', '-aec', pacs.aeTitle, '-od', path, '-k', 'QueryRetrieveLevel=SERIES', '-k', `StudyInstanceUID=${studyUid}`, '-k', `SeriesInstanceUID=${second.seriesUid}`, '127.0.0.1', String(pacs.port)])
  t.equal(got.code, 0, said(got))
  t.same(await receivedUids(path), second.instances.map(({ sopInstanceUid }) => sopInstanceUid).sort())
})

test('an object that is stored into the PACS is found, and given back as it came', { skip }, async t => {
  const { pacs, received } = await desk(t, 'mr')
  const other = await startPacs({ studies: [], destinations: new Map() })
  t.teardown(async () => { await other.close() })
  const { studyUid, series: [{ instances: [image] }] } = study('mr')
  const dataset = await pacs.datasetOf(image.sopInstanceUid) ?? Buffer.alloc(0)
  const path = join(received, 'import.dcm')
  await writeFile(path, Buffer.concat([part10Head(image.sopClassUid, image.sopInstanceUid, image.transferSyntaxUid), dataset]))
  t.equal((await run('storescu', ['-xe', '-aec', other.aeTitle, '127.0.0.1', String(other.port), path])).code, 0)
  t.equal(other.control.seen.stores, 1)
  t.ok((await other.datasetOf(image.sopInstanceUid))?.equals(dataset))
  t.same(values(await find(other, 'QueryRetrieveLevel=STUDY', `StudyInstanceUID=${studyUid}`, 'PatientName'), 'PatientName'), ['MARTIN-BÉRANGER^Gaëtan'])
})

test('an unknown destination is named as such', { skip }, async t => {
  const { pacs } = await desk(t, 'sr')
  t.match(said(await move(pacs, wholeStudy(study('sr')), '-aem', 'NOBODY')), /MoveDestinationUnknown|a801/i)
})

test('a destination that the PACS learns later is found at the next attempt', { skip }, async t => {
  const { pacs } = await desk(t, 'sr')
  const destinations = new Map<string, { host: string, port: number }>()
  const late = await startPacs({ studies: [study('sr')], destinations: title => destinations.get(title) })
  t.teardown(async () => { await late.close() })
  t.match(said(await move(late, wholeStudy(study('sr')), '-aem', pacs.aeTitle)), /MoveDestinationUnknown|a801/i)
  destinations.set(pacs.aeTitle, pacs)
  t.equal((await move(late, wholeStudy(study('sr')), '-aem', pacs.aeTitle)).code, 0)
  t.equal(pacs.control.seen.stores, 1)
})

test('a refused association says why, as often as asked', { skip }, async t => {
  const { pacs } = await desk(t, 'sr')
  const echo = async (): Promise<Result> => await run('echoscu', ['-aet', 'DESK', '-aec', pacs.aeTitle, '127.0.0.1', String(pacs.port)])
  t.equal((await echo()).code, 0)
  pacs.control.refuseAssociations(REJECTIONS.congestion, 1)
  t.match(said(await echo()), /Temporary Congestion/)
  t.equal((await echo()).code, 0)
  pacs.control.refuseCallingTitle('DESK')
  t.match(said(await echo()), /Calling AE Title Not Recognized/)
  t.match(said(await run('echoscu', ['-aec', 'WRONG', '127.0.0.1', String(pacs.port)])), /Called AE Title Not Recognized/)
  pacs.control.reset()
  t.equal((await echo()).code, 0)
})

test('a paused retrieve has sent so many images and no more, until it is let through', { skip }, async t => {
  const { pacs, received } = await desk(t, 'mr')
  const gate = pacs.control.pauseSubOperations(5)
  const moving = move(pacs, wholeStudy(study('mr')))
  await gate.reached
  t.equal((await readdir(received)).length, 5)
  gate.release()
  t.equal((await moving).code, 0)
  t.equal((await readdir(received)).length, 60)
})

test('a PACS that hesitates before it answers does answer in the end', { skip }, async t => {
  const { pacs } = await desk(t, 'sr', 'mr')
  const gate = pacs.control.pauseAnswers()
  const finding = find(pacs, 'QueryRetrieveLevel=STUDY', 'PatientName')
  await gate.reached
  gate.release()
  t.equal(values(await finding, 'PatientName').length, 2)
  pacs.control.reset()
  pacs.control.delayAnswers(1)
  pacs.control.delaySubOperations(1)
  t.match(said(await move(pacs, wholeStudy(study('sr')))), /Final Move Response \(Success\)/)
})

test('a destination where nobody listens fails the retrieve, and the PACS lives on', { skip }, async t => {
  const { pacs } = await desk(t, 'sr')
  const port = await freePort()
  const lost = await startPacs({ studies: [study('sr')], destinations: () => ({ host: '127.0.0.1', port }) })
  t.teardown(async () => { await lost.close() })
  t.match(said(await move(lost, wholeStudy(study('sr')))), /OutOfResourcesSubOperations/)
  t.equal((await find(lost, 'QueryRetrieveLevel=STUDY')).code, 0)
  const wrong = await startPacs({ studies: [study('sr')], destinations: () => pacs })
  t.teardown(async () => { await wrong.close() })
  t.match(said(await move(wrong, wholeStudy(study('sr')))), /OutOfResourcesSubOperations/, 'or one that refuses the title')
})

test('a power cut in the middle of a retrieve leaves what was acknowledged', { skip }, async t => {
  const { pacs, received } = await desk(t, 'mr')
  pacs.control.cutAfterInstances(7)
  t.match(said(await move(pacs, wholeStudy(study('mr')))), /Peer aborted Association/)
  t.equal((await receivedUids(received)).length, 7)
  pacs.control.cutAfterBytes(300_000)
  t.match(said(await move(pacs, wholeStudy(study('mr')))), /Peer aborted Association/)
  t.match(said(await move(pacs, wholeStudy(study('mr')))), /Final Move Response \(Success\)/, 'the next one is whole')
})

test('what the PACS has forgotten is neither found nor sent', { skip }, async t => {
  const { pacs, received } = await desk(t, 'mr', 'ct')
  pacs.control.forget(study('ct').studyUid)
  pacs.control.forget(study('mr').series[0].seriesUid)
  pacs.control.forget(study('mr').series[1].instances[0].sopInstanceUid)
  t.same(values(await find(pacs, 'QueryRetrieveLevel=STUDY', 'NumberOfStudyRelatedInstances'), 'NumberOfStudyRelatedInstances'), ['39'])
  await move(pacs, wholeStudy(study('mr')))
  t.equal((await readdir(received)).length, 39)
})

test('a PACS that sends less than it says claims success all the same', { skip }, async t => {
  const { pacs, received } = await desk(t, 'mr')
  pacs.control.sendLess(8)
  const result = await move(pacs, wholeStudy(study('mr')))
  t.equal(result.code, 0)
  t.match(said(result), /Success/)
  t.equal((await readdir(received)).length, 52)
})

test('failed sub-operations, an early end and a refusal each have their status', { skip }, async t => {
  const { pacs, received } = await desk(t, 'mr')
  pacs.control.failSubOperations(3)
  t.match(said(await move(pacs, wholeStudy(study('mr')), '-d')), /Warning: SubOperationsCompleteOneOrMoreFailures[^]*FailedSOPInstanceUIDList|0xb000/i)
  t.equal((await readdir(received)).length, 57)
  pacs.control.reset()
  pacs.control.endRetrievesWith(0xa701, 10)
  t.match(said(await move(pacs, wholeStudy(study('mr')))), /OutOfResourcesNumberOfMatches|a701/i)
})

test('an image sent twice, and one of another study, arrive as such', { skip }, async t => {
  const { pacs } = await desk(t, 'sr', 'mr')
  const sink = await startPacs({ aeTitle: 'SINK', studies: [], destinations: new Map() })
  t.teardown(async () => { await sink.close() })
  const source = await startPacs({ studies: pacs.studies, destinations: new Map([['SINK', sink]]) })
  t.teardown(async () => { await source.close() })
  source.control.sendTwice(1)
  source.control.sendForeignInstance()
  t.equal((await move(source, wholeStudy(study('sr')), '-aem', 'SINK')).code, 0)
  t.equal(sink.control.seen.stores, 3)
  t.same(values(await find(sink, 'QueryRetrieveLevel=STUDY', 'StudyInstanceUID'), 'StudyInstanceUID').sort(), [study('sr').studyUid, study('mr').studyUid].sort())
})

test('a cancelled retrieve stops, and says what remains', { skip }, async t => {
  const { pacs, received } = await desk(t, 'mr')
  const gate = pacs.control.pauseSubOperations(6)
  const moving = move(pacs, wholeStudy(study('mr')), '--cancel', '5', '-d')
  await gate.reached
  while (pacs.control.seen.cancels === 0) await new Promise(setImmediate)
  gate.release()
  t.match(said(await moving), /Cancel/)
  t.equal((await readdir(received)).length, 6)
})

test('an old PACS counts nothing, and one without C-MOVE refuses its context', { skip }, async t => {
  const { pacs } = await desk(t, 'mr')
  pacs.control.hideCounts()
  t.same(values(await find(pacs, 'QueryRetrieveLevel=STUDY', 'StudyInstanceUID', 'ModalitiesInStudy', 'NumberOfStudyRelatedInstances'), 'NumberOfStudyRelatedInstances'), [''])
  pacs.control.withoutService('move')
  t.match(said(await move(pacs, wholeStudy(study('mr')))), /No valid Presentation Context/)
})

test('a PACS that never answers is left by whoever has waited long enough', { skip }, async t => {
  const { pacs } = await desk(t, 'sr')
  pacs.control.neverAnswer('echo')
  t.match(said(await run('echoscu', ['-td', '1', '-aec', pacs.aeTitle, '127.0.0.1', String(pacs.port)])), /DIMSE Read PDV Timeout|No data available|timeout/i)
  pacs.control.neverAnswer('association')
  t.not((await run('echoscu', ['-ta', '1', '-aec', pacs.aeTitle, '127.0.0.1', String(pacs.port)])).code, 0)
})
