/** What os-image/service.ts lays into a tree runs there by itself: nothing that it needs stayed at the desk. */

import { execFile } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { test } from 'tap'

const run = promisify(execFile)
const PROJECT = join(import.meta.dirname, '../..')

/** To load everything; a program that runs on by then has found all. */
const ENOUGH_MS = 20_000

/** Those that start something when they are imported: they are run instead. */
const PROGRAMS = /^src\/[a-z]+\.ts$|worker\.ts$/

test('a service laid into a tree', async t => {
  const tree = mkdtempSync(join(tmpdir(), 'drimbox-tree-'))
  t.teardown(() => { rmSync(tree, { recursive: true, force: true }) })
  await run(process.execPath, [join(PROJECT, 'os-image/service.ts'), `--tree=${tree}`, '--without-node'])
  const service = join(tree, 'usr/lib/drimbox/service')
  const files = readdirSync(service, { recursive: true, encoding: 'utf8' }).sort()
  const node = async (...args: readonly string[]) => await run(process.execPath, args, { cwd: service, maxBuffer: 8 << 20, timeout: ENOUGH_MS })
    .catch((error: { code: unknown, stdout: string, stderr: string }) => error)

  await t.test('each of its modules finds all that it imports', async t => {
    const modules = files.filter(file => /^src\/.*\.ts$/.test(file) && !PROGRAMS.test(file))
    t.ok(modules.length > 100, 'the sources are there')
    const said = await node('--input-type=module', '-e', `for (const file of ${JSON.stringify(modules)}) await import('${service}/' + file); console.log('all'); process.exit()`)
    t.equal(said.stdout.trim(), 'all', said.stderr)
  })

  await t.test('each codec that the sources name is there', async t => {
    const named = `
      import { readFileSync } from 'node:fs'; import { createRequire } from 'node:module'
      const require = createRequire('${service}/src/drimbox.ts')
      for (const file of ${JSON.stringify(files.filter(file => /^src\/.*\.ts$/.test(file)))}) {
        for (const [, name] of readFileSync('${service}/' + file, 'utf8').matchAll(/'(@cornerstonejs\\/codec-[^']+)'/g)) console.log(readFileSync(require.resolve(name)).length > 1000)
      }`
    const { stdout, stderr } = await node('--input-type=module', '-e', named)
    const found = stdout.trim().split('\n')
    t.ok(found.length >= 8 && found.every(word => word === 'true'), `${stdout}${stderr}`)
  })

  await t.test('its programs start, and say what they miss', async t => {
    t.match((await node('src/drimbox.ts', '--config=/nowhere/config.json')).stderr, /SETTING_INVALID/)
    t.match((await node('src/cli.ts', '--help')).stdout, /drimbox/)
    for (const program of ['signer', 'status', 'settings', 'gate'].filter(name => existsSync(join(service, `src/${name}.ts`)))) {
      t.notMatch((await node(`src/${program}.ts`)).stderr ?? '', /ERR_MODULE_NOT_FOUND|Cannot find|is not defined by "imports"/, program)
    }
  })

  await t.test('what stays at the desk is not in it', async t => {
    t.notOk(files.some(file => /^src\/(sim|fleet\.ts)/.test(file)), 'stand-ins, fleet server')
    t.notOk(files.some(file => /^node_modules\/(tap|typescript|eslint|esbuild|dcmjs-dimse|playwright-core|core-js-pure)\//.test(file)), 'packages of the desk')
    t.ok(files.some(file => /^node_modules\/fastify\/LICENSE$/i.test(file)), 'licence texts travel')
  })
})
