/**
 * How the status page looks: one sheet, inline, allowed by its hash. Own colours, all at 4.5:1 or better
 * against what lies behind them (a test computes it), in daylight and at night.
 */

import { createHash } from 'node:crypto'

export const STYLE = `
:root { color-scheme: light dark; --ground: #f4f6f8; --sheet: #fff; --ink: #17202a; --soft: #4a5866; --line: #cfd6dd; --link: #0b5394;
  --ready: #14663a; --starting: #0b5394; --degraded: #8a4b00; --closed: #a11919; --on-state: #fff }
@media (prefers-color-scheme: dark) { :root { --ground: #11161b; --sheet: #1a2128; --ink: #e8edf2; --soft: #b0bcc8; --line: #3a4651; --link: #8ec5ff;
  --ready: #7fd6a2; --starting: #8ec5ff; --degraded: #f2b866; --closed: #ff9d96; --on-state: #11161b } }
* { box-sizing: border-box }
body { margin: 0; background: var(--ground); color: var(--ink); font: 1rem/1.5 system-ui, "Segoe UI", "Liberation Sans", Arial, sans-serif }
a { color: var(--link) }
a:focus-visible { outline: 3px solid var(--link); outline-offset: 2px; border-radius: 2px }
.skip { position: absolute; left: -100vw }
.skip:focus { left: 1rem; top: .5rem; background: var(--sheet); padding: .5rem }
header, main, footer { max-width: 52rem; margin: 0 auto; padding: 0 1rem }
header { display: flex; flex-wrap: wrap; gap: .25rem 1rem; align-items: baseline; justify-content: space-between; padding-top: 1.25rem }
h1 { font-size: 1.4rem; margin: 0 }
h2 { font-size: 1.1rem; margin: 0 0 .5rem }
.state { margin: 1rem 0; padding: 1rem 1.25rem; border-radius: .5rem; color: var(--on-state) }
.state.ready { background: var(--ready) } .state.starting { background: var(--starting) }
.state.degraded { background: var(--degraded) } .state.closed { background: var(--closed) }
.state p { margin: 0 } .state .word { font-size: 1.5rem; font-weight: 700; line-height: 1.25 } .state a { color: inherit }
section { background: var(--sheet); border: 1px solid var(--line); border-radius: .5rem; padding: 1rem 1.25rem; margin: 1rem 0 }
section p, ul { margin: 0 } ul { padding-left: 1.25rem } li + li { margin-top: .75rem }
.fact { color: var(--soft); font-size: .9rem; overflow-wrap: anywhere }
dl { margin: 0; display: grid; grid-template-columns: minmax(10rem, 2fr) 3fr; gap: .4rem 1rem }
dt { color: var(--soft) } dd { margin: 0; overflow-wrap: anywhere }
code { font-family: ui-monospace, "Liberation Mono", Consolas, monospace; font-size: .92em }
footer { padding-bottom: 2rem; color: var(--soft); font-size: .9rem }
@media (max-width: 34rem) { dl { grid-template-columns: 1fr; gap: 0 } dd { margin-bottom: .6rem } section { padding: .9rem 1rem } }
`

/** For Content-Security-Policy, style-src. */
export const STYLE_HASH = `sha256-${createHash('sha256').update(STYLE).digest('base64')}`
