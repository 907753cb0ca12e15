/**
 * Asks the gateway how it is, over its socket, as the national service monitor does: a GET on the DICOMweb root.
 *
 * Source: docs/standards/dicomweb.md, "Health".
 */

import { once } from 'node:events'
import { request, type IncomingMessage } from 'node:http'

/** The gateway itself waits up to three seconds for a sign of life of its PACS. Milliseconds. */
const ANSWER_MS = 5000
/** A report has some hundred bytes. */
const BODY_BYTES_MAX = 64 << 10

export interface Gateway {
  readonly answering: boolean
  /** Why it doesn't, or what it lacks: GATEWAY_ABSENT, GATEWAY_SILENT, PACS_…, STORE_FAILED. */
  readonly code: string | null
}

export async function askGateway (socketPath: string, prefix: string): Promise<Gateway> {
  try {
    // A connection kept from before may end in a gateway that is gone.
    const call = request({ agent: false, socketPath, path: `${prefix}/`, headers: { host: 'localhost', accept: 'application/json' }, signal: AbortSignal.timeout(ANSWER_MS) })
    call.end()
    const [response] = await once(call, 'response') as [IncomingMessage]
    const report = await readJson(response)
    if (response.statusCode !== 200 && response.statusCode !== 503) return { answering: false, code: 'GATEWAY_BROKEN' }
    return { answering: true, code: lack(report) }
  } catch (error) {
    const { code, name } = error as NodeJS.ErrnoException
    if (name === 'AbortError' || name === 'TimeoutError') return { answering: false, code: 'GATEWAY_SILENT' }
    return { answering: false, code: code === 'ENOENT' || code === 'ECONNREFUSED' ? 'GATEWAY_ABSENT' : 'GATEWAY_BROKEN' }
  }
}

interface Report {
  readonly status?: unknown
  readonly code?: unknown
  readonly dependencies?: { readonly [name: string]: { readonly status?: unknown, readonly code?: unknown } }
}

/** Codes of the gateway's own catalogue: nothing else that it says is repeated here. */
const KNOWN = /^(PACS|STORE)_[A-Z]{2,20}$/

function lack ({ status, dependencies = {} }: Report): string | null {
  if (status === 'up') return null
  const { pacs, disk, index } = dependencies
  if (disk?.status !== undefined && disk.status !== 'up') return 'STORE_FAILED'
  if (index?.status !== undefined && index.status !== 'up') return 'STORE_FAILED'
  if (typeof pacs?.code === 'string' && KNOWN.test(pacs.code)) return pacs.code
  return pacs?.status !== undefined && pacs.status !== 'up' ? 'PACS_UNREACHABLE' : 'GATEWAY_DEGRADED'
}

async function readJson (response: IncomingMessage): Promise<Report> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of response as AsyncIterable<Buffer>) {
    length += chunk.length
    if (length > BODY_BYTES_MAX) throw new RangeError('longer than a report')
    chunks.push(chunk)
  }
  const report: unknown = JSON.parse(Buffer.concat(chunks).toString('utf8'))
  if (typeof report !== 'object' || report === null) throw new RangeError('not a report')
  return report
}
