import fc from 'fast-check'
import { test } from 'tap'
import { bytes } from '#test/fixtures/bytes.ts'
import { commandBytes, decodeCommand, encodeCommand, type CommandSet } from '#standards/dimse/command.ts'

const ECHO = bytes`
  00 00 00 00 04 00 00 00  (0000,0000) CommandGroupLength, UL
  38 00 00 00              56
  00 00 02 00 12 00 00 00  (0000,0002) AffectedSOPClassUID, 18 bytes
  31 2e 32 2e 38 34 30 2e 31 30 30 30 38 2e 31 2e 31 00
  00 00 00 01 02 00 00 00  (0000,0100) CommandField
  30 00                    C-ECHO-RQ
  00 00 10 01 02 00 00 00  (0000,0110) MessageID
  01 00
  00 00 00 08 02 00 00 00  (0000,0800) CommandDataSetType
  01 01                    none`

test('C-ECHO-RQ is written as PS3.7 Table 9.3-12 lists it', async t => {
  const command = { AffectedSOPClassUID: '1.2.840.10008.1.1', CommandField: 0x0030, MessageID: 1, CommandDataSetType: 0x0101 }
  t.equal(encodeCommand(command).toString('hex'), ECHO.toString('hex'))
  t.same(decodeCommand(ECHO), command)
})

test('elements of retired kinds and unknown ones are passed over', async t => {
  const retired = bytes`
    00 00 01 00 04 00 00 00 00 00 00 00  (0000,0001) CommandLengthToEnd, retired
    00 00 01 51 02 00 00 00 ff ff        (0000,5101) unknown`
  t.same(decodeCommand(Buffer.concat([retired, ECHO])), decodeCommand(ECHO))
})

test('a UID padded by a space and a title padded by NUL are read all the same', async t => {
  const spaced = Buffer.from(ECHO)
  spaced[spaced.indexOf('1.1\0') + 3] = 0x20
  t.equal(decodeCommand(spaced).AffectedSOPClassUID, '1.2.840.10008.1.1')
})

test('a command set that lies about its lengths is a violation', async t => {
  const violation = { code: 'PROTOCOL_VIOLATION' }
  t.throws(() => decodeCommand(ECHO.subarray(0, ECHO.length - 1)), violation, 'value cut')
  t.throws(() => decodeCommand(ECHO.subarray(0, ECHO.length - 5)), violation, 'header cut')
  t.throws(() => decodeCommand(ECHO.subarray(0, 38)), violation, 'neither field nor data set type')
  const long = Buffer.from(ECHO)
  long.writeUInt32LE(0xffffffff, 16)
  t.throws(() => decodeCommand(long), violation, '4 GB')
  const group = Buffer.from(ECHO)
  group[12] = 8
  t.throws(() => decodeCommand(group), violation, 'group 0008')
  const wide = Buffer.concat([ECHO, bytes`00 00 00 09 04 00 00 00 00 00 00 00`])
  t.throws(() => decodeCommand(wide), violation, 'Status of four bytes')
})

const us = fc.nat(0xffff)
const text = fc.stringMatching(/^[A-Z0-9](\.?[A-Z0-9]){0,20}$/)
const commands: fc.Arbitrary<CommandSet> = fc.record({
  CommandField: us,
  CommandDataSetType: us,
  AffectedSOPClassUID: text,
  RequestedSOPClassUID: text,
  MessageID: us,
  MessageIDBeingRespondedTo: us,
  MoveDestination: text,
  Priority: us,
  Status: us,
  ErrorComment: text,
  ErrorID: us,
  AffectedSOPInstanceUID: text,
  RequestedSOPInstanceUID: text,
  EventTypeID: us,
  ActionTypeID: us,
  NumberOfRemainingSuboperations: us,
  NumberOfCompletedSuboperations: us,
  NumberOfFailedSuboperations: us,
  NumberOfWarningSuboperations: us,
  MoveOriginatorApplicationEntityTitle: text,
  MoveOriginatorMessageID: us
}, { requiredKeys: ['CommandField', 'CommandDataSetType'] })

test('every command set is read back as it was written', async t => {
  fc.assert(fc.property(commands, command => {
    const encoded = encodeCommand(command)
    t.equal(encoded.length, commandBytes(command))
    t.equal(encoded.length % 2, 0)
    t.same(decodeCommand(encoded), command)
  }))
})

test('any bytes in place of a command set are read or refused, never anything else', async t => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(60), (noise, at) => {
    const body = Buffer.concat([ECHO.subarray(0, at), noise])
    try {
      decodeCommand(body)
    } catch (error) {
      return (error as { code?: string }).code === 'PROTOCOL_VIOLATION'
    }
    return true
  }))
  t.pass()
})
