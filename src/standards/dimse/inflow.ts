/**
 * Reads a socket into memory that is used again.
 *
 * Node's own way makes a buffer for each read; making and collecting them costs as much as all the rest
 * of receiving (docs/decisions/0060). Here an association reads into blocks of its own, which go round: what
 * was handed on stays as it is while it is kept, and may be overwritten by a later read once it is freed.
 */

import { Socket, type SocketConstructorOpts } from 'node:net'

/** For questions, answers and commands: as long as no object comes. */
const FIRST_BYTES = 16 << 10
/** Takes most images whole, and as many bytes in one read as the operating system has. */
const BLOCK_BYTES = 1 << 20
/** A rest of a block shorter than this isn't worth a read of its own. */
const ROOM_BYTES_MIN = 64 << 10
/** Blocks that wait for the next association. */
const SPARE_MAX = 8

const spare: Buffer[] = []

export class Inflow {
  /** Told what has come: a view of a block. @returns whether nothing of it is left to be looked at later */
  onBytes: (chunk: Buffer) => boolean = () => true
  /** As `node:net` wants it. */
  readonly onread = {
    buffer: (): Buffer => this.#place(),
    callback: (bytes: number, place: Uint8Array): boolean => {
      this.#at += bytes
      this.#readInto = this.#blocks.at(-1)
      this.#pending = !this.onBytes((place as Buffer).subarray(0, bytes))
      return true
    }
  }

  #first = Buffer.allocUnsafeSlow(FIRST_BYTES)
  /** In the order in which they were filled: reads go into the last one. */
  readonly #blocks: Buffer[] = []
  /** Where the next read goes in it. */
  #at = 0
  #kept = false
  /** Of the last read something may be left to be looked at. */
  #pending = false
  /** Where that lies. */
  #readInto: Buffer | undefined
  /** An object has come: where there was one there are more. */
  #large = false
  #closed = false

  /** What has been handed on is still in use. */
  keep (): void {
    this.#kept = true
    this.#large = true
  }

  /**
   * What has been handed on may be overwritten, but for what is left of the last read. Whoever stops in the
   * middle of each read, as a large object does, gives back all the same.
   */
  free (): void {
    if (!this.#kept || this.#closed) return
    this.#kept = false
    const inUse = this.#pending && this.#readInto !== undefined ? this.#blocks.indexOf(this.#readInto) : this.#blocks.length - 1
    giveBack(this.#blocks.splice(0, Math.max(0, inUse)))
  }

  /** Nothing is read any more. What is in use until now stays with whoever uses it. */
  close (): void {
    this.#closed = true
    const blocks = this.#blocks.splice(0)
    if (!this.#kept) giveBack(blocks)
  }

  #place (): Buffer {
    const isFree = !this.#kept && !this.#pending
    if (!this.#large) {
      if (!isFree) this.#first = Buffer.allocUnsafeSlow(FIRST_BYTES)
      return this.#first
    }
    let block = this.#blocks.at(-1)
    if (block !== undefined && isFree) this.#at = 0
    if (block === undefined || block.length - this.#at < ROOM_BYTES_MIN) {
      block = spare.pop() ?? Buffer.allocUnsafeSlow(BLOCK_BYTES)
      this.#blocks.push(block)
      this.#at = 0
    }
    return block.subarray(this.#at)
  }
}

function giveBack (blocks: readonly Buffer[]): void {
  for (const block of blocks) if (spare.length < SPARE_MAX) spare.push(block)
}

/** The parts of a socket that Node doesn't tell of, and that have been there for as long as it exists. */
interface Insides {
  _handle: object | null
  _server: object | null
}

/**
 * A listening socket makes ordinary ones: this is the same connection, read through an inflow. To be called
 * in the turn that brought it, on one that was paused when it came.
 *
 * @returns without an inflow the socket as it was, should Node's insides be others one day
 */
export function readThroughInflow (accepted: Socket): { socket: Socket, inflow?: Inflow } {
  const old = accepted as unknown as Insides
  if (old._handle == null || old._server == null) return { socket: accepted.resume() }
  const inflow = new Inflow()
  const options = { handle: old._handle, onread: inflow.onread }
  const socket = new Socket(options as SocketConstructorOpts)
  ;(socket as unknown as Insides)._server = old._server
  old._handle = old._server = null
  return { socket, inflow }
}
