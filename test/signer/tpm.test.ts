import { createHash, createPublicKey, randomBytes, verify } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { once } from 'node:events'
import { connect } from 'node:net'
import { join } from 'node:path'
import t from 'tap'
import { Tpm, type LoadedKey } from '#signer/tpm2/tpm.ts'
import { readPublicArea } from '#signer/tpm2/public-area.ts'
import { readTss2Pem, writeTss2Pem } from '#signer/tpm2/tss2-pem.ts'
import { subjectPublicKeyInfo, type KeyType } from '#standards/x509/public-key.ts'
import { skipWithout, temporaryFolder, type Test } from '#test/fixtures/peer.ts'
import { freePair, startSoftwareTpm, SWTPM_PROGRAMS, tctiOf, type SoftwareTpm } from '#test/fixtures/swtpm.ts'

const skip = skipWithout(...SWTPM_PROGRAMS)

function tpmOf (t: Test, tcti: string, folder = temporaryFolder(t)): Tpm {
  const workFolder = join(folder, 'work')
  mkdirSync(workFolder, { recursive: true })
  return new Tpm({ tcti, workFolder, rootFile: join(folder, 'root.handle') })
}

async function make (tpm: Tpm, type: KeyType): Promise<LoadedKey> {
  return { ...await tpm.createKey(type), id: type.toLowerCase(), type }
}

const text = Buffer.from('signed in a TPM')
const digest = createHash('sha256').update(text).digest()

function isGood (key: LoadedKey, signature: Uint8Array): boolean {
  const spki = createPublicKey({ key: subjectPublicKeyInfo(readPublicArea(key.publicArea)), format: 'der', type: 'spki' })
  return verify('sha256', text, spki, signature)
}

for (const type of ['P-256', 'RSA-2048'] as const) {
  t.test(`a ${type} key signs, comes back from its file, and signs after the TPM has lost its power`, { skip }, async t => {
    const software = await startSoftwareTpm(t)
    const folder = temporaryFolder(t)
    const tpm = tpmOf(t, software.tcti, folder)
    const made = await make(tpm, type)
    t.ok(isGood(made, await tpm.sign(made, digest)))
    t.ok(isGood(made, await tpm.sign(made, digest)), 'with its saved context')
    t.notOk(isGood(made, await tpm.sign(made, randomBytes(32))), 'and nothing else')

    const read = { ...readTss2Pem(writeTss2Pem(made)), id: made.id, type }
    await software.kill()
    await software.start()
    t.ok(isGood(made, await tpm.sign(read, digest)), 'its context is stale, its blobs are not')
    t.ok(isGood(made, await tpmOf(t, software.tcti).sign(read, digest)), 'in another process too')
  })
}

t.test('a key of another TPM is refused by this one', { skip }, async t => {
  const [mine, other] = [await startSoftwareTpm(t), await startSoftwareTpm(t)]
  const tpm = tpmOf(t, mine.tcti)
  await make(tpm, 'P-256')
  const foreign = await make(tpmOf(t, other.tcti), 'P-256')
  await t.rejects(tpm.sign(foreign, digest), { code: 'TPM_FAILED' })
})

t.test('in lockout, our keys go on and the state says so', { skip }, async t => {
  const software = await startSoftwareTpm(t)
  const tpm = tpmOf(t, software.tcti)
  const key = await make(tpm, 'P-256')
  t.match(await tpm.lockout(), { inLockout: false, failures: 0, failuresMax: 3 })
  await software.lockOut(temporaryFolder(t))
  t.match(await tpm.lockout(), { inLockout: true, failures: 3, failuresMax: 3, forgivesAfterSeconds: 1000, recoverySeconds: 1000 })
  t.ok(isGood(key, await tpm.sign(key, digest)))
  t.ok(await make(tpm, 'P-256'), 'a new one can be made')
})

t.test('what counts failures is refused in lockout by name', { skip }, async t => {
  const software = await startSoftwareTpm(t)
  const folder = temporaryFolder(t)
  await software.lockOut(folder)
  const { toolsFor } = await import('#signer/tpm2/tool.ts')
  const run = toolsFor(software.tcti)
  await t.rejects(run('tpm2_sign', ['-Q', '-c', 'da.ctx', '-p', 'secret', '-g', 'sha256', '-o', 's', 'da.pub'], { folder }), { code: 'TPM_LOCKOUT' })
})

t.test('no TPM, one that died and one that came back', { skip }, async t => {
  await t.rejects(tpmOf(t, 'device:/dev/no-such-tpm').lockout(), { code: 'TPM_ABSENT' })
  await t.rejects(tpmOf(t, tctiOf(1)).createKey('P-256'), { code: 'TPM_ABSENT' })
  const software = await startSoftwareTpm(t)
  const tpm = tpmOf(t, software.tcti)
  const key = await make(tpm, 'P-256')
  await software.kill()
  await t.rejects(tpm.sign(key, digest), { code: 'TPM_ABSENT' })
  await software.start()
  t.ok(isGood(key, await tpm.sign(key, digest)))
})

