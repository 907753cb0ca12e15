/**
 * Our XML against that of DCMTK, over every sample, attribute by attribute; and against xmllint, with
 * names that would be markup.
 */

import { execFile } from 'node:child_process'
import { readFile, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { test } from 'tap'
import { decodeDataset } from '#standards/dicom/dataset.ts'
import type { DicomJson } from '#standards/dicom/json.ts'
import { nativeModel } from '#standards/dicom/native-model.ts'
import { readPart10Head } from '#standards/dicom/part10.ts'
import { temporaryFolder } from '#test/fixtures/rooms.ts'
import { sample, skipWithoutShared } from '#test/fixtures/shared.ts'
import { wellFormed } from '#test/fixtures/xmllint.ts'

const run = promisify(execFile)

/** An element of the Native DICOM Model, as far as it matters: what it is, and all that it holds. */
interface Attribute { readonly names: string, readonly content: string }

/** Reads either dialect of white space: DCMTK breaks lines between elements, inside of values nobody does. */
function attributesOf (xml: string): Map<string, Attribute> {
  const compact = xml.replace(/>\n</g, '><')
  const found = new Map<string, Attribute>()
  const path: string[] = []
  const open: { key: string, names: string, start: number }[] = []
  for (const match of compact.matchAll(/<(\/?)(DicomAttribute|Item)([^>]*?)(\/?)>/g)) {
    const [whole, closing, name = '', attributes = ''] = match
    if (closing === '/') {
      path.pop()
      if (name === 'DicomAttribute') {
        const { key, names, start } = open.pop() as { key: string, names: string, start: number }
        found.set(key, { names, content: compact.slice(start, match.index) })
      }
      continue
    }
    const tag = /tag="([^"]*)"/.exec(attributes)?.[1] ?? /number="(\d+)"/.exec(attributes)?.[1] ?? ''
    path.push(`${tag}${/privateCreator="([^"]*)"/.exec(attributes)?.[1] ?? ''}`)
    if (name === 'DicomAttribute') open.push({ key: path.join('/'), names: attributes.trim(), start: match.index + whole.length })
  }
  return found
}

/** What DCMTK does otherwise, each for a reason that stands beside it. */
const PASSED_OVER = [
  /^7FE0/, // bulk, which we give by reference
  /^00080005$/, // DCMTK adds it to files that are in ASCII only
  /^FFFCFFFC$/, // padding at the end of a file, which is nobody's attribute
  /^00010001\/1\/00010002$/, // of an odd length, which we keep and DCMTK evens out
  /^700100/, // private ones of no creator, whose block is all that tells them apart: we keep it
  /^4453000C/ // a private sequence that its writer stored as UN with a length: bytes, to whoever doesn't know it
]

/** Digits differ, numbers don't: DS and IS in their shortest form, FL as the double that it is. */
const numbers = (content: string): string => content.replace(/>([-+]?[\d.]+(?:[eE][-+]?\d+)?)</g, (_, text: string) => `>${Math.fround(Number(text))}<`)
const ENTITIES: Readonly<Record<string, string>> = { '&#10;': ' ', '&#13;': ' ', '&#9;': ' ', '&quot;': '"', '&apos;': "'" }
/** Without what XML itself makes no difference of, nor of white space. */
const plain = (content: string): string => numbers(content.replace(/&(#\d+|quot|apos);/g, entity => ENTITIES[entity] ?? entity).replace(/\s+/g, ' ').replace(/> | </g, match => match.trim()))
const swapped = (content: string): string => content.replace(/(<InlineBinary>)(.*?)(?=<)/gs, (_, tag: string, text: string) => tag + Buffer.from(text, 'base64').swap16().toString('base64'))

test('XML says of every sample what dcm2xml says of it', { skip: skipWithoutShared }, async t => {
  let compared = 0
  const folder = await temporaryFolder(t)
  const documents: string[] = []
  const names = (await readdir(sample('dicom'))).filter(name => name.endsWith('.dcm')).sort()
  for (const name of names) {
    const file = await readFile(sample(`dicom/${name}`))
    let ours: string
    try {
      const { transferSyntaxUid, datasetOffset } = readPart10Head(file)
      ours = nativeModel(decodeDataset(file.subarray(datasetOffset), transferSyntaxUid, { stopAtPixelData: true }))
    } catch (error) {
      t.match(error, { code: 'DATA_MALFORMED' }, name)
      continue
    }
    documents.push(join(folder, `${documents.length}.xml`))
    await writeFile(documents.at(-1)!, ours)
    const theirs = await run('dcm2xml', ['--native-format', '--convert-to-utf8', '--encode-base64', '--quiet', sample(`dicom/${name}`)], { maxBuffer: 64 << 20 }).then(({ stdout }) => stdout, () => undefined)
    if (theirs === undefined) continue
    const [mine, dcmtk] = [attributesOf(ours), attributesOf(theirs)]
    for (const [key, { names, content }] of dcmtk) {
      if (PASSED_OVER.some(pattern => pattern.test(key))) continue
      const own = mine.get(key)
      if (own === undefined || !same(own, { names, content })) t.fail(`${name} ${key}`, { ours: own, dcmtk: { names, content: content.slice(0, 300) } })
      compared++
    }
  }
  await run('xmllint', ['--noout', '--nonet', ...documents])
  t.ok(compared > 3000, `${compared} attributes are the same`)
})

function same (ours: Attribute, dcmtk: Attribute): boolean {
  // It has no keywords for retired attributes, and no value for a name of carets alone.
  const names = dcmtk.names.includes('keyword=') ? ours.names : ours.names.replace(/ keyword="\w*"/, '')
  const content = dcmtk.content === '' ? ours.content.replace('<PersonName number="1"></PersonName>', '') : ours.content
  // Of an empty third group of a name it makes the second once more, and it writes words big endian.
  const theirs = /<Phonetic>/.test(ours.content) ? dcmtk.content : dcmtk.content.replace(/<Phonetic>.*<\/Phonetic>/, '')
  // A sequence's attributes are compared one by one, under their own paths.
  if (names === dcmtk.names && names.includes('vr="SQ"')) return true
  // What some archive stored as UN and our dictionary knows, has its own VR again (PS3.5 §6.2.2).
  if (dcmtk.names.includes('vr="UN"') && !names.includes('vr="UN"')) return true
  return names === dcmtk.names && plain(content) === plain(names.includes('vr="OW"') ? swapped(theirs) : theirs)
}

test('a name that would be markup, or isn\'t even a character, stays text', async t => {
  const hostile = '</Value></DicomAttribute>&<!--<![CDATA[ "\' ]]>\u0000\u0008\u001b\ud800\ufffe\r\n\tà😀'
  const json: DicomJson = {
    '00100010': { vr: 'PN', Value: [{ Alphabetic: `${hostile}^<b>`, Ideographic: '&amp;' }] },
    '00100020': { vr: 'LO', Value: [hostile, null, '-->'] },
    '00290010': { vr: 'LO', Value: ['" onload="<x>'] },
    '00291001': { vr: 'UN', InlineBinary: 'AAA=' },
    '7FE00010': { vr: 'OW', BulkDataURI: '/x?a=1&b="<' }
  }
  const xml = nativeModel(json)
  await wellFormed(xml)
  t.notMatch(xml, /<b>|<!--|<!\[CDATA|onload="<x/)
  t.match(xml, /&lt;\/Value&gt;/)
  t.match(xml, /tag="00290001" vr="UN" privateCreator="&quot; onload=&quot;&lt;x&gt;"/)
  t.match(xml, /<Value number="2"><\/Value>/)
  t.match(xml, /à😀/)
})
