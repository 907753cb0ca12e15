import { test } from 'tap'
import { ask, codeOf, hasClosingDelimiter, objectsOf, untrue } from '#test/fixtures/answer.ts'
import { isQuiet, openSite, until } from '#test/fixtures/site.ts'
import { instancesOf, smallStudy } from '#test/fixtures/small-studies.ts'

const study = smallStudy('faults', { series: [5, 7, 3] })

test('a study comes whole and byte for byte, asked of the PACS once', async t => {
  const site = await openSite(t, [study])
  const answer = await ask(`${site.url}/studies/${study.studyUid}`)
  t.equal(answer.status, 200)
  const objects = await objectsOf(answer)
  t.same(objects.map(one => one.sopInstanceUid).sort(), instancesOf(study))
  t.same(await untrue(site.sim, objects), [])
  t.ok(hasClosingDelimiter(answer))
  t.equal(site.sim.control.seen.moves, 1)
  await until(() => isQuiet(site))
  const again = await ask(`${site.url}/studies/${study.studyUid}`)
  t.equal(again.headers['content-length'], String(again.body.length))
  t.equal(site.sim.control.seen.moves, 1)
})
