/**
 * How far each download has come: for whoever watches, in memory alone. After a restart of the server
 * a device that goes on says where.
 */

export interface Progress {
  /** Given to the network; what the device has of it may be some less. */
  readonly sentBytes: number
  readonly bytes: number
}

/** The last ones that were asked for. */
const DOWNLOADS_MAX = 10_000

export class Downloads {
  /** Ones under way. */
  atOnce = 0
  readonly #progress = new Map<string, () => Progress>()

  /** @param read bytes of this answer so far */
  begin (deploymentId: string, from: number, bytes: number, read: () => number): void {
    this.#progress.delete(deploymentId)
    this.#progress.set(deploymentId, () => ({ sentBytes: from + read(), bytes }))
    if (this.#progress.size > DOWNLOADS_MAX) this.#progress.delete(this.#progress.keys().next().value!)
  }

  of (deploymentId: string): Progress | undefined {
    return this.#progress.get(deploymentId)?.()
  }
}
