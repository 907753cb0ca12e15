import { readFileSync } from 'node:fs'
import { test } from 'tap'
import { ConfigSchema } from '#box/config.ts'
import { STORAGE_CLASSES } from '#standards/dicom/sop-class.ts'
import { conformanceStatement } from '../scripts/conformance/statement.ts'

const page = readFileSync(new URL('../docs/conformance/dicom.md', import.meta.url), 'utf8')

test('the conformance statement is what the code does: node scripts/conformance.ts writes it anew', t => {
  t.equal(page, conformanceStatement())
  t.end()
})

test('it names every class, and every setting that a PACS vendor may ask about', t => {
  for (const uid of STORAGE_CLASSES.keys()) t.ok(page.includes(`| ${uid} |`), uid)
  for (const key of Object.keys(ConfigSchema.properties.pacs.properties)) t.ok(page.includes(`\`pacs.${key}`), key)
  t.notMatch(page, /undefined|NaN|\[object/)
  t.end()
})
