import { test } from 'tap'
import { CapacityError, PeerError, RequestError } from '#core/errors.ts'
import { problem, STATUS } from '#standards/dicomweb/problem.ts'

test('a PACS that stays silent is a gateway timeout with a stable name', async t => {
  const { status, headers, body } = problem(new PeerError('PACS_TIMEOUT', 'no response within the setting', { facts: { responseSeconds: 30 } }))
  t.equal(status, 504)
  t.equal(headers['content-type'], 'application/problem+json')
  t.same(body, {
    type: 'urn:drimbox:problem:PACS_TIMEOUT',
    title: 'Le PACS ne répond pas',
    status: 504,
    code: 'PACS_TIMEOUT',
    detail: 'no response within the setting',
    facts: { responseSeconds: 30 }
  })
})

test('a bug tells the caller nothing about us or about a patient', async t => {
  for (const thrown of [new Error('DUPONT^JEAN at /var/lib/drimbox'), 'DUPONT', undefined, null, { code: 'PACS_TIMEOUT', message: 'DUPONT' }]) {
    const { status, body } = problem(thrown)
    t.equal(status, 500)
    t.same(body, { type: 'urn:drimbox:problem:INTERNAL', title: 'Erreur interne', status: 500, code: 'INTERNAL' })
  }
})

test('the cause of an error stays inside', async t => {
  const { body } = problem(new PeerError('PACS_UNREACHABLE', 'no TCP connection', { cause: new Error('secret') }))
  t.notMatch(JSON.stringify(body), /secret/)
})

test('a resting PACS or a busy box says when to come back, in whole seconds', async t => {
  t.equal(problem(new PeerError('PACS_RESTING', 'circuit open', { facts: { retryAfterSeconds: 12.2 } })).headers['retry-after'], '13')
  t.equal(problem(new CapacityError('BUSY', 'too many', { facts: { retryAfterSeconds: 0 } })).headers['retry-after'], '0')
  t.equal(problem(new CapacityError('BUSY', 'too many')).headers['retry-after'], undefined)
  t.equal(problem(new RequestError('STUDY_UNKNOWN', 'none', { facts: { retryAfterSeconds: 5 } })).headers['retry-after'], undefined)
})

test('whoever lacks a token is told which scheme to use', async t => {
  t.equal(problem(new RequestError('TOKEN_REFUSED', 'no token')).headers['www-authenticate'], 'Bearer')
})

test('titles are French, and English for whoever prefers it', async t => {
  const title = (language?: string) => problem(new RequestError('SERIES_UNKNOWN', 'none'), language).body.title
  for (const language of [undefined, '', 'fr', 'fr-FR,en;q=0.5', 'de', '*', 'en;q=0.2, fr;q=0.3', 'english', 'en;q=zero']) t.equal(title(language), 'Série inconnue', String(language))
  for (const language of ['en', 'en-GB,en;q=0.9', 'EN', 'fr;q=0.1, en;q=0.2', 'de, en;q=0.1']) t.equal(title(language), 'Unknown series', language)
})

test('every code has a status of failure', async t => {
  for (const [code, status] of Object.entries(STATUS)) t.ok(status >= 400 && status < 600, code)
})
