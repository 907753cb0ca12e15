/** Every row, in the order of the page. */

import type { Row } from './row.ts'
import { cold, coldOverCable } from './rows/cold.ts'
import { leaks } from './rows/leaks.ts'
import { memory } from './rows/memory.ts'
import { metadata } from './rows/metadata.ts'
import { pacs } from './rows/pacs.ts'
import { qido } from './rows/qido.ts'
import { receiving, receivingOverCable, receivingRaw } from './rows/receiving.ts'
import { rendered } from './rows/rendered.ts'
import { single } from './rows/single.ts'
import { transcoding } from './rows/transcoding.ts'
import { ins, warm } from './rows/warm.ts'

export const ROWS: readonly Row[] = [
  cold, coldOverCable, receiving, receivingRaw, receivingOverCable, warm, ins, single, metadata, rendered, transcoding, qido, pacs, memory, leaks
]
