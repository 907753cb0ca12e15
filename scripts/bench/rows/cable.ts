/** What all rows over a cable have in common. */

import { EXPLICIT_LE, IMPLICIT_LE } from '#standards/dicom/transfer-syntax.ts'
import { withAssociation } from '#standards/dimse/association.ts'
import { VERIFICATION, echo } from '#standards/dimse/echo.ts'
import { spread } from '../measure.ts'
import type { Cable, Place } from '../network/own-network.ts'

/** Added to each round trip, in milliseconds: a switch, a building, a region. */
export const ADDED_MS = [0, 1, 10] as const

const ECHOES = 40

const HOW = {
  none: 'nothing added',
  netem: 'added by `tc netem`, half in each direction',
  relay: 'this kernel has no `tc netem`, so a relay in user space hands everything on later: turns cost what they would cost, but TCP ends at the relay, so that its windows don\'t open at the pace of the long way (no ACK clocking), and a delayed ACK doesn\'t pay it'
} as const

/** Measured, since a delay that was asked for isn't one that was given. */
export async function sayCable (cable: Cable, place: Place, title: string): Promise<string> {
  const turn = await turnMs(place, title).then(ms => `a C-ECHO takes ${ms.toFixed(2)} ms`, () => 'no C-ECHO was answered')
  return `${cable.addedMs} ms: ${turn}; ${HOW[cable.method]}.`
}

async function turnMs ({ host, port }: Place, calledTitle: string): Promise<number> {
  const { signal } = new AbortController()
  return await withAssociation({ host, port, calledTitle, callingTitle: 'BENCH' }, [{ abstractSyntax: VERIFICATION, transferSyntaxes: [EXPLICIT_LE, IMPLICIT_LE] }], { signal }, async association => {
    const turns: number[] = []
    for (let index = 0; index < ECHOES; index++) {
      const from = performance.now()
      await echo(association, signal)
      turns.push(performance.now() - from)
    }
    return spread(turns).median
  })
}
