import { test } from 'tap'
import { FINDINGS, STEPS, type FindingName, type Site } from '#cli/pair/step.ts'
import { wordsFor } from '#cli/words.ts'

const SITE: Site = { ourTitle: 'DRIMBOX', ourAddress: '10.0.0.9', ourPort: 11112, pacsTitle: 'PACS', pacsHost: '10.0.0.5', pacsPort: 104 }

test('French is spoken unless English is asked for', t => {
  t.equal(wordsFor(undefined, {}).language, 'fr')
  t.equal(wordsFor(undefined, { LANG: 'C.UTF-8' }).language, 'fr')
  t.equal(wordsFor(undefined, { LANG: 'en_GB.UTF-8' }).language, 'en')
  t.equal(wordsFor(undefined, { LC_ALL: 'fr_FR.UTF-8', LANG: 'en_GB.UTF-8' }).language, 'fr')
  t.equal(wordsFor('en', { LANG: 'fr_FR.UTF-8' }).language, 'en')
  t.end()
})

test('every finding says in both languages what was seen and what to do, and no fact is left unsaid', t => {
  for (const language of ['fr', 'en']) {
    const { findings, steps } = wordsFor(language, {}).pair
    for (const step of STEPS) t.ok(steps[step], `${language} ${step}`)
    for (const name of Object.keys(FINDINGS) as FindingName[]) {
      const facts = { status: '0xA801', reason: 'r', code: 'c', callingTitle: 'S', calledTitle: 'd', address: '10.0.0.5', failed: 1, service: 'C-MOVE', host: 'h', comment: 'k', study: '1.2', result: 1, source: 1, number: 3 }
      const { what, todo } = findings[name](SITE, facts)
      t.ok(what.length > 0 && todo.length > 0, `${language} ${name}`)
      t.notMatch(what + todo, /undefined|\[object/, `${language} ${name}`)
    }
  }
  t.end()
})

test('numbers are written as the reader writes them', t => {
  t.equal(wordsFor('fr', {}).bytes(10_241_280).replace(/\s/g, ' '), '10,2 Mo')
  t.equal(wordsFor('en', {}).bytes(10_241_280), '10.2 MB')
  t.equal(wordsFor('en', {}).bytes(0), '0 bytes')
  t.equal(wordsFor('en', {}).milliseconds(12_345), '12.3 s')
  t.end()
})
