// The frame of the pages of the inspector. The pages have no script and load no resource, so their policy allows one style sheet by its
// hash, and forms to the port itself.

import { createHash } from 'node:crypto'
import { escapeHtml } from '@vera-stack/shared/http/escape-html.ts'

const STYLE = `
:root { color-scheme: light dark; --ink: light-dark(#1c2230, #e8ecf4); --soft: light-dark(#566072, #a3aec0);
  --line: light-dark(#d8dde6, #313a4b); --paper: light-dark(#fbfcfe, #12161f); --card: light-dark(#fff, #1a202c);
  --accent: light-dark(#0b5fb5, #7cbcff); --bad: light-dark(#b3261e, #ff9d94); --good: light-dark(#14713d, #7ddba3);
  --warn: light-dark(#8a5200, #f0c070); }
* { box-sizing: border-box }
body { margin: 0; background: var(--paper); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 70rem; margin: 0 auto; padding: 1.5rem 1rem 3rem; }
h1 { font-size: 1.35rem; line-height: 1.3; margin: 0 0 .75rem; overflow-wrap: anywhere; }
h2 { font-size: 1rem; margin: 1.75rem 0 .5rem; }
p { margin: 0 0 .75rem; } .soft { color: var(--soft); }
a { color: var(--accent); }
a:focus-visible, button:focus-visible, summary:focus-visible, .scroll:focus-visible {
  outline: 2px solid var(--accent); outline-offset: 2px; }
nav, .row { display: flex; flex-wrap: wrap; gap: .75rem; align-items: center; margin: 0 0 1rem; }
.scroll { overflow-x: auto; border: 1px solid var(--line); border-radius: .5rem; background: var(--card); }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .35rem .7rem; border-bottom: 1px solid var(--line); vertical-align: top; }
tbody tr:last-child > * { border-bottom: 0; }
th { font-weight: 600; color: var(--soft); white-space: nowrap; }
td.path { overflow-wrap: anywhere; min-width: 12rem; } td.value { overflow-wrap: anywhere; min-width: 10rem; }
td.number, th.number { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
.nowrap { white-space: nowrap; }
code, pre, .mono { font: .85rem/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
pre { margin: 0; padding: .6rem .8rem; white-space: pre-wrap; overflow-wrap: anywhere; }
.bad { color: var(--bad); } .warn { color: var(--warn); } .good { color: var(--good); }
h1.mono { font-size: 1.2rem; font-weight: 600; } .scroll + .scroll { margin-top: .6rem; }
button { font: inherit; padding: .3rem .9rem; border: 1px solid var(--accent); border-radius: .4rem;
  background: var(--card); color: var(--accent); cursor: pointer; min-height: 2rem; }
form { margin: 0; }
.empty { border: 1px dashed var(--line); border-radius: .5rem; padding: 1.5rem; }
`

/** `img-src data:` is for the empty icon, which keeps browsers from asking for /favicon.ico. */
export const PAGE_POLICY = [
  "default-src 'none'",
  `style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'`,
  'img-src data:',
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join('; ')

export interface PageContent {
  readonly title: string
  /** HTML. */
  readonly main: string
  /** Seconds until the browser loads the page again. Undefined: it does not. */
  readonly reloadAfter?: number | undefined
}

export function pageFrame({ title, main, reloadAfter }: PageContent): string {
  const reload = reloadAfter === undefined ? '' : `\n<meta http-equiv="refresh" content="${reloadAfter}">`
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">${reload}
<title>${escapeHtml(title)} · Telephone</title>
<link rel="icon" href="data:,">
<style>${STYLE}</style>
</head>
<body>
<main>
${main}
</main>
</body>
</html>
`
}

/** Returns the class for the colour of a status; 0: there was no response. */
export function toneOf(status: number): 'bad' | 'warn' | 'good' {
  if (status === 0 || status >= 500) return 'bad'
  return status >= 400 ? 'warn' : 'good'
}
