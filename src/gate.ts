/**
 * Is this a good start? For the health gate of the appliance; the last line on standard output is the
 * answer: `GOOD`, or a code and its facts, with exit code 1.
 *
 *     node src/gate.ts --seconds=600
 */

import { parseArgs } from 'node:util'
import { PLACES, probes } from '#box/gate/probes.ts'
import { watch } from '#box/gate/watch.ts'

/** Half the patience: see watch.ts. */
const STANDSTILL_PART = 0.5

const { values } = parseArgs({ options: { seconds: { type: 'string', default: '600' } } })
const seconds = Number(values.seconds)
const finding = await watch(probes(PLACES), { seconds, standstillSeconds: seconds * STANDSTILL_PART }, ({ code, detail }) => { console.error(`waiting: ${code} ${detail}`) })
console.log(finding === undefined ? 'GOOD' : `${finding.code} ${finding.detail}`)
process.exitCode = finding === undefined ? 0 : 1
