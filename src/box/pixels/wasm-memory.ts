/**
 * How much memory the WebAssembly modules of this thread hold: V8 doesn't count it anywhere.
 *
 * Codecs bring their modules themselves, so that the only place to see them all is where they are
 * instantiated.
 */

/** What we need of the global, which the language's own types leave out. */
interface WasmGlobal {
  Memory: new (...args: never[]) => { readonly buffer: ArrayBuffer }
  Instance: new (module: object, imports?: Imports) => { readonly exports: object }
  instantiate: (source: object, imports?: Imports) => Promise<{ exports: object } | { instance: { exports: object } }>
}

type Imports = Readonly<Record<string, object>>

/**
 * Begins to watch; to be called before the first module is loaded.
 *
 * @returns a function that tells what all memories of all modules take now, in bytes
 */
export function watchWasmMemory (): () => number {
  const wasm = (globalThis as unknown as { WebAssembly: WasmGlobal }).WebAssembly
  const { Memory, Instance, instantiate } = wasm
  const memories = new Set<InstanceType<WasmGlobal['Memory']>>()
  const note = (exports: object, imports: Imports = {}): void => {
    for (const names of [exports, ...Object.values(imports)]) {
      for (const value of Object.values(names) as unknown[]) if (value instanceof Memory) memories.add(value)
    }
  }
  wasm.instantiate = async (source, imports) => {
    const made = await instantiate.call(wasm, source, imports)
    note('instance' in made ? made.instance.exports : made.exports, imports)
    return made
  }
  wasm.Instance = new Proxy(Instance, {
    construct (target, args: [object, Imports?]) {
      const made = new target(...args) // eslint-disable-line new-cap
      note(made.exports, args[1])
      return made
    }
  })
  return () => [...memories].reduce((sum, { buffer }) => sum + buffer.byteLength, 0)
}
