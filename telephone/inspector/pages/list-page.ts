// The list of exchanges, the newest first. It loads itself again, unless the person pauses it.

import { escapeHtml } from '@vera-stack/shared/http/escape-html.ts'
import type { ExchangeSummary } from '@vera-stack/shared/inspect/captured-exchange.ts'
import { pageFrame, toneOf } from './page-frame.ts'

const RELOAD_SECONDS = 2

export function listPage(items: readonly ExchangeSummary[], isPaused: boolean): string {
  const control = isPaused
    ? '<a href="/">Follow new requests</a>'
    : `<span>This page loads itself again every ${RELOAD_SECONDS} seconds.</span> <a href="/?paused">Pause</a>`
  const content = items.length === 0 ? EMPTY : tableOf(items)
  return pageFrame({
    title: 'Exchanges',
    main: `<h1>Exchanges</h1>\n<div class="row soft">${control}</div>\n${content}`,
    reloadAfter: isPaused ? undefined : RELOAD_SECONDS,
  })
}

const EMPTY = `<div class="empty">
<p>No request has arrived yet.</p>
<p class="soft">Open the URL that the Telephone printed. The request appears here when it ends. Secrets are masked.</p>
</div>`

const tableOf = (
  items: readonly ExchangeSummary[],
): string => `<div class="scroll" tabindex="0" role="region" aria-label="Exchanges">
<table>
<thead><tr><th>Time</th><th>Status</th><th>Method</th><th>Path</th><th class="number">Duration</th><th class="number">Bytes</th><th>Host</th></tr></thead>
<tbody>
${items.map(rowOf).join('\n')}
</tbody>
</table>
</div>`

function rowOf({ id, open, replayOf, request }: ExchangeSummary): string {
  const { at, method, path, status, durationMs, bytesOut, host, code } = request
  const notes = [open ? 'open' : '', replayOf === null ? '' : 'replay', code ?? ''].filter(
    note => note !== '',
  )
  const note = notes.length === 0 ? '' : ` <span class="soft">${escapeHtml(notes.join(', '))}</span>`
  return (
    `<tr><td class="nowrap"><time datetime="${escapeHtml(at)}">${escapeHtml(at.slice(11, 19))}</time></td>` +
    `<td class="${toneOf(status)}">${status === 0 ? 'none' : status}</td>` +
    `<td class="mono">${escapeHtml(method)}</td>` +
    `<td class="path mono"><a href="/exchanges/${encodeURIComponent(id)}">${escapeHtml(path)}</a>${note}</td>` +
    `<td class="number">${durationMs.toFixed(1)} ms</td><td class="number">${bytesOut}</td>` +
    `<td class="nowrap">${escapeHtml(host)}</td></tr>`
  )
}
