/**
 * One object that arrives, written to a Part 10 file as it comes; the file has its name only when it is whole.
 *
 * Source: DICOM PS3.10 §7.1.
 */

import { createWriteStream, rmSync, type WriteStream } from 'node:fs'
import { rename, rm } from 'node:fs/promises'
import { finished } from 'node:stream/promises'
import { encodePart10Head } from '#standards/dicom/part10.ts'
import { STATUS } from '#standards/dimse/status.ts'
import type { Flow, StoreRequest, StoreSink } from '#standards/dimse/store-provider.ts'

export class ObjectFile implements StoreSink {
  readonly #path: string
  readonly #stream: WriteStream
  readonly #flow: Flow
  readonly #part: string
  readonly #onEnd: (bytes: number | undefined) => void

  /** @param onEnd told the bytes of the file when it is whole, undefined when it won't be */
  constructor (path: string, request: StoreRequest, flow: Flow, onEnd: (bytes: number | undefined) => void) {
    this.#path = path
    // A PACS may send again, on another association, what broke on the first.
    this.#part = `${path}.${request.peer.associationId}.part`
    this.#flow = flow
    this.#onEnd = onEnd
    this.#stream = createWriteStream(this.#part, { mode: 0o600 })
    // The failure is told by end(); a peer who is paused then must go on, to hear of it.
    this.#stream.on('error', () => { flow.resume() })
    this.#stream.on('drain', () => { flow.resume() })
    this.#stream.write(encodePart10Head({ ...request, sourceTitle: request.peer.title }))
  }

  write (chunk: Buffer): void {
    if (!this.#stream.errored && !this.#stream.write(chunk)) this.#flow.pause()
  }

  async end (): Promise<number> {
    try {
      this.#stream.end()
      await finished(this.#stream)
      await rename(this.#part, this.#path)
    } catch {
      await rm(this.#part, { force: true })
      this.#onEnd(undefined)
      return STATUS.outOfResources
    }
    this.#onEnd(this.#stream.bytesWritten)
    return STATUS.success
  }

  abort (): void {
    this.#stream.once('close', () => { rmSync(this.#part, { force: true }) })
    this.#stream.destroy()
    this.#onEnd(undefined)
  }
}
