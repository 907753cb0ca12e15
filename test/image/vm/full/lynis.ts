/** Lynis, inside a running appliance: each of its findings has a reason (scripts/hardening/lynis.ts). */

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'
import { findingsOf, indexOf, unexplained } from '../../../../scripts/hardening/lynis.ts'
import { Appliance } from '../appliance.ts'
import { FOLDER, IMAGES, LOADED_BOOT_SECONDS, row, serves } from './delivered.ts'

/** Thousands of small programs, each started under emulation. */
const AUDIT_SECONDS = 5400
const GUEST = '/run/lynis'

test('an audit from inside', { timeout: (LOADED_BOOT_SECONDS + AUDIT_SECONDS) * 1000 }, async t => {
  const box = new Appliance(t, join(IMAGES, 'test-lynis'), join(FOLDER, 'lynis'), { fresh: true })
  await box.machine.start()
  await serves(box, '0.1.0')
  // Beside the connection that asks for it: that one has other questions meanwhile.
  await box.probe.shell(`mkdir -p ${GUEST}; cd /usr/share/lynis
    (setsid /bin/sh /usr/sbin/lynis audit system --no-colors --no-log --report-file ${GUEST}/report --profile /etc/lynis/default.prf; touch ${GUEST}/ended) > ${GUEST}/out 2>&1 < /dev/null &`)
  await box.machine.until(async () => (await box.probe.shell(`test -e ${GUEST}/ended`)).code === 0, AUDIT_SECONDS, 'end of the audit')
  const report = await box.probe.text('cat', `${GUEST}/report`)
  // make hardening LYNIS=… makes its page of it.
  writeFileSync(join(FOLDER, 'lynis-report'), report)
  const findings = findingsOf(report)
  t.ok(indexOf(report) > 0, 'it came to its end')
  t.same(unexplained(findings), [], 'each finding has a reason')
  row('Lynis inside', `hardening index ${indexOf(report)}; ${findings.length} findings, each with its reason (docs/hardening.md)`)
})
