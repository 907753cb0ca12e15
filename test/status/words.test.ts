import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { english } from '#status/words-en.ts'
import { french } from '#status/words-fr.ts'

t.test('both catalogues know the same codes, and say them in their own language', async t => {
  t.same(Object.keys(english.problems).sort(), Object.keys(french.problems).sort())
  for (const [code, words] of Object.entries(french.problems)) {
    t.match(code, /^[A-Z][A-Z0-9_]+$/)
    t.not(words, english.problems[code], code)
    t.match(words, /\.$/)
    t.match(english.problems[code], /\.$/)
  }
})

t.test('a duration is told in two units at most', async t => {
  t.same([0, 59, 60, 3599, 3600, 86399, 86400, 1e6].map(seconds => french.duration(seconds)), ['0 s', '59 s', '1 min', '59 min', '1 h 0 min', '23 h 59 min', '1 j 0 h', '11 j 13 h'])
})

t.test('every code that a boot script leaves as a fact has its words here; the update module brings its own', async t => {
  const scripts = globSync('appliance/**/usr/lib/drimbox/*', { cwd: join(import.meta.dirname, '../..'), withFileTypes: true }).filter(entry => entry.isFile())
  const texts = scripts.map(({ parentPath, name }) => readFileSync(join(parentPath, name), 'latin1'))
  const left = new Set(texts.flatMap(text => [...text.matchAll(/(?:\bfact \w+ [\w-]+|\bclosed|\bthrow_away) ([A-Z][A-Z0-9_]+)\b/g)].map(([, code]) => code as string)))
  t.ok(left.size > 10)
  for (const code of left) t.ok(Object.hasOwn(french.problems, code), code)
})
