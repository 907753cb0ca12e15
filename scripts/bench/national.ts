/**
 * The seven measures of the national test set, by name, and the PACS's own (DB.SO.102), from what the
 * rows found. Those of a consumer wait for a box that consumes.
 */

import { medianOf } from './goals.ts'
import { sayFigure, type Figure, type VariantResult } from './rounds.ts'
import type { RowResult } from './row.ts'

interface Named {
  readonly name: string
  readonly how: string
  readonly row?: string
  readonly variant?: string
  readonly figure?: Figure
}

const TO_COME = 'to come with the box that consumes'

const MEASURES: readonly Named[] = [
  { name: 'consumer, display latency', how: TO_COME },
  { name: 'consumer, display throughput', how: TO_COME },
  { name: 'consumer, export throughput', how: TO_COME },
  { name: 'source, display latency', how: 'one frame asked for over DICOMweb, until its last byte; one connection, warm, median', row: 'single', variant: 'box, one frame at a time', figure: 'p50Ms' },
  { name: 'source, display throughput', how: 'frames over DICOMweb, 16 connections, warm', row: 'single', variant: 'box, frames', figure: 'megabitsPerSecond' },
  { name: 'WADO-RS latency', how: 'the study from the PACS through the box: request sent to first byte of the first object', row: 'cold', variant: 'box, PACS Orthanc', figure: 'firstByteMs' },
  { name: 'WADO-RS throughput', how: 'the same, to its last byte', row: 'cold', variant: 'box, PACS Orthanc', figure: 'megabitsPerSecond' },
  { name: 'PACS baseline (DB.SO.102), first image', how: 'C-MOVE of the study from Orthanc, nothing kept: `drimbox bench pacs`', row: 'pacs', variant: 'Orthanc, 1 association', figure: 'firstByteMs' },
  { name: 'PACS baseline (DB.SO.102), throughput', how: 'the same', row: 'pacs', variant: 'Orthanc, 1 association', figure: 'megabitsPerSecond' }
]

const UNITS: Partial<Record<Figure, string>> = { firstByteMs: 'ms', p50Ms: 'ms', megabitsPerSecond: 'Mbit/s' }

/** A section of the page. */
export function nationalMeasures (rows: readonly RowResult[]): string[] {
  return [
    '## The national measures',
    '',
    'Of the set of 1300 CT in JPEG-LS. No threshold is public; a site measures its own PACS with `drimbox bench pacs`.',
    '',
    '| measure | value | how |',
    '| --- | --- | --- |',
    ...MEASURES.map(measure => `| ${measure.name} | ${valueOf(measure, rows)} | ${measure.how} |`)
  ]
}

function valueOf ({ row, variant, figure }: Named, rows: readonly RowResult[]): string {
  if (figure === undefined) return 'to come'
  const found: VariantResult | undefined = rows.find(({ name }) => name === row)?.variants.find(({ name }) => name === variant)
  const value = medianOf(found, figure)
  return value === undefined ? found?.skipped ?? found?.failed ?? 'not measured' : `${sayFigure(figure, value)} ${UNITS[figure] ?? ''}`
}
