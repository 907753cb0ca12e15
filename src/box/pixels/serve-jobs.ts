/**
 * The inner side of a pixel worker: takes one order after the other and reports on each.
 */

import { getHeapStatistics } from 'node:v8'
import { parentPort } from 'node:worker_threads'
import { RequestError } from '#core/errors.ts'
import type { Job, JobRegistry, Order, Report } from './job.ts'
import { watchWasmMemory } from './wasm-memory.ts'

const wasmBytes = watchWasmMemory()

/** Begins to serve; to be called once, by a worker's entry. */
export function serveJobs (registry: JobRegistry): void {
  parentPort?.on('message', ({ name, input }: Order) => {
    void work(registry, name, input)
  })
}

async function work (registry: JobRegistry, name: string, input: unknown): Promise<void> {
  try {
    const job = await registry[name]() as Job<unknown, unknown>
    const { output, transfer = [] } = await job(input)
    const outputBytes = transfer.reduce((sum, { byteLength }) => sum + byteLength, 0)
    report({ output, outputBytes }, transfer)
  } catch (error) {
    const known = error instanceof RequestError ? error : undefined
    // A codec made of C throws numbers and strings too.
    report({ failure: { code: known?.code, message: error instanceof Error ? error.message : String(error), facts: known?.facts ?? {} } })
  }
}

function report (said: Omit<Report, 'workerBytes'>, transfer: readonly ArrayBuffer[] = []): void {
  const { total_heap_size: heap, malloced_memory: malloced, external_memory: external } = getHeapStatistics()
  const message: Report = { ...said, workerBytes: heap + malloced + external + wasmBytes() }
  parentPort?.postMessage(message, [...transfer])
}
