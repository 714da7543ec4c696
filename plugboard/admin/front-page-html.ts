// Renders the page at `/` of the admin port: the program, its state, a few figures, and links. The page has no script and loads
// no resource, so its policy allows only one style sheet, by its hash.

import { createHash } from 'node:crypto'
import { escapeHtml } from '../common/http/escape-html.ts'

export interface FrontPageContent {
  readonly version: string
  readonly state: string
  /** Name and value; undefined: this client may not see the figures. */
  readonly figures: readonly (readonly [name: string, value: string])[] | undefined
  readonly links: readonly (readonly [href: string, text: string])[]
  /** The purpose of a command, and the command. */
  readonly commands: readonly (readonly [what: string, command: string])[]
}

const STYLE = `
:root { color-scheme: light dark; --ink: #1c2230; --soft: #566072; --line: #d8dde6; --paper: #fbfcfe;
  --card: #fff; --accent: #0b5fb5; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8ecf4; --soft: #a3aec0; --line: #313a4b;
  --paper: #12161f; --card: #1a202c; --accent: #7cbcff; } }
* { box-sizing: border-box }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", sans-serif; }
main { max-width: 46rem; margin: 0 auto; padding: 3.5rem 1.25rem 4rem; }
h1 { font-size: 2rem; line-height: 1.2; letter-spacing: -.02em; margin: 0 0 .5rem; }
h2 { font-size: 1.05rem; margin: 2.5rem 0 .75rem; }
p { margin: 0 0 1rem; color: var(--soft); }
a { color: var(--accent); }
a:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
dl { display: grid; grid-template-columns: repeat(auto-fill, minmax(10.5rem, 1fr)); gap: .6rem; margin: 0; }
dl div { border: 1px solid var(--line); border-radius: .6rem; background: var(--card); padding: .7rem .8rem; }
dt { color: var(--soft); font-size: .85rem; }
dd { margin: 0; font-size: 1.15rem; font-weight: 600; overflow-wrap: anywhere; }
ul { margin: 0; padding-left: 1.2rem; }
li { margin: .25rem 0; }
code, pre { font: .875rem/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
pre { background: var(--card); border: 1px solid var(--line); border-radius: .6rem; padding: .7rem .9rem;
  white-space: pre-wrap; overflow-wrap: anywhere; margin: 0 0 1rem; }
.what { color: var(--ink); margin: 0 0 .35rem; }
`

/** `img-src data:` is for the empty icon, which keeps browsers from asking for /favicon.ico. */
export const FRONT_PAGE_POLICY = [
  "default-src 'none'",
  `style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'`,
  'img-src data:',
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

export function frontPage({ version, state, figures, links, commands }: FrontPageContent): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Plugboard: ${escapeHtml(state)}</title>
<link rel="icon" href="data:,">
<style>${STYLE}</style>
</head>
<body>
<main>
<h1>Plugboard</h1>
<p>This is the admin port of Plugboard ${escapeHtml(version)}, a reverse proxy. Its routes are in a database, and its backends connect
to it through tunnels. Programs and the command line use the API on this port, with an API key.</p>
<h2>Status</h2>
${statusPart(state, figures)}
<h2>Commands</h2>
${commands.map(([what, command]) => `<p class="what">${escapeHtml(what)}</p>\n<pre>${escapeHtml(command)}</pre>`).join('\n')}
<h2>Links</h2>
<ul>
${links.map(([href, text]) => `<li><a href="${escapeHtml(href)}">${escapeHtml(text)}</a></li>`).join('\n')}
</ul>
</main>
</body>
</html>
`
}

function statusPart(state: string, figures: FrontPageContent['figures']): string {
  const all = [['State', state], ...(figures ?? [])] as const
  const list = all.map(
    ([name, value]) => `<div><dt>${escapeHtml(name)}</dt><dd>${escapeHtml(value)}</dd></div>`,
  )
  const note =
    figures === undefined
      ? '\n<p>Only a browser on the same machine gets the figures. The first command below shows them on any machine.</p>'
      : '\n<p>A line is one service that one tunnel offers.</p>'
  return `<dl>\n${list.join('\n')}\n</dl>${note}`
}
