/**
 * In images made for tests only: runs what the host asks for over a virtio port, and says how it ended.
 * One line of JSON each way: { id, argv, seconds } → { id, code, out, error }.
 */

import { execFile } from 'node:child_process'
import { createReadStream, createWriteStream, existsSync, openSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'

const PORT = '/dev/virtio-ports/drimbox.probe'
/** What one command may print: 8 MiB. */
const OUTPUT_BYTES_MAX = 8 << 20

while (!existsSync(PORT)) await delay(200)
// The kernel lets a port be opened once. It reads as ended while nobody listens on the host: systemd starts us again.
const fd = openSync(PORT, 'r+')
const answers = createWriteStream('', { fd })
for await (const line of createInterface({ input: createReadStream('', { fd }) })) {
  let asked
  try { asked = JSON.parse(line) } catch { continue }
  const { id, argv: [program, ...args], seconds } = asked
  execFile(program, args, { timeout: seconds * 1000, maxBuffer: OUTPUT_BYTES_MAX, encoding: 'utf8' }, (error, out, said) => {
    answers.write(`${JSON.stringify({ id, code: error === null ? 0 : error.code ?? error.signal ?? 'failed', out, error: said })}\n`)
  })
}
