import { readFileSync } from 'node:fs'
import { test } from 'tap'
import { NODE_ENVIRONMENT, NODE_FLAGS } from '#core/runtime.ts'
import { FLEET_STATUS } from '#fleet/errors.ts'
import { STATUS } from '#standards/dicomweb/problem.ts'

test('whoever is called at night finds every code in the manual, with the status that it has', t => {
  const rows = readFileSync(new URL('../docs/operations.md', import.meta.url), 'utf8').matchAll(/^\| `([A-Z_]+)` \| (\d{3})/gm)
  t.same(Object.fromEntries([...rows].map(([, code, status]) => [code, Number(status)])), STATUS)
  t.end()
})

test('and so does whoever runs the fleet server', t => {
  const rows = readFileSync(new URL('../docs/fleet.md', import.meta.url), 'utf8').matchAll(/^\| `([A-Z_]+)` \| (\d{3}) \|/gm)
  t.same(Object.fromEntries([...rows].map(([, code, status]) => [code, Number(status)])), FLEET_STATUS)
  t.end()
})

test('whoever starts a box by hand starts it as it was measured', t => {
  const line = readFileSync(new URL('../Makefile', import.meta.url), 'utf8').match(/@(.*) exec node (.*) src\/drimbox\.ts/)
  t.equal(line?.[2], NODE_FLAGS.join(' '))
  t.same(line?.[1].split(' ').map(setting => setting.split('=')[0]), Object.keys(NODE_ENVIRONMENT))
  t.ok(line?.[1].includes(`MALLOC_MMAP_THRESHOLD_=${NODE_ENVIRONMENT.MALLOC_MMAP_THRESHOLD_}`))
  t.end()
})

test('every package that is installed has its reason written down', t => {
  const { dependencies, devDependencies } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as Record<string, Record<string, string>>
  const page = readFileSync(new URL('../docs/dependencies.md', import.meta.url), 'utf8')
  for (const [name, version] of Object.entries({ ...dependencies, ...devDependencies })) {
    t.ok(page.includes(`\`${name}\``), name)
    t.match(version, /^\d/, `${name} is pinned`)
  }
  t.end()
})
