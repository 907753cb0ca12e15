/**
 * The viewer's page, as a site would serve it: page, worker and decoders in one folder, over HTTP.
 */

import { cp, glob, readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { createRequire } from 'node:module'
import { basename, dirname, extname, join } from 'node:path'
import { build } from 'esbuild'
import { temporaryFolder, type Test } from '#test/fixtures/peer.ts'

const LOADER = dirname(createRequire(import.meta.url).resolve('@cornerstonejs/dicom-image-loader/package.json'))
const TYPES: Readonly<Record<string, string>> = { '.html': 'text/html', '.js': 'text/javascript', '.wasm': 'application/wasm' }

/** @returns the page's URL, on an origin of its own */
export async function serveViewer (t: Test): Promise<string> {
  const folder = temporaryFolder(t)
  await build({
    entryPoints: { page: join(import.meta.dirname, 'page.ts'), decodeImageFrameWorker: join(LOADER, 'dist/esm/decodeImageFrameWorker.js') },
    outdir: folder,
    bundle: true,
    format: 'esm',
    logLevel: 'silent',
    plugins: [{
      name: 'node-only',
      setup (plugin) {
        // Asked for by what runs in Node alone: the decoders' glue there, and a writer of XML.
        plugin.onResolve({ filter: /^(node:)?(events|fs|path|url|crypto|module|worker_threads|os)$/ }, ({ path }) => ({ path, namespace: 'node-only' }))
        plugin.onLoad({ filter: /.*/, namespace: 'node-only' }, () => ({ contents: 'module.exports = { EventEmitter: class {} }' }))
      }
    }]
  })
  const modules = join(LOADER, '../..')
  for await (const wasm of glob(['@cornerstonejs/codec-*/dist/*.wasm', '@cornerstonejs/dicom-image-loader/node_modules/@cornerstonejs/codec-*/dist/*.wasm'], { cwd: modules })) {
    await cp(join(modules, wasm), join(folder, basename(wasm)))
  }
  await writeFile(join(folder, 'index.html'), '<!doctype html><meta charset=utf-8><title>loading</title><canvas></canvas><script type=module src=/page.js></script>')
  const server = createServer((request, response) => {
    const name = basename(new URL(request.url ?? '/', 'http://viewer').pathname) || 'index.html'
    readFile(join(folder, name)).then(bytes => {
      response.writeHead(200, { 'content-type': TYPES[extname(name)] ?? 'application/octet-stream' }).end(bytes)
    }, () => { response.writeHead(404).end() })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
}
