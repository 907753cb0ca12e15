/**
 * Takes a multipart/related body apart into its objects, for the runs that check bytes. Not our
 * own reader, on purpose: it looks for the boundary in what has come, and keeps one object.
 *
 * Source: RFC 2046 §5.1.1.
 */

const HEAD_END = Buffer.from('\r\n\r\n')

export class MultipartObjects {
  readonly #onObject: (file: Buffer) => void
  #pieces: Buffer[] = []
  #bytes = 0
  /** `\r\n--boundary`, once the first line has told it. */
  #delimiter: Buffer | undefined
  /** Looked through already. */
  #searched = 0

  constructor (onObject: (file: Buffer) => void) {
    this.#onObject = onObject
  }

  /** @param piece copied, since the reader uses its buffer again */
  take (piece: Buffer): void {
    this.#pieces.push(Buffer.from(piece))
    this.#bytes += piece.length
    // Joining is dear: not for every piece.
    if (this.#bytes - this.#searched > 1 << 20) this.#look()
  }

  /** @throws Error when the body has no end */
  end (): void {
    const rest = this.#look()
    if (!rest.subarray(0, 4).toString('latin1').startsWith('--')) throw new Error('the multipart body has no end')
  }

  #look (): Buffer {
    let body = this.#pieces.length === 1 ? this.#pieces[0]! : Buffer.concat(this.#pieces)
    if (this.#delimiter === undefined) {
      const first = body[0] === 0x0D ? 2 : 0
      const end = body.indexOf('\r\n', first)
      this.#delimiter = Buffer.concat([Buffer.from('\r\n'), body.subarray(first, end)])
      body = body.subarray(end)
    }
    for (let next = body.indexOf(this.#delimiter); next >= 0; next = body.indexOf(this.#delimiter)) {
      const part = body.subarray(0, next)
      const head = part.indexOf(HEAD_END)
      if (head >= 0) {
        this.#onObject(part.subarray(head + HEAD_END.length))
      }
      body = body.subarray(next + this.#delimiter.length)
    }
    this.#pieces = [body]
    this.#bytes = body.length
    this.#searched = body.length
    return body
  }
}
