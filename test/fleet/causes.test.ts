import { existsSync, readFileSync } from 'node:fs'
import { test } from 'tap'
import { causeOf, type Told } from '#fleet/causes.ts'

const SCRIPT = new URL('../../appliance/update/rootfs/usr/lib/drimbox/update-state', import.meta.url)

const failed = (messages: readonly (readonly [level: string, message: string])[], more: Partial<Told> = {}): Told => ({
  state: 'failure',
  events: [],
  inventory: {},
  log: { messages: messages.map(([level, message]) => ({ timestamp: '', level, message })), isWhole: true, at: 0 },
  ...more
})

test('the update module\'s last code is the cause, whatever else is in the log', t => {
  t.match(causeOf(failed([
    ['info', 'Update Module output (stderr): drimbox: UPDATE_NOT_STARTED: x'],
    ['error', 'Update Module output (stderr): drimbox: GATE_FRONT_SILENT: The HTTPS front does not answer. '],
    ['info', 'Update Module output (stderr): drimbox: FLOOR_NO_TPM: told, but no reason'],
    ['error', 'Process exited with status 1']
  ])), { code: 'GATE_FRONT_SILENT', fr: 'Le frontal HTTPS ne répond pas', en: 'The HTTPS front does not answer' })
  t.match(causeOf(failed([['error', 'drimbox: GATE_UNHEARD_OF: x']])), { code: 'GATE_UNHEARD_OF', fr: 'l\'équipement dit : drimbox: GATE_UNHEARD_OF: x' })
  t.match(causeOf(failed([], { inventory: { update_code: 'UPDATE_INTERRUPTED' } })), { fr: 'La mise à jour a été interrompue' })
  t.match(causeOf(failed([['error', 'first'], ['error', 'last'], ['info', 'later']])), { code: undefined, en: 'the device says: last' })
  t.match(causeOf(failed([])), { fr: 'échec, sans explication de l\'équipement' })
  t.equal(causeOf(failed([], { state: 'success' })), undefined)
  t.end()
})

test('codes mean here what they mean on the device', { skip: existsSync(SCRIPT) ? false : 'appliance/update is not in this tree' }, t => {
  const lines = [...readFileSync(SCRIPT, 'utf8').matchAll(/^ +((?:UPDATE|GATE)_[A-Z_]+)\) echo "([^|]+)\|([^"]+)" ;;/gm)]
  t.ok(lines.length > 20)
  for (const [, code, fr, en] of lines) t.same(causeOf(failed([['error', `drimbox: ${code}: x`]])), { code, fr, en })
  t.end()
})
