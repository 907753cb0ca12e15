import { generateKeyPairSync, createPublicKey, sign } from 'node:crypto'
import fc from 'fast-check'
import t from 'tap'
import { certificationRequest } from '#standards/x509/certification-request.ts'
import { boolean, der, fromPem, integer, objectIdentifier, octetString, readElements, sequence, toPem, utf8String } from '#standards/x509/der.ts'
import { subjectPublicKeyInfo } from '#standards/x509/public-key.ts'
import { bytes } from '#test/fixtures/bytes.ts'
import { run, skipWithout, temporaryFolder } from '#test/fixtures/peer.ts'
import { join } from 'node:path'
import { writeFileSync } from 'node:fs'

t.test('elements are written as X.690 prints them', async t => {
  t.same(integer(Buffer.from([0, 0, 0x7F])), bytes`02 01 7F`)
  t.same(integer(Buffer.from([0x80])), bytes`02 02 00 80  a leading zero, or it would be negative (§8.3.3)`)
  t.same(integer(Buffer.from([0, 0])), bytes`02 01 00`)
  t.same(integer(Buffer.from([])), bytes`02 01 00`)
  t.same(boolean(true), bytes`01 01 FF  (§11.1)`)
  t.same(objectIdentifier('1.2.840.10045.2.1'), bytes`06 07 2A 86 48 CE 3D 02 01`)
  t.same(objectIdentifier('2.23.133.10.1.3'), bytes`06 06 67 81 05 0A 01 03`)
  t.same(utf8String('é'), bytes`0C 02 C3 A9`)
  t.same(octetString(Buffer.alloc(127)).subarray(0, 2), bytes`04 7F`)
  t.same(octetString(Buffer.alloc(128)).subarray(0, 3), bytes`04 81 80  in the fewest bytes (§10.1)`)
  t.same(octetString(Buffer.alloc(256)).subarray(0, 4), bytes`04 82 01 00`)
  t.throws(() => octetString(Buffer.alloc(65536)), RangeError)
})

t.test('what is written is read back; what is not DER is refused and never read past its end', async t => {
  fc.assert(fc.property(fc.array(fc.tuple(fc.integer({ min: 1, max: 30 }), fc.uint8Array({ maxLength: 400 }))), parts => {
    const read = readElements(Buffer.concat(parts.map(([tag, content]) => der(tag, content))))
    t.same(read.map(({ tag, content }) => [tag, Buffer.from(content)]), parts.map(([tag, content]) => [tag, Buffer.from(content)]))
  }), { numRuns: 100 })
  for (const bad of [bytes`30`, bytes`30 80`, bytes`30 81 05 00 00 00 00 00`, bytes`30 82 00 80`, bytes`30 05 00`, bytes`30 83 00 00 01 00`, bytes`30 FF`]) t.throws(() => readElements(bad), RangeError)
  fc.assert(fc.property(fc.uint8Array({ maxLength: 64 }), noise => {
    try {
      const total = readElements(noise).reduce((sum, { content }) => sum + content.length, 0)
      return total <= noise.length
    } catch (error) {
      return error instanceof RangeError
    }
  }), { numRuns: 2000 })
})

t.test('one PEM block of the right label, and nothing around it', async t => {
  const pem = toPem('A KEY', Buffer.alloc(100, 7))
  t.same(fromPem('A KEY', pem), Buffer.alloc(100, 7))
  t.equal(Math.max(...pem.split('\n').map(line => line.length)), 64)
  for (const bad of [pem + pem, pem.replace('END A KEY', 'END B KEY'), pem.replace('BEGIN A', 'BEGIN B'), pem.slice(0, 60), `${pem}more`, '', pem.replace('Bw', 'B*')]) t.throws(() => fromPem('A KEY', bad), RangeError)
})

t.test('a public key as Node itself writes it', async t => {
  for (let round = 0; round < 20; round++) {
    const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const { x = '', y = '' } = publicKey.export({ format: 'jwk' })
    // As a TPM tells them: without leading zeros.
    const shortest = (text: string): Buffer => { const all = Buffer.from(text, 'base64url'); return all.subarray(all.findIndex(byte => byte !== 0)) }
    t.same(subjectPublicKeyInfo({ type: 'P-256', x: shortest(x), y: shortest(y) }), publicKey.export({ format: 'der', type: 'spki' }))
  }
  const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const modulus = Buffer.from(publicKey.export({ format: 'jwk' }).n as string, 'base64url')
  const spki = subjectPublicKeyInfo({ type: 'RSA-2048', modulus, exponent: 65537 })
  t.same(spki, publicKey.export({ format: 'der', type: 'spki' }))
  t.ok(createPublicKey({ key: spki, format: 'der', type: 'spki' }))
  t.throws(() => subjectPublicKeyInfo({ type: 'P-256', x: Buffer.alloc(33), y: Buffer.alloc(32) }), RangeError)
})

t.test('addresses in a request are those of RFC 5952, in sixteen bytes', { skip: skipWithout('openssl') }, async t => {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const file = join(temporaryFolder(t), 'r.csr')
  for (const [address, told] of [['::', '0:0:0:0:0:0:0:0'], ['::1', '0:0:0:0:0:0:0:1'], ['fd00::', 'FD00:0:0:0:0:0:0:0'], ['1:2:3:4:5:6:7:8', '1:2:3:4:5:6:7:8'], ['64:ff9b::192.0.2.33', '64:FF9B:0:0:0:0:C000:221'], ['203.0.113.255', '203.0.113.255']] as const) {
    writeFileSync(file, await certificationRequest({ subject: { commonName: 'x' }, names: [], addresses: [address], type: 'P-256', publicKey: publicKey.export({ format: 'der', type: 'spki' }) }, async bytes => sign('sha256', bytes, privateKey)))
    t.match(await run('openssl', ['req', '-in', file, '-verify', '-noout', '-text']), { code: 0, output: `IP Address:${told}\n` })
  }
  t.equal(sequence().length, 2)
})
