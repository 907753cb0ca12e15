/**
 * A structured report as one HTML page: readable on a phone and on paper, without script, without
 * anything from elsewhere.
 *
 * Source: DICOM PS3.18 §8.7.4 (text/html); WHATWG HTML. Everything that a report says is escaped: it
 * can be any text, and is never markup.
 */

import { LABELS, RELATIONSHIPS, type Item, type Report } from './content.ts'

const STYLE = `
:root{color-scheme:light dark;--line:#8886;--soft:#8882}
body{font:1rem/1.5 system-ui,sans-serif;max-width:48rem;margin:0 auto;padding:1rem;overflow-wrap:anywhere}
h1{font-size:1.5rem;line-height:1.25;margin:.5rem 0 1rem}
h2,h3,h4,h5,h6{font-size:1.1rem;line-height:1.3;margin:1.25rem 0 .25rem}
h4,h5,h6{font-size:1rem}
dl.facts{display:grid;grid-template-columns:minmax(8rem,max-content) 1fr;gap:.15rem 1rem;margin:0 0 1.5rem;padding:.75rem 1rem;border:1px solid var(--line);border-radius:.5rem}
dl.facts dt{font-weight:600}dl.facts dd{margin:0}
@media (max-width:30rem){dl.facts{grid-template-columns:1fr}dl.facts dd{margin:0 0 .4rem}}
p{margin:.25rem 0;white-space:pre-line}
ul{margin:.25rem 0;padding-left:1.25rem}li{margin:.15rem 0}
.name{font-weight:600}small{opacity:.75}
.note{border-left:3px solid var(--line);background:var(--soft);padding:.25rem .75rem;margin:1.5rem 0 0}
@media print{body{max-width:none;padding:0}}
`

/** Headings go down to the sixth level; deeper sections are bold text. */
const HEADING_MAX = 6

export function reportHtml ({ title, fields, root }: Report): string {
  return `<!DOCTYPE html>
<html lang="fr"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><meta name="robots" content="noindex"><title>${escaped(title)}</title><style>${STYLE}</style></head>
<body><main><h1>${escaped(title)}</h1>
<dl class="facts">${fields.map(({ label, value }) => `<dt>${escaped(LABELS[label])}</dt><dd>${escaped(value)}</dd>`).join('')}</dl>
${root.observedAt === '' ? '' : `<p><small>Observé le ${escaped(root.observedAt)}</small></p>`}${children(root.items, 2)}
</main><footer class="note"><p><small>Présentation du document structuré DICOM ; l’objet d’origine fait foi.</small></p></footer></body></html>
`
}

/** Sections and texts one after the other; short facts as a list. */
function children (items: readonly Item[], level: number): string {
  let html = ''
  let isList = false
  for (const item of items) {
    const isFact = item.valueType !== 'CONTAINER' && !(item.valueType === 'TEXT' && item.items.length === 0 && item.relationship === 'CONTAINS')
    if (isFact !== isList) html += isFact ? '<ul>' : '</ul>'
    isList = isFact
    html += isFact ? `<li>${fact(item, level)}</li>` : item.valueType === 'CONTAINER' ? section(item, level) : paragraph(item, level)
  }
  return isList ? `${html}</ul>` : html
}

function section (item: Item, level: number): string {
  return `<section>${heading(item.name, level)}${observed(item)}${children(item.items, level + 1)}</section>\n`
}

function paragraph (item: Item, level: number): string {
  return `${heading(item.name, level)}${observed(item)}<p>${escaped(item.value)}</p>\n`
}

function heading (name: string, level: number): string {
  if (name === '') return ''
  return level > HEADING_MAX ? `<p class="name">${escaped(name)}</p>` : `<h${level}>${escaped(name)}</h${level}>`
}

function fact (item: Item, level: number): string {
  const name = item.name === '' ? '' : `<span class="name">${escaped(item.name)}</span>${item.value === '' ? '' : ' : '}`
  const code = item.code === '' ? '' : ` <small>(${escaped(item.code)})</small>`
  const relationship = RELATIONSHIPS[item.relationship]
  return `${relationship === undefined ? '' : `<small>${escaped(relationship)}</small> `}${name}${escaped(item.value).replaceAll('\n', '<br>')}${code}${observed(item)}${children(item.items, level + 1)}`
}

function observed ({ observedAt }: Item): string {
  return observedAt === '' ? '' : ` <small>— observé le ${escaped(observedAt)}</small>`
}

const MARKUP: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' }

/** Text that stays text, in an element as in an attribute. Controls but line breaks mean nothing here. */
function escaped (text: string): string {
  return text
    // eslint-disable-next-line no-control-regex
    .replace(/\r\n?/g, '\n').replace(/[\0-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufffe\uffff]/g, '')
    .replace(/[&<>"']/g, char => MARKUP[char] as string)
}
