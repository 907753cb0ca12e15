import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'
import { fleetVerb } from '#cli/fleet.ts'
import { UsageError } from '#cli/options.ts'
import { artifact, vendor } from '#test/fixtures/artifact.ts'
import { FakeDevice, json, openSite } from '#test/fixtures/fleet.ts'
import { say } from '#test/fixtures/terminal.ts'

test('an operator adds a release, lets a device in, deploys, and reads why it failed', async t => {
  const site = await openSite(t)
  const fleet = async (line: string, language = 'fr'): Promise<string> => (await say(fleetVerb, [...line.split(' '), `--socket=${site.adminSocket}`], language)).out
  const file = join(site.folder, 'release.mender')
  writeFileSync(file, artifact(site.vendor))
  t.equal(await fleet(`release add ${file}`), 'Version drimbox-0.2.0 ajoutée.')
  t.match(await fleet('release list'), /drimbox-0\.2\.0 +0,1 Mo +drimbox-x86-64/)

  const device = new FakeDevice(site, { mac: '02:00:00:00:00:01' })
  await device.authenticate()
  t.match(await fleet('device list'), /\{"mac":"02:00:00:00:00:01"\} +– +– +[0-9a-f]{8} en attente \(ed25519\)/)
  const [{ id }] = JSON.parse(await fleet('device list --json')) as [{ id: string }]
  t.match(await fleet(`device accept ${id.slice(0, 6)}`), /acceptée/)
  await device.authenticate()
  t.match(await fleet(`deploy drimbox-0.2.0 ${id}`), /^Déploiement [0-9a-f-]{36} : drimbox-0\.2\.0 sera proposée/)
  await t.rejects(fleet(`deploy drimbox-0.2.0 ${id}`), { code: 'DEPLOYMENT_ACTIVE', message: 'Un déploiement est déjà en cours sur cet équipement' })
  await t.rejects(fleet(`deploy drimbox-0.2.0 ${id}`, 'en'), { message: 'The device has a deployment already' })

  const deployment = json(await device.next()).id as string
  await device.tell(deployment, 'downloading')
  await device.tell(deployment, 'failure')
  await device.ask('PUT', `/api/devices/v1/deployments/device/deployments/${deployment}/log`, { messages: [{ timestamp: '2026-11-29T00:00:00Z', level: 'error', message: 'drimbox: GATE_GATEWAY_SILENT: x \u001b[31m' }] })
  t.match(await fleet('deployment list'), /échoué, version précédente en place .*La passerelle ne répond pas/)
  const story = await fleet(`deployment show ${deployment}`)
  t.match(story, /Cause : La passerelle ne répond pas \(GATE_GATEWAY_SILENT\)/)
  t.match(story, /téléchargement\n/)
  t.notMatch(story, '\u001b', 'nothing that a device sends steers the terminal')
  t.match(await fleet(`deployment show ${deployment}`, 'en'), /Cause: The gateway does not answer/)
  t.match(await fleet(`device show ${id}`), /Attribut/)
  t.match(await fleet(`device reject ${id}`), /refusée/)
  t.match(await fleet('device expect {"serial":"7"}'), /attendu/)
})

test('what is refused is refused with its code, and what is mistyped is told', async t => {
  const site = await openSite(t)
  const fleet = async (...args: string[]): Promise<unknown> => await say(fleetVerb, [...args, `--socket=${site.adminSocket}`])
  const file = join(site.folder, 'foreign.mender')
  // Larger than what the line holds: it is refused while it is still being sent.
  writeFileSync(file, artifact(vendor(), { payload: [['root.erofs', Buffer.alloc(8 << 20)]] }))
  await t.rejects(fleet('release', 'add', file), { code: 'ARTIFACT_SIGNATURE_WRONG' })
  await t.rejects(fleet('release', 'remove', 'nothing'), { code: 'RELEASE_UNKNOWN' })
  await t.rejects(fleet('device', 'accept', 'nobody'), { code: 'DEVICE_UNKNOWN' })
  await t.rejects(fleet('deployment', 'show', 'x/../..'), { code: 'DEPLOYMENT_UNKNOWN' })
  for (const args of [[], ['release'], ['release', 'burn'], ['deploy', 'a'], ['deploy', 'a', 'b', 'c'], ['watch', 'x']]) await t.rejects(fleet(...args), UsageError)
  await t.rejects(fleet('release', 'add', join(site.folder, 'absent')), { code: 'ENOENT' })
  await t.rejects(say(fleetVerb, ['release', 'list', `--socket=${join(site.folder, 'none.sock')}`]), { code: 'SETTING_INVALID', facts: { reason: 'fleet-not-running' } })
})
