// One HTTP/2 connection to a backend, with Node's http2. Connects and waits for the backend's SETTINGS, so that a server
// with another protocol is detected before a request is sent. Opens streams up to the limits of both sides. The pooling
// is in session-pool.ts, the retries are in exchange.ts.
//
//   connecting ──► open ──► draining (GOAWAY, or drain()) ──► closed
//        └──────────┴────────────────────────────────────────►

import { type ClientHttp2Session, type ClientHttp2Stream, connect } from 'node:http2'
import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import type { Clock, Timer } from '@vera-stack/shared/clock.ts'
import { TunnelError } from '@vera-stack/shared/protocol/wire/reason.ts'
import { RequestError } from '../backend-exchange.ts'
import {
  type ConnectStage,
  closedBeforeReady,
  connectFailure,
  connectTimeout,
  type ResponseProgress,
  unreachable,
  watchStage,
} from '../backend-failure.ts'
import type { Connector } from '../connector.ts'
import type { BackendConnectionOptions, ConnectionOwner } from '../pool-limits.ts'
import { Liveness, PONG_TIMEOUT_MS } from './liveness.ts'
import { explainEnd, type Goaway, type StreamEnd } from './stream-end.ts'

/** The part of the pool that a session uses. */
export interface SessionOwner extends ConnectionOwner<BackendSession> {
  onReady(session: BackendSession): void
  /** A stream of the client opened or ended. Not called while the session drains. */
  onStreamOpened(client: string): void
  onStreamEnded(client: string): void
  /** A stream has ended, or the backend raised its limit of streams. */
  onRoom(session: BackendSession): void
  /** The session accepts no new streams. Open streams continue. */
  onDraining(session: BackendSession): void
}

export interface StreamOptions {
  readonly endStream: boolean
  readonly waitForTrailers: boolean
  /** The client of the stream; empty: unknown. */
  readonly client: string
}

interface OpenStream {
  readonly client: string
  /** Index of the stream in the session's array of streams. */
  slot: number
}

export interface BackendSessionOptions extends BackendConnectionOptions<SessionOwner> {
  /** True with TLS: the backend must select `h2` by ALPN. */
  readonly secure: boolean
}

/**
 * Receive window of a stream: the most bytes that wait here while its client does not read. The default of 64 KiB allows
 * 50 Mbit/s at a round trip of 10 ms; this window allows 400 Mbit/s, and costs half a MiB for each stalled stream.
 */
const STREAM_WINDOW_BYTES = 524_288
/**
 * Receive window of the connection. Node returns its credit as soon as bytes arrive, so it costs no memory, and a stalled
 * stream does not block other streams. It only has to be larger than the bytes in flight.
 */
const SESSION_WINDOW_BYTES = 16_777_216
/** Our limit of streams, even when the backend allows more. It limits the effect of a lost connection, and held data. */
const MAX_STREAMS = 1000
/** The same limits as for HTTP/1 (http1/parser/response-parser.ts). nghttp2 resets a stream that exceeds them. */
const MAX_HEADER_BYTES = 65_536
const MAX_FIELDS = 256
/** Larger than any head that fits through the tunnel, so that only the backend rejects a head as too large. */
const MAX_SEND_HEADER_BYTES = 1_048_576
/** Ids have 31 bits, and ours are odd. The session is replaced long before the ids are used up. */
const MAX_STREAMS_EVER = 2 ** 29

const LINGER_MS = 1000

const OPTIONS = {
  settings: {
    enablePush: false,
    initialWindowSize: STREAM_WINDOW_BYTES,
    maxHeaderListSize: MAX_HEADER_BYTES,
  },
  maxHeaderListPairs: MAX_FIELDS,
  maxSendHeaderBlockLength: MAX_SEND_HEADER_BYTES,
  // Forwards a repeated field as it is. Node 22 does not have this option and refuses such a request.
  strictSingleValueFields: false,
}

