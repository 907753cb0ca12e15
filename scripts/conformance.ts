/**
 * Writes docs/conformance/dicom.md; a test sees to it that what is checked in is what this writes.
 */

import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { conformanceStatement } from './conformance/statement.ts'

const path = join(import.meta.dirname, '../docs/conformance/dicom.md')
await mkdir(dirname(path), { recursive: true })
await writeFile(path, conformanceStatement())
