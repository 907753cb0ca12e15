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
  readonly #onWhole: (bytes: number) => void

  constructor (path: string, request: StoreRequest, flow: Flow, onWhole: (bytes: number) => void) {
    this.#path = path
    this.#flow = flow
    this.#onWhole = onWhole
    this.#stream = createWriteStream(`${path}.part`)
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
      await rename(`${this.#path}.part`, this.#path)
    } catch {
      await rm(`${this.#path}.part`, { force: true })
      return STATUS.outOfResources
    }
    this.#onWhole(this.#stream.bytesWritten)
    return STATUS.success
  }

  abort (): void {
    this.#stream.once('close', () => { rmSync(`${this.#path}.part`, { force: true }) })
    this.#stream.destroy()
  }
}
