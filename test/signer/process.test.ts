import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { ask, startActivated } from '#test/fixtures/activated.ts'
import { skipWithout, temporaryFolder } from '#test/fixtures/peer.ts'
import { startSoftwareTpm, SWTPM_PROGRAMS } from '#test/fixtures/swtpm.ts'

const skip = skipWithout(...SWTPM_PROGRAMS)
const PROGRAM = join(import.meta.dirname, '../../src/signer.ts')

t.test('the signer ends when nobody asks, and the next caller finds the next one with the same key', { skip }, async t => {
  const tpm = await startSoftwareTpm(t)
  const folder = temporaryFolder(t)
  mkdirSync(join(folder, 'work'))
  const signer = await startActivated(t, [process.execPath, PROGRAM, `--keys=${folder}`, `--work=${join(folder, 'work')}`, `--tcti=${tpm.tcti}`, '--idle-seconds=1'], 2)
  const made = await ask(signer.socket, 'PUT', '/keys/first', { type: 'P-256' })
  t.equal(made.status, 201)
  while (!signer.output().includes('ended: 0')) await new Promise(resolve => setTimeout(resolve, 50))
  const found = await ask(signer.socket, 'GET', '/keys')
  t.equal(found.json.keys[0].fingerprint, made.json.fingerprint)
  await signer.ended
  t.equal(signer.output().match(/ended: 0/g)?.length, 2)
  t.notMatch(signer.output(), /BEGIN|PRIVATE/)
})

t.test('with nothing to listen on it says so', async t => {
  const { run } = await import('#test/fixtures/peer.ts')
  t.match(await run(process.execPath, [PROGRAM]), { code: 1, output: /^SETTING_INVALID: / })
  t.match(await run(process.execPath, [PROGRAM, '--socket=/nowhere/at/all', '--idle-seconds=-1']), { code: 1, output: /^SETTING_INVALID: / })
})
