/**
 * `make demo-update`: an appliance boots version 0.1.0 on this desk; the vendor's server offers 0.2.0, and
 * one watches it arrive; then 0.3.0, whose gateway is broken on purpose, comes back by itself, and
 * the server says why.
 *
 *     node os-image/qemu/demo-update.ts [--fresh] [--https-port=8443] [--fleet-port=8444] [--keep]
 *
 * --fresh   images and machine are made anew
 * --keep    goes on running at the end, until Ctrl-C
 * Half an hour without KVM: some minutes for each boot, three boots of the broken version. The images
 * (var/image/demo-…) and the machine (var/run/demo-update) are kept.
 */

import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { openFleetDesk, type FleetDesk } from './fleet-desk.ts'
import { STATES, draw, say } from './demo-words.ts'
import { Machine } from './machine.ts'
import { deskSettings, makeStick } from './stick.ts'

const project = join(import.meta.dirname, '../..')
const KEYS = join(project, 'var/keys')
const FOLDER = join(project, 'var/run/demo-update')
/** A gateway that throws at its start. */
const BROKEN = join(project, 'test/image/over/broken-service')
/** Seconds, each with room for a machine that is busy with something else. */
const BOOT_SECONDS = 900
const UPDATE_SECONDS = 1800

const VERSIONS = [
  { version: '0.1.0', release: 1, over: undefined },
  { version: '0.2.0', release: 2, over: undefined },
  { version: '0.3.0', release: 3, over: BROKEN }
] as const

const { values } = parseArgs({
  options: {
    fresh: { type: 'boolean', default: false },
    keep: { type: 'boolean', default: false },
    'https-port': { type: 'string', default: '8443' },
    'fleet-port': { type: 'string', default: '8444' },
    help: { type: 'boolean', default: false }
  }
})
if (values.help) {
  console.log(readFileSync(import.meta.filename, 'utf8').split('*/')[0]?.replace(/^\/\*\*|^ \* ?/gm, '').trim())
  process.exit(0)
}

const httpsPort = Number(values['https-port'])
const open: { close (): Promise<void> }[] = []
const end = async (code: number): Promise<never> => {
  for (const one of open.splice(0).toReversed()) await one.close()
  process.exit(code)
}
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => { void end(0) })

try {
  const images = VERSIONS.map(build)
  // The story begins with version 0.1.0 each time.
  rmSync(FOLDER, { recursive: true, force: true })
  mkdirSync(FOLDER, { recursive: true })
  const desk = await openFleetDesk({ port: Number(values['fleet-port']), folder: join(FOLDER, 'fleet'), keys: KEYS })
  open.push(desk)
  const stick = join(FOLDER, 'stick.img')
  // A PACS that is off is no reason to go back to another version, so there is none.
  makeStick(stick, deskSettings({ fleetUrl: desk.url, pacs: { port: 4242, calledTitle: 'PACS' } }), KEYS)
  const machine = new Machine({ image: images[0]!, folder: join(FOLDER, 'machine'), fresh: true, stick, ports: { 443: httpsPort } })
  open.push(machine)

  say('L\'appareil démarre en version 0.1.0 ; ses réglages lui viennent d\'une clé USB signée.', 'The box boots version 0.1.0; its settings come from a signed USB stick.')
  say(`Ce qu'il dit : ${join(machine.folder, 'serial.log')}`, 'What it says.')
  await machine.start()
  await ready(machine, '0.1.0')
  say(`Il répond : https://127.0.0.1:${httpsPort}/status`, 'It answers.')
  const device = await desk.accept(BOOT_SECONDS)
  say(`Le serveur de l'éditeur l'a accepté : ${device}`, 'The vendor\'s server has let it in.')

  const second = await update(desk, device, images[1]!, '0.2.0')
  if (second.state !== 'success') throw new Error(`0.2.0: ${second.state}, ${JSON.stringify(second.cause)}`)
  await ready(machine, '0.2.0')
  say('La version 0.2.0 fonctionne, ses données et ses clés sont les mêmes.', 'Version 0.2.0 runs, with the same data and keys.')

  say('La version 0.3.0 est cassée exprès : sa passerelle s\'arrête dès son démarrage.', 'Version 0.3.0 is broken on purpose: its gateway ends as soon as it starts.')
  const third = await update(desk, device, images[2]!, '0.3.0')
  if (third.state !== 'failure') throw new Error(`0.3.0: ${third.state}`)
  await ready(machine, '0.2.0')
  say('L\'appareil est revenu de lui-même en 0.2.0, et il répond.', 'The box came back to 0.2.0 by itself, and answers.')
  const { fr, en, code = '?' } = await desk.cause(third.id)
  say(`Le serveur sait pourquoi : ${fr} (${code})`, `The server knows why: ${en} (${code})`)
  if (values.keep) {
    say(`Il reste en marche : https://127.0.0.1:${httpsPort}/status ; Ctrl-C débranche.`, 'It stays on; Ctrl-C pulls the plug.')
    await new Promise(() => {})
  }
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  await end(1)
}
await end(0)

/** @returns the image's folder */
function build ({ version, release, over }: typeof VERSIONS[number]): string {
  const image = join(project, `var/image/demo-${version}`)
  if (!values.fresh && existsSync(join(image, 'build.json'))) return image
  say(`Construction de l'image ${version} (minutes)`, `Building image ${version} (minutes)`)
  const { status } = spawnSync(process.execPath, [join(project, 'os-image/build.ts'), `--version=${version}`, `--release=${release}`, `--out=${image}`, ...over === undefined ? [] : [`--over=${over}`]], { stdio: ['ignore', 'ignore', 'inherit'] })
  if (status !== 0) throw new Error(`image ${version} could not be built`)
  return image
}

async function ready (machine: Machine, wanted: string): Promise<void> {
  await machine.until(async () => {
    const { status, body } = await machine.get('/status.json')
    if (status !== 200) return false
    const { version, state } = JSON.parse(body) as { version?: string, state?: string }
    return version === wanted && state !== 'starting'
  }, BOOT_SECONDS, `version ${wanted} that answers`)
}

/** Offers a version and tells each step until its end. */
async function update (desk: FleetDesk, device: string, image: string, version: string): ReturnType<FleetDesk['until']> {
  const release = await desk.release(join(image, 'update.mender'))
  const deployment = desk.deploy(release, device)
  const steps = desk.follow(deployment, UPDATE_SECONDS, ({ state, download }) => { if (state === 'downloading' && download !== undefined) draw(download) })
  for (;;) {
    const { done, value } = await steps.next()
    if (done === true) return value
    const [fr, en] = STATES[value.state]
    say(`${version} : ${fr}`, `${version}: ${en}`)
  }
}
