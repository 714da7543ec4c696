// Renders the welcome page, for light and dark mode. The page has no scripts and loads no resources.

import { escapeHtml } from '@vera-stack/shared/http/escape-html.ts'

export interface WelcomePageContent {
  /** The rows of name and value that the backend has received. */
  readonly request: readonly (readonly [string, string])[]
  readonly commands: readonly { what: string; command: string }[]
}

const STYLE = `
:root { color-scheme: light dark; --ink: #1c2230; --soft: #5b6474; --line: #d8dde6; --paper: #fbfcfe;
  --card: #fff; --accent: #0b6bcb; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8ecf4; --soft: #9aa5b8; --line: #313a4b;
  --paper: #12161f; --card: #1a202c; --accent: #6cb6ff; } }
* { box-sizing: border-box }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", sans-serif; }
main { max-width: 46rem; margin: 0 auto; padding: 3.5rem 1.25rem 4rem; }
h1 { font-size: 2rem; line-height: 1.2; letter-spacing: -.02em; margin: 0 0 .5rem; }
h2 { font-size: 1.05rem; margin: 2.5rem 0 .75rem; }
p { margin: 0 0 1rem; color: var(--soft); }
ol.way { list-style: none; display: flex; flex-wrap: wrap; gap: .5rem; padding: 0; margin: 1.75rem 0 0; }
ol.way li { flex: 1 1 7rem; border: 1px solid var(--line); border-radius: .6rem; background: var(--card);
  padding: .7rem .8rem; font-weight: 600; }
ol.way small { display: block; font-weight: 400; color: var(--soft); font-size: .8rem; line-height: 1.35; }
table { width: 100%; border-collapse: collapse; font-size: .9rem; }
td { border-top: 1px solid var(--line); padding: .45rem 0; vertical-align: top; overflow-wrap: anywhere; }
td:first-child { color: var(--soft); width: 11rem; }
code, pre { font: .875rem/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
pre { background: var(--card); border: 1px solid var(--line); border-radius: .6rem; padding: .7rem .9rem;
  white-space: pre-wrap; overflow-wrap: anywhere; margin: 0 0 1rem; }
.what { color: var(--ink); margin: 0 0 .35rem; }
`

export function welcomePage({ request, commands }: WelcomePageContent): string {
  const way = [
    ['Browser', 'asked for this page'],
    ['Plugboard', 'found the route in memory'],
    ['Tunnel', 'one WebSocket, opened by the Telephone'],
    ['Telephone', 'received the request'],
    ['This app', 'sent the response, on a private port'],
  ] as const
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>It works · Vera-Stack</title>
<style>${STYLE}</style>
<main>
<h1>It works.</h1>
<p>This page came through a real tunnel. The app that wrote it has no port open to the outside.</p>
<ol class="way">
${way.map(([name, what]) => `<li>${name}<small>${what}</small></li>`).join('\n')}
</ol>
<h2>Next</h2>
${commands.map(({ what, command }) => `<p class="what">${escapeHtml(what)}</p>\n<pre>${escapeHtml(command)}</pre>`).join('\n')}
<h2>The request as the app received it</h2>
<table>
${request.map(([name, value]) => `<tr><td>${escapeHtml(name)}</td><td><code>${escapeHtml(value)}</code></td></tr>`).join('\n')}
</table>
</main>
</html>
`
}
