/**
 * Where sockets without an association wait, in bounded number: when it is full, the one that has waited longest
 * must go, first of the address that crowds it.
 */

export interface Visitor {
  readonly address: string
  /** Closes the socket; the visitor leaves when it is closed. */
  close (): void
}

export class Lobby {
  readonly #visitorsMax: number
  readonly #perAddressMax: number
  readonly #onDropped: (visitor: Visitor) => void
  /** In order of arrival. */
  readonly #visitors = new Set<Visitor>()

  constructor (visitorsMax: number, perAddressMax: number, onDropped: (visitor: Visitor) => void) {
    this.#visitorsMax = visitorsMax
    this.#perAddressMax = perAddressMax
    this.#onDropped = onDropped
  }

  enter (visitor: Visitor): void {
    const neighbours = [...this.#visitors].filter(({ address }) => address === visitor.address)
    if (neighbours.length >= this.#perAddressMax) this.#drop(neighbours[0]!)
    else if (this.#visitors.size >= this.#visitorsMax) this.#drop(this.#visitors.values().next().value!)
    this.#visitors.add(visitor)
  }

  leave (visitor: Visitor): void {
    this.#visitors.delete(visitor)
  }

  #drop (visitor: Visitor): void {
    this.#visitors.delete(visitor)
    this.#onDropped(visitor)
    visitor.close()
  }
}
