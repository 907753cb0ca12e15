/**
 * What a job of the pixel workers is, and what the two sides of a worker say to each other.
 *
 * Everything here crosses a thread by structured clone: a Buffer arrives as a Uint8Array, a class
 * instance as a plain object.
 */

import type { Facts, RequestCode } from '#core/errors.ts'

/** What a job gives back. */
export interface Outcome<Output> {
  readonly output: Output
  /** Buffers within `output` that are handed over instead of copied: each must be all of its memory. */
  readonly transfer?: readonly ArrayBuffer[]
}

/**
 * Runs in a worker, alone: it may take all the time and memory that the pool allows, and nothing
 * that it does can reach the service. A RequestError that it throws reaches the caller as it is, with
 * the instance added; anything else is PIXELS_UNREADABLE and the end of the worker, since nobody
 * knows what state it left behind.
 */
export type Job<Input, Output> = (input: Input) => Promise<Outcome<Output>>

/** Jobs by name, each loaded when it is first asked for: their codecs are megabytes. */
export type JobRegistry = Readonly<Record<string, () => Promise<Job<never, unknown>>>>

type Loaded<R extends JobRegistry, N extends keyof R> = Awaited<ReturnType<R[N]>>
export type InputOf<R extends JobRegistry, N extends keyof R> = Parameters<Loaded<R, N>>[0]
export type OutputOf<R extends JobRegistry, N extends keyof R> = Awaited<ReturnType<Loaded<R, N>>>['output']

export interface Order {
  readonly name: string
  readonly input: unknown
}

export interface Report {
  /** Of its heap and everything outside of it that belongs to this worker, in bytes. */
  readonly workerBytes: number
  readonly output?: unknown
  /** What was handed over, in bytes. */
  readonly outputBytes?: number
  readonly failure?: { readonly code: RequestCode | undefined, readonly message: string, readonly facts: Facts }
}

/** A view that owns all of its memory, so that it can be handed over: copied only if it has to be. */
export function whole (bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const { buffer, byteOffset, byteLength } = bytes
  if (buffer instanceof ArrayBuffer && byteOffset === 0 && byteLength === buffer.byteLength) return bytes as Uint8Array<ArrayBuffer>
  return Uint8Array.from(bytes)
}
