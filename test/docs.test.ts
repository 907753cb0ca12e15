import { readFileSync } from 'node:fs'
import { test } from 'tap'
import { NODE_FLAGS } from '#core/runtime.ts'
import { STATUS } from '#standards/dicomweb/problem.ts'

test('whoever is called at night finds every code in the manual, with the status that it has', t => {
  const rows = readFileSync(new URL('../docs/operations.md', import.meta.url), 'utf8').matchAll(/^\| `([A-Z_]+)` \| (\d{3})/gm)
  t.same(Object.fromEntries([...rows].map(([, code, status]) => [code, Number(status)])), STATUS)
  t.end()
})

test('whoever starts a box by hand starts it as it was measured', t => {
  const line = readFileSync(new URL('../Makefile', import.meta.url), 'utf8').match(/exec node (.*) src\/drimbox\.ts/)
  t.equal(line?.[1], NODE_FLAGS.join(' '))
  t.end()
})
