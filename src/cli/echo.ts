/** `drimbox echo`: does the PACS answer, and what does it say of itself? Source: DICOM PS3.4 Annex A. */

import { withAssociation } from '#standards/dimse/association.ts'
import { VERIFICATION, echo } from '#standards/dimse/echo.ts'
import { assertCount, readOptions } from './options.ts'
import { QUERY_SYNTAXES } from './questions.ts'
import { PACS_OPTIONS, peerOf, settingsOf, timersOf } from './settings.ts'
import { EXIT, type Verb } from './terminal.ts'

export const echoVerb: Verb = async (args, terminal) => {
  const { words, signal } = terminal
  const given = readOptions(args, { ...PACS_OPTIONS, json: 'flag' }, words)
  assertCount(given, 0, 0, words)
  const config = await settingsOf(given, words)
  const peer = await peerOf(config)
  const began = performance.now()
  await withAssociation(peer, [{ abstractSyntax: VERIFICATION, transferSyntaxes: QUERY_SYNTAXES }], { signal, timers: timersOf(config) }, async association => {
    const asked = performance.now()
    await echo(association, signal)
    const answer = {
      calledTitle: peer.calledTitle,
      host: peer.host,
      port: peer.port,
      associationMilliseconds: Math.round((asked - began) * 10) / 10,
      echoMilliseconds: Math.round((performance.now() - asked) * 10) / 10,
      implementationVersion: association.peer.implementationVersion,
      pduBytesMax: association.peer.pduBytesMax
    }
    terminal.out(given.flag('json') ? JSON.stringify(answer) : words.echo.answered(answer))
  })
  return EXIT.ok
}
