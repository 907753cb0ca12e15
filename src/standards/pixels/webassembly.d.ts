/** The little of WebAssembly that wasm-codec.ts uses: its types come with those of browsers, which aren't wanted here. */
declare namespace WebAssembly {
  interface Module { readonly [Symbol.toStringTag]: 'WebAssembly.Module' }
  interface Instance { readonly exports: Readonly<Record<string, unknown>> }
  type Imports = Readonly<Record<string, Readonly<Record<string, unknown>>>>
  function compile (bytes: Uint8Array): Promise<Module>
  function instantiate (module: Module, imports: Imports): Promise<Instance>
}
