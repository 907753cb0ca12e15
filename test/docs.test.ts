import { readFileSync } from 'node:fs'
import { test } from 'tap'
import { NODE_ENVIRONMENT, NODE_FLAGS } from '#core/runtime.ts'
import { STATUS } from '#standards/dicomweb/problem.ts'

test('whoever is called at night finds every code in the manual, with the status that it has', t => {
  const rows = readFileSync(new URL('../docs/operations.md', import.meta.url), 'utf8').matchAll(/^\| `([A-Z_]+)` \| (\d{3})/gm)
  t.same(Object.fromEntries([...rows].map(([, code, status]) => [code, Number(status)])), STATUS)
  t.end()
})

test('whoever starts a box by hand starts it as it was measured', t => {
  const line = readFileSync(new URL('../Makefile', import.meta.url), 'utf8').match(/@(.*) exec node (.*) src\/drimbox\.ts/)
  t.equal(line?.[2], NODE_FLAGS.join(' '))
  t.same(line?.[1].split(' ').map(setting => setting.split('=')[0]), Object.keys(NODE_ENVIRONMENT))
  t.ok(line?.[1].includes(`MALLOC_MMAP_THRESHOLD_=${NODE_ENVIRONMENT.MALLOC_MMAP_THRESHOLD_}`))
  t.end()
})
