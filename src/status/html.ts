/** HTML in which nothing that comes from outside is ever markup. */

/** Text that is markup already. Only {@link html} makes it. */
export class Html {
  readonly text: string
  constructor (text: string) { this.text = text }
}

type Part = string | number | Html | readonly Part[] | undefined | false

/** Values are escaped; other pieces of HTML are put in as they are; lists are joined; `undefined` and `false` are nothing. */
export function html (markup: TemplateStringsArray, ...values: readonly Part[]): Html {
  return new Html(markup.reduce((text, piece, index) => text + written(values[index - 1]) + piece))
}

function written (part: Part): string {
  if (part === undefined || part === false) return ''
  if (part instanceof Html) return part.text
  if (typeof part === 'object') return part.map(written).join('')
  return String(part).replace(/[&<>"']/g, character => `&#${character.charCodeAt(0)};`)
}

/** French typography: no line begins with a colon or the like. For text, not for style sheets. */
export function unbroken ({ text }: Html): Html {
  return new Html(text.replace(/ ([:;?!»])/g, '\u00A0$1').replaceAll('« ', '«\u00A0').replace(/(\d) ([kMGo]?o|ms|s|min|h|j)\b/g, '$1\u00A0$2'))
}
