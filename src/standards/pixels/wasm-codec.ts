/**
 * A codec compiled to WebAssembly: loaded when first needed, once per thread, and thrown away when
 * it has failed or grown.
 *
 * The modules are Emscripten's, with C++ classes bound by embind: an object must be given back with
 * `delete`, and its buffers are views of a memory that moves when it grows.
 */

import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { DrimboxError } from '#core/errors.ts'
import { unreadable } from './frame-size.ts'

const require = createRequire(import.meta.url)

interface Runtime {
  readonly HEAPU8: Uint8Array
}

interface Hooks {
  readonly instantiateWasm: (imports: WebAssembly.Imports, ready: (instance: WebAssembly.Instance, module: WebAssembly.Module) => void) => object
  readonly print: () => void
  readonly printErr: () => void
}

/** A memory that one large frame made bigger than this is given back after it. The modules begin with 50 MB. */
const MEMORY_BYTES_KEPT = 96 * 1024 * 1024

/** An object of a C++ class. */
export interface Bound {
  delete (): void
}

/** @typeParam M the classes that the module has */
export class WasmCodec<M> {
  readonly #scriptName: string
  readonly #wasmName: string
  #compiled: Promise<WebAssembly.Module> | undefined
  #runtime: Promise<M & Runtime> | undefined

  /** Both names are resolved as packages are. */
  constructor (scriptName: string, wasmName: string) {
    this.#scriptName = scriptName
    this.#wasmName = wasmName
  }

  /**
   * Lends the module to `use`, which must copy what it wants to keep.
   *
   * @throws RequestError PIXELS_UNREADABLE for whatever a codec throws: it has given up, and its
   *   memory can't be trusted any more, so the next caller gets a new one
   */
  async lend<T> (use: (module: M) => T): Promise<T> {
    const runtime = await this.#sound()
    try {
      const result = use(runtime)
      if (runtime.HEAPU8.length > MEMORY_BYTES_KEPT) this.#runtime = undefined
      return result
    } catch (error) {
      this.#runtime = undefined
      if (error instanceof DrimboxError) throw error
      throw unreadable('the codec gave up', { codec: this.#scriptName }, error instanceof Error ? error : undefined)
    }
  }

  /** A runtime that nobody has given up on while we waited for it. */
  async #sound (): Promise<M & Runtime> {
    for (;;) {
      const made = this.#runtime ??= this.#load()
      try {
        const runtime = await made
        if (made === this.#runtime) return runtime
      } catch (error) {
        this.#runtime = this.#compiled = undefined
        throw error
      }
    }
  }

  async #load (): Promise<M & Runtime> {
    this.#compiled ??= readFile(require.resolve(this.#wasmName)).then(bytes => WebAssembly.compile(bytes))
    const compiled = await this.#compiled
    const create = require(this.#scriptName) as (hooks: Hooks) => Promise<M & Runtime>
    return create({
      instantiateWasm (imports, ready) {
        void WebAssembly.instantiate(compiled, imports).then(instance => ready(instance, compiled))
        return {}
      },
      // What a codec has to say about a broken frame is no business of the log.
      print () {},
      printErr () {}
    })
  }
}

/** Gives a C++ object to `use` and deletes it afterwards; after an exception the whole module goes anyway. */
export function withBound<B extends Bound, T> (object: B, use: (object: B) => T): T {
  const result = use(object)
  object.delete()
  return result
}
