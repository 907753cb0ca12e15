import { test } from 'tap'
import { parseConfig, readConfig } from '#box/config.ts'

const LEAST = { pacs: { host: 'pacs', calledTitle: 'PACS' }, cache: { folder: '/var/lib/drimbox/cache' } }

test('a PACS and a folder are all that must be said', t => {
  t.match(parseConfig(LEAST), { pacs: { port: 104, associationsMax: 2, method: 'move' }, dimse: { aeTitle: 'DRIMBOX' }, freshness: { youngSecondsMax: 60 } })
  t.end()
})

test('every wrong setting is named at once', t => {
  const parse = (): unknown => parseConfig({ ...LEAST, pacs: { host: '', port: 70000, calledTitle: 'SEVENTEEN-LETTERS', colour: 'red' } })
  t.throws(parse, { code: 'SETTING_INVALID' })
  for (const key of [/\/pacs\/host/, /\/pacs\/port/, /\/pacs\/calledTitle/, /\/pacs\/colour/]) t.throws(parse, { message: key })
  t.end()
})

test('settings given are not changed by reading them', t => {
  const given = structuredClone(LEAST)
  parseConfig(given)
  t.same(given, LEAST)
  t.end()
})

test('a settings file that is absent or not JSON is told by its path', async t => {
  await t.rejects(readConfig(`${t.testdir()}/absent.json`), { code: 'SETTING_INVALID', message: /absent\.json/ })
  await t.rejects(readConfig(`${t.testdir({ 'broken.json': '{' })}/broken.json`), { code: 'SETTING_INVALID' })
})
