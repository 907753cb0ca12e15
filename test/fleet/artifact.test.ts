import { generateKeyPairSync, sign } from 'node:crypto'
import { createReadStream, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { test } from 'tap'
import { readArtifact, type Artifact } from '#fleet/artifact/artifact.ts'
import { vendorKey } from '#fleet/artifact/vendor-keys.ts'
import { FleetError } from '#fleet/errors.ts'
import { artifact, sha256, tar, tarFile, vendor, type ArtifactParts } from '#test/fixtures/artifact.ts'
import { chunks, openSite } from '#test/fixtures/fleet.ts'
import { run, skipWithout, temporaryFolder } from '#test/fixtures/peer.ts'

const by = vendor()
const keys = [vendorKey(by.public)]
const read = async (bytes: Buffer, size?: number): Promise<Artifact> => await readArtifact(chunks(bytes, size), keys, { dataBytesMax: 10 << 20 })
/** Anything else fails the test. */
function ours (error: unknown): FleetError {
  if (error instanceof FleetError) return error
  throw new Error('not one of our errors', { cause: error })
}
const codeOf = async (reading: Promise<unknown>): Promise<string> => await reading.then(() => 'none', ours).then(found => typeof found === 'string' ? found : found.code)

test('an artifact tells its name, its devices and its files, however its bytes arrive', async t => {
  for (const gzip of [false, true]) {
    const bytes = artifact(by, { gzip })
    for (const size of [1 << 20, 512, 97]) {
      t.match(await read(bytes, size), {
        name: 'drimbox-0.2.0',
        deviceTypes: ['drimbox-x86-64'],
        payloadTypes: ['drimbox-image'],
        provides: { artifact_name: 'drimbox-0.2.0', 'rootfs-image.drimbox-image.version': 'drimbox-0.2.0' },
        files: [{ path: 'data/0000/manifest' }, { path: 'data/0000/root.erofs', bytes: 100_000, sha256: sha256(Buffer.alloc(100_000, 'root')) }],
        signedBy: keys[0]!.fingerprint
      })
    }
  }
})

test('made by the real mender-artifact', { skip: skipWithout('mender-artifact', 'openssl') }, async t => {
  const folder = temporaryFolder(t)
  const file = (name: string): string => join(folder, name)
  await run('openssl', ['ecparam', '-genkey', '-name', 'prime256v1', '-noout', '-out', file('ec.key')])
  await run('openssl', ['ec', '-in', file('ec.key'), '-pubout', '-out', file('ec.pub')])
  await run('openssl', ['genrsa', '-traditional', '-out', file('rsa.key'), '3072'])
  await run('openssl', ['rsa', '-in', file('rsa.key'), '-pubout', '-out', file('rsa.pub')])
  writeFileSync(file('manifest'), 'version=0.3.0\n')
  writeFileSync(file('root.erofs'), Buffer.alloc(300_000, 'content'))
  const made = async (...more: string[]): Promise<AsyncIterable<Buffer>> => {
    const { code, output } = await run('mender-artifact', ['write', 'module-image', '-T', 'drimbox-image', '-n', 'drimbox-0.3.0', '-t', 'drimbox-x86-64', '-t', 'drimbox-arm64', '-f', file('manifest'), '-f', file('root.erofs'), '-o', file('a.mender'), ...more])
    t.equal(code, 0, output)
    return createReadStream(file('a.mender'))
  }
  const trusted = [vendorKey(readFileSync(file('ec.pub'))), vendorKey(readFileSync(file('rsa.pub')))]
  const limits = { dataBytesMax: 10 << 20 }
  for (const [key, compression] of [['ec.key', 'none'], ['ec.key', 'gzip'], ['rsa.key', 'none']] as const) {
    const found = await readArtifact(await made('-k', file(key), '--compression', compression, '-d', 'rootfs-image.drimbox-image.version:drimbox-0.2.0', '-N', 'drimbox-0.2.0'), trusted, limits)
    t.match(found, { name: 'drimbox-0.3.0', deviceTypes: ['drimbox-x86-64', 'drimbox-arm64'], depends: { artifact_name: ['drimbox-0.2.0'], 'rootfs-image.drimbox-image.version': ['drimbox-0.2.0'] }, files: [{ path: 'data/0000/manifest', bytes: 14 }, { path: 'data/0000/root.erofs', bytes: 300_000 }] }, `${key}, ${compression}`)
  }
  t.equal(await codeOf(readArtifact(await made('-k', file('rsa.key')), trusted.slice(0, 1), limits)), 'ARTIFACT_SIGNATURE_WRONG')
  t.equal(await codeOf(readArtifact(await made(), trusted, limits)), 'ARTIFACT_UNSIGNED')
  t.equal(await codeOf(readArtifact(await made('-k', file('ec.key'), '--compression', 'lzma'), trusted, limits)), 'ARTIFACT_UNSUPPORTED')
  writeFileSync(file('delta'), 'unsigned')
  t.equal(await codeOf(readArtifact(await made('-k', file('ec.key'), '--augment-file', file('delta'), '--augment-type', 'drimbox-image'), trusted, limits)), 'ARTIFACT_UNSUPPORTED')
})

test('what the vendor did not sign is refused, each with its own code', async t => {
  const stranger = vendor()
  const der = (manifest: Buffer): string => sign('sha256', manifest, by.private).toString('base64')
  t.equal(await codeOf(read(artifact(by, { signature: der }))), 'none', 'ASN.1, as signers in hardware write it')
  const replaced = (name: string, content: Buffer | string): ArtifactParts => ({ files: files => files.map(file => file[0] === name ? [name, content] : file) })
  const without = (name: string): ArtifactParts => ({ files: files => files.filter(file => file[0] !== name) })
  const evil = tar([['manifest', 'version=0.2.0\n'], ['root.erofs', Buffer.alloc(100_000, 'evil')]])
  const cases: Record<string, readonly [ArtifactParts, string]> = {
    'another vendor': [{ signature: manifest => sign('sha256', manifest, { key: stranger.private, dsaEncoding: 'ieee-p1363' }).toString('base64') }, 'ARTIFACT_SIGNATURE_WRONG'],
    'no signature in its file': [{ signature: () => '' }, 'ARTIFACT_SIGNATURE_WRONG'],
    'zeros as signature': [{ signature: () => Buffer.alloc(64).toString('base64') }, 'ARTIFACT_SIGNATURE_WRONG'],
    unsigned: [without('manifest.sig'), 'ARTIFACT_UNSIGNED'],
    'other data': [replaced('data/0000.tar', evil), 'ARTIFACT_CHECKSUM_WRONG'],
    'one more file': [replaced('data/0000.tar', tar([['manifest', 'version=0.2.0\n'], ['root.erofs', Buffer.alloc(100_000, 'root')], ['more', 'x']])), 'ARTIFACT_CHECKSUM_WRONG'],
    'the same file twice': [replaced('data/0000.tar', tar([['manifest', 'version=0.2.0\n'], ['manifest', 'version=0.2.0\n'], ['root.erofs', Buffer.alloc(100_000, 'root')]])), 'ARTIFACT_CHECKSUM_WRONG'],
    'one file less': [replaced('data/0000.tar', tar([['manifest', 'version=0.2.0\n']])), 'ARTIFACT_TRUNCATED'],
    'no data': [without('data/0000.tar'), 'ARTIFACT_TRUNCATED'],
    'other header': [replaced('header.tar', tar([['header-info', '{}']])), 'ARTIFACT_CHECKSUM_WRONG'],
    'other version': [replaced('version', '{"format":"mender","version":2}'), 'ARTIFACT_UNSUPPORTED'],
    'no artifact': [replaced('version', '{"format":"zip","version":3}'), 'ARTIFACT_MALFORMED'],
    'other order': [{ files: files => files.toReversed() }, 'ARTIFACT_MALFORMED'],
    'something behind': [{ files: files => [...files, ['data/0001.tar', tar([])]] }, 'ARTIFACT_MALFORMED'],
    'augmented manifest': [{ files: files => files.toSpliced(3, 0, ['manifest-augment', '']) }, 'ARTIFACT_UNSUPPORTED'],
    'no device type': [{ deviceTypes: [] }, 'ARTIFACT_MALFORMED'],
    'no name': [{ name: '' }, 'ARTIFACT_MALFORMED'],
    'header without payloads': [{ headerInfo: info => ({ ...info, payloads: [] }) }, 'ARTIFACT_MALFORMED'],
    'another type in header-info': [{ headerInfo: info => ({ ...info, payloads: [{ type: 'script' }] }) }, 'ARTIFACT_MALFORMED'],
    'too much in it': [{ gzip: true, payload: [['zeros', Buffer.alloc(12 << 20)]] }, 'ARTIFACT_TOO_LARGE']
  }
  for (const [what, [parts, code]] of Object.entries(cases)) t.equal(await codeOf(read(artifact(by, parts))), code, what)
  t.throws(() => vendorKey(by.private.export({ type: 'pkcs8', format: 'pem' }) as string), /private key/, 'the vendor\'s private key has no business here')
  t.throws(() => vendorKey(generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey.export({ type: 'spki', format: 'pem' }) as string))
})

test('links, folders and what has no end are refused', async t => {
  const whole = artifact(by)
  for (const type of ['1', '2', '5', 'L', 'g']) t.equal(await codeOf(read(Buffer.concat([tarFile('version', Buffer.alloc(0), type), whole]))), 'ARTIFACT_UNSUPPORTED', type)
  t.equal(await codeOf(read(Buffer.concat([whole, Buffer.alloc(9216)]))), 'none', 'tar fills its last record')
  t.equal(await codeOf(read(Buffer.concat([whole, Buffer.from('x')]))), 'ARTIFACT_MALFORMED')
  t.equal(await codeOf(read(Buffer.alloc(0))), 'ARTIFACT_TRUNCATED')
  t.equal(await codeOf(read(Buffer.alloc(1024))), 'ARTIFACT_TRUNCATED')
  t.equal(await codeOf(read(Buffer.from('<html>'.repeat(200)))), 'ARTIFACT_MALFORMED')
})

test('cut anywhere, it is refused as truncated', async t => {
  for (const gzip of [false, true]) {
    const whole = artifact(by, { gzip, payload: [['manifest', 'version=0.2.0\n']] })
    for (let length = 0; length < whole.length; length += 61) t.equal(await codeOf(read(whole.subarray(0, length))), 'ARTIFACT_TRUNCATED', `${length} of ${whole.length}`)
  }
})

test('no byte can be changed unnoticed, save those that say nothing, and nothing but our own errors comes out', async t => {
  for (const gzip of [false, true]) {
    const whole = artifact(by, { gzip, payload: [['manifest', 'version=0.2.0\n']] })
    const good = await read(whole)
    await fc.assert(fc.asyncProperty(fc.nat(whole.length - 1), fc.integer({ min: 1, max: 255 }), async (at, change) => {
      const bytes = Buffer.from(whole)
      bytes[at]! ^= change
      const found = await read(bytes).catch(error => { ours(error) })
      // Padding, and what gzip or base64 say twice, may change: what is read from them may not.
      if (found !== undefined) t.strictSame(found, good, `byte ${at}`)
    }), { numRuns: 1500 })
  }
})

test('arbitrary bytes, and arbitrary files in tar, end in one of our errors', async t => {
  await fc.assert(fc.asyncProperty(fc.uint8Array({ maxLength: 4000 }), async bytes => { t.match(await codeOf(read(Buffer.from(bytes))), /^ARTIFACT_/) }), { numRuns: 300 })
  const file = fc.tuple(fc.constantFrom('version', 'manifest', 'manifest.sig', 'header.tar', 'header.tar.gz', 'data/0000.tar', 'x'), fc.oneof(fc.string(), fc.json(), fc.constant('{"format":"mender","version":3}')))
  await fc.assert(fc.asyncProperty(fc.array(file, { maxLength: 6 }), async files => { t.match(await codeOf(read(tar(files))), /^ARTIFACT_/) }), { numRuns: 500 })
})

test('an artifact that is refused leaves nothing behind; a name belongs to one file', async t => {
  const site = await openSite(t, { artifacts: { bytesMax: 1 << 20 } })
  const add = async (bytes: Buffer): Promise<unknown> => await site.fleet.desk.addRelease(chunks(bytes))
  const kept = (): string[] => readdirSync(join(site.folder, 'fleet/artifacts'), { recursive: true }).map(String).filter(name => name !== 'incoming').sort()
  for (const bytes of [artifact(by), artifact(site.vendor).subarray(0, -1024), artifact(site.vendor, { payload: [['root', Buffer.alloc(2 << 20)]] })]) {
    t.match(await codeOf(add(bytes)), /^ARTIFACT_/)
    t.same(kept(), [])
  }
  const good = artifact(site.vendor)
  await add(good)
  await add(good)
  t.same(kept(), [`${sha256(good)}.mender`])
  t.equal(await codeOf(add(artifact(site.vendor, { payload: [['root.erofs', 'another']] }))), 'RELEASE_EXISTS')
  t.same(kept(), [`${sha256(good)}.mender`])
  await site.fleet.desk.removeRelease('drimbox-0.2.0')
  t.same(kept(), [])
  t.same(site.fleet.desk.releases(), [])
})
