// WebSocket to an HTTP/2 backend: an extended CONNECT (RFC 8441) where the backend's SETTINGS allow it. Other
// upgrades have no counterpart in HTTP/2. Such requests, and backends without support, get a response with the reason.

import { equalsIgnoringCase, FIELD, fieldOf } from '@vera-stack/shared/http/headers.ts'
import { statusText } from '@vera-stack/shared/http/status-text.ts'
import { webSocketAccept } from '@vera-stack/shared/http/websocket-accept.ts'
import type { Fields, StreamResponseHead } from '@vera-stack/shared/protocol/streams/stream.ts'
import type { BackendRequest, ExchangeEvents } from '../backend-exchange.ts'
import type { Http2RequestHead } from './request-fields.ts'

export function isWebSocket({ method, fields }: BackendRequest, head: Http2RequestHead): boolean {
  if (method !== 'GET' || head.webSocketKey === undefined) return false
  const at = fields.findIndex((name, index) => index % 2 === 0 && fieldOf(name) === FIELD.upgrade)
  return at !== -1 && equalsIgnoringCase(fields[at + 1] as string, 'websocket')
}

/** Converts a 2xx to an extended CONNECT to the 101 that the client expects (RFC 8441 section 5). */
export function readUpgradeHead({ fields }: StreamResponseHead, webSocketKey: string): StreamResponseHead {
  const accept = webSocketAccept(webSocketKey)
  const all: Fields = ['Upgrade', 'websocket', 'Connection', 'Upgrade', 'Sec-WebSocket-Accept', accept]
  for (let index = 0; index < fields.length; index += 2) {
    const name = fields[index] as string
    if (name === 'content-length' || name === 'sec-websocket-accept') continue
    all.push(name, fields[index + 1] as string)
  }
  return { status: 101, statusText: statusText(101), fields: all }
}

/** Responds like a function in this process (backend/forward/handler-forward.ts). */
export function respondDeclined(events: ExchangeEvents): void {
  const body = Buffer.from('The backend uses HTTP/2 and does not accept this upgrade.\n')
  const fields = ['Content-Type', 'text/plain; charset=utf-8', 'Content-Length', String(body.length)]
  events.onResponseHead({ status: 501, statusText: statusText(501), fields })
  events.onResponseBody(body)
  events.onResponseEnd(undefined)
}