t.test('a TPM that dies in the middle of a command is absent', { skip }, async t => {
  const software = await startSoftwareTpm(t)
  const tpm = tpmOf(t, software.tcti)
  await make(tpm, 'P-256')
  const cut = cutting(software)
  const port = await cut.listen(t)
  await t.rejects(tpmOf(t, tctiOf(port)).createKey('RSA-2048'), { code: 'TPM_ABSENT' })
})

t.test('a TPM that hangs is waited for no longer than said, and the next one in the queue gets its turn', { skip }, async t => {
  const software = await startSoftwareTpm(t)
  const { toolsFor } = await import('#signer/tpm2/tool.ts')
  const run = toolsFor(software.tcti)
  software.hang()
  await t.rejects(run('tpm2_getcap', ['properties-variable'], { msMax: 300 }), { code: 'TPM_TIMEOUT' })
  software.goOn()
  t.match((await run('tpm2_getcap', ['properties-variable'])).toString(), 'TPM2_PT_MAX_AUTH_FAIL')
})

t.test('many at once are served one after the other, and too many are told', { skip }, async t => {
  const software = await startSoftwareTpm(t)
  const tpm = tpmOf(t, software.tcti)
  const key = await make(tpm, 'P-256')
  const answers = await Promise.allSettled(Array.from({ length: 40 }, async () => await tpm.sign(key, digest)))
  const good = answers.filter(answer => answer.status === 'fulfilled' && isGood(key, answer.value))
  t.equal(good.length, 32)
  t.ok(answers.every(answer => answer.status === 'fulfilled' || answer.reason.code === 'BUSY'))
})

t.test('registers and the bit field of releases are read', { skip }, async t => {
  const software = await startSoftwareTpm(t)
  const tpm = tpmOf(t, software.tcti)
  await software.command('tpm2_pcrextend', `16:sha256=${digest.toString('hex')}`)
  const expected = createHash('sha256').update(Buffer.alloc(32)).update(digest).digest('hex')
  t.same(await tpm.pcrs([7, 16]), new Map([[7, '0'.repeat(64)], [16, expected]]))

  t.equal(await tpm.nvBits(0x1500020), undefined, 'no such index')
  await software.command('tpm2_nvdefine', '-Q', '0x1500020', '-C', 'o', '-s', '8', '-a', 'nt=bits|ownerwrite|authread|ownerread|no_da')
  t.equal(await tpm.nvBits(0x1500020), 0n, 'never written')
  await software.command('tpm2_nvsetbits', '-Q', '0x1500020', '-C', 'o', '-i', '0x8000000000000002')
  t.equal(await tpm.nvBits(0x1500020), 0x8000000000000002n)
})

t.test('a secret is sealed and unsealed, and a wire on the bus does not hear it', { skip }, async t => {
  const software = await startSoftwareTpm(t)
  const heard: Buffer[] = []
  const port = await tapped(t, software, heard)
  const tpm = tpmOf(t, tctiOf(port))
  const secret = randomBytes(32)
  const sealed = await tpm.seal(secret)
  t.same(await tpm.unseal(sealed), secret)
  const all = Buffer.concat(heard)
  t.ok(all.length > 2000, 'the wire is on the bus')
  t.equal(all.indexOf(secret), -1)
  t.ok(all.includes(sealed.publicArea), 'and hears what is public')
  t.same(await tpm.unseal(sealed), secret, 'a second time: no session is left behind')
  t.equal((await software.command('tpm2_getcap', 'handles-saved-session')).trim(), '')
})

/** Both channels of a software TPM through a relay. */
async function relayed (t: Test, software: SoftwareTpm, each: (caller: Socket, called: Socket, isData: boolean) => void): Promise<number> {
  const port = await freePair()
  for (const offset of [0, 1]) {
    const sockets = new Set<Socket>()
    const server = createServer(caller => {
      const called = connect(software.port + offset, '127.0.0.1')
      for (const socket of [caller, called]) {
        sockets.add(socket)
        socket.on('error', () => {}).on('close', () => { caller.destroy(); called.destroy() })
      }
      each(caller, called, offset === 0)
    }).listen(port + offset, '127.0.0.1')
    await once(server, 'listening')
    t.teardown(() => { server.close(); for (const socket of sockets) socket.destroy() })
  }
  return port
}

async function tapped (t: Test, software: SoftwareTpm, heard: Buffer[]): Promise<number> {
  return await relayed(t, software, (caller, called) => {
    caller.on('data', (chunk: Buffer) => { heard.push(chunk); called.write(chunk) })
    called.on('data', (chunk: Buffer) => { heard.push(chunk); caller.write(chunk) })
  })
}

/** A bus that breaks when a key is to be made (TPM2_CC_Create, 0x153). */
function cutting (software: SoftwareTpm): { listen: (t: Test) => Promise<number> } {
  return {
    listen: async t => await relayed(t, software, (caller, called, isData) => {
      caller.on('data', (chunk: Buffer) => {
        if (isData && chunk.length > 10 && chunk.readUInt32BE(6) === 0x153) caller.destroy()
        else called.write(chunk)
      })
      called.on('data', (chunk: Buffer) => { caller.write(chunk) })
    })
  }
}
