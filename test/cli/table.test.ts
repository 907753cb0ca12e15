import { test } from 'tap'
import { printable, table } from '#cli/table.ts'

test('columns stay aligned under accents, however they are written, and under Japanese names', t => {
  t.equal(table(['Nom', 'Date'], [['LEFE\u0300VRE', '1'], ['LEFÈVRE', '2'], ['山田 太郎', '3']]),
    'Nom        Date\n---------  ----\nLEFÈVRE    1\nLEFÈVRE    2\n山田 太郎  3')
  t.end()
})

test('what a PACS puts into a name cannot steer the terminal', t => {
  t.equal(printable('A\x1b[2JB\r\nC\u202eD\x9bE'), 'A\ufffd[2JB\ufffd\ufffdC\ufffdD\ufffdE')
  t.end()
})
