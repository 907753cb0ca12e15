import { join } from 'node:path'
import { test } from 'tap'
import { freePort, run, type Result } from '#test/fixtures/peer.ts'

const PROGRAM = join(import.meta.dirname, '../../src/cli.ts')

async function drimbox (...args: string[]): Promise<Result> {
  return await run(process.execPath, [PROGRAM, ...args])
}

test('every verb explains itself in French and in English, with its exit codes', async t => {
  for (const verb of ['echo', 'find', 'get', 'pair', 'cache', 'status']) {
    const french = await drimbox(verb, '--help', '--lang=fr')
    t.equal(french.code, 0, verb)
    t.match(french.stdout.toString(), 'Codes de sortie')
    t.match((await drimbox(verb, '--lang', 'en', '--help')).stdout.toString(), 'Exit codes')
  }
})

test('a wrong command line ends with 2 and shows the way to the help', async t => {
  const unknown = await drimbox('--lang=en', 'destroy')
  t.equal(unknown.code, 2)
  t.match(unknown.stderr.toString(), 'unknown command "destroy"')
  const option = await drimbox('echo', '--fast', '--lang=en')
  t.equal(option.code, 2)
  t.match(option.stderr.toString(), 'Help: drimbox echo --help')
})

test('a failure ends with 1, its stable code first and what to do last', async t => {
  const { code, stderr } = await drimbox('echo', `--pacs=PACS@127.0.0.1:${await freePort()}`, '--lang=fr')
  t.equal(code, 1)
  t.match(stderr.toString(), /^PACS_UNREACHABLE: PACS injoignable/)
  t.match(stderr.toString(), 'aucun programme n\'écoute sur ce port')
})
