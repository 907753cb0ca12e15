import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import axe from 'axe-core'
import { pino } from 'pino'
import type { Page } from 'playwright-core'
import t from 'tap'
import { look } from '#status/look.ts'
import type { Report } from '#status/report.ts'
import { statusServer } from '#status/server.ts'
import { startChromium } from '#test/fixtures/chromium.ts'
import { skipWithout, type Test } from '#test/fixtures/peer.ts'
import { statusRoot } from '#test/fixtures/status-root.ts'

const skip = skipWithout('chromium', 'openssl')

/** A reader's page in each state, on a port of its own. */
async function pages (t: Test): Promise<{ url: string, set: (state: Report['state']) => void }> {
  const root = await statusRoot(t)
  await root.gateway(t)
  const ready = await look(root.folder, '/dicom-web')
  const problems = [
    { code: 'PACS_UNREACHABLE', fr: 'Le PACS est injoignable.', en: 'The PACS cannot be reached.' },
    { code: 'DISK_FULL', fr: 'Le disque de données est presque plein.', en: 'The data disk is nearly full.', detail: '6512 kB free; volume 6f9619ff-8b86-d011-b42d-00cf4fc964ff' }
  ]
  let report: Report = ready
  const server = statusServer({ look: async () => report, log: pino({ level: 'silent' }), now: (() => { let time = 0; return () => (time += 10_000) })() })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => { server.close(); server.closeAllConnections() })
  const { port } = server.address() as AddressInfo
  return { url: `http://127.0.0.1:${port}`, set: state => { report = { ...ready, state, problems: state === 'ready' || state === 'starting' ? [] : problems } } }
}

interface Violation { readonly id: string, readonly nodes: ReadonlyArray<{ readonly html: string }> }

/** What axe-core finds against WCAG 2.2 A and AA. */
async function violations (page: Page): Promise<string[]> {
  const found = await page.evaluate(async () => {
    const { axe } = globalThis as unknown as { axe: { run: (where: unknown, options: object) => Promise<{ violations: Violation[] }> } }
    const { document } = globalThis as unknown as { document: unknown }
    return (await axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] })).violations
  })
  return found.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`)
}

t.test('axe-core has nothing to say of any state, in either language, by day and by night, on any width', { skip }, async t => {
  const browser = await startChromium(t)
  const { url, set } = await pages(t)
  for (const colorScheme of ['light', 'dark'] as const) {
    for (const width of [360, 1280]) {
      // axe is put in from outside: the page's own policy allows no script at all.
      const context = await browser.newContext({ viewport: { width, height: 800 }, colorScheme, bypassCSP: true })
      const page = await context.newPage()
      for (const state of ['ready', 'starting', 'degraded', 'closed'] as const) {
        for (const language of ['fr', 'en']) {
          set(state)
          // A refresh that the reader can stop is allowed by RGAA 13.1; axe knows no such link, and sees it stopped here.
          await page.goto(`${url}/status?lang=${language}&refresh=off`)
          await page.evaluate(axe.source)
          t.same(await violations(page), [], `${state} ${language} ${colorScheme} ${width}`)
          const overflow = await page.evaluate('document.documentElement.scrollWidth - document.documentElement.clientWidth')
          t.equal(overflow, 0, 'nothing is wider than the screen')
        }
      }
      await context.close()
    }
  }
})

t.test('by ear and by keyboard: landmarks, one heading each, links in order with a visible focus', { skip }, async t => {
  const browser = await startChromium(t)
  const { url, set } = await pages(t)
  set('starting')
  const page = await (await browser.newContext()).newPage()
  await page.goto(`${url}/status?lang=fr`)
  t.equal(await page.title(), 'Démarrage en cours – État du boîtier DRIMbox')
  for (const role of ['banner', 'navigation', 'main', 'contentinfo'] as const) t.equal(await page.getByRole(role).count(), 1, role)
  t.same(await page.getByRole('heading', { level: 1 }).allTextContents(), ['État du boîtier DRIMbox'])
  t.same(await page.getByRole('heading', { level: 2 }).allTextContents(), ['À signaler', 'Service', 'Identité', 'Démarrage', 'Machine'])
  const visited: string[] = []
  for (let press = 0; press < 5; press++) {
    await page.keyboard.press('Tab')
    const { text, outline } = await page.evaluate('({ text: document.activeElement.textContent, outline: getComputedStyle(document.activeElement).outlineStyle })') as { text: string, outline: string }
    t.not(outline, 'none', text)
    visited.push(text)
  }
  t.same(visited, ['Aller au contenu', 'English', 'Arrêter l’actualisation', 'Actualiser', '/status.json'])
  await page.getByRole('link', { name: 'English' }).click()
  t.equal(await page.evaluate('document.documentElement.lang'), 'en')
  await page.getByRole('link', { name: 'Stop refreshing' }).click()
  t.equal(await page.locator('meta[http-equiv=refresh]').count(), 0)
})

t.test('its policy holds: its own style is used, nothing else could be', { skip }, async t => {
  const browser = await startChromium(t)
  const { url, set } = await pages(t)
  set('ready')
  const page = await (await browser.newContext()).newPage()
  const complaints: string[] = []
  page.on('console', message => { complaints.push(message.text()) })
  await page.goto(`${url}/`)
  t.same(complaints.filter(text => !text.includes('favicon')), [])
  t.equal(await page.evaluate('getComputedStyle(document.querySelector(".state")).backgroundColor'), 'rgb(20, 102, 58)')
  await page.evaluate('document.body.insertAdjacentHTML("beforeend", "<img id=i src=/x style=\\"color:red\\">")')
  t.match(complaints.join(' '), 'Content Security Policy')
})

t.test('while it starts the page looks again by itself', { skip, timeout: 60_000 }, async t => {
  const browser = await startChromium(t)
  const { url, set } = await pages(t)
  set('starting')
  const page = await (await browser.newContext({ locale: 'fr-FR' })).newPage()
  await page.goto(`${url}/`)
  set('ready')
  await page.waitForEvent('load', { timeout: 20_000 })
  t.match(await page.title(), /^En service/)
})

// Kept where asked for, to be looked at by a person.
t.test('pictures', { skip: skip || (process.env.STATUS_PICTURES === undefined && 'only where STATUS_PICTURES names a folder') }, async t => {
  const browser = await startChromium(t)
  const { url, set } = await pages(t)
  for (const [state, width, colorScheme, language] of [['ready', 1280, 'light', 'fr'], ['starting', 360, 'light', 'fr'], ['degraded', 360, 'dark', 'fr'], ['degraded', 1280, 'light', 'en'], ['closed', 1280, 'dark', 'fr']] as const) {
    const page = await (await browser.newContext({ viewport: { width, height: 800 }, colorScheme })).newPage()
    set(state)
    await page.goto(`${url}/status?lang=${language}`)
    await page.screenshot({ path: `${process.env.STATUS_PICTURES}/${state}-${width}-${colorScheme}-${language}.png`, fullPage: true })
  }
})
