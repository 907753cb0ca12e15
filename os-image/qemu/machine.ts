/**
 * One virtual appliance: an image of os-image/build.ts under QEMU, with UEFI Secure Boot (our keys
 * alone), a TPM 2.0 and a watchdog, as close to the real computer as emulation gets.
 *
 * Source: QEMU's invocation and monitor, swtpm(8). Its folder keeps disk, firmware variables and TPM
 * over power cuts: `disk.qcow2`, `vars.fd`, `tpm/`; and says what happened: `serial.log`, `qemu.log`.
 */

import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, existsSync, mkdirSync, openSync, closeSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { join, resolve } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { Namespace } from './namespace.ts'

const run = promisify(execFile)
const PROJECT = join(import.meta.dirname, '../..')
const FIRMWARE = '/usr/share/OVMF/OVMF_CODE_4M.secboot.fd'

export interface MachineOptions {
  /** Folder of an image, with its disk.img. */
  readonly image: string
  /** Where the machine lives. */
  readonly folder: string
  /** Starts with an empty disk, TPM and firmware even where the folder has some. Default: no */
  readonly fresh?: boolean
  /** Firmware variables of a new machine. Default: the keys of this checkout */
  readonly variables?: string
  readonly memoryMiB?: number
  readonly processors?: number
  /** Size of the disk; what the image doesn't take becomes the data partition. Default: 2 GiB */
  readonly diskMiB?: number
  /** Default: yes */
  readonly tpm?: boolean
  /** Raw image of a USB stick that is plugged in from the start. */
  readonly stick?: string
  /** Ports of this machine instead of a network of its own: guest port to host port. */
  readonly ports?: Readonly<Record<number, number>>
  /** A TAP device where QEMU runs, instead of QEMU's own network, and the machine's address there. */
  readonly lan?: { readonly device: string, readonly address: string }
  /** More arguments for QEMU. */
  readonly qemu?: readonly string[]
}

/** Ports of the guest that are reached under the same number on the machine's own network. */
const FORWARDED = [443, 11112]
/** An answer of the monitor, or a process that comes up: emulated machines are slow, these are not. */
const SOON_MS = 10_000

export class Machine {
  readonly folder: string
  readonly #options: MachineOptions
  #namespace: Namespace | undefined
  #qemu: ChildProcess | undefined
  #tpm: ChildProcess | undefined

  constructor (options: MachineOptions) {
    this.#options = options
    this.folder = resolve(options.folder)
    if (options.fresh === true) rmSync(this.folder, { recursive: true, force: true })
    mkdirSync(join(this.folder, 'tpm'), { recursive: true })
  }

  get running (): boolean {
    return this.#qemu !== undefined && this.#qemu.exitCode === null && this.#qemu.signalCode === null
  }

  /** What the machine has said on its serial port, over all its starts. */
  get serial (): string {
    const file = join(this.folder, 'serial.log')
    return existsSync(file) ? readFileSync(file, 'latin1') : ''
  }

  /** How often the firmware has started a boot loader: 1 after the first start, one more per restart. */
  get firmwareStarts (): number {
    return this.serial.split('BdsDxe: starting').length - 1
  }

