// One client's connection: the facts that all its requests share (determined once), and its requests in flight. It informs
// them when the client disconnects. A response of the connection itself waits until the responses due before it are sent.
// It does not depend on how a request is forwarded.

import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import type { Clock, Timer } from '@vera-stack/shared/clock.ts'
import { resetSocket } from '@vera-stack/shared/net/reset-socket.ts'
import { addressGroup } from '../../common/net/address-group.ts'
import type { Deadlines } from '../deadlines.ts'
import { BackendAffinity } from '../policy/backend-affinity.ts'
import { IdleDeadline } from './idle-deadline.ts'
import { closeLingering } from './lingering-close.ts'
import { clientAddressOf } from './proxy-protocol-gate.ts'
import type { ProxyUse, TrustedProxies } from './trusted-proxies.ts'

/** A request in flight on the connection. */
export interface InFlight {
  /** Called when the connection has closed. */
  clientClosed(): void
  /** Called when the framing of the request's body is broken, so no more of it can arrive. True when it sends the response. */
  bodyBroke(error: NodeJS.ErrnoException): boolean
  /** Called when a further request has arrived behind this one. True: it must not be served. Absent: it may be served. */
  refusesNext?(): boolean
}

/** The facts about a connection that decide how its requests are admitted. */
export type ClientFacts = Pick<
  ClientConnection,
  'remoteAddress' | 'addressGroup' | 'trusted' | 'proxyUse' | 'proto' | 'http2' | 'forwardedPrefix'
>

/** The part of a connection that an exchange uses. A replay has one without a socket (replay/replayed-client.ts). */
export type RequestConnection = Pick<
  ClientConnection,
  'closing' | 'affinity' | 'authenticated' | 'add' | 'remove' | 'isLast' | 'expectUnread'
> & { readonly socket: { destroy(): unknown } }

export class ClientConnection {
  readonly socket: Socket
  readonly remoteAddress: string
  /** The key for limits per client: the address, or the /64 of an IPv6 address. */
  readonly addressGroup: string
  /** True when the peer is a trusted proxy, which may report the client's address. */
  readonly trusted: boolean
  /** Counts the requests of a trusted proxy; undefined for other peers. */
  readonly proxyUse: ProxyUse | undefined
  readonly proto: 'http' | 'https'
  /** By the clock of the proxy. */
  readonly acceptedAtMs: number
  /** True once a request head was complete. */
  served = false
  /** True once the client has chosen HTTP/2. */
  http2 = false
  /** `for=…;proto=…;host=`: our element of Forwarded up to the host. */
  readonly forwardedPrefix: string
  /** True when no further request of this connection is served. The bytes after a malformed request cannot be trusted. */
  closing = false
  /** Set once a request has authenticated the connection to its backend. All later requests use the same connection. */
  affinity: BackendAffinity | undefined
  readonly #transport: Socket
  readonly #deadlines: Deadlines
  readonly #destroySoon: () => void
  readonly #inFlight: InFlight[] = []
  #lastBytes: Buffer | undefined
  /** True when the last response has been written, and our half of the connection ends. */
  #ended = false
  /** True when bytes may arrive that belong to no request. */
  #unread = false
  #lingering = false
  #firstRequestTimer: Timer | undefined
  #idle: IdleDeadline | undefined

