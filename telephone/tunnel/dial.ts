// Opens one WebSocket to a Plugboard: the handshake with the credential. A failure is one of two kinds: the Plugboard is
// unreachable, or it refuses the connection. The session uses the open WebSocket; tunnel.ts decides about retries.

import type { IncomingMessage } from 'node:http'
import { Agent } from 'node:https'
import type { Socket } from 'node:net'
import type { Clock } from '@vera-stack/shared/clock.ts'
import { TUNNEL_WEBSOCKET_OPTIONS, webSocketTransport } from '@vera-stack/shared/net/websocket-transport.ts'
import type { Transport } from '@vera-stack/shared/protocol/transport.ts'
import { SUBPROTOCOL } from '@vera-stack/shared/protocol/wire/version.ts'
import { WebSocket } from 'ws'
import { DialError, dialFailure, refusal } from './dial-error.ts'
import { isLoopback } from './plugboard-url.ts'

export interface DialOptions {
  readonly url: URL
  readonly token: string
  /** `telephone/0.1.0` */
  readonly agent: string
  readonly clock: Clock
  /** Time limit for TCP, TLS and the complete response to the handshake together, ms. */
  readonly timeoutMs: number
  /** PEM of certificate authorities to trust instead of the default ones. */
  readonly tlsCa?: string | undefined
  /** Environment that contains HTTPS_PROXY, NO_PROXY and similar variables. */
  readonly env: Readonly<Record<string, string | undefined>>
}

export interface DialEvents {
  /**
   * The connection is open. Its receiver must be set before this returns: the Plugboard's first message may have
   * arrived with the handshake. `plugboardTimeMs`: the clock of Plugboard in whole seconds, ms since 1970; undefined for an older
   * Plugboard.
   */
  onOpen(transport: Transport, plugboardTimeMs: number | undefined): void
  onFailure(error: DialError): void
}

/** Dials. Calls exactly one of the events, later. Returns a function that cancels the dial; then no event is called. */
export function dial(options: DialOptions, events: DialEvents): () => void {
  const { url, clock, timeoutMs } = options
  let settled = false
  let refused: IncomingMessage | undefined
  // An own deadline, because the timeout of ws restarts with every byte that arrives.
  const deadline = clock.after(timeoutMs, () => {
    // A refusal whose head is complete counts as a refusal; the rest of its body is discarded.
    if (refused !== undefined) refused.destroy()
    else {
      fail(new DialError('unreachable', `no complete response within ${timeoutMs} ms`))
      webSocket.terminate()
    }
  })
  const webSocket = new WebSocket(url, SUBPROTOCOL, {
    headers: { Authorization: `Bearer ${options.token}`, 'User-Agent': options.agent },
    ...TUNNEL_WEBSOCKET_OPTIONS,
    ...(options.tlsCa !== undefined && { ca: options.tlsCa }),
    ...(usesProxy(options) && { agent: proxyAgent(options) }),
    ...(maskingHasNoPurpose(url) && { generateMask: zeroMask }),
  })
  const fail = (error: DialError): void => {
    if (settled) return
    settled = true
    deadline.cancel()
    events.onFailure(error)
  }
  let socket: Socket | undefined
  let plugboardTimeMs: number | undefined
  webSocket.on('upgrade', response => {
    socket = response.socket
    const timeMs = Date.parse(response.headers.date ?? '')
    plugboardTimeMs = Number.isNaN(timeMs) ? undefined : timeMs
  })
  webSocket.on('unexpected-response', (_request, response) => {
    // Close the connection here: a proxy before the Plugboard may keep it open, and it would keep this process alive.
    const connection = response.socket
    refused = response
    void refusal(response).then(error => {
      fail(error)
      connection.destroy()
    })
  })
  // This listener stays for the lifetime of the WebSocket, because a cancelled WebSocket emits an error that has no use.
  webSocket.on('error', error => fail(dialFailure(error)))
  webSocket.on('open', () => {
    if (settled) return
    if (socket === undefined || webSocket.protocol !== SUBPROTOCOL) {
      fail(new DialError('refused', 'the far end is not a Plugboard'))
      webSocket.terminate()
      return
    }
    settled = true
    deadline.cancel()
    events.onOpen(webSocketTransport(webSocket, socket), plugboardTimeMs)
  })
  return () => {
    if (settled) return
    settled = true
    deadline.cancel()
    webSocket.terminate()
  }
}

// RFC 6455 requires clients to mask their bytes, so that a script in a browser cannot choose the bytes that an
// intermediary reads on a plaintext connection. Intermediaries cannot read TLS, and loopback has no intermediaries. There
// a mask of zeros saves both ends a pass over every byte. Other connections use the random mask of ws.
function maskingHasNoPurpose(url: URL): boolean {
  return url.protocol === 'wss:' || isLoopback(url)
}

function zeroMask(mask: Buffer): void {
  mask.fill(0)
}

// Only towards wss, as CONNECT: proxies do not pass an upgrade on a plaintext connection.
function usesProxy({ url, env }: DialOptions): boolean {
  const proxy = env.https_proxy ?? env.HTTPS_PROXY ?? ''
  return url.protocol === 'wss:' && proxy !== '' && !isLoopback(url)
}

/** Creates an agent for the single connection of the WebSocket. The agent applies NO_PROXY. */
function proxyAgent({ env }: DialOptions): Agent {
  const { https_proxy, HTTPS_PROXY, no_proxy, NO_PROXY } = env
  return new Agent({
    keepAlive: false,
    proxyEnv: { HTTPS_PROXY: https_proxy ?? HTTPS_PROXY, NO_PROXY: no_proxy ?? NO_PROXY },
  })
}
