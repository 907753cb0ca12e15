import { test } from 'tap'
import { classesOfModality } from '#box/pacs/modality-classes.ts'
import { RECEIVED_SYNTAXES } from '#box/pacs/syntaxes.ts'
import { STORAGE_CLASSES } from '#standards/dicom/sop-class.ts'

const COMPREHENSIVE_SR = '1.2.840.10008.5.1.4.1.1.88.33'
const PET = '1.2.840.10008.5.1.4.1.1.128'

test('a PACS that does not name its classes may send reports and PET, each as it is held', t => {
  t.ok(classesOfModality('SR').includes(COMPREHENSIVE_SR))
  t.ok(classesOfModality('PT').includes(PET))
  for (const modality of ['CT', 'MR', 'US', 'MG', 'XA', 'PT', 'SR', 'RTPLAN', 'OT']) {
    t.ok(classesOfModality(modality).length * RECEIVED_SYNTAXES.length < 128, `${modality}: every class with every syntax in one association`)
  }
  t.end()
})

test('of an unknown modality everything may come, and all of it is a storage class', t => {
  const all = classesOfModality(undefined)
  t.same(classesOfModality('constructor'), all)
  t.ok(all.length < 128)
  t.same(all.filter(uid => !STORAGE_CLASSES.has(uid)), [])
  t.end()
})