  /** Power on. Comes back once QEMU runs, long before the guest answers. */
  async start (): Promise<void> {
    if (this.running) throw new Error('the machine runs already')
    const { image, ports, lan, variables, diskMiB = 2048 } = this.#options
    if (ports === undefined && lan === undefined) this.#namespace ??= await Namespace.open()
    const disk = join(this.folder, 'disk.qcow2')
    if (!existsSync(disk)) {
      // A copy: the image may be built anew while the machine lives.
      await run('qemu-img', ['convert', '-O', 'qcow2', resolve(image, 'disk.img'), `${disk}.new`])
      await run('qemu-img', ['resize', '-q', `${disk}.new`, `${diskMiB}M`])
      renameSync(`${disk}.new`, disk)
    }
    if (!existsSync(join(this.folder, 'vars.fd'))) copyFileSync(variables ?? join(PROJECT, 'var/keys/OVMF_VARS.fd'), join(this.folder, 'vars.fd'))
    for (const socket of ['monitor.sock', 'tpm.sock']) rmSync(join(this.folder, socket), { force: true })

    if (this.#options.tpm !== false) {
      this.#tpm = this.#spawn('swtpm', ['socket', '--tpm2', '--tpmstate', `dir=${join(this.folder, 'tpm')}`,
        '--ctrl', `type=unixio,path=${join(this.folder, 'tpm.sock')}`, '--flags', 'not-need-init',
        '--log', `level=1,file=${join(this.folder, 'swtpm.log')}`])
      await this.#appears('tpm.sock')
    }
    this.#qemu = this.#spawn('qemu-system-x86_64', this.#arguments())
    await this.#appears('monitor.sock')
  }

  /** The plug is pulled: nothing is told, nothing is written any more. */
  async powerCut (): Promise<void> {
    await ended(this.#qemu)
    await ended(this.#tpm)
    this.#qemu = this.#tpm = undefined
  }

  /**
   * What a power cut at this moment would leave, copied to a folder for another machine; this one lives on.
   * It is frozen, not paused: a pause would write out what QEMU still holds, as no cut does.
   */
  async copyAsCut (folder: string): Promise<void> {
    const processes = [this.#qemu, this.#tpm]
    for (const one of processes) one?.kill('SIGSTOP')
    try {
      mkdirSync(folder, { recursive: true })
      for (const name of ['disk.qcow2', 'vars.fd', 'tpm']) await run('cp', ['-R', join(this.folder, name), folder])
    } finally {
      for (const one of processes) one?.kill('SIGCONT')
    }
  }

  /**
   * Ctrl-Alt-Delete, which the appliance takes as an orderly restart; then the plug, before the next start.
   *
   * @throws when it has not ended within `seconds`
   */
  async shutDown (seconds = 180): Promise<void> {
    const restarts = () => this.serial.split('reboot: Restarting system').length
    const before = restarts()
    await this.monitor('sendkey ctrl-alt-delete')
    await this.until(() => restarts() > before, seconds, 'an orderly end')
    await this.powerCut()
  }

  /** One command of QEMU's human monitor, and what it printed. */
  async monitor (command: string): Promise<string> {
    const socket = connect(join(this.folder, 'monitor.sock'))
    try {
      let said = ''
      socket.on('data', chunk => { said += chunk.toString('latin1') })
      await once(socket, 'connect', { signal: AbortSignal.timeout(SOON_MS) })
      const prompts = () => said.split('(qemu) ').length - 1
      const prompted = async (count: number) => { while (prompts() < count) await once(socket, 'data', { signal: AbortSignal.timeout(SOON_MS) }) }
      await prompted(1)
      socket.write(`${command}\n`)
      await prompted(2)
      return said
    } finally {
      socket.destroy()
    }
  }

  /** The command line that runs `argv` where the machine's ports are; the guest knows that place as 10.0.2.2. */
  inside (...argv: readonly string[]): string[] {
    return this.#namespace?.prefix(...argv) ?? [...argv]
  }

  /**
   * GET over HTTPS, no certificate checked.
   *
   * @returns status 0 when nothing answered
   */
  async get (path: string, ...more: readonly string[]): Promise<{ status: number, body: string }> {
    const { ports, lan } = this.#options
    const origin = `https://${lan?.address ?? `127.0.0.1:${ports?.[443] ?? 443}`}`
    const [program = '', ...args] = this.inside('curl', '-sk', '-m', '20', '-w', '\n%{http_code}', ...more, `${origin}${path}`)
    const { stdout } = await run(program, args, { maxBuffer: 64 << 20 }).catch((error: { stdout?: string }) => ({ stdout: error.stdout ?? '\n0' }))
    const end = stdout.lastIndexOf('\n')
    return { status: Number(stdout.slice(end + 1)), body: stdout.slice(0, end) }
  }

  /** @throws naming `what` and the end of the serial log, when `true` has not come within `seconds` or the machine is gone */
  async until (is: () => boolean | Promise<boolean>, seconds: number, what: string): Promise<void> {
    const deadline = Date.now() + seconds * 1000
    while (!await is()) {
      if (!this.running) throw new Error(`the machine ended before ${what}: ${this.#tail()}`)
      if (Date.now() > deadline) throw new Error(`no ${what} within ${seconds} s: ${this.#tail()}`)
      await delay(500)
    }
  }

  /** Ends everything; the folder stays. */
  async close (): Promise<void> {
    await this.powerCut()
    this.#namespace?.close()
    this.#namespace = undefined
  }

  #arguments (): string[] {
    const { memoryMiB = Number(process.env.MEM ?? 1024), processors = Number(process.env.SMP ?? 2), ports, lan, stick, tpm, qemu = [] } = this.#options
    const forwards = Object.entries(ports ?? Object.fromEntries(FORWARDED.map(port => [port, port])))
      .map(([guest, host]) => `hostfwd=tcp:127.0.0.1:${host}-:${guest}`)
    return [
      '-name', 'drimbox', '-machine', 'q35,smm=on', '-accel', 'tcg,thread=multi', '-cpu', 'max',
      '-smp', String(processors), '-m', String(memoryMiB),
      // Secure Boot's variables are written by the firmware alone.
      '-global', 'driver=cfi.pflash01,property=secure,value=on', '-global', 'ICH9-LPC.disable_s3=1',
      '-drive', `if=pflash,format=raw,unit=0,readonly=on,file=${FIRMWARE}`,
      '-drive', `if=pflash,format=raw,unit=1,file=${join(this.folder, 'vars.fd')}`,
      '-drive', `if=none,id=disk,format=qcow2,file=${join(this.folder, 'disk.qcow2')},cache=writeback`,
      '-device', 'virtio-blk-pci,drive=disk,bootindex=1,serial=drimbox',
      '-netdev', lan === undefined ? ['user,id=net', ...forwards].join(',') : `tap,id=net,ifname=${lan.device},script=no,downscript=no`, '-device', 'virtio-net-pci,netdev=net,romfile=',
      ...tpm === false ? [] : ['-chardev', `socket,id=tpm,path=${join(this.folder, 'tpm.sock')}`, '-tpmdev', 'emulator,id=tpm,chardev=tpm', '-device', 'tpm-crb,tpmdev=tpm'],
      // Both watchdogs reset: the chip set's own, and the card.
      '-global', 'ICH9-LPC.noreboot=false', '-device', 'i6300esb', '-action', 'watchdog=reset', '-device', 'virtio-rng-pci',
      '-device', 'qemu-xhci',
      ...stick === undefined ? [] : ['-drive', `if=none,id=stick,format=raw,file=${resolve(stick)}`, '-device', 'usb-storage,drive=stick'],
      '-display', 'none', '-vga', 'none',
      '-chardev', `file,id=serial,path=${join(this.folder, 'serial.log')},append=on`, '-serial', 'chardev:serial',
      '-monitor', `unix:${join(this.folder, 'monitor.sock')},server=on,wait=off`,
      ...qemu
    ]
  }

  /** A child that ends with this process and writes what it says to qemu.log. */
  #spawn (program: string, args: readonly string[]): ChildProcess {
    const log = openSync(join(this.folder, 'qemu.log'), 'a')
    const [first = '', ...rest] = this.inside('setpriv', '--pdeathsig', 'KILL', program, ...args)
    const child = spawn(first, rest, { stdio: ['ignore', log, log] })
    closeSync(log)
    return child
  }

  async #appears (socket: string): Promise<void> {
    const deadline = Date.now() + SOON_MS
    while (!existsSync(join(this.folder, socket))) {
      if (Date.now() > deadline) throw new Error(`QEMU or swtpm did not start: ${readFileSync(join(this.folder, 'qemu.log'), 'utf8').slice(-500)}`)
      await delay(50)
    }
  }

  #tail (): string {
    return this.serial.slice(-1500).replaceAll('\r', '')
  }
}

async function ended (child: ChildProcess | undefined): Promise<void> {
  if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
  const gone = once(child, 'exit')
  child.kill('SIGKILL')
  await gone
}
