/** One timer that is set, put off and cleared many times; settings are in seconds, fractions allowed. */
export class Alarm {
  readonly #ring: () => void
  #timer: NodeJS.Timeout | undefined

  constructor (ring: () => void) {
    this.#ring = ring
  }

  get isSet (): boolean { return this.#timer !== undefined }

  start (seconds: number): void {
    this.stop()
    this.#timer = setTimeout(() => {
      this.#timer = undefined // refreshing a timer that has rung would set it again
      this.#ring()
    }, seconds * 1000)
  }

  /** Counts from now again, if it is set. */
  putOff (): void {
    this.#timer?.refresh()
  }

  stop (): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
  }
}
