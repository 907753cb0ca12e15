/**
 * The way back while the box runs: it holds our title and port, so the object is asked of the box itself, over
 * DICOMweb, and takes the very path that every reader's images take.
 *
 * Source: DICOM PS3.18 §10.4 (WADO-RS).
 */

import { request } from 'node:http'
import type { CacheList } from '#box/admin/routes.ts'
import type { Config } from '#box/config.ts'
import { askBox } from '../admin.ts'
import type { SmallObject } from './small-object.ts'
import { found, type Outcome } from './step.ts'

/** Of a problem's body. */
const PROBLEM_BYTES_MAX = 64 << 10

/** Asked of the box on its admin socket; undefined where none runs. */
export async function studiesInBox (config: Config, language: string, signal: AbortSignal): Promise<ReadonlySet<string> | undefined> {
  if (config.adminSocket === undefined) return undefined
  try {
    const list = await askBox(config.adminSocket, 'GET', '/cache', { language, signal }) as CacheList
    return new Set(list.map(({ studyUid }) => studyUid))
  } catch {
    return undefined
  }
}

export async function throughBox ({ http, pacs }: Config, object: SmallObject, held: ReadonlySet<string>, signal: AbortSignal): Promise<Outcome> {
  // As the PACS spelt them: whatever isn't a UID must not become another path.
  const [study, series, instance] = [object.studyUid, object.seriesUid, object.sopInstanceUid].map(encodeURIComponent)
  const path = `${http.prefix}/studies/${study}/series/${series}/instances/${instance}`
  const began = performance.now()
  const { promise, resolve, reject } = Promise.withResolvers<{ status: number, bytes: number, problem: string }>()
  const where = http.socket === undefined ? { host: http.host, port: http.port } : { socketPath: http.socket }
  const asked = request({ ...where, path, headers: { accept: 'multipart/related; type="application/dicom"; transfer-syntax=*' }, signal }, response => {
    let bytes = 0
    let problem = ''
    const isProblem = response.statusCode !== 200
    response.on('data', (chunk: Buffer) => {
      bytes += chunk.length
      if (isProblem && bytes < PROBLEM_BYTES_MAX) problem += chunk.toString('utf8')
    })
    response.on('end', () => { resolve({ status: response.statusCode ?? 0, bytes, problem }) })
    response.on('error', reject)
  })
  asked.setTimeout(pacs.responseSeconds * 1000, () => { asked.destroy(new Error('silent')) })
  asked.on('error', reject)
  asked.end()
  try {
    const { status, bytes, problem } = await promise
    const facts = { throughBox: true, bytes, arrivedMilliseconds: Math.round(performance.now() - began) }
    if (status !== 200) return { mark: 'failed', facts: { throughBox: true }, findings: [found('box-refused', { reason: codeOf(problem) ?? `HTTP ${status}` })] }
    return held.has(object.studyUid) ? { mark: 'failed', facts, findings: [found('box-had-it', { study: object.studyUid })] } : { facts }
  } catch (error) {
    return { mark: 'failed', facts: { throughBox: true }, findings: [found('box-refused', { reason: error instanceof Error ? error.message : 'unknown' })] }
  }
}

function codeOf (problem: string): string | undefined {
  try {
    const { code } = JSON.parse(problem) as { code?: unknown }
    return typeof code === 'string' ? code : undefined
  } catch {
    return undefined
  }
}
