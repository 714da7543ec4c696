// One exchange: request and response with fields and bodies, the curl command, and the button that sends it again.

import { escapeHtml } from '@vera-stack/shared/http/escape-html.ts'
import type { CapturedBodyText, CapturedExchange } from '@vera-stack/shared/inspect/captured-exchange.ts'
import { curlText } from '@vera-stack/shared/inspect/curl-text.ts'
import { indentJson } from '@vera-stack/shared/text/indent-json.ts'
import { pageFrame, toneOf } from './page-frame.ts'

type Pairs = readonly (readonly [string, string])[]

export function exchangePage(exchange: CapturedExchange): string {
  const { id, received, sent, request, replayOf } = exchange
  const title = `${received.method} ${request.path}`
  const path = `/exchanges/${encodeURIComponent(id)}`
  const parts = [
    '<nav><a href="/">All exchanges</a></nav>',
    `<h1 class="mono">${escapeHtml(title)}</h1>`,
    `<p>${statusOf(exchange)} · ${request.durationMs.toFixed(1)} ms${backendOf(exchange)} · <time datetime="${escapeHtml(request.at)}">${escapeHtml(request.at)}</time></p>`,
    replayOf === null
      ? ''
      : `<p>A replay of <a href="/exchanges/${encodeURIComponent(replayOf)}">this exchange</a>.</p>`,
    `<div class="row"><form method="post" action="${path}/replay"><button>Send again</button></form>`,
    `<a href="${path}?format=har">HAR</a> <a href="/v1${path}">JSON</a></div>`,
    '<p class="soft">“Send again” goes to the backend directly, not through Plugboard. Masked values are left out.</p>',
    `<h2>Request</h2>\n<pre class="scroll" tabindex="0">${escapeHtml(`${received.method} ${received.target}`)}</pre>`,
    fieldsTable('Request fields', received.fields),
    bodyPart('Request body', received.body),
    fieldsTable('Request trailers', received.trailers ?? []),
    `<h2>Response</h2>`,
    sent === null ? '<p>There is no response.</p>' : fieldsTable('Response fields', sent.fields),
    sent === null ? '' : bodyPart('Response body', sent.body),
    fieldsTable('Response trailers', sent?.trailers ?? []),
    `<h2>curl</h2>\n<pre class="scroll" tabindex="0">${escapeHtml(curlText(exchange))}</pre>`,
  ]
  return pageFrame({ title, main: parts.filter(part => part !== '').join('\n') })
}

function statusOf({ sent, open, request }: CapturedExchange): string {
  if (sent === null)
    return `<span class="bad">no response${request.code === undefined ? '' : `: ${escapeHtml(request.code)}`}</span>`
  return `<span class="${toneOf(sent.status)}">${sent.status} ${escapeHtml(sent.statusText)}</span>${open ? ' (open)' : ''}`
}

function backendOf({ request: { backendMs } }: CapturedExchange): string {
  return backendMs === undefined ? '' : `, ${backendMs.toFixed(1)} ms until the head of the response`
}

function fieldsTable(label: string, fields: Pairs): string {
  if (fields.length === 0) return ''
  const rows = fields.map(
    ([name, value]) =>
      `<tr><th scope="row" class="mono">${escapeHtml(name)}</th><td class="value mono">${escapeHtml(value)}</td></tr>`,
  )
  return `<div class="scroll" tabindex="0" role="region" aria-label="${label}"><table><tbody>\n${rows.join('\n')}\n</tbody></table></div>`
}

function bodyPart(label: string, body: CapturedBodyText | null): string {
  if (body === null) return ''
  const { text, isCut, omitted, bytes } = body
  const reason = omitted ?? 'it is too long'
  const note = isCut
    ? `<p class="soft">The body has ${bytes} bytes. A part of it is left out: ${escapeHtml(reason)}.</p>`
    : ''
  const content =
    text === null
      ? ''
      : `<pre class="scroll" tabindex="0" role="region" aria-label="${label}">${escapeHtml(formatted(text))}</pre>`
  return content + note
}

/** Returns JSON with line breaks, and other texts as they are. */
function formatted(text: string): string {
  if (!/^\s*[[{]/.test(text)) return text
  try {
    JSON.parse(text)
  } catch (error) {
    if (error instanceof SyntaxError) return text
    throw error
  }
  return indentJson(text)
}
