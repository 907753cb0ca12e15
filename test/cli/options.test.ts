import { test } from 'tap'
import { assertCount, choice, readOptions, wholeNumber } from '#cli/options.ts'
import { settingsOf } from '#cli/settings.ts'
import { wordsFor } from '#cli/words.ts'

const words = wordsFor('en', {})
const KINDS = { config: 'text', pacs: 'text', title: 'text', port: 'text', json: 'flag' } as const

function given (...args: string[]): ReturnType<typeof readOptions> {
  return readOptions(args, KINDS, words)
}

test('an option that is not known, lacks its value or has one too many is told by name', t => {
  t.throws(() => given('--jason'), { message: /--jason/ })
  t.throws(() => given('--port'), { message: /--port/ })
  t.throws(() => given('--port='), { message: /--port/ })
  t.throws(() => given('--json=yes'), { message: /--json/ })
  t.throws(() => given('--constructor'), { message: /--constructor/ })
  t.throws(() => wholeNumber(given('--port=70000'), 'port', 1, 65535, words), { name: 'UsageError' })
  t.throws(() => wholeNumber(given('--port=1e3'), 'port', 1, 65535, words), { name: 'UsageError' })
  t.throws(() => choice(given('--title=x'), 'title', ['a', 'b'], words), { name: 'UsageError' })
  t.throws(() => { assertCount(given('a', 'b'), 0, 1, words) }, { name: 'UsageError' })
  t.throws(() => { assertCount(given(), 1, 1, words) }, { name: 'UsageError' })
  t.end()
})

test('a PACS is named in one word, and the settings\' defaults hold beside it', async t => {
  t.match(await settingsOf(given('--pacs=MY PACS@pacs.local:4242'), words), { pacs: { calledTitle: 'MY PACS', host: 'pacs.local', port: 4242, method: 'move' }, dimse: { aeTitle: 'DRIMBOX', port: 11112 } })
  t.match(await settingsOf(given('--pacs=A@B@[fe80::1]', '--title=CABINET', '--port=104'), words), { pacs: { calledTitle: 'A@B', host: 'fe80::1', port: 104 }, dimse: { aeTitle: 'CABINET', port: 104 } })
})

test('a PACS that cannot be read, two of them, or a title of seventeen letters are refused', async t => {
  for (const pacs of ['PACS', 'PACS@', '@host:104', 'PACS@host:port', 'SEVENTEEN-LETTERS@host:104']) await t.rejects(settingsOf(given(`--pacs=${pacs}`), words), { name: 'UsageError' }, pacs)
  await t.rejects(settingsOf(given('--pacs=A@b:1', '--config=c.json'), words), { name: 'UsageError' })
  await t.rejects(settingsOf(given('--pacs=A@b:70000'), words), { code: 'SETTING_INVALID' })
  await t.rejects(settingsOf(given('--pacs=A@b:1', '--title=SEVENTEEN-LETTERS'), words), { code: 'SETTING_INVALID' })
})