  /** `transport`: the TCP connection, when `socket` was decrypted. `deadlines`: for the end of the connection. */
  constructor(
    socket: Socket,
    trustedProxies: TrustedProxies,
    deadlines: Deadlines,
    acceptedAtMs: number,
    transport = socket,
  ) {
    this.acceptedAtMs = acceptedAtMs
    this.socket = socket
    this.#transport = transport
    this.#deadlines = deadlines
    this.remoteAddress = clientAddressOf(transport)
    this.addressGroup = addressGroup(this.remoteAddress)
    this.trusted = trustedProxies.trusts(this.remoteAddress)
    this.proxyUse = this.trusted ? trustedProxies.useOf(this.remoteAddress) : undefined
    this.proto = (socket as TLSSocket).encrypted === true ? 'https' : 'http'
    this.forwardedPrefix = forwardedPrefixOf(this.remoteAddress, this.proto)
    // Node's server calls this after the last response of a connection. With unread bytes, the socket would be reset, which
    // can destroy the response (RFC 9112 section 9.6). So our half ends first, and the other half gets time to end.
    this.#destroySoon = socket.destroySoon.bind(socket)
    socket.destroySoon = () => {
      this.#ended = true
      if (this.#inFlight.length === 0) this.#close()
      else socket.end()
    }
  }

  /** Calls `late` after `leftMs`, unless a request begins before that. */
  awaitFirstRequest(clock: Clock, leftMs: number, late: () => void): void {
    this.#firstRequestTimer = clock.after(leftMs, late)
  }

  /** Call before Node's HTTP/1 server takes the socket: `deadlines` end the connection when it is idle for too long. */
  watchIdle(deadlines: Deadlines): void {
    this.#idle = new IdleDeadline(this.socket, deadlines)
  }

  /** Call when a request head is complete. */
  requestBegan(): void {
    this.served = true
    if (this.#firstRequestTimer === undefined) return
    this.#firstRequestTimer.cancel()
    this.#firstRequestTimer = undefined
  }

  get inFlightCount(): number {
    return this.#inFlight.length
  }

  /** True when the connection takes no more requests. Call it for each request that has arrived. */
  refusesRequests(): boolean {
    if (this.#inFlight.at(-1)?.refusesNext?.() === true) this.closing = true
    return this.closing
  }

  /** True when no later request of the connection is in flight. */
  isLast(request: InFlight): boolean {
    return this.#inFlight.at(-1) === request
  }

  /**
   * Call when a request authenticates the connection. Has no effect for HTTP/2 and for trusted proxies, because clients may
   * share such a connection.
   */
  authenticated(): void {
    if (!this.http2 && !this.trusted) this.affinity ??= new BackendAffinity()
  }

  add(request: InFlight): void {
    this.#inFlight.push(request)
  }

  /** Counts a complete response as in flight until it is sent, because the responses before it are sent first. */
  addQueued(res: ServerResponse): void {
    if (this.#inFlight.length === 0) return
    const queued: InFlight = { clientClosed: () => undefined, bodyBroke: () => false }
    this.add(queued)
    res.once('finish', () => this.remove(queued))
  }

  remove(request: InFlight): void {
    const index = this.#inFlight.indexOf(request)
    if (index !== -1) this.#inFlight.splice(index, 1)
    if (this.#inFlight.length > 0) return
    if (this.#ended) this.#close()
    else if (this.#lastBytes !== undefined) this.#writeAndClose(this.#lastBytes)
  }

  /** Informs the request whose body is arriving that its framing broke. Returns true when that request sends the response. */
  bodyBroke(error: NodeJS.ErrnoException): boolean {
    return this.#inFlight.at(-1)?.bodyBroke(error) ?? false
  }

  /** Call when bytes may arrive that belong to no request. The end of the connection then waits until they are read. */
  expectUnread(): void {
    this.#unread = true
  }

  /** Sends these bytes after all responses that are still due, then closes the connection. Serves no further request. */
  respondAndClose(bytes: Buffer): void {
    this.#firstRequestTimer?.cancel()
    if (this.closing) return
    this.closing = true
    if (this.#inFlight.length === 0) this.#writeAndClose(bytes)
    else this.#lastBytes = bytes
  }

  /** Closes the connection by a TCP reset, so that the client cannot take it for an orderly end. TLS itself has no reset. */
  reset(): void {
    resetSocket(this.socket, this.#transport)
  }

  /** Call when a response starts that announces the end of the connection. No bytes are sent after it. */
  lastResponse(): void {
    this.closing = true
    this.#lastBytes = undefined
  }

  onClosed(): void {
    this.#firstRequestTimer?.cancel()
    this.#idle?.cancel()
    this.closing = true
    this.#lastBytes = undefined
    for (const request of this.#inFlight.splice(0)) request.clientClosed()
  }

  #writeAndClose(bytes: Buffer): void {
    this.#lastBytes = undefined
    if (this.socket.writable) this.socket.write(bytes)
    this.socket.destroySoon()
  }

  /** Runs when all responses are written and no request body is read any more. */
  #close(): void {
    const { socket } = this
    if (this.#lingering) return
    this.#lingering = this.#unread && !socket.destroyed && !socket.readableEnded
    if (this.#lingering) closeLingering(socket, this.#deadlines)
    else this.#destroySoon()
  }
}

/** Returns our element of Forwarded up to the host. */
export function forwardedPrefixOf(remoteAddress: string, proto: 'http' | 'https'): string {
  const node = remoteAddress.includes(':') ? `"[${remoteAddress}]"` : remoteAddress
  return `for=${node};proto=${proto};host=`
}
