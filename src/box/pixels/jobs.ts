/**
 * The jobs that a pixel worker knows. Imported by the worker alone; the service takes its types.
 */

import type { JobRegistry } from './job.ts'

export const JOBS = {
  'transcode-frame': async () => (await import('./transcode-frame.ts')).transcodeFrame,
  render: async () => (await import('./render-job.ts')).render
} as const satisfies JobRegistry

export type BoxJobs = typeof JOBS
