/**
 * Every cell of the fault matrix, one after the other: the caller is told what the page says, the next
 * one is served, nothing partial looks whole, nothing is left behind.
 */

import { test } from 'tap'
import { leftOpen, openBench, openThings, Scope, strayFiles, type Operation } from './bench.ts'
import { MATRIX } from './matrix.ts'
import { page } from './page.ts'

/** One cell alone: `CELL='full disk/store' node test/faults/matrix.test.ts` */
const ONLY = process.env.CELL

for (const { fault, cells, skip = false } of MATRIX) {
  test(fault, { skip, timeout: 120_000 }, async t => {
    for (const [operation, cell] of Object.entries(cells)) {
      if (typeof cell === 'string' || (ONLY !== undefined && ONLY !== `${fault}/${operation}`)) continue
      const before = openThings()
      const scope = new Scope()
      const from = performance.now()
      try {
        const bench = await openBench(scope, operation as Operation, cell.prepare?.(scope))
        const told = await cell.run(bench)
        t.ok(cell.answer.split(' or ').includes(told), `${operation}: ${told}`)
        await bench.heal()
        await cell.heal?.(bench)
        t.equal(await bench.ask(), '200', `${operation}: the next one is served`)
        t.equal(await bench.rest(), '', `${operation}: nothing is under way any more`)
        t.same(strayFiles(bench.rooms.folder), [], `${operation}: no file is left over`)
      } finally {
        await scope.end()
      }
      t.same(await leftOpen(before), [], `${operation}: nothing is left open`)
      t.comment(`${operation}: ${Math.round(performance.now() - from)} ms`)
    }
  })
}

test('the page says what the matrix says', t => {
  const { now, wanted } = page()
  t.equal(now, wanted, 'node test/faults/page.ts writes it')
  t.end()
})
