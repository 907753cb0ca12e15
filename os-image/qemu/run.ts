/**
 * `make image-run`: boots an image in QEMU with Secure Boot and a software TPM, prints where it
 * answers, and keeps it running until Ctrl-C. What it wrote (data partition, TPM) is kept for the next time.
 *
 *     node os-image/qemu/run.ts [--image=var/image/quick] [--folder=var/run/<image>] [--fresh] [--journal]
 *                               [--once] [--seconds=900] [--https-port=8443] [--dimse-port=11112]
 *
 * --fresh    as it leaves the factory: empty data partition, new TPM
 * --journal  an image whose journal appears on the serial port; its signed command line differs, so
 *            it is another image (var/image/journal, made when missing) and another machine
 * --once     ends when the gateway answers and prints how long that took; fails with the status when it doesn't
 */

import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { Machine } from './machine.ts'

const project = join(import.meta.dirname, '../..')
const { values } = parseArgs({
  options: {
    image: { type: 'string' },
    folder: { type: 'string' },
    fresh: { type: 'boolean', default: false },
    journal: { type: 'boolean', default: false },
    once: { type: 'boolean', default: false },
    seconds: { type: 'string', default: '900' },
    'https-port': { type: 'string', default: '8443' },
    'dimse-port': { type: 'string', default: '11112' },
    help: { type: 'boolean', default: false }
  }
})
if (values.help) {
  console.log(readFileSync(import.meta.filename, 'utf8').split('*/')[0]?.replace(/^\/\*\*|^ \* ?/gm, '').trim())
  process.exit(0)
}

/** What makes a boot readable: each line of the journal. */
const TALKATIVE = 'loglevel=6 systemd.journald.forward_to_console=1 systemd.journald.max_level_console=info'

const image = resolve(project, values.image ?? (values.journal ? 'var/image/journal' : 'var/image/quick'))
if (!existsSync(join(image, 'disk.img'))) {
  const build = spawnSync(process.execPath, [join(project, 'os-image/build.ts'), `--out=${image}`, ...values.journal ? [`--cmdline=${TALKATIVE}`] : []], { stdio: 'inherit' })
  if (build.status !== 0) process.exit(1)
}

const httpsPort = Number(values['https-port'])
const machine = new Machine({
  image,
  folder: values.folder ?? join(project, 'var/run', basename(image)),
  fresh: values.fresh,
  ports: { 443: httpsPort, 11112: Number(values['dimse-port']) }
})
const start = Date.now()
const since = () => `${((Date.now() - start) / 1000).toFixed(0)} s`
await machine.start()
console.log(`booting ${image}; everything it says: ${join(machine.folder, 'serial.log')}`)

let starts = 1
let shown = machine.serial.length
const follow = setInterval(() => {
  if (values.journal) {
    const said = machine.serial
    process.stdout.write(said.slice(shown))
    shown = said.length
  }
  if (machine.firmwareStarts > starts) console.log(`${since()}: restart ${starts = machine.firmwareStarts}`)
}, 500)
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => { void end(0) })

await machine.until(async () => (await machine.get('/status.json')).status > 0, Number(values.seconds), 'answer on 443').catch(failed)
const first = await machine.get('/status.json')
console.log(`${since()}: first answer, HTTP ${first.status} ${first.body.slice(0, 400)}`)
if (values.once) {
  await machine.until(async () => {
    const { status, body } = await machine.get('/status.json')
    return status === 200 && (JSON.parse(body) as { gateway: { answering: boolean } }).gateway.answering
  }, Number(values.seconds), 'gateway that answers').catch(failed)
  console.log(`${since()}: the gateway answers`)
  await end(0)
}
console.log(`
  status page   https://127.0.0.1:${httpsPort}/status
  DICOMweb      https://127.0.0.1:${httpsPort}/dicom-web/studies
  DIMSE         127.0.0.1:${values['dimse-port']} (from configured peers only)
  Ctrl-C pulls the plug; the data partition is kept in ${machine.folder}`)

async function end (code: number): Promise<never> {
  clearInterval(follow)
  await machine.close()
  process.exit(code)
}

async function failed (error: unknown): Promise<never> {
  console.error(error instanceof Error ? error.message : error)
  console.error((await machine.get('/status.json')).body)
  return await end(1)
}
