/**
 * The status page, for a person before the box or at a desk of the centre: a word for the state, what to do,
 * then the facts. Complete without scripts; usable by keyboard, by ear, on a telephone.
 *
 * Source: RGAA 4.1; 13.1 (a refresh that can be stopped) is why the refresh has a link beside it.
 */

import { html, unbroken, type Html } from './html.ts'
import type { Problem, Report } from './report.ts'
import { STYLE } from './style.ts'
import { english } from './words-en.ts'
import { french, type Words } from './words-fr.ts'

/** While the box starts, the page asks again by itself. Seconds. */
const REFRESH_SECONDS = 5

export type Language = 'fr' | 'en'

export interface PageOptions {
  readonly language: Language
  /** The reader has stopped it. */
  readonly refreshes: boolean
  readonly now: number
}

const CATALOGUES: Readonly<Record<Language, Words>> = { fr: french, en: english }

export function statusPage (report: Report, { language, refreshes, now }: PageOptions): string {
  const words = CATALOGUES[language]
  const isStarting = report.state === 'starting'
  const refresh = isStarting && refreshes
  return page(words, words.title(words.states[report.state]), html`
${refresh && html`<meta http-equiv="refresh" content="${REFRESH_SECONDS}">`}`, html`
<div class="state ${report.state}">
<p class="word">${words.states[report.state]}</p>
<p>${words.stateHelp[report.state]}</p>
${isStarting && html`<p>${refresh && words.refreshing(REFRESH_SECONDS)} <a href="/status?lang=${language}${refresh && '&refresh=off'}">${refresh ? words.stopRefresh : words.startRefresh}</a></p>`}
</div>
<section aria-labelledby="problems"><h2 id="problems">${words.sections.problems}</h2>
${report.problems.length === 0 ? html`<p>${words.noProblem}</p>` : html`<ul>${report.problems.map(problem => item(words, problem))}</ul>`}
</section>
${sections(words, report).map(({ id, heading, rows }) => html`<section aria-labelledby="${id}"><h2 id="${id}">${heading}</h2>
<dl>${rows.map(([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>`)}</dl></section>
`)}`, html`
<p>${words.footer(words.moment(new Date(now).toISOString()))} <a href="/status?lang=${language}">${words.reload}</a></p>
<p>${words.forPrograms} <a href="/status.json"><code>/status.json</code></a></p>`)
}

export function notFoundPage (language: Language): string {
  const words = CATALOGUES[language]
  return page(words, words.title(words.notFound), false, html`<section><p>${words.notFound}</p><p><a href="/status?lang=${language}">${words.backHome}</a></p></section>`, html``)
}

function page (words: Words, title: string, head: Html | false, main: Html, footer: Html): string {
  const typeset = (text: Html): Html => words.language === 'fr' ? unbroken(text) : text
  return html`<!doctype html>
<html lang="${words.language}">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${typeset(html`${title}`)}</title>${head}
<style>${rawStyle}</style></head>
<body>
<a class="skip" href="#content">${words.skip}</a>
<header><h1>${words.heading}</h1><nav aria-label="${words.otherLanguage}"><a href="/status?lang=${words.otherLanguageTag}" lang="${words.otherLanguageTag}" hreflang="${words.otherLanguageTag}">${words.otherLanguage}</a></nav></header>
<main id="content" tabindex="-1">${typeset(main)}</main>
<footer>${typeset(footer)}</footer>
</body></html>
`.text
}

/** Ours, and must stay as it was hashed. */
const rawStyle = html([STYLE] as unknown as TemplateStringsArray)

function item (words: Words, { code, fr, en, detail }: Problem): Html {
  return html`<li>${words.language === 'fr' ? fr : en}
<div class="fact">${words.code} <code>${code}</code>${detail !== undefined && html` · <span lang="en">${detail}</span>`}</div></li>`
}

interface Section { readonly id: string, readonly heading: string, readonly rows: ReadonlyArray<readonly [name: string, value: string | Html]> }

function sections (words: Words, report: Report): Section[] {
  const { rows } = words
  const unknown = words.unknown
  const fact = (one: Report['disk']): string => one === null ? unknown : words.word(one.state)
  const flag = (value: boolean | null): string => value === null ? unknown : value ? words.on : words.off
  const { boot, key, time, update, stick, memory } = report
  return [
    {
      id: 'service',
      heading: words.sections.service,
      rows: [
        [rows.gateway, report.gateway.answering ? words.answering : words.notAnswering],
        [rows.disk, fact(report.disk)],
        [rows.addresses, report.network.addresses.length === 0 ? words.noAddress : report.network.addresses.join(', ')],
        [rows.time, time.synchronised === null ? unknown : time.synchronised ? words.synchronised(time.offsetSeconds) : words.unsynchronised(time.offsetSeconds)],
        [rows.update, update === null ? unknown : update.version === undefined ? words.word(update.state) : words.versionOf(words.word(update.state), update.version)],
        ...stick === null ? [] : [[rows.stick, words.word(stick.state)] as const]
      ]
    },
    {
      id: 'identity',
      heading: words.sections.identity,
      rows: [
        [rows.certificate, key.selfSigned === null ? unknown : key.selfSigned ? words.selfSigned : words.issued(words.day(key.notAfter as string))],
        [rows.fingerprint, key.fingerprint === null ? unknown : html`<code>${key.fingerprint}</code>`],
        [rows.key, key.kind === null ? unknown : key.kind === 'tpm' ? words.keyInTpm : words.word(key.kind)],
        [rows.tpm, fact(report.tpm)]
      ]
    },
    {
      id: 'boot',
      heading: words.sections.boot,
      rows: [
        [rows.version, report.version === null ? unknown : words.release(report.version, report.release)],
        [rows.slot, report.slot?.toUpperCase() ?? unknown],
        [rows.secureBoot, flag(boot.secureBoot)],
        [rows.lockdown, boot.lockdown === null ? unknown : words.word(boot.lockdown)],
        [rows.verity, boot.verity ? words.yes : words.no],
        [rows.entry, boot.entry === null ? unknown : html`<code>${boot.entry}</code>`]
      ]
    },
    {
      id: 'machine',
      heading: words.sections.machine,
      rows: [
        [rows.uptime, words.duration(report.uptimeSeconds)],
        [rows.memory, words.memory(memory.availableBytes, memory.totalBytes)]
      ]
    }
  ]
}