export class BackendSession {
  /** Time at which the last stream ended, ms of the clock. Read by the pool. */
  idleSince = 0
  readonly #owner: SessionOwner
  readonly #clock: Clock
  readonly #socket: Socket
  readonly #connector: Connector
  readonly #secure: boolean
  readonly #liveness: Liveness
  readonly #stage: () => ConnectStage
  #connectTimer: Timer | undefined
  #lingerTimer: Timer | undefined
  #phase: 'connecting' | 'open' | 'draining' | 'closed' = 'connecting'
  #session: ClientHttp2Session | undefined
  /** Open streams. An array, not a Set, because it changes with every request: see Deadlines of the Plugboard. */
  readonly #streams: OpenStream[] = []
  #opened = 0
  #goaway: Goaway | undefined
  /** Reason for which this end closed the session. */
  #fault: TunnelError | undefined
  constructor({ connector, owner, clock, connectTimeoutMs, secure }: BackendSessionOptions) {
    this.#owner = owner
    this.#clock = clock
    this.#connector = connector
    this.#secure = secure
    this.#liveness = new Liveness(clock.now())
    this.#socket = connector.open(() => this.#begin())
    this.#stage = watchStage(this.#socket, connector.needsDns)
    this.#socket.on('error', error => this.#connectFailed(notConnected(error, connector)))
    this.#socket.on('close', () => this.#closedEarly())
    this.#connectTimer = clock.after(connectTimeoutMs, () =>
      this.#connectFailed(this.#late(connectTimeoutMs)),
    )
  }

  /** Number of open streams. */
  get streams(): number {
    return this.#streams.length
  }

  /** The client of each open stream. */
  get clients(): string[] {
    return this.#streams.map(({ client }) => client)
  }

  /** Largest number of open streams. */
  get capacity(): number {
    return Math.min(MAX_STREAMS, this.#session?.remoteSettings.maxConcurrentStreams ?? 0)
  }

  /** True when a stream can be opened now. The backend may have closed the connection without notice yet. */
  get hasRoom(): boolean {
    if (this.#phase !== 'open' || this.#streams.length >= this.capacity) return false
    return this.#session?.closed === false && !this.#session.destroyed
  }

  /** Number of streams opened since the start. */
  get opened(): number {
    return this.#opened
  }

  /** True when the backend accepts WebSockets (RFC 8441). */
  get takesExtendedConnect(): boolean {
    return this.#session?.remoteSettings.enableConnectProtocol === true
  }

  /** Opens a stream. Call it only while `hasRoom` is true. Throws RequestError when Node refuses to send the request. */
  open(list: string[], { client, ...options }: StreamOptions): ClientHttp2Stream {
    const session = this.#session as ClientHttp2Session
    let stream: ClientHttp2Stream
    try {
      stream = session.request(list, options)
    } catch (cause) {
      throw new RequestError(cause instanceof Error ? cause.message : String(cause), { cause })
    }
    if (this.#streams.length === 0) this.#liveness.wake(this.#clock.now())
    this.#liveness.sent()
    const entry: OpenStream = { client, slot: this.#streams.length }
    this.#streams.push(entry)
    this.#opened += 1
    this.#owner.onStreamOpened(client)
    stream.on('close', () => this.#streamClosed(entry))
    if (this.#opened >= MAX_STREAMS_EVER) this.drain()
    return stream
  }

  /** Records that bytes of a response arrived. */
  noteResponse(): void {
    this.#liveness.responded()
  }

  /** Returns the reason for which a stream closed before its response was complete. */
  explain(stream: ClientHttp2Stream, error: Error | undefined, progress: ResponseProgress): StreamEnd {
    if (this.#fault !== undefined) return { kind: 'failed', error: this.#fault }
    return explainEnd({
      backend: this.#connector.backend,
      progress,
      id: stream.id,
      resetCode: stream.rstCode,
      error,
      sessionOver: this.#session?.destroyed !== false,
      goaway: this.#goaway,
    })
  }

  /** Checks that the backend is alive while streams are open. */
  checkLiveness(): void {
    const session = this.#session
    if (this.#streams.length === 0 || session === undefined || session.destroyed) return
    const now = this.#clock.now()
    switch (this.#liveness.look(now, this.#socket.bytesRead)) {
      case 'ping':
        this.#liveness.pinged(now)
        session.ping(error => {
          if (error === null) this.#liveness.ponged()
        })
        break
      case 'dead':
        this.#fault = new TunnelError('backend_timeout', {
          detail: `Backend ${this.#connector.backend} did not respond to an HTTP/2 PING within ${PONG_TIMEOUT_MS / 1000} s.`,
          causeCode: 'response_timeout',
        })
        this.destroy()
        break
    }
  }

  /** Refuses new streams, and closes when the open streams have ended. */
  drain(): void {
    if (this.#phase !== 'open') return
    this.#becomeDraining()
    this.#session?.close()
  }

  /** Closes the session and its streams at once. */
  destroy(): void {
    if (this.#phase === 'connecting') {
      this.#phase = 'closed'
      this.#connectTimer?.cancel()
    }
    // A GOAWAY would wait for a backend that may be dead.
    this.#session?.destroy()
    this.#socket.destroy()
  }

  #begin(): void {
    if (this.#phase !== 'connecting') return
    if (this.#secure && (this.#socket as TLSSocket).alpnProtocol !== 'h2') {
      this.#connectFailed(noAlpn(this.#connector.backend))
      return
    }
    const authority = this.#secure ? 'https://backend' : 'http://backend'
    const session = connect(authority, { ...OPTIONS, createConnection: () => this.#socket })
    this.#session = session
    session.setLocalWindowSize(SESSION_WINDOW_BYTES)
    session.on('remoteSettings', () => this.#onSettings())
    session.on('goaway', (code, lastStreamId) => {
      this.#goaway = { code, lastStreamId }
      // Node closes the session at once, or when its streams have ended.
      if (this.#phase === 'open') this.#becomeDraining()
    })
    session.on('error', error => this.#connectFailed(notConnected(error, this.#connector)))
    session.on('close', () => this.#onClosed())
    // Node resets the stream of a frame that cannot be sent.
    session.on('frameError', () => undefined)
  }

  #streamClosed({ client, slot }: OpenStream): void {
    const last = this.#streams.pop() as OpenStream
    if (slot < this.#streams.length) {
      this.#streams[slot] = last
      last.slot = slot
    }
    if (this.#streams.length === 0) this.idleSince = this.#clock.now()
    if (this.#phase === 'open') {
      this.#owner.onStreamEnded(client)
      this.#owner.onRoom(this)
    } else if (this.#streams.length === 0) {
      this.#linger()
    }
  }

  #onSettings(): void {
    if (this.#phase === 'connecting') {
      this.#connectTimer?.cancel()
      this.#phase = 'open'
      this.idleSince = this.#clock.now()
      this.#owner.onReady(this)
    } else if (this.#phase === 'open') {
      this.#owner.onRoom(this)
    }
  }

  #becomeDraining(): void {
    this.#phase = 'draining'
    this.#owner.onDraining(this)
    if (this.#streams.length === 0) this.#linger()
  }

  /** Node sends a GOAWAY and waits until the backend closes too. This limits the wait. */
  #linger(): void {
    this.#lingerTimer ??= this.#clock.after(LINGER_MS, () => this.destroy())
  }

  #late(timeoutMs: number): TunnelError {
    const { backend } = this.#connector
    if (this.#session === undefined) return connectTimeout(backend, timeoutMs, this.#stage())
    const detail = `Backend ${backend} sent no HTTP/2 SETTINGS frame within ${timeoutMs / 1000} s.`
    return unreachable('http2_missing', detail)
  }

  #closedEarly(): void {
    if (this.#phase !== 'connecting') return
    const { backend, secure } = this.#connector
    const detail = `Backend ${backend} closed the connection before it sent an HTTP/2 SETTINGS frame.`
    const begun = this.#session !== undefined
    this.#connectFailed(begun ? unreachable('http2_missing', detail) : closedBeforeReady(backend, secure))
  }

  #connectFailed(error: TunnelError): void {
    if (this.#phase !== 'connecting') return
    this.destroy()
    this.#owner.onConnectFailed(this, error)
  }

  #onClosed(): void {
    this.#closedEarly()
    if (this.#phase === 'closed') return
    this.#phase = 'closed'
    this.#lingerTimer?.cancel()
    this.#owner.onClosed(this)
  }
}

function noAlpn(backend: string, cause?: unknown): TunnelError {
  const detail = `Backend ${backend} did not select HTTP/2 in the TLS handshake (ALPN): write the target with https://.`
  return unreachable('http2_missing', detail, cause)
}

/** Creates the error for a missing connection, or for received bytes that are not HTTP/2. */
function notConnected(error: NodeJS.ErrnoException, { backend, secure }: Connector): TunnelError {
  if (error.code === 'ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL') return noAlpn(backend, error)
  if (error.code?.startsWith('ERR_HTTP2_') !== true) return connectFailure(error, backend, secure)
  const instead = secure ? 'https://' : 'http://'
  const detail = `Backend ${backend} did not respond with HTTP/2 (${error.message}): write the target with ${instead}.`
  return unreachable('http2_missing', detail, error)
}
