/**
 * Frames through the pixel workers and back, in their order, a few of them ahead of the caller.
 */

import type { Held, Lane } from '../pixels/lane.ts'
import type { BoxJobs } from '../pixels/jobs.ts'
import type { TranscodedFrame } from '../pixels/transcode-frame.ts'
import { nativeBytes } from '#standards/pixels/frame-size.ts'
import { codedAs, decodedFormat } from './makeable.ts'
import type { Frames } from './stored-image.ts'

export interface Coding {
  readonly lane: Lane<BoxJobs>
  readonly frames: Frames
  /** SOP Instance UID. */
  readonly instance: string
  readonly from: string
  readonly to: string
}

/** @throws RequestError FRAME_UNKNOWN, and as a lane does */
export async function codeFrame ({ lane, frames, instance, from, to }: Coding, frame: number): Promise<Held<TranscodedFrame>> {
  const { format } = frames
  return await lane.run({
    job: 'transcode-frame',
    instance,
    cost: { bytes: frames.bytes(frame) + nativeBytes(decodedFormat(format)), pixels: format.rows * format.columns },
    async prepare () {
      const coded = await frames.read(frame)
      return { input: { coded, from, to: codedAs(to), format }, transfer: [coded.buffer] }
    }
  })
}

/**
 * What `start` promises for each of `things`, in their order, with up to `most` of them begun and not
 * yet taken. Nothing begins before the first is asked for.
 *
 * @throws what `things` throws, after all that came before; what `start` throws, in its place
 */
export async function * startAhead<T, R> (things: Iterable<T> | AsyncIterable<T>, most: number, start: (thing: T) => Promise<R>): AsyncGenerator<R> {
  const begun: Promise<IteratorResult<R, undefined>>[] = []
  let changed = Promise.withResolvers<undefined>()
  const change = (): void => {
    changed.resolve(undefined)
    changed = Promise.withResolvers()
  }
  const reader = { left: false }
  const add = (promise: Promise<IteratorResult<R, undefined>>): void => {
    // Met when its turn comes.
    promise.catch(() => {})
    begun.push(promise)
    change()
  }
  const begin = async (): Promise<void> => {
    for await (const thing of things) {
      if (reader.left) return
      add(start(thing).then(value => ({ done: false, value })))
      while (begun.length >= most && !reader.left) await changed.promise
    }
    add(Promise.resolve({ done: true, value: undefined }))
  }
  begin().catch((error: unknown) => { add(Promise.reject(error)) })
  try {
    while (true) {
      const promise = begun[0]
      if (promise === undefined) {
        await changed.promise
        continue
      }
      const { done, value } = await promise
      begun.shift()
      change()
      if (done === true) return
      yield value
    }
  } finally {
    reader.left = true
    change()
  }
}
