import { join } from 'node:path'
import { writeFile } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { test, type Test } from 'tap'
import { openBox } from '#box/box.ts'
import { parseConfig } from '#box/config.ts'
import { cacheVerb } from '#cli/cache.ts'
import { drainVerb } from '#cli/drain.ts'
import { statusVerb } from '#cli/status.ts'
import { startPacs } from '#sim/pacs.ts'
import { generateStudies } from '#sim/studies.ts'
import { temporaryFolder, freePort } from '#test/fixtures/peer.ts'
import { say } from '#test/fixtures/terminal.ts'

const STUDIES = generateStudies({ ctImages: 2 }).filter(({ name }) => name === 'sr')

/** A box that has read one study. */
async function site (t: Test): Promise<{ socket: string, study: string }> {
  const folder = temporaryFolder(t)
  const port = await freePort()
  const pacs = await startPacs({ studies: STUDIES, destinations: new Map([['DRIMBOX', { host: '127.0.0.1', port }]]) })
  t.teardown(async () => { await pacs.close() })
  const socket = join(folder, 'admin.sock')
  const box = await openBox(parseConfig({
    pacs: { host: '127.0.0.1', port: pacs.port, calledTitle: pacs.aeTitle },
    dimse: { port },
    http: { port: 0 },
    cache: { folder: join(folder, 'cache'), diskFreeBytesMin: 0 },
    adminSocket: socket,
    logLevel: 'silent'
  }))
  t.teardown(async () => { await box.close() })
  const study = STUDIES[0]!.studyUid
  const answer = await fetch(`${box.dicomweb}/studies/${study}`, { headers: { accept: 'multipart/related; type="application/dicom"; transfer-syntax=*' } })
  t.equal(answer.status, 200)
  await answer.arrayBuffer()
  // The last byte leaves before the PACS has said its last word.
  while (JSON.parse((await say(statusVerb, [`--socket=${socket}`, '--json'])).out).retrieves.length > 0) await delay(5)
  return { socket, study }
}

test('a running box tells how it is doing, in words and as JSON', async t => {
  const { socket } = await site(t)
  const { code, out } = await say(statusVerb, [`--socket=${socket}`])
  t.equal(code, 0)
  t.match(out, /PACS +joignable/)
  t.match(out, /Cache +1 série/)
  t.match(JSON.parse((await say(statusVerb, [`--socket=${socket}`, '--json'])).out), { pacs: { breaker: 'closed' }, cache: { series: 1 } })
})

test('the cache is listed, a study is purged from it, and nothing else is', async t => {
  const { socket, study } = await site(t)
  const listed = await say(cacheVerb, [`--socket=${socket}`])
  t.match(listed.out, study)
  t.match(listed.out, 'complète')
  t.match((await say(cacheVerb, ['purge', study, `--socket=${socket}`])).out, study)
  t.same(await say(cacheVerb, ['list', `--socket=${socket}`], 'en'), { code: 0, out: '', err: '0 series, 0 bytes.' })
  await t.rejects(say(cacheVerb, ['purge', '../status', `--socket=${socket}`]), { code: 'UID_INVALID' })
  await t.rejects(say(cacheVerb, ['forget', `--socket=${socket}`]), { message: /list, purge/ })
})

test('a box that isn\'t running is told apart from settings that name no socket', async t => {
  const folder = temporaryFolder(t)
  await t.rejects(say(statusVerb, [`--socket=${join(folder, 'none.sock')}`]), { code: 'SETTING_INVALID', facts: { reason: 'box-not-running' } })
  const config = join(folder, 'config.json')
  await writeFile(config, JSON.stringify({ pacs: { host: 'pacs', calledTitle: 'PACS' }, cache: { folder } }))
  await t.rejects(say(statusVerb, [`--config=${config}`]), { code: 'SETTING_INVALID', facts: { reason: 'no-admin-socket' } })
})

test('before a restart the box takes nothing new, and opens again when asked to', async t => {
  const { socket } = await site(t)
  t.same(await say(drainVerb, [`--socket=${socket}`, '--wait=5'], 'en'), { code: 0, out: 'No new requests; 0 under way.', err: '' })
  t.match((await say(drainVerb, [`--socket=${socket}`, '--undo'])).out, /^Ouvert aux demandes/)
  await t.rejects(say(drainVerb, [`--socket=${socket}`, '--wait=soon']), { message: /--wait/ })
})
